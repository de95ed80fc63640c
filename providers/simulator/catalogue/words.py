"""The words that scripts are written with: heads, framings, chunks of an answer."""

import json
from typing import Any

from providers.simulator.player import Play, Send, Wait

LAST = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def head(
    status: str = "200 OK",
    kind: str = "text/event-stream",
    *fields: str,
    length: int | None = None,
    close: bool = False,
) -> bytes:
    """Return a response's head, its body chunked unless it has a length or a close."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *fields]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    elif not close:
        lines.append("Transfer-Encoding: chunked")
    else:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def whole(
    body: bytes, status: str = "200 OK", kind: str = "application/json", *fields: str
) -> bytes:
    """Return a response with a body of known length."""
    return head(status, kind, *fields, length=len(body)) + body


def chunked(*pieces: bytes) -> bytes:
    """Return pieces in HTTP's chunked framing, without the last, empty chunk."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def event(value: Any) -> bytes:
    """Return an event whose data is a value as JSON."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(
    delta: dict[str, Any] | None = None, finish: str | None = None, **fields: Any
) -> bytes:
    """Return the event of one chunk; `fields` stand beside its choices."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return event({"id": "c1", "model": "m", "choices": [choice], **fields})


def said(text: str) -> bytes:
    """Return the chunk of a piece of text."""
    return chunk({"content": text})


def used(prompt: Any = 5, completion: Any = 2, **more: Any) -> bytes:
    """Return the chunk that states the usage."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return event({"id": "c1", "choices": [], "usage": counts | more})


ROLE = chunk({"role": "assistant", "content": ""})
STOP = chunk(finish="stop")
TEXT = (said("Hel"), said("lo"))
GOOD = [ROLE, *TEXT, STOP, used(), DONE]
"""A good answer: Hello, in two tokens."""

ANSWER: dict[str, Any] = {
    "id": "c1",
    "model": "m",
    "choices": [
        {"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
"""The same answer, not streamed."""


def stream(*events: bytes, end: bytes = LAST) -> bytes:
    """Return a response that is a stream; `end` is what ends its framing."""
    return head() + chunked(*events) + end


def streaming(*events: bytes) -> Play:
    """Return the script that sends these events as a whole stream, all at once."""
    return (Send(stream(*events)),)


def paced(*pieces: bytes, seconds: float = 0.002, end: bytes = LAST) -> Play:
    """Return the script that sends a stream's pieces one by one, with rests between."""
    rests = [each for piece in pieces for each in (Send(chunked(piece)), Wait(seconds))]
    return (Send(head()), Wait(seconds), *rests, Send(end))


def apart(data: bytes, seconds: float = 0.0) -> Play:
    """Return the script that writes bytes one by one, with rests between."""
    return tuple(each for byte in data for each in (Send(bytes([byte])), Wait(seconds)))


def replying(
    body: bytes, status: str = "200 OK", kind: str = "application/json", *fields: str
) -> Play:
    """Return the script that sends one body of known length."""
    return (Send(whole(body, status, kind, *fields)),)


def encoded(value: Any) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value).encode()
