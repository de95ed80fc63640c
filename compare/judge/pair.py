"""The records of a comparison: two columns of one metric, and what is said of them."""

from functools import cached_property

import msgspec
import numpy as np

from compare.judge.frame import Floats, Segment
from compare.judge.resample import MEAN, Statistic
from compare.judge.stats import floor_of

CONTRASTED = ("ttft", "ttfa", "e2e", "tpot", "decode_tps", "tokens", "cost")
"""The metrics that are contrasted as ratios; `ok` and `cost` also as differences."""

TESTED = frozenset({"ttft", "ttfa", "e2e", "tpot", "decode_tps", "ttn"})
"""Those of which it can be said that one host is faster."""

PRIMARY = "ratio_of_medians"
RATIOS: dict[str, Statistic] = {
    PRIMARY: 0.5,
    "ratio_of_p90": 0.9,
    "ratio_of_p95": 0.95,
    "ratio_of_means": MEAN,
}
WINS, MEANS, SHARES = "win_rate", "difference_of_means", "difference_of_shares"

STATISTICS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(TESTED, (*RATIOS, WINS)),
    "tokens": (PRIMARY, "ratio_of_means"),
    "cost": (PRIMARY, "ratio_of_means", MEANS),
}
"""What is estimated of each metric."""

FLOOR_OF_MEANS = floor_of(0.75)
"""Fewer values say too little of what a mean's rare large ones do."""

PASSED = "passed"
"""The metric of answers that passed their checks."""

BOOTSTRAP, LARGE_SAMPLE, SCORE = "block bootstrap", "large sample", "score"


class Also(msgspec.Struct, frozen=True, kw_only=True):
    """Another statistic of the same pair, metric and blocks; never a verdict."""

    statistic: str
    estimate: float | None
    low: float | None
    high: float | None
    need_more: int | None
    method: str


class Contrast(msgspec.Struct, frozen=True, kw_only=True):
    """One host against the reference on one metric in one segment.

    Ratios are host / reference, differences host - reference (cost in USD a request),
    `win_rate` is the share of blocks in which the host was better, ties half. `low` and
    `high` are the ends of the 95 % interval. The three are None below the statistic's
    floor (`need_more` blocks are missing then) or where there is no ratio; an end is
    None where it is not bounded.

    `verdict` is `faster`, `slower`, `no difference shown` or `too few samples` for the
    ratio of medians, by `p`, which is corrected for the number of hosts (Holm); of
    checks that passed (paired alone) it is `better` or `worse` for the first two; None
    for everything else. `below_floor` says that the medians differ by less than the
    bench's own error. `also` has the metric's other statistics. `method` is where the
    interval comes from. `n_blocks` are the blocks in which both have the figure, or
    unpaired the smaller side's answers.
    """

    provider: str
    reference: str
    scenario: str
    step: int | None
    metric: str
    statistic: str = PRIMARY
    estimate: float | None
    low: float | None
    high: float | None
    verdict: str | None = None
    need_more: int | None
    n_blocks: int
    p: float | None = None
    paired: bool = True
    method: str = BOOTSTRAP
    below_floor: bool = False
    also: tuple[Also, ...] = ()


class Sides(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What is contrasted: two columns of one metric, and who they are.

    Paired columns have one place a block, NaN in both where either has no value.
    """

    provider: str
    reference: str
    segment: Segment
    metric: str
    ours: Floats
    theirs: Floats
    paired: bool = True

    @cached_property
    def values(self) -> tuple[Floats, Floats]:
        """Return the known values of both sides."""
        return self.ours[~np.isnan(self.ours)], self.theirs[~np.isnan(self.theirs)]

    @cached_property
    def ordered(self) -> tuple[Floats, Floats]:
        """Return the known values of both sides, ascending."""
        ours, theirs = self.values
        return np.sort(ours), np.sort(theirs)

    @property
    def n(self) -> int:
        """Return the blocks that count, or the smaller side's answers."""
        return min(len(each) for each in self.values)


def base(metric: str) -> str:
    """Return a metric's name without the depth of `ttn(48)`."""
    return metric.partition("(")[0]
