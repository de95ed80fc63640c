"""The plain chunks of a stream, many at once: the fast way for what is usual.

Nearly every event of a stream is `data: {...}` with one piece of text and nothing
else. Such events are found without a line-by-line look and read in runs; where one is
not plain nothing is taken, and the caller reads the same bytes in the general way.
Both ways give the same Reply.
"""

from collections.abc import Sequence
from itertools import takewhile

import msgspec

from providers.alike import Run, frame_of
from providers.plainchunk import PlainChunk, plain_chunk, plain_chunks

Piece = tuple[int, bytes]

_START = b"data: "
_BETWEEN = b"\n\ndata: "
_END = b"\n\n"
# What the closing events of a stream look like. Missing one of these costs time only.
_CLOSING = (b'"finish_reason":"', b'"delta":{}', b'"choices":[]', b'"usage":{')
_RUNS = 8
"""Runs that are looked for in one batch: where there are more, they are short."""


class Batch(msgspec.Struct, frozen=True):
    """Plain chunks with the moment of each; `pieces` whole pieces were used up.

    `closing` are the data of the events that are left of the last of them.
    """

    stamps: list[int]
    parts: list[Run | list[PlainChunk]]
    pieces: int
    closing: list[bytes]


def plain(pieces: Sequence[Piece]) -> Batch | None:
    """Return the plain chunks that pieces of a stream begin with, None without any.

    The stream must stand between two events before the first piece, and does so again
    after the last one used. Linear in the bytes.
    """
    events, counts = _whole_events(pieces)
    n = len(events)
    while n and not _looks_plain(events[n - 1]):
        n -= 1
    parts = _parts(events[:n])
    if not parts:
        return None
    # Closing events in pieces of their own are left; others are the rest of a piece.
    n_whole = len(events)
    while n_whole - counts[-1] >= n:
        n_whole -= counts.pop()
    stamps = [at for at, _ in pieces[:n]]
    if len(counts) != n_whole:
        each = zip(pieces, counts, strict=False)
        stamps = [at for (at, _), n_in in each for _ in range(n_in)][:n]
    return Batch(stamps, parts, len(counts), events[n:n_whole])


def _whole_events(pieces: Sequence[Piece]) -> tuple[list[bytes], list[int]]:
    """Return the events that the first pieces hold, and the number in each piece.

    An event is one line and an empty one: a piece with comments, events of several
    lines or a torn event ends the list.
    """
    whole = [data for _, data in pieces]
    events = _split(b"".join(whole))
    if not events or not all(data.endswith(_END) for data in whole):
        whole = list(takewhile(_split, whole))
        events = _split(b"".join(whole))
    if len(events) == len(whole):
        return events, [1] * len(whole)
    return events, [data.count(_BETWEEN) + 1 for data in whole]


def _split(data: bytes) -> list[bytes]:
    """Return the events of some bytes, none when they hold anything else."""
    if b"\r" in data or not (data.startswith(_START) and data.endswith(_END)):
        return []
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            return []
    events = data[len(_START) : -len(_END)].split(_BETWEEN)
    return [] if b"\n" in b"".join(events) else events


def _looks_plain(event: bytes) -> bool:
    return event[:1] == b"{" and not any(mark in event for mark in _CLOSING)


def _parts(events: list[bytes]) -> list[Run | list[PlainChunk]]:
    """Return what some events say, like ones in runs; none unless all are plain."""
    parts: list[Run | list[PlainChunk]] = []
    at = 0
    while at < len(events) and len(parts) < _RUNS:
        chunk = plain_chunk(events[at])
        if chunk is None:
            return []
        frame = frame_of(events[at], chunk)
        run = frame.run(events[at:]) if frame is not None else None
        parts.append(run or [chunk])
        at += len(run.texts) if run is not None else 1
    if at < len(events):
        chunks = plain_chunks(events[at:])
        if not chunks:
            return []
        parts.append(chunks)
    return parts
