"""A sweep: which loads may be tried, and which one is tried next."""

import bisect
import math
from collections.abc import Generator, Sequence
from typing import Final

PER_DOUBLING: Final = 8
"""Steps from a load to twice that load: neighbours differ by a twelfth at most."""

ROUNDS: Final = 5
"""In a closed loop each slot of a step makes so many requests at least."""

LEAST_S: Final = 10.0
"""In an open loop a step lasts so many seconds at least: a queue takes time to show."""


def grid(low: float, high: float, *, whole: bool) -> tuple[float, ...]:
    """Return the loads between two ends, ascending, each but a little above the last.

    Both ends are in it. With `whole` they are whole numbers.
    """
    n = math.ceil(PER_DOUBLING * math.log2(high / low))
    loads = [low * (high / low) ** (k / n) for k in range(n)] + [high]
    return tuple(sorted({round(each) if whole else each for each in loads}))


def least(rate: float | None, concurrency: int) -> int:
    """Return how many blocks a step must have to say anything of its load."""
    if rate is None:
        return ROUNDS * concurrency
    return math.ceil(LEAST_S * rate)


def search(loads: Sequence[float]) -> Generator[int, bool, None]:
    """Yield which load to try next; send whether it was kept up with.

    First each is at least twice the one before, until one is too much or the highest
    is not. Then what lies between the two is halved, until neighbours are left.
    """
    last, kept, lost, at = len(loads) - 1, -1, len(loads), 0
    while kept < last:
        if not (yield at):
            lost = at
            break
        kept = at
        at = min(bisect.bisect_left(loads, 2 * loads[at]), last)
    while lost - kept > 1 and kept >= 0 and lost <= last:
        middle = (kept + lost) // 2
        if (yield middle):
            kept = middle
        else:
            lost = middle


def most_tried(loads: Sequence[float]) -> int:
    """Return how many loads a search can try at most."""
    doublings = math.ceil(math.log2(max(loads[-1] / loads[0], 1))) + 1
    widest = max(
        (bisect.bisect_left(loads, 2 * load) - at for at, load in enumerate(loads)),
        default=1,
    )
    return min(len(loads), doublings + math.ceil(math.log2(max(widest, 1))))
