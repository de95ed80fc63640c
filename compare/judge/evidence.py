"""What a threshold looks at, the figure that this makes, and whether it holds."""

import math
from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from compare.judge.frame import Floats, Frame, Segment
from compare.judge.sample import goodput
from compare.judge.stats import (
    CONFIDENCE,
    Interval,
    floor_of,
    interval,
    normal,
    percentile,
    share_interval,
)
from compare.judge.threshold import SHARES, Threshold


class Evidence(msgspec.Struct, frozen=True):
    """What a threshold looks at: values, or a part of a whole.

    `unknown` requests should have a value and have none.
    """

    values: Floats
    part: int = 0
    whole: int = 0
    unknown: int = 0

    def __add__(self, other: "Evidence") -> "Evidence":
        return Evidence(
            np.concatenate([self.values, other.values]),
            self.part + other.part,
            self.whole + other.whole,
            self.unknown + other.unknown,
        )


class Figure(msgspec.Struct, frozen=True):
    """A figure with its interval, or why there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    why: str = ""


NOTHING = np.zeros(0)


def evidence(
    frame: Frame,
    segment: Segment,
    host: str,
    threshold: Threshold,
    objectives: Mapping[str, float],
) -> Evidence:
    """Return what a threshold on a host's own figure looks at."""
    rows = frame.rows(segment, host)
    metric = threshold.metric
    if metric == "goodput":
        good = goodput(frame, rows, objectives)
        return Evidence(NOTHING, good.n_good, good.n)
    if metric == "checks":
        passed = frame.known("passed", rows)
        return Evidence(NOTHING, int(passed.sum()), len(passed))
    if metric in SHARES:
        counts = frame.tally(rows)
        part = counts.n_ok if metric == "ok" else counts.n_failed
        return Evidence(NOTHING, part, counts.n_ok + counts.n_failed)
    if metric == "cost":
        unpriced = int(np.isnan(frame.figures["cost"][rows[frame.ok[rows]]]).sum())
        return Evidence(frame.known("cost", rows), unknown=unpriced)
    return Evidence(frame.values(metric, rows))


def figure(
    threshold: Threshold,
    seen: Evidence,
    confidence: float | None = None,
    of_share: Callable[[float, int, float], Interval] = share_interval,
) -> Figure:
    """Return the figure of a threshold, and its interval where it has one.

    The mean's interval is normal, from 24 values on. A minimum bounds what it will be
    from above, a maximum from below. `of_share` makes the interval of a share.
    """
    level = confidence or threshold.confidence or CONFIDENCE
    if threshold.metric in SHARES:
        if not seen.whole:
            return Figure(None, why="n/a (no request counts)")
        low, high = of_share(seen.part, seen.whole, level)
        return Figure(seen.part / seen.whole, low, high)
    if seen.unknown:
        return Figure(None, why=f"n/a ({seen.unknown:,} unpriced)")
    return _of_values(seen.values, threshold.aggregate, level)


def _of_values(values: Floats, aggregate: str | float | None, level: float) -> Figure:
    n, q = len(values), aggregate
    if isinstance(q, float):
        if n < floor_of(q):
            return Figure(None, why=f"n/a (n={n} < {floor_of(q)})")
        return Figure(percentile(values, q), *interval(values, q, level))
    if not n:
        return Figure(None, why="n/a (no answer has it)")
    if q == "avg":
        return Figure(float(values.mean()), *_mean_interval(values, level))
    if q == "min":
        return Figure(float(values.min()), None, float(values.min()))
    return Figure(float(values.max()), float(values.max()), None)


def _mean_interval(values: Floats, confidence: float) -> Interval:
    if len(values) < floor_of(0.75):
        return None, None
    reach = normal(confidence) * float(values.std(ddof=1)) / len(values) ** 0.5
    return float(values.mean()) - reach, float(values.mean()) + reach


def passed(threshold: Threshold, seen: Figure) -> bool:
    """Tell whether a threshold holds; with a confidence, at both ends of the interval.

    Unknown is not passed, nor is an end that is not bounded.
    """
    if seen.value is None:
        return False
    if threshold.confidence is None:
        return threshold.holds(seen.value)
    if seen.low is None or seen.high is None:
        return False
    return threshold.holds_throughout(seen.low, seen.high)


def surely_failed(threshold: Threshold, seen: Figure) -> bool:
    """Tell whether a threshold fails wherever in its interval the truth is.

    An end that is not bounded may be anywhere.
    """
    low = -math.inf if seen.low is None else seen.low
    high = math.inf if seen.high is None else seen.high
    return threshold.holds_nowhere(low, high)
