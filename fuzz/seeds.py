"""Where the fuzzer starts: tapes of usual responses, and words that hosts use."""

import json
from typing import Any

from fuzz.tape import KEY


def _event(value: Any, end: bytes = b"\n\n") -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + end


def _chunk(delta: Any, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": more.pop("finish", None)}
    return {"id": "c1", "model": "m", "choices": [choice], **more}


USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 2,
    "total_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 1},
    "cost": 0.001,
}
CALL = {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x":1}'}}
SAID = [_event(_chunk({"content": text})) for text in ("Hel", "lo", " w\u00f6rld")]
CLOSE = [_event(_chunk({}, finish="stop")), _event({"choices": [], "usage": USAGE})]
DONE = b"data: [DONE]\n\n"
WHOLE = {"message": {"content": "Hello"}, "finish_reason": "stop"}
ANSWER = {"id": "c1", "model": "m", "usage": USAGE, "choices": [WHOLE]}
ERROR = {"error": {"code": 429, "message": f"no {KEY}", "metadata": {"raw": KEY}}}

BODIES: tuple[bytes, ...] = (
    b"".join([*SAID, *CLOSE, DONE]),
    b"".join([*SAID, *CLOSE, DONE]).replace(b"\n", b"\r\n"),
    b"".join([*SAID, *CLOSE, DONE]).replace(b"\n", b"\r"),
    b"\xef\xbb\xbf: wait\n\n" + SAID[0] + b"event: error\n" + _event(ERROR),
    b"".join([_event(_chunk({"reasoning_content": "hm"})), *SAID, DONE, DONE]),
    b"".join([_event(_chunk({"tool_calls": [CALL]})), *CLOSE]),
    _event(_chunk({"reasoning_details": [{"text": "hm"}]}, provider="U")) + SAID[0],
    json.dumps(ANSWER).encode(),
    json.dumps(ANSWER).encode() + b"\n" + DONE,
    b"\n".join(json.dumps(_chunk({"content": "x"})).encode() for _ in range(3)),
    json.dumps(ERROR).encode(),
    b"<html><h1>502</h1>" + KEY.encode() + b"</html>",
    b'data: {"id":"a",\ndata: "choices":[{"delta":{"content":"' + KEY.encode(),
    b'data: {"choices":[{"delta":{"content":"\\ud83d"}}],"usage":{"cost":1e999}}\n\n',
)

WORDS = (
    "data: ", "\n\n", "\r\n", "\r", "[DONE]", "event: error\n", ": ", "id: ", "retry: ",
    "\xef\xbb\xbf", '"choices":', '"delta":', '"content":', '"finish_reason":',
    '"stop"',
    '"length"', '"usage":', '"completion_tokens":', '"prompt_tokens":', '"error":',
    '"message":', '"code":', '"tool_calls":', '"function":', '"arguments":', '"index":',
    '"reasoning":', '"reasoning_content":', '"reasoning_details":', '"provider":',
    '"model":', '"id":', '"x_groq":', '"base_resp":', '"status_code":', '"detail":',
    '"errors":', '"error_code":', '"error_msg":', '"type":"error"', "Event: Error\n",
    '"status":"error"', '"success":false', '"object":"error"', "null",
    "true", "NaN", "1e999", "-1", "{}",
    "[]", "[{", "}]", "},{", "\\ud800", "\\u0000", "data: {},{}\n\n", "429", KEY,
    KEY[:13], KEY[13:],
)  # fmt: skip
"""Parts of the grammar; bytes 0x80 to 0xff stand as the characters of that number."""


def tapes() -> list[bytes]:
    """Return the tapes to start from: each body to each dialect, whole and in reads."""
    found = []
    for first in (0, 1, 2, 3, 4, 48):
        for body in BODIES:
            found += [bytes([first, 0]) + body, bytes([first, 3, 9, 40, 90]) + body]
            found.append(bytes([first, 0xC5, 70, 70, 70, 70, 70]) + body)
    return found


def dictionary() -> str:
    """Return the words as a dictionary of libFuzzer."""
    return "".join(
        '"' + "".join(f"\\x{byte:02x}" for byte in word.encode("latin-1")) + '"\n'
        for word in WORDS
    )
