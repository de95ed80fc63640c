"""Facts hidden in long prompts: where each stands, at which length and depth."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from scenarios.prompts import fill, places
from scenarios.prompts import text as words

RESERVED: Final = 400
"""Tokens of a size that are left to the facts, the question, nonce and answer."""

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Size = Annotated[int, msgspec.Meta(ge=1000, le=10**7)]


class Plant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A statement that stands somewhere in the filler.

    Its place, from 0 (the start) to 1, is `at`, or the rung's depth and `shift` on.
    `times` (a number, or the name of a value) copies stand evenly over the next
    `spread` of the text. What would lie beyond the end stands at the end.
    """

    text: str
    at: Share | None = None
    shift: Annotated[float, msgspec.Meta(ge=-1, le=1)] = 0.0
    times: Annotated[int, msgspec.Meta(ge=1, le=1000)] | str = 1
    spread: Share = 0.0


class Hay(msgspec.Struct, frozen=True, kw_only=True):
    """What a case hides: its statements, in a text of `tokens`, at `depth`.

    `task` is the id of the case before it was asked at several sizes and depths.
    """

    task: str
    plants: tuple[Plant, ...]
    tokens: int = 0
    depth: float = 0.0

    @property
    def names(self) -> set[str]:
        """Return the names of the values that its statements use."""
        found = {name for plant in self.plants for name in places(plant.text)}
        return found | {p.times for p in self.plants if isinstance(p.times, str)}


class Ladder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table [ladder]: sizes in tokens, and depths from 0 to 1, of every case."""

    sizes: Annotated[tuple[Size, ...], msgspec.Meta(min_length=1, max_length=100)]
    depths: Annotated[tuple[Share, ...], msgspec.Meta(min_length=1, max_length=100)]


class Rung(msgspec.Struct, frozen=True):
    """What the id of a ladder's case says: the task, and where it was asked."""

    task: str
    tokens: int
    depth: float


_ID: Final = re.compile(r"(.+)@([0-9]{1,8}):([0-9]{1,3}(?:\.[0-9]{1,9})?)%")


def case_id(task: str, tokens: int, depth: float) -> str:
    """Return the id of a task's case at one size and depth."""
    return f"{task}@{tokens}:{100 * depth:g}%"


def rung_of(case_id: str) -> Rung | None:
    """Return what the id of a case says, None for a case of no ladder."""
    match = _ID.fullmatch(case_id)
    return match and Rung(match[1], int(match[2]), float(match[3]) / 100)


def hidden(hay: Hay, values: Mapping[str, Any], seed: str, index: int) -> str:
    """Return the text of a rung with its statements in it.

    Its filler is that of `prompts.text`, so that rungs of one size are the same words.
    A statement stands between two words. Raises KeyError for a value that is missing.
    """
    filler = words(max(1, hay.tokens - RESERVED), seed, index)
    pieces, last = [], 0
    for place, said in sorted(_placed(hay, values)):
        space = filler.find(" ", int(place * len(filler)))
        at = len(filler) if space < 0 else space
        pieces += [filler[last:at], f" {said}"]
        last = at
    return "".join((*pieces, filler[last:]))


def statements(hay: Hay, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the statements that stand at the rung's depth, each as often as it does.

    Those that have a place of their own are there to distract.
    """
    vital = tuple(plant for plant in hay.plants if plant.at is None)
    hay = msgspec.structs.replace(hay, plants=vital)
    return tuple(said for _, said in _placed(hay, values))


def _placed(hay: Hay, values: Mapping[str, Any]) -> list[tuple[float, str]]:
    found = []
    for plant in hay.plants:
        times = plant.times
        if isinstance(times, str):
            times = int(values[times])
        first = hay.depth + plant.shift if plant.at is None else plant.at
        for n in range(times):
            place = min(max(first + plant.spread * n / max(times - 1, 1), 0.0), 1.0)
            found.append((place, fill(plant.text, values)))
    return found
