"""What is left of a plan of which some requests already have their rows."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping

import msgspec

from scenarios.plan import (
    Lane,
    Plan,
    Segment,
    Unit,
    first_due,
    planned,
    segments,
    units,
)


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of one segment: all sessions but the `whole` ones.

    `segment` has what is left of its duration; `ahead` is how long after the segment's
    start the first session left is due, in s; `rows` counts the rows that it has.
    """

    segment: Segment
    whole: frozenset[int] = frozenset()
    ahead: float = 0.0
    rows: int = 0


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a plan: everything but the requests whose `seq` is in `done`.

    `spent` is how long each segment of a duration has been sending, in s, by its index.
    """

    done: frozenset[int] = frozenset()
    spent: Mapping[int, float] = {}

    def of(self, plan: Plan) -> list[Left]:
        """Return the segments of which something is left, in order."""
        shares = _shares(plan, self.done)
        found = (
            self._left(plan, segment, shares[segment.index])
            for segment in segments(plan)
        )
        return [left for left in found if left is not None]

    def _left(self, plan: Plan, segment: Segment, rows: Counter[int]) -> Left | None:
        """Return what is left of a segment; `rows` counts its rows by block."""
        hosts = len(plan.providers)
        # Looked at only where there are rows: counting what is due can take a while.
        if rows and rows.total() == (planned(plan, segment) or 0) * hosts:
            return None
        if segment.rate is None and segment.duration is not None:
            left = segment.duration - self.spent.get(segment.index, 0.0)
            if left <= 0:
                return None
            segment = msgspec.structs.replace(segment, duration=left)
        whole = _whole(segment, rows, hosts) if rows else frozenset()
        ahead = first_due(plan, segment, _Without(whole)) if rows else 0.0
        return Left(segment=segment, whole=whole, ahead=ahead, rows=rows.total())

    def units(
        self, plan: Plan, left: Left, lane: Lane, among: Container[int]
    ) -> Iterator[Unit]:
        """Yield the sessions left for a lane, each without what is done of it."""
        if not self.done:
            yield from units(plan, left.segment, lane, among)
            return
        for unit in units(plan, left.segment, lane, _Without(left.whole, among)):
            blocks = (
                tuple(each for each in block if each.seq not in self.done)
                for block in unit.blocks
            )
            kept = tuple(block for block in blocks if block)
            if kept:
                yield msgspec.structs.replace(unit, blocks=kept)


def missing(plan: Plan, rest: Rest) -> int | None:
    """Return how many requests are left; None where a duration decides.

    Of a plan that was begun, an open loop's duration is no mystery: it is counted.
    """
    hosts, total = len(plan.providers), 0
    for left in rest.of(plan):
        n = planned(plan, left.segment) if rest.done else left.segment.n_blocks
        if n is None:
            return None
        if left.segment.scenario.loop:  # of a session that has begun nothing is left
            total += max(n - len(left.whole) * left.segment.scenario.turns, 0) * hosts
        else:
            total += n * hosts - left.rows
    return total


def parted(plan: Plan, done: Collection[int]) -> int:
    """Return how many blocks have some of their rows and not all.

    0 where hosts go each at its own pace: blocks then share no moment anyway. Steps of
    a live loop are asked of those that still need them.
    """
    if plan.load.unpaired:
        return 0
    hosts, made = len(plan.providers), segments(plan)
    starts = [segment.first_block for segment in made]
    rows = Counter(seq // hosts for seq in done)
    return sum(
        n < hosts and made[segment_of(starts, block)].scenario.loop is None
        for block, n in rows.items()
    )


class _Without:
    """Some sessions, less the ones that are whole."""

    def __init__(
        self, whole: frozenset[int], among: Container[int] | None = None
    ) -> None:
        self._whole, self._among = whole, among

    def __contains__(self, index: object) -> bool:
        if index in self._whole:
            return False
        return self._among is None or index in self._among


def segment_of(starts: list[int], block: int) -> int:
    """Return the index of the segment that a block is in, by their first blocks."""
    return bisect_right(starts, block) - 1


def _shares(plan: Plan, done: Collection[int]) -> dict[int, Counter[int]]:
    """Return by segment how many rows each block in it has."""
    made, hosts = segments(plan), len(plan.providers)
    starts = [segment.first_block for segment in made]
    found: dict[int, Counter[int]] = {segment.index: Counter() for segment in made}
    for block, n in Counter(seq // hosts for seq in done).items():
        found[segment_of(starts, block)][block] += n
    return found


def _whole(segment: Segment, rows: Counter[int], hosts: int) -> frozenset[int]:
    """Return the sessions of a segment all of whose requests have their rows.

    A live one that has begun counts as such: its history is not kept.
    """
    turns, by_session = segment.scenario.turns, Counter[int]()
    for block, n in rows.items():
        by_session[(block - segment.first_block) // turns] += n
    return frozenset(
        session
        for session, n in by_session.items()
        if segment.scenario.loop or n == hosts * _turns_of(segment, session)
    )


def _turns_of(segment: Segment, session: int) -> int:
    """Return how many turns a session has; the last may be cut short."""
    turns = segment.scenario.turns
    if segment.n_blocks is None:
        return turns
    return min(turns, segment.n_blocks - session * turns)
