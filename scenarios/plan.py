"""The plan: every request of a run, in order, the same every time it is expanded."""

import hashlib
import itertools
import math
import random
import sys
from collections.abc import Container, Iterator, Sequence

import msgspec

from scenarios.agent import Agent
from scenarios.blocks import Block, Lane, Sitting, blocks, order
from scenarios.content import Scenario
from scenarios.draw import drawn
from scenarios.load import Load, kept, refuse_replay, shape, steps, times
from scenarios.request import Arrival, Phase, ScenarioError

__all__ = [
    "EVERY", "Block", "Lane", "Plan", "Segment", "Unit", "count", "first_due", "lanes",
    "plan_hash", "planned", "sample", "segments", "shard", "units",
]  # fmt: skip

UNCOUNTED_BLOCKS = 10**9
"""Where nobody knows how many blocks a segment has, each gets so many numbers."""

EVERY = range(sys.maxsize)
"""All sessions of a segment."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What decides a run: the scenarios, the providers by name, the load, the salt.

    `salt` keeps the prompts of one run apart from those of all others; a resumed
    run has the salt of the one it resumes. Its scenarios have the values that its seed
    draws. Raises ScenarioError for no scenario or provider, or for one name twice.
    """

    scenarios: tuple[Scenario, ...]
    providers: tuple[str, ...]
    load: Load
    salt: str

    def __post_init__(self) -> None:
        """Refuse a plan that could not be told apart in the rows; draw its values."""
        names = tuple(scenario.name for scenario in self.scenarios)
        for what, given in (("scenario", names), ("provider", self.providers)):
            if not given:
                raise ScenarioError(f"no {what}; name at least one")
            twice = [name for name in given if given.count(name) > 1]
            if twice:
                raise ScenarioError(
                    f"{what} {twice[0]!r} is named twice; drop or rename one"
                )
        refuse_replay(self.load, [s.name for s in self.scenarios if s.trace])
        filled = tuple(drawn(scenario, self.seed) for scenario in self.scenarios)
        msgspec.structs.force_setattr(self, "scenarios", filled)

    @property
    def seed(self) -> int:
        """Return the seed of the load, which orders cases, hosts and arrivals."""
        return self.load.seed


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """One session: its turns in order, one block each, and `gap` seconds between them.

    The gap runs from a block's last reply to the next block; an `agent` has gaps of
    its own. `due` is in seconds from the segment's start, None in a closed loop.
    """

    blocks: Sequence[Block]
    gap: float
    due: float | None
    agent: Agent | None = None

    def pause(self, block: Block) -> float:
        """Return the seconds between the turn before a block and the block."""
        turn = block[0].turn or 1
        return self.agent.pause(turn) if self.agent else self.gap


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario at one load step in one phase; segments run one after the other.

    `n_blocks` is the most blocks there will be, None when `duration` (seconds) alone
    decides; `first_block` is the number of the first. `rate` is blocks a second, None
    in a closed loop; `concurrency` is blocks in flight; `ramp` is seconds.
    """

    index: int
    scenario: Scenario
    step: int
    phase: Phase
    concurrency: int
    rate: float | None
    ramp: float
    duration: float | None
    n_blocks: int | None
    first_block: int


def segments(plan: Plan) -> list[Segment]:
    """Return the segments in the order they run: scenario by scenario, step by step.

    A warm-up is a counted segment of its own before the measured one, of its load.
    """
    load = plan.load
    made: list[Segment] = []
    block = 0
    for scenario, step in itertools.product(plan.scenarios, steps(load)):
        n_blocks, rate, slots = shape(load, step, scenario.trace)
        parts: list[tuple[Phase, float | None, int | None]]
        parts = [("warmup", None, load.warmup), ("measure", load.duration, n_blocks)]
        for phase, duration, n in parts if load.warmup else parts[1:]:
            index = len(made)
            made.append(
                Segment(
                    index=index,
                    scenario=scenario,
                    step=step.index,
                    phase=phase,
                    concurrency=slots,
                    rate=rate,
                    ramp=step.ramp,
                    duration=duration,
                    n_blocks=n,
                    first_block=block
                    if load.n_blocks is not None
                    else index * UNCOUNTED_BLOCKS,
                )
            )
            block += n or 0
    return made


def lanes(plan: Plan) -> tuple[Lane, ...]:
    """Return who runs together: all providers, or each alone when unpaired."""
    if plan.load.unpaired:
        return tuple((name,) for name in plan.providers)
    return (plan.providers,)


def shard(index: int, of: int) -> range:
    """Return which sessions part `index` (from 0) of `of` equal parts takes."""
    return range(index, sys.maxsize, of)


def units(
    plan: Plan, segment: Segment, lane: Lane, among: Container[int] = EVERY
) -> Iterator[Unit]:
    """Yield the sessions of a segment for the providers of a lane, one at a time.

    Ends after `n_blocks` blocks, or in an open loop with the last session due before
    `duration`; in a closed loop without a count it never ends. Every lane gets the
    same blocks at the same times with the same numbers. `among` says which sessions
    to yield, by number; they are the same whichever others are left out.
    """
    rng, scenario = random.Random(_key(plan, segment, "order")), segment.scenario
    pause = scenario.session.gap if scenario.session else 0.0
    for index, due in enumerate(_dues(plan, segment)):
        size = _size(segment, index)
        if not size:
            return
        orders = [order(plan.providers, rng) for _ in range(size)]
        if index not in among:
            continue
        sitting = Sitting(
            scenario=scenario,
            index=index,
            step=segment.step,
            phase=segment.phase,
            block=segment.first_block + index * scenario.turns,
            due=due,
            salt=plan.salt,
            seed=plan.seed,
        )
        yield Unit(
            blocks=blocks(sitting, orders, lane, len(plan.providers)),
            gap=pause,
            due=due,
            agent=scenario.agent,
        )


def planned(plan: Plan, segment: Segment) -> int | None:
    """Return how many blocks a segment has at most, without making their prompts.

    None in a closed loop whose duration alone decides.
    """
    if segment.rate is None or segment.duration is None:
        return segment.n_blocks
    sizes = (_size(segment, index) for index, _ in enumerate(_dues(plan, segment)))
    return sum(itertools.takewhile(bool, sizes))


def first_due(plan: Plan, segment: Segment, among: Container[int]) -> float:
    """Return when the first of some sessions is due, in s from its segment's start.

    0 in a closed loop, and where none of them is.
    """
    if segment.rate is None:
        return 0.0
    dues = (
        due or 0.0
        for index, due in enumerate(_dues(plan, segment))
        if index in among or not _size(segment, index)
    )
    return next(dues, 0.0)


def sample(plan: Plan) -> list[Arrival]:
    """Return the first arrival of each segment, for a look before anything is sent."""
    # A short open loop may have nothing due at all: look past its end.
    endless = (
        msgspec.structs.replace(segment, duration=None) for segment in segments(plan)
    )
    first = (next(units(plan, segment, plan.providers)) for segment in endless)
    return [unit.blocks[0][0] for unit in first]


def count(plan: Plan) -> int | None:
    """Return how many requests each provider gets at most, warm-up included.

    None when a duration alone decides.
    """
    total = 0
    for segment in segments(plan):
        if segment.n_blocks is None:
            return None
        total += segment.n_blocks
    return total


def plan_hash(plan: Plan) -> str:
    """Return the SHA-256 (hex) of all that decides the plan.

    Plans of equal hashes expand to the same requests, numbers and order.
    """
    decisive = {
        "format": 1,
        "scenarios": [(s.name, s.version, s.digest) for s in plan.scenarios],
        "providers": plan.providers,
        "load": kept(plan.load),
        "salt": plan.salt,
    }
    return hashlib.sha256(msgspec.json.encode(decisive, order="sorted")).hexdigest()


def _key(plan: Plan, segment: Segment, what: str) -> str:
    name = segment.scenario.name
    return f"{what}/{plan.seed}/{name}/{segment.step}/{segment.phase}"


def _dues(plan: Plan, segment: Segment) -> Iterator[float | None]:
    if segment.rate is None:
        return itertools.repeat(None)
    # A rate counts blocks, and a session of k turns is k of them.
    rate = segment.rate / segment.scenario.turns
    load, rng = plan.load, random.Random(_key(plan, segment, "due"))
    trace, burst = segment.scenario.trace, load.burstiness
    dues = trace.dues(rate) if trace else None
    dues = dues or times(rate, load.arrival, burst, segment.ramp, rng)
    end = math.inf if segment.duration is None else segment.duration
    return itertools.takewhile(lambda due: due < end, dues)


def _size(segment: Segment, index: int) -> int:
    """Return how many turns session `index` has; the last may be cut short."""
    turns = segment.scenario.turns
    if segment.n_blocks is None:
        return turns
    return max(0, min(turns, segment.n_blocks - index * turns))
