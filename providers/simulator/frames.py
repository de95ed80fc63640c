"""The bytes of an answer: each chunk as its host would write it."""

from typing import Any

import msgspec

from providers.reply import Kind
from providers.simulator.answer import Answer, Piece
from providers.simulator.profile import Profile

DONE = b"data: [DONE]\n\n"

DETAILS = (b'[{"type":"reasoning.text","text":', b',"format":"unknown","index":0}]')
"""What stands around the text in `reasoning_details`; other fields are plain text."""

encode = msgspec.json.encode


class Frames:
    """Writes the chunks of one streamed answer, from templates made once."""

    def __init__(
        self, profile: Profile, envelope: dict[str, Any], *, include_usage: bool
    ) -> None:
        """Prepare the parts that all chunks share; `envelope` is theirs as well."""
        self._profile = profile
        self._open = b"data: " + encode(envelope)[:-1] + b',"choices":['
        self._head = self._open + b'{"index":0,"delta":{'
        null_usage = profile.usage_null and include_usage
        self._close = b',"usage":null}\n\n' if null_usage else b"}\n\n"
        self._tail = b"}," + self._finish(None) + b"}]" + self._close
        self._said = _said(profile)
        self._response_id: str = envelope["id"]

    def role(self) -> bytes:
        """Return the chunk that only says who speaks."""
        return self._head + b'"role":"assistant","content":""' + self._tail

    def piece(self, piece: Piece) -> bytes:
        """Return the chunk that carries one piece."""
        text = encode(piece.text)
        if piece.kind is Kind.CONTENT:
            return self._head + self._said[0] + text + self._tail
        if piece.kind is Kind.REASONING:
            fields = b",".join(a + text + b for a, b in self._said[1])
            return self._head + fields + self._tail
        return self._head + self._tool(piece, text) + self._tail

    def end(self, finish: str, usage: dict[str, Any] | None) -> bytes:
        """Return the finish chunk and, where this host has one, the usage chunk.

        `usage` is None when none is to be stated.
        """
        profile = self._profile
        last = (
            b'"role":"assistant","content":""' if profile.role_in_every_delta else b""
        )
        finished = self._head + last + b"}," + self._finish(finish) + b"}]"
        if usage is None:
            return finished + self._close
        stated = b',"usage":' + encode(usage) + b"}\n\n"
        if profile.usage_on_finish_chunk:
            return finished + stated
        if profile.usage_repeats_finish:
            return finished + self._close + finished + stated
        return finished + self._close + self._open + b"]" + stated

    def error(self, error: dict[str, Any]) -> bytes:
        """Return the chunk that breaks an answer off with an error object."""
        if self._profile.native_finish:
            broken = self._finish("error")
            choice = self._head + b'"role":"assistant","content":""},' + broken + b"}]"
            return choice + b"," + encode(error)[1:] + b"\n\n"
        return b"data: " + encode(error) + b"\n\n"

    def _finish(self, reason: str | None) -> bytes:
        said = encode(reason)
        native = (
            b',"native_finish_reason":' + said if self._profile.native_finish else b""
        )
        return b'"logprobs":null,"finish_reason":' + said + native

    def _tool(self, piece: Piece, arguments: bytes) -> bytes:
        role = b'"role":"assistant","content":null,' if piece.tool else b""
        named = b'"function":{'
        if piece.tool:
            id_ = encode(_call_id(self._response_id, piece.call))
            named = b'"id":' + id_ + b',"type":"function","function":{"name":'
            named += encode(piece.tool) + b","
        place = b'"tool_calls":[{"index":' + encode(piece.call) + b","
        return role + place + named + b'"arguments":' + arguments + b"}}]"


def _call_id(response_id: str, call: int) -> str:
    return f"call_{response_id[-24:]}" + (f"_{call}" if call else "")


def _said(profile: Profile) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return what precedes content, and what surrounds each reasoning field's text."""
    role = b'"role":"assistant",' if profile.role_in_every_delta else b""
    around = []
    for field in profile.reasoning_fields:
        before, after = DETAILS if field == "reasoning_details" else (b"", b"")
        around.append((b'"' + field.encode() + b'":' + before, after))
    if around:
        around[0] = (role + b'"content":"",' + around[0][0], around[0][1])
    return role + b'"content":', around


def whole_answer(
    profile: Profile,
    envelope: dict[str, Any],
    answer: Answer,
    usage: dict[str, Any] | None,
) -> bytes:
    """Return the JSON body of an answer that is not streamed."""
    message: dict[str, Any] = {"role": "assistant"}
    message["content"] = None if answer.calls else answer.text(Kind.CONTENT)
    thought = answer.text(Kind.REASONING)
    for field in profile.reasoning_fields if thought else ():
        detail = {"type": "reasoning.text", "text": thought, "format": "unknown"}
        message[field] = [detail] if field == "reasoning_details" else thought
    if answer.calls:
        message["tool_calls"] = [
            {
                "index": n,
                "id": _call_id(envelope["id"], n),
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for n, (name, arguments) in enumerate(answer.calls)
        ]
    choice: dict[str, Any] = {"index": 0, "message": message, "logprobs": None}
    choice["finish_reason"] = answer.finish
    if profile.native_finish:
        choice["native_finish_reason"] = answer.finish
    body = envelope | {"object": "chat.completion", "choices": [choice]}
    return encode(body if usage is None else body | {"usage": usage})
