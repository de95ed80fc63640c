"""Chunks that say nothing but a piece of text, as typed records.

The records refuse whatever needs a second look: that is read in the general way.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

START, END = b"data: ", b"\n\n"
"""How an event begins that is one line with data, and how it ends."""

PLAIN_OBJECTS = frozenset({None, "", "chat.completion.chunk", "chat.completion"})
"""What a plain chunk says that it is. Others may say that they are an error."""


class PlainDelta(msgspec.Struct, gc=False):
    """A delta of text alone. A field typed None refuses any value but null.

    There are very many of these, and no cycles: the collector need not look at them.
    """

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: None = None
    tool_calls: None = None
    refusal: None = None
    error: None = None


class PlainChoice(msgspec.Struct, gc=False):
    """A choice that goes on."""

    delta: PlainDelta
    index: Literal[0] | None = 0
    finish_reason: None = None
    error: None = None


class PlainChunk(msgspec.Struct, gc=False):
    """A chunk that says nothing but a piece of text, and who says it."""

    choices: tuple[PlainChoice]
    id: str | None = None
    model: str | None = None
    provider: str | None = None
    system_fingerprint: str | None = None
    usage: None = None
    error: None = None
    errors: None = None
    error_code: None = None
    error_msg: None = None
    error_message: None = None
    x_groq: None = None
    base_resp: None = None
    detail: None = None
    success: None = None
    code: None = None
    status: None = None
    type: None = None
    object: str | None = None


_decoder = msgspec.json.Decoder(PlainChunk)


def plain_chunk(event: bytes) -> PlainChunk | None:
    """Return the chunk of one event, None unless it is a single line and plain."""
    if not (event.startswith(START) and event.endswith(END)):
        return None
    data = event[len(START) : -len(END)]
    if b"\n" in data or b"\r" in data:
        return None
    try:
        if not data.isascii():
            data.decode()  # what the record leaves out is not looked at otherwise
        chunk = _decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return chunk if chunk.object in PLAIN_OBJECTS else None


def plain_chunks(events: Iterable[bytes]) -> list[PlainChunk]:
    """Return the chunks of the plain events that some events start with."""
    chunks = []
    for event in events:
        chunk = plain_chunk(event)
        if chunk is None:
            break
        chunks.append(chunk)
    return chunks
