"""The tool calls of one answer, put together from the pieces that hosts send."""

import msgspec

from providers.dialect import ToolPart
from providers.reply import ToolCall

MAX_CLOSED_CHARS = 16_384
MAX_NAME_CHARS = 1_024
"""Longer arguments are not read again with each piece, and longer names do not grow:
time stays linear."""


class Call:
    """One call as far as it has come; an id that no piece gave is ""."""

    __slots__ = ("id", "n_chars", "name", "pieces")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.pieces: list[str] = []
        self.n_chars = 0

    @property
    def arguments(self) -> str:
        """Return the text of the arguments so far."""
        return "".join(self.pieces)


class Calls:
    """The calls in the order in which they began.

    A piece belongs to the call of its index, else of its id, else to the last one.
    A known index with a new id is a new call, since some hosts number every call 0;
    so is a new name without an index and an id.
    """

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._by_index: dict[int, Call] = {}
        self._by_id: dict[str, Call] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, part: ToolPart) -> None:
        """Add a piece of a call."""
        call = self._of(part)
        if call is None:
            call = Call()
            self._calls.append(call)
        if part.index is not None:
            self._by_index[part.index] = call
        if part.id:
            call.id = call.id or part.id
            self._by_id[part.id] = call
        if part.name and part.name != call.name and len(call.name) < MAX_NAME_CHARS:
            call.name += part.name
        if part.arguments:
            call.pieces.append(part.arguments)
            call.n_chars += len(part.arguments)

    def whole(self) -> tuple[ToolCall, ...]:
        """Return the calls; one without an id is named by its place."""
        return tuple(
            ToolCall(call.id or f"call_{place}", call.name, call.arguments)
            for place, call in enumerate(self._calls)
        )

    def _of(self, part: ToolPart) -> Call | None:
        """Return the call that a piece goes on with, None when it begins one."""
        if part.index is not None:
            call = self._by_index.get(part.index)
            other = call is not None and part.id and call.id not in {"", part.id}
            if call is not None and not other:
                return call
        if part.id is not None:
            return self._by_id.get(part.id)
        if part.index is not None or not self._calls:
            return None
        last = self._calls[-1]
        return last if not part.name or _repeats(part.name, last) else None


def _repeats(name: str, call: Call) -> bool:
    """Return whether a name only repeats that of a call which is still open."""
    if name != call.name:
        return False
    ends = call.pieces[-1].rstrip()[-1:] if call.pieces else ""
    if ends not in {"}", "]"} or call.n_chars > MAX_CLOSED_CHARS:
        return ends not in {"}", "]"}
    try:
        msgspec.json.decode(call.arguments or b"")
    except (msgspec.DecodeError, RecursionError):
        return True
    return False
