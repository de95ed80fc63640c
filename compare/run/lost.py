"""What a worker took with it when it died: each of its requests that has no row."""

import itertools
from collections.abc import Collection, Iterator

from compare.run.sender import Result
from providers.outcome import BLAME, Outcome
from providers.reply import Reply
from scenarios.plan import Plan, Segment, lanes, segments, units


def numbers(plan: Plan, index: int, of: int) -> Iterator[int]:
    """Yield the `seq` of each request that part `index` of `of` has in a plan.

    Only for a plan whose load counts its blocks.
    """
    hosts = len(plan.providers)
    for segment in segments(plan):
        turns, n_blocks = segment.scenario.turns, segment.n_blocks or 0
        for start in range(index * turns, n_blocks, of * turns):
            # Of a live session nobody knows how many steps it would have had.
            most = 1 if segment.scenario.loop else turns
            blocks = range(start, min(start + most, n_blocks))
            for block, place in itertools.product(blocks, range(hosts)):
                yield (segment.first_block + block) * hosts + place


def results(plan: Plan, lost: Collection[int]) -> Iterator[Result]:
    """Yield a `lost` result for each request of a plan whose `seq` is in `lost`.

    When it was sent, or whether, died with who knew: there is no stamp.
    """
    reply = Reply(outcome=Outcome.LOST, blame=BLAME[Outcome.LOST])
    for segment, sessions in _by_segment(plan, lost):
        for lane in lanes(plan):
            found = units(plan, segment, lane, sessions)
            for unit in itertools.islice(found, len(sessions)):
                for arrival in itertools.chain.from_iterable(unit.blocks):
                    if arrival.seq in lost:
                        yield Result(arrival=arrival, segment=segment, reply=reply,
                                     due=None, queued=None)  # fmt: skip


def _by_segment(
    plan: Plan, lost: Collection[int]
) -> Iterator[tuple[Segment, set[int]]]:
    """Yield each segment with the sessions in it that hold something lost."""
    hosts = len(plan.providers)
    blocks = {seq // hosts for seq in lost}
    for segment in reversed(segments(plan)):
        turns, first = segment.scenario.turns, segment.first_block
        mine = {block for block in blocks if block >= first}
        blocks -= mine
        yield segment, {(block - first) // turns for block in mine}
