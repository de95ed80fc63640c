"""Events that a host sends in stream after stream, alike but for the answer's id.

What opens and what closes a stream carries no output: a role, a finish reason, the
usage. Such an event has been read before, most often, with another id in it.
"""

import re
from copy import copy
from typing import Any

from providers.dialect import Delta, Dialect
from providers.lenient import decode
from providers.outcome import Flag
from providers.plainchunk import END, START

_ID = re.compile(rb'\{"id": ?"([!#-\[\]-~]+)"')
"""How most hosts begin a chunk: with an id of plain characters, none of them escaped.

A text that differs from another one only within such a string means the same JSON, but
for that string.
"""
MOST = 64
LONGEST_BYTES = 2_048


class Shapes:
    """Reads the events of one host; remembers what some meant, by all but their id."""

    __slots__ = ("_deltas", "_dialect")

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._deltas: dict[bytes, Delta] = {}

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
        # It might be told twice, spelled in another way, and that be what was read.
        if delta.id != id_.decode() or id_ in rest or b"\\" in rest:
            return
        # Bytes that had to be mended left a flag, which is not remembered.
        if not rest.isascii() or b"\n" in rest or len(rest) > LONGEST_BYTES:
            return
        if len(self._deltas) >= MOST:
            self._deltas.clear()
        self._deltas[rest] = delta
