"""What a threshold on a ratio looks at: two hosts, and what we cut off of either."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from compare.judge.blocks import alike, blocks_of
from compare.judge.contrast import matched, unmatched
from compare.judge.estimate import estimated
from compare.judge.evidence import Figure, unended
from compare.judge.frame import Bools, Floats, Frame, Ints, Segment
from compare.judge.notes import differs
from compare.judge.pair import Contrast, Sides
from compare.judge.stats import CONFIDENCE
from compare.judge.threshold import Threshold

NEW, BASE = "new", "base"
"""What the second and the first of two runs are called in a ratio."""

RATIO_OF: dict[str | float | None, str] = {
    0.5: "ratio_of_medians",
    0.9: "ratio_of_p90",
    0.95: "ratio_of_p95",
    "avg": "ratio_of_means",
}

FOREVER = 1e30
"""Stands for a value without bound: above all figures, yet quantiles of it exist."""
UNBOUNDED = 1e9
"""A ratio from here on is one of `FOREVER`: no host waits so many times longer."""


class Side(msgspec.Struct, frozen=True):
    """One host of a ratio: its rows (-1: none in that block) and which may count."""

    frame: Frame
    rows: Ints
    usable: Bools

    def values(self, metric: str) -> Floats:
        """Return a metric of the ok answers, NaN where there is none."""
        known = self.usable & self.frame.ok[self.rows]
        return np.where(known, self.frame.figures[metric][self.rows], np.nan)

    def cut(self, metric: str) -> Floats:
        """Return the least that it may be of what we cut off, NaN of all else."""
        return np.where(self.usable, unended(self.frame, self.rows, metric), np.nan)


class Pair(msgspec.Struct, frozen=True):
    """The two sides of a ratio, block by block or of two runs."""

    names: tuple[str, str]
    ours: Side
    theirs: Side
    paired: bool

    def sides(self, segment: Segment, metric: str, x: Floats, y: Floats) -> Sides:
        """Return two columns to contrast; paired ones where both have a value."""
        if self.paired:
            both = ~np.isnan(x) & ~np.isnan(y)
            x, y = np.where(both, x, np.nan), np.where(both, y, np.nan)
        else:
            x, y = x[~np.isnan(x)], y[~np.isnan(y)]
        return Sides(
            provider=self.names[0],
            reference=self.names[1],
            segment=segment,
            metric=metric,
            ours=x,
            theirs=y,
            paired=self.paired,
        )


def ratios(
    frames: Sequence[Frame],
    threshold: Threshold,
    segment: Segment,
    reference: str | None = None,
) -> Iterator[tuple[str, Figure]]:
    """Yield the pairs that a threshold is about in a segment, and their ratios.

    Within the blocks of one frame, or of the second of two against the first. The
    interval holds whatever would have become of what we cut off. There is no figure of
    `e2e` where the answers differ in length.
    """
    pairs = (
        _within(frames[0], threshold, segment)
        if len(frames) == 1
        else _across(frames[0], frames[1], segment, reference)
    )
    for pair in pairs:
        yield "/".join(pair.names), _figure(pair, threshold, segment)


def _within(frame: Frame, threshold: Threshold, segment: Segment) -> Iterator[Pair]:
    names = (threshold.host or "", threshold.against or "")
    hosts = frame.hosts_of(segment)
    if not set(names) <= set(hosts):
        return
    blocks = blocks_of(frame, segment, hosts)
    usable = alike(blocks, *names)[0]
    ours, theirs = (
        Side(frame, blocks.row[name], usable & (blocks.row[name] >= 0))
        for name in names
    )
    yield Pair(names, ours, theirs, paired=True)


def _across(
    a: Frame, b: Frame, segment: Segment, reference: str | None
) -> Iterator[Pair]:
    alone = [(host, host) for host in unmatched(a, b, reference)]
    for host, other in (*matched(a, b, reference), *alone):
        ours, theirs = (
            Side(frame, rows, np.ones(len(rows), dtype=np.bool_))
            for frame, rows in (
                (b, b.rows(segment, host)),
                (a, a.rows(segment, other)),
            )
        )
        if len(ours.rows) or len(theirs.rows):  # else neither run asked it
            names = (f"{host}@{NEW}", f"{other}@{BASE}")
            yield Pair(names, ours, theirs, paired=False)


def _figure(pair: Pair, threshold: Threshold, segment: Segment) -> Figure:
    """Return the ratio of a pair with its interval, or why there is none."""
    metric = threshold.metric
    x, y = pair.ours.values(metric), pair.theirs.values(metric)
    made = _estimate(pair, threshold, segment, x, y)
    if metric == "e2e" and _unequal(pair, segment) and made.estimate is not None:
        return Figure(None, why=f"n/a ({made.estimate:.3f}, but of unequal lengths)")
    found = Figure(made.estimate, made.low, made.high, _missing(made))
    cuts = pair.ours.cut(metric), pair.theirs.cut(metric)
    n_cut = sum(int((~np.isnan(each)).sum()) for each in cuts)
    if not n_cut or found.value is None:
        return found
    (a, a_forever), (b, b_forever) = (
        (np.where(np.isnan(cut), known, cut), np.where(np.isnan(cut), known, FOREVER))
        for known, cut in zip((x, y), cuts, strict=True)
    )
    low = _estimate(pair, threshold, segment, a, b_forever)
    high = _estimate(pair, threshold, segment, a_forever, b)
    return _spanning(found, low, high, n_cut)


def _spanning(found: Figure, low: Contrast, high: Contrast, n_cut: int) -> Figure:
    """Return a ratio with what it may be from the least to the most.

    Its own interval leaves out what we cut off: it is spanned too.
    """
    value = found.value or 0.0
    most = high.estimate
    if most is None or most >= UNBOUNDED:
        most = float("inf")
    lows, highs = (found.low, low.low), (found.high, high.high)
    least_end = min((end for end in lows if end is not None), default=None)
    most_end = max((end for end in highs if end is not None), default=None)
    if most_end is not None and most_end >= UNBOUNDED:
        most_end = None
    return Figure(
        value,
        None if None in lows else least_end,
        None if None in highs else most_end,
        f"{n_cut:,} cut off by us may change it",
        least=min(value, 0.0 if low.estimate is None else low.estimate),
        most=max(value, most),
    )


def _estimate(
    pair: Pair, threshold: Threshold, segment: Segment, x: Floats, y: Floats
) -> Contrast:
    sides = pair.sides(segment, threshold.metric, x, y)
    level = threshold.confidence or CONFIDENCE
    statistic = RATIO_OF[threshold.aggregate]
    return estimated([sides], 0, statistic=statistic, confidence=level)[0]


def _unequal(pair: Pair, segment: Segment) -> bool:
    """Tell whether answers differ in length, as the caveat `unequal_output` does."""
    columns = pair.ours.values("tokens"), pair.theirs.values("tokens")
    (tokens,) = estimated([pair.sides(segment, "tokens", *columns)], 0)
    return differs(tokens)


def _missing(made: Contrast) -> str:
    if made.need_more:
        return f"n/a (n={made.n_blocks} < {made.n_blocks + made.need_more})"
    return "" if made.estimate is not None else "n/a (the other host's is 0)"
