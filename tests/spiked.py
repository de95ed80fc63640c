"""The catalogue's scripts with a word put wherever a host can put a text."""

import json
import re
from itertools import cycle

from byteserver import STOP, chunk, head, said, stream, whole

from providers.simulator.catalogue.index import CATALOGUE
from providers.simulator.player import Repeat, Send

JOINED = 50
"""A script of more actions is sent in one go: no reader sees the difference."""
FLOOD_BYTES = 100_000
"""What is said so often is said elsewhere once."""

NAMED = (
    b"id|model|provider|system_fingerprint|content|reasoning|reasoning_content|refusal"
    b"|text|name|arguments|message|code|type|param|detail|msg"
)
FRAMING = ("content-length", "transfer-encoding", "content-encoding", "connection")
CHUNK = re.compile(rb"([0-9a-fA-F]{1,7})\r\n")


def spiked(words):
    """Return every script that can carry a text, with a word in each of its places.

    First only in texts that decide nothing, then in all of them; each script takes
    the next of some words.
    """
    turns = cycle(words)
    found = [
        _spiked(play, next(turns).encode(), wholly)
        for wholly in (False, True)
        for play in plays()
    ]
    return [*found, *(each for word in words for each in _further(word))]


def plays():
    """Return every script that answers a request, and is no flood."""
    return [
        play
        for fault in CATALOGUE
        for play in fault.plays.values()
        if not fault.at_connect
        and sum(len(getattr(action, "data", b"")) for action in play) < FLOOD_BYTES
    ]


def _further(word):
    """Return scripts whose texts the catalogue has no use for."""
    half = len(word) // 2
    tool = [
        {"index": 0, "id": word, "function": {"name": word, "arguments": '{"a": "'}},
        {"index": 0, "function": {"arguments": word[:half]}},
        {"index": 0, "function": {"arguments": word[half:] + '"}'}},
    ]
    named = {"index": 0, "function": {"name": "look", "arguments": f'["{word}"]'}}
    notes = (f"X-RateLimit-{word}: {word}", f"Retry-After: {word}",
             f"X-RateLimit-Reset: {word}", f"Set-Cookie: {word}")  # fmt: skip
    usage = {"prompt_tokens": 5, "completion_tokens": 2, word: [word, {"x": word}]}
    names = {"id": word, "model": word, "provider": word, "system_fingerprint": word,
             "usage": usage}  # fmt: skip
    error = {"error": {"message": [word], "code": [word], "metadata": {"raw": word}}}
    body = json.dumps(error).encode()
    responses = [
        stream(*(chunk({"tool_calls": [part]}) for part in tool), STOP),
        stream(chunk({"tool_calls": [named]}), STOP),
        stream(said(word[:half]), said(word[half:]), chunk(**names), STOP),
        whole(body, "429 Slow down", "application/json", *notes),
        head("200 OK", "text/event-stream", *notes) + word.encode(),
    ]
    return [(Send(response),) for response in responses]


def _spiked(play, word, wholly):
    if len(play) > JOINED:
        play = (Send(b"".join(a.data for a in play if isinstance(a, Send))),)
    return tuple(
        type(action)(_message(action.data, word, wholly), *_rest(action))
        if isinstance(action, Send | Repeat)
        else action
        for action in play
    )


def _rest(action):
    return (action.every_s, action.times) if isinstance(action, Repeat) else ()


def _message(data, word, wholly):
    """Return a response, or a part of one, with the word in it, its framing right."""
    if not data.startswith(b"HTTP/"):
        return _framed(data, word, wholly)
    start, end, body = data.partition(b"\r\n\r\n")
    if body.startswith(b"HTTP/"):
        return _head(start, word) + end + _message(body, word, wholly)
    if b"transfer-encoding: chunked" in start.lower():
        return _head(start, word) + end + _framed(body, word, wholly)
    longer = _texts(body, word, wholly) if b"ontent-Encoding" not in start else body
    length = f"Content-Length: {len(body)}".encode()
    start = start.replace(length, f"Content-Length: {len(longer)}".encode())
    return _head(start, word) + end + longer


def _head(start, word):
    line, *fields = start.split(b"\r\n")
    fields = [
        each
        if each.partition(b":")[0].strip().lower().decode("latin-1") in FRAMING
        else each + b" " + word
        for each in fields
    ]
    more = (b"X-RateLimit-Note: " + word, b"X-Generation-Id: " + word,
            b"Location: http://127.0.0.1:9/" + word)  # fmt: skip
    return b"\r\n".join([line + b" " + word, *fields, *more])


def _framed(data, word, wholly):
    """Return HTTP chunks, as far as they are whole, with the word in each."""
    sent, at = b"", 0
    while (size := CHUNK.match(data, at)) and int(size[1], 16):
        end = size.end() + int(size[1], 16)
        if data[end : end + 2] != b"\r\n":
            break
        piece = _texts(data[size.end() : end], word, wholly)
        sent += b"%x\r\n%b\r\n" % (len(piece), piece)
        at = end + 2
    return sent + data[at:]


def _texts(body, word, wholly):
    """Return a piece of a body with the word in its texts, comments and objects."""
    if not body.strip() or body.startswith(b"data: [DONE]"):
        return body
    if b'"' not in body and b"data" not in body and not body.startswith(b":"):
        return b"%b %b %b" % (word, body, word)
    names = rb"[A-Za-z_]+" if wholly else NAMED
    within = re.compile(rb'("(?:%b)"\s*:\s*")((?:[^"\\]|\\.)*)"' % names)
    body = within.sub(lambda found: found[1] + found[2] + b" " + word + b'"', body)
    echo = b'"echo": "' + word + b'", '
    body = re.sub(
        rb'"(?:usage|error|delta)"\s*:\s*\{(?=\s*")',
        lambda found: found[0] + echo,
        body,
    )
    return re.sub(
        rb"(?m)^(?::|id:|event:).*$", lambda found: found[0] + b" " + word, body
    )
