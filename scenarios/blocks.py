"""Blocks: what a session asks, turn by turn, of each provider, in seeded orders."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import overload

import msgspec

from scenarios.content import Scenario
from scenarios.request import Arrival, Phase
from scenarios.session import case

Lane = tuple[str, ...]
Block = tuple[Arrival, ...]
Order = list[tuple[int, str]]


class Blocks(Sequence[Block]):
    """The blocks of a session, of which each is made when it is come to.

    So that of long prompts no more are in memory than are being sent. Each iteration
    makes them anew, and equal.
    """

    def __init__(self, made: Callable[[], Iterator[Block]], n: int) -> None:
        self._made = made
        self._n = n

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[Block]:
        return itertools.islice(self._made(), self._n)

    @overload
    def __getitem__(self, place: int) -> Block: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Block]: ...
    def __getitem__(self, place: int | slice) -> Block | Sequence[Block]:
        if isinstance(place, slice):
            return tuple(self)[place]
        place = range(self._n)[place]
        return next(itertools.islice(iter(self), place, None))


class Sitting(msgspec.Struct, frozen=True, kw_only=True):
    """Session number `index` of a scenario at one load step in one phase.

    `block` is the number of its first block, `due` as in a Unit.
    """

    scenario: Scenario
    index: int
    step: int
    phase: Phase
    block: int
    due: float | None
    salt: str
    seed: int


def blocks(
    sitting: Sitting, orders: Sequence[Order], lane: Lane, hosts: int
) -> Sequence[Block]:
    """Return the blocks of a session for the providers of a lane, one an order."""

    def made() -> Iterator[Block]:
        asked = _asked(sitting, hosts)
        for order, one in zip(orders, asked, strict=False):
            yield _block(one, lane, order)

    if sitting.scenario.agent:
        return Blocks(made, len(orders))
    return tuple(made())


def order(providers: Lane, rng: random.Random) -> Order:
    """Return the providers of one block and their places, in the order it asks them.

    All of them, before a lane is picked, and for sessions of other parts too: so
    everybody draws the same.
    """
    found = list(enumerate(providers))
    rng.shuffle(found)
    return found


def _asked(sitting: Sitting, hosts: int) -> Iterator[Arrival]:
    """Yield what a session asks, turn by turn, with no provider in it yet."""
    scenario, step, phase = sitting.scenario, sitting.step, sitting.phase
    session = case(
        scenario,
        sitting.index,
        salt=sitting.salt,
        seed=sitting.seed,
        phase=phase,
        step=step,
    )
    several = scenario.turns > 1
    name = f"{scenario.name}/{step}/{phase}/{sitting.index}"
    for turn, request in enumerate(session.requests):
        block = sitting.block + turn
        yield Arrival(
            seq=block * hosts,
            block=block,
            step=step,
            phase=phase,
            scenario=scenario.name,
            scenario_version=scenario.scenario_version,
            case=session.case,
            provider="",
            request=request,
            session=name if several else None,
            turn=turn + 1 if several else None,
            due=sitting.due if turn == 0 else None,
            grown=scenario.loop.grown(turn + 1, request.max_tokens)
            if scenario.loop
            else 0,
        )


def _block(asked: Arrival, lane: Lane, order: Order) -> Block:
    return tuple(
        msgspec.structs.replace(asked, seq=asked.seq + place, provider=name)
        for place, name in order
        if name in lane
    )
