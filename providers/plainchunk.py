"""Chunks that say nothing but a piece of text, as typed records.

The records refuse whatever needs a second look: that is read in the general way.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec


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
    x_groq: None = None
    base_resp: None = None
    detail: None = None
    success: None = None
    object: str | None = None


_decoder = msgspec.json.Decoder(PlainChunk)


def plain_chunk(event: bytes) -> PlainChunk | None:
    """Return the chunk of one event's data, None unless it is plain."""
    try:
        chunk = _decoder.decode(event)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return None if chunk.object == "error" else chunk


def plain_chunks(events: Sequence[bytes]) -> list[PlainChunk]:
    """Return the chunks of some events, none unless all of them are plain.

    Each is an object by its first and last byte, so that what parses as n lines is n
    events: without a comma no JSON value goes on in the next line.
    """
    if not all(event[:1] == b"{" and event[-1:] == b"}" for event in events):
        return []
    try:
        chunks = _decoder.decode_lines(b"\n".join(events))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return []
    if len(chunks) != len(events) or "error" in {chunk.object for chunk in chunks}:
        return []
    return chunks
