"""What a threshold looks at, the figure that this makes, and whether it holds."""

import math
from collections.abc import Mapping

import msgspec
import numpy as np

from compare.judge.frame import Floats, Frame, Ints, Segment
from compare.judge.sample import cut_off, goodput, waiting
from compare.judge.stats import (
    CONFIDENCE,
    Interval,
    adjusted,
    floor_of,
    normal,
    quantile,
    share_interval,
)
from compare.judge.threshold import SHARES, Threshold

NOTHING = np.zeros(0)
RATES = frozenset({"tpot", "decode_tps"})
"""Of these what has begun may be anything in the end."""


class Evidence(msgspec.Struct, frozen=True):
    """What a threshold looks at: values, or a part of a whole.

    `unknown` requests should have a value and have none. Of those that we cut off `cut`
    has what is known: their value is no less (0: nothing is); they might as well have
    been part of the part, or only of the whole.
    """

    values: Floats
    part: int = 0
    whole: int = 0
    unknown: int = 0
    cut: Floats = NOTHING

    def __add__(self, other: "Evidence") -> "Evidence":
        return Evidence(
            np.concatenate([self.values, other.values]),
            self.part + other.part,
            self.whole + other.whole,
            self.unknown + other.unknown,
            np.concatenate([self.cut, other.cut]),
        )


class Figure(msgspec.Struct, frozen=True):
    """A figure with its interval, or why there is none.

    `least` and `most` are what it may be by the fate of what we cut off; None where it
    cannot change the figure. `why` then speaks of it.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    why: str = ""
    least: float | None = None
    most: float | None = None


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
        late = good.n - int(frame.judged[rows].sum())  # known not to be good
        open_ = cut_off(frame, rows, "e2e")[late:]
        return Evidence(NOTHING, good.n_good, good.n, cut=open_)
    if metric == "checks":
        passed = frame.known("passed", rows)
        return Evidence(NOTHING, int(passed.sum()), len(passed))
    if metric in SHARES:
        counts = frame.tally(rows)
        part = counts.n_ok if metric == "ok" else counts.n_failed
        whole = counts.n_ok + counts.n_failed
        return Evidence(NOTHING, part, whole, cut=cut_off(frame, rows, "e2e"))
    if metric == "cost":
        unpriced = int(np.isnan(frame.figures["cost"][rows[frame.ok[rows]]]).sum())
        return Evidence(frame.known("cost", rows), unknown=unpriced)
    cut = unended(frame, rows, metric)
    return Evidence(frame.values(metric, rows), cut=cut[~np.isnan(cut)])


def unended(frame: Frame, rows: Ints, metric: str) -> Floats:
    """Return by row the least that a metric may be of what we cut off.

    NaN where it was not cut off, or is known. Cost and tokens are known of answers
    alone.
    """
    if metric in {"cost", "tokens"}:
        return np.full(len(rows), np.nan)
    waited = waiting(frame, rows, "e2e" if metric in RATES else metric)
    return waited * (metric not in RATES)


def figure(threshold: Threshold, seen: Evidence) -> Figure:
    """Return the figure of a threshold, and its interval where it has one.

    The mean's interval is normal, from 24 values on. A minimum bounds what it will be
    from above, a maximum from below. The interval holds whatever would have become of
    what we cut off.
    """
    level = threshold.confidence or CONFIDENCE
    if threshold.metric in SHARES:
        return _of_shares(seen, level)
    if seen.unknown:
        return Figure(None, why=f"n/a ({seen.unknown:,} unpriced)")
    if isinstance(threshold.aggregate, float):
        return _of_quantiles(seen, threshold.aggregate, level)
    if not len(seen.values):
        return Figure(None, why="n/a (no answer has it)")
    return _of_values(seen, threshold.aggregate, level)


def _of_values(seen: Evidence, aggregate: str | None, level: float) -> Figure:
    """Return the mean, least or most of the answers."""
    both = np.concatenate([seen.values, seen.cut])
    if aggregate == "avg":
        value, least = float(seen.values.mean()), float(both.mean())
        low, high = _mean_interval(seen.values, level)
        if len(seen.cut):
            other = _mean_interval(both, level)[0]
            low, high = _lesser(low, other), None
        return _open(seen, Figure(value, low, high), least, math.inf)
    if aggregate == "min":
        value = float(seen.values.min())
        return _open(seen, Figure(value, None, value), float(both.min()), value)
    value = float(seen.values.max())
    return _open(seen, Figure(value, value, None), value, math.inf)


def _of_shares(seen: Evidence, level: float) -> Figure:
    if not seen.whole:
        return Figure(None, why="n/a (no request counts)")
    part, cut = seen.part, len(seen.cut)
    whole = seen.whole + cut
    low = share_interval(part, whole, level)[0]
    high = share_interval(part + cut, whole, level)[1]
    found = Figure(part / seen.whole, low, high)
    return _open(seen, found, part / whole, (part + cut) / whole)


def _of_quantiles(seen: Evidence, q: float, level: float) -> Figure:
    """Return a quantile of the answers, and of them with what we cut off."""
    found = quantile(seen.values, q, level)
    if found.value is None:
        return Figure(None, why=found.text())
    short = quantile(np.concatenate([seen.values, seen.cut]), q, level)
    long = adjusted(seen.values, len(seen.cut), q, level)
    made = Figure(found.value, _lesser(found.low, short.low), long.high)
    least = min(found.value, found.value if short.value is None else short.value)
    return _open(seen, made, least, math.inf if long.value is None else long.value)


def _open(seen: Evidence, found: Figure, least: float, most: float) -> Figure:
    """Return a figure with what it may be by the fate of what we cut off."""
    if not len(seen.cut):
        return found
    why = f"{len(seen.cut):,} cut off by us may change it"
    return msgspec.structs.replace(found, why=why, least=least, most=most)


def _lesser(one: float | None, other: float | None) -> float | None:
    """Return the lower of two low ends, None where one is not bounded."""
    return None if one is None or other is None else min(one, other)


def _mean_interval(values: Floats, confidence: float) -> Interval:
    if len(values) < floor_of(0.75):
        return None, None
    reach = normal(confidence) * float(values.std(ddof=1)) / len(values) ** 0.5
    return float(values.mean()) - reach, float(values.mean()) + reach


def passed(threshold: Threshold, seen: Figure) -> bool:
    """Tell whether a threshold holds; with a confidence, at both ends of the interval.

    Unknown is not passed, nor is an end that is not bounded, nor what would not hold
    if what we cut off had gone on for ever, or ended at once.
    """
    if seen.value is None:
        return False
    if threshold.confidence is None:
        least = seen.value if seen.least is None else seen.least
        most = seen.value if seen.most is None else seen.most
        return threshold.holds(seen.value) and threshold.holds_throughout(least, most)
    if seen.low is None or seen.high is None:
        return False
    return threshold.holds_throughout(seen.low, seen.high)
