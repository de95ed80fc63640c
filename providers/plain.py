"""The plain chunks of a stream, many at once: the fast way for what is usual.

Nearly every event of a stream is `data: {...}` with one piece of text and nothing
else. Such events are found without a line-by-line look and decoded in one call into
typed records that refuse whatever needs a second look: then nothing is taken and the
caller reads the same bytes in the general way. Both ways give the same Reply.
"""

from collections.abc import Sequence

import msgspec

Piece = tuple[int, bytes]

_START = b"data: "
_BETWEEN = b"\n\ndata: "
_END = b"\n\n"
# What the closing events of a stream look like. Missing one of these costs time only.
_CLOSING = (b'"finish_reason":"', b'"delta":{}', b'"choices":[]', b'"usage":{')


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


class Batch(msgspec.Struct, frozen=True):
    """Plain chunks with the moment of each; `pieces` whole pieces were used up.

    `rest` is what is left of the last of them: its closing events.
    """

    stamps: list[int]
    chunks: list[PlainChunk]
    pieces: int
    rest: bytes


_decoder = msgspec.json.Decoder(list[PlainChunk])


def plain(pieces: Sequence[Piece]) -> Batch | None:
    """Return the plain chunks that pieces of a stream begin with, None without any.

    The stream must stand between two events before the first piece, and does so again
    after the last one used. Linear in the bytes.
    """
    counts = _whole_events(pieces)
    joined = b"".join(data for _, data in pieces[: len(counts)])
    if not counts or b"\r" in joined:
        return None
    events = joined[6:-2].split(_BETWEEN)
    closing = _closing(events)
    while counts and closing > counts[-1]:
        closing -= counts[-1]
        del events[-counts.pop() :]
    rest = _START + _BETWEEN.join(events[-closing:]) + _END if closing else b""
    chunks = _decoded(events[: len(events) - closing])
    if not chunks:
        return None
    stamps = [at for (at, _), n in zip(pieces, counts, strict=False) for _ in range(n)]
    return Batch(stamps[: len(chunks)], chunks, len(counts), rest)


def _whole_events(pieces: Sequence[Piece]) -> list[int]:
    """Return the number of events in each of the first pieces that hold nothing else.

    A piece with comments, events of several lines or a torn event ends the list.
    """
    counts = []
    for _, data in pieces:
        lines = data.count(b"\n")
        if not (data.startswith(_START) and data.endswith(_END)) or lines % 2:
            break
        if lines > 2 and data.count(_BETWEEN) != lines // 2 - 1:
            break
        counts.append(lines // 2)
    return counts


def _closing(events: list[bytes]) -> int:
    """Return how many events at the end are not plain by the look of them."""
    n = 0
    for event in reversed(events):
        if event[:1] == b"{" and not any(mark in event for mark in _CLOSING):
            break
        n += 1
    return n


def _decoded(events: list[bytes]) -> list[PlainChunk]:
    if not events:
        return []
    try:
        chunks = _decoder.decode(b"[" + b",".join(events) + b"]")
    except (msgspec.DecodeError, ValueError, RecursionError):
        return []
    # An event that is two JSON values in a row is none.
    if len(chunks) != len(events) or any(c.object == "error" for c in chunks):
        return []
    return chunks
