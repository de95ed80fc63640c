"""Events that a host sends in stream after stream, alike but for the answer's id.

What opens and what closes a stream carries no output: a role, a finish reason, the
usage. Such an event has been read before, most often, with another id in it. So has
the frame in which the texts of a stream stand.
"""

import re
from copy import copy
from typing import Any

from providers.dialect import Delta, Dialect
from providers.frame import Frame, frame_of
from providers.lenient import decode
from providers.outcome import Flag
from providers.plainchunk import END, START

_ID = re.compile(rb'\{"id": ?"([!#-\[\]-~]+)"')
"""How most hosts begin a chunk: with an id of plain characters, none of them escaped.

A text that differs from another one only within such a string means the same JSON, but
for that string.
"""
MOST, MOST_FRAMES = 64, 4
LONGEST_BYTES = 2_048


class Shapes:
    """Reads the events of one host; remembers what some meant, by all but their id."""

    __slots__ = ("_deltas", "_dialect", "_frames")

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._deltas: dict[bytes, Delta] = {}
        self._frames: list[tuple[bytes, Frame]] = []
        """Frames, each with what stands between the id and the text in it."""

    def frame(self, event: bytes) -> Frame | None:
        """Return the frame of an event, None unless it is plain, and certain."""
        found = _ID.match(event, len(START)) if event.startswith(START) else None
        if found is None:
            return frame_of(event)
        for middle, known in self._frames:
            if event.startswith(middle, found.end()) and event.endswith(known.end):
                chunk = copy(known.chunk)
                chunk.id = found[1].decode()
                start = event[: found.end()] + middle
                return Frame(start, known.end, chunk, known.kind)
        frame = frame_of(event)
        if frame is not None:
            self._keep_frame(frame, found)
        return frame

    def known(self, event: bytes) -> Delta | None:
        """Return what an event of one line says; None if none like it was read yet."""
        if not (event.startswith(START) and event.endswith(END)):
            return None
        return self._recalled(event[len(START) : -len(END)])

    def read(self, data: bytes, name: bytes, flags: set[Flag]) -> Delta | None:
        """Return what the data of an event says, None if it cannot be read.

        `name` is the event's. How the data had to be mended is added to `flags`.
        """
        if name:
            return self.said(decode(data, flags), name)
        delta = self._recalled(data)
        if delta is None:
            delta = self.said(decode(data, flags))
            if delta is not None:
                self._keep(data, delta)
        return delta

    def said(self, chunk: Any, name: bytes = b"") -> Delta | None:
        """Return what a decoded chunk says, None if it cannot be spelled out."""
        try:
            return None if chunk is None else self._dialect.read(chunk, event=name)
        except (RecursionError, OverflowError):
            return None  # nested too deeply, or a number too large

    def _recalled(self, data: bytes) -> Delta | None:
        found = _ID.match(data)
        known = self._deltas.get(data[found.end() :]) if found else None
        if found is None or known is None:
            return None
        delta = copy(known)
        delta.id = found[1].decode()
        return delta

    def _keep(self, data: bytes, delta: Delta) -> None:
        """Keep what an event says, where the id alone tells it from others to come.

        One with output is seldom the same twice. An error is looked at each time.
        """
        output = delta.content or delta.reasoning or delta.tools or delta.beside
        found = _ID.match(data)
        if output or delta.odd or delta.problem or found is None:
            return
        id_, rest = found[1], data[found.end() :]
        if delta.id != id_.decode() or _twice(id_, rest):
            return
        # Bytes that had to be mended left a flag, which is not remembered.
        if not rest.isascii() or b"\n" in rest or len(rest) > LONGEST_BYTES:
            return
        if len(self._deltas) >= MOST:
            self._deltas.clear()
        self._deltas[rest] = delta

    def _keep_frame(self, frame: Frame, found: re.Match[bytes]) -> None:
        id_, middle = found[1], frame.start[found.end() :]
        if frame.chunk.id == id_.decode() and not _twice(id_, middle + frame.end):
            self._frames = [(middle, frame), *self._frames[: MOST_FRAMES - 1]]


def _twice(id_: bytes, rest: bytes) -> bool:
    """Return whether an id may be told again, perhaps spelled in another way.

    Then that might be what was read.
    """
    return id_ in rest or b"\\" in rest
