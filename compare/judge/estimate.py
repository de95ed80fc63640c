"""What is said of two columns of one metric: estimates with intervals, unjudged."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from compare.judge.frame import Bools, Floats, Segment
from compare.judge.pair import (
    BOOTSTRAP,
    FLOOR_OF_MEANS,
    LARGE_SAMPLE,
    MEANS,
    PASSED,
    PRIMARY,
    RATIOS,
    SCORE,
    SHARES,
    STATISTICS,
    WINS,
    Also,
    Contrast,
    Sides,
    base,
)
from compare.judge.resample import (
    LARGE,
    NOTHING,
    Estimate,
    Statistic,
    drawn,
    dust_of,
    large_difference,
    large_ratio,
    percentiles,
    resamples_of,
    settled,
    shares_difference,
)
from compare.judge.sample import LOWER_IS_BETTER
from compare.judge.stats import (
    CONFIDENCE,
    at_rank,
    floor_of,
    mcnemar,
    share_interval,
)

Draws = NDArray[np.float64]


def estimated(
    sides: Sequence[Sides],
    seed: int,
    floor_ms: Mapping[str, float] | None = None,
    *,
    statistic: str | None = None,
    confidence: float = CONFIDENCE,
) -> list[Contrast]:
    """Return the contrasts of the metrics of two hosts in one segment, unjudged.

    All metrics share their resamples. Each has its primary statistic, and in `also` the
    others; or the one `statistic` alone.
    """
    names = (statistic,) if statistic in RATIOS else tuple(RATIOS)
    draws = _resampled(sides, seed, names)
    made = []
    for n, each in enumerate(sides):
        wanted = (statistic,) if statistic else STATISTICS[base(each.metric)]
        found = [_also(each, name, draws.get(n), confidence) for name in wanted]
        below = _is_below(each, floor_ms or {})
        made.append(_contrast(each, found, below_floor=below))
    return made


def _resampled(
    sides: Sequence[Sides], seed: int, names: Sequence[str]
) -> dict[int, dict[str, Floats]]:
    """Return by number of a side the resampled ratios or differences it needs.

    Sides that are too few, or enough for the large-sample interval, need none.
    """
    wanted = [n for n, each in enumerate(sides) if floor_of(0.5) <= each.n < LARGE]
    if not wanted:
        return {}
    # Each pair of hosts has a stream of its own: its intervals do not depend on
    # which other hosts were contrasted before it.
    first = sides[0]
    pair = (first.provider, first.reference, first.segment.scenario)
    key = zlib.crc32("\0".join(pair).encode(errors="replace"))
    rngs = np.random.default_rng([seed, key, first.segment.step or 0]).spawn(2)
    ours, theirs = ([getattr(sides[n], s) for n in wanted] for s in ("ours", "theirs"))
    x, y = _drawn(ours, theirs, rngs, names, paired=first.paired)
    found: dict[int, dict[str, Floats]] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for place, n in enumerate(wanted):
            ratios = x[place] / y[place]
            found[n] = dict(zip(names, ratios, strict=True))
            if names[-1] == "ratio_of_means":
                found[n][MEANS] = x[place, -1] - y[place, -1]
    return found


def _drawn(
    ours: Sequence[Floats],
    theirs: Sequence[Floats],
    rngs: Sequence[np.random.Generator],
    names: Sequence[str],
    *,
    paired: bool,
) -> tuple[Draws, Draws]:
    """Return some statistics of `RATIOS` of both sides, resampled together or apart."""
    statistics = [RATIOS[name] for name in names]
    if paired:
        some = ~np.isnan(np.asarray(ours)).all(axis=0)
        columns = [each[some] for each in (*ours, *theirs)]
        found = drawn(columns, statistics, rngs[0], resamples_of(int(some.sum())))
        return found[: len(ours)], found[len(ours) :]
    n = resamples_of(max(len(each) for each in (*ours, *theirs)))
    x, y = (
        np.concatenate([drawn([each], statistics, rng, n) for each in columns])
        for columns, rng in zip((ours, theirs), rngs, strict=True)
    )
    return x, y


def _contrast(
    sides: Sides, found: Sequence[tuple[Also, float | None]], *, below_floor: bool
) -> Contrast:
    (first, p), *others = found
    return Contrast(
        provider=sides.provider,
        reference=sides.reference,
        scenario=sides.segment.scenario,
        step=sides.segment.step,
        metric=sides.metric,
        statistic=first.statistic,
        estimate=first.estimate,
        low=first.low,
        high=first.high,
        p=p if first.statistic == PRIMARY else None,
        need_more=first.need_more,
        n_blocks=sides.n,
        paired=sides.paired,
        method=first.method,
        below_floor=below_floor,
        also=tuple(each for each, _ in others),
    )


def _also(
    sides: Sides,
    statistic: str,
    draws: Mapping[str, Floats] | None,
    confidence: float,
) -> tuple[Also, float | None]:
    """Return one statistic, and the p-value of its being no difference."""
    n, floor = sides.n, _floor(statistic)
    found, method = NOTHING, BOOTSTRAP
    if n >= floor:
        found, method = _estimate(sides, statistic, draws, confidence)
    made = Also(
        statistic=statistic,
        estimate=found.value,
        low=found.low,
        high=found.high,
        need_more=floor - n if n < floor else None,
        method=method,
    )
    return made, found.p


def _floor(statistic: str) -> int:
    q = RATIOS.get(statistic, 0.5)
    if isinstance(q, str) or statistic == MEANS:
        return FLOOR_OF_MEANS
    return floor_of(q)


def _estimate(
    sides: Sides,
    statistic: str,
    draws: Mapping[str, Floats] | None,
    confidence: float,
) -> tuple[Estimate, str]:
    """Return an estimate and what its interval comes from; None where no ratio is."""
    x, y = sides.values
    if statistic == WINS:
        return _win_rate(sides, confidence), SCORE
    if statistic == MEANS:
        if draws is None:
            return large_difference(x, y, confidence, sides.paired), LARGE_SAMPLE
        dust = dust_of(x, y)
        value = settled(float(x.mean() - y.mean()), dust)
        found = np.where(np.abs(draws[MEANS]) <= dust, 0.0, draws[MEANS])
        return percentiles(value, found, 0.0, confidence), BOOTSTRAP
    q = RATIOS[statistic]
    above, below = (_statistic(each, q) for each in sides.ordered)
    if not below:
        return NOTHING, BOOTSTRAP
    if draws is None:
        large = large_ratio(
            x, y, q, confidence, paired=sides.paired, ordered=sides.ordered
        )
        return large or Estimate(above / below, None, None), LARGE_SAMPLE
    return percentiles(above / below, draws[statistic], 1.0, confidence), BOOTSTRAP


def _statistic(values: Floats, q: Statistic) -> float:
    if isinstance(q, str):
        return float(values.mean())
    return at_rank(values, len(values), q) or 0.0


def _win_rate(sides: Sides, confidence: float) -> Estimate:
    """Return in which share of blocks the host was better; nothing where unpaired."""
    if not sides.paired:
        return NOTHING
    x, y = sides.values
    better = x < y if base(sides.metric) in LOWER_IS_BETTER else x > y
    wins = float(better.sum()) + float((x == y).sum()) / 2
    return Estimate(wins / len(x), *share_interval(wins, len(x), confidence))


def _is_below(sides: Sides, floor_ms: Mapping[str, float]) -> bool:
    """Return whether the medians differ by less than the bench's own error."""
    metric = base(sides.metric)
    least = floor_ms.get(metric)
    if least is None or sides.n < floor_of(0.5):
        return False
    ours, theirs = (_statistic(each, 0.5) for each in sides.ordered)
    if metric == "decode_tps":  # the rate of a time in ms
        ours, theirs = 1000 / max(ours, 1e-9), 1000 / max(theirs, 1e-9)
    return abs(ours - theirs) < least


def of_shares(
    names: tuple[str, str],
    segment: Segment,
    ours: Bools,
    theirs: Bools,
    *,
    paired: bool,
    metric: str = "ok",
) -> Contrast:
    """Return the difference of two shares of successes; paired ones block by block.

    Of paired checks `p` is that of McNemar's exact test.
    """
    n, floor = min(len(ours), len(theirs)), floor_of(0.5)
    found, p = NOTHING, None
    if paired and metric == PASSED:
        p = mcnemar(int((ours & ~theirs).sum()), int((theirs & ~ours).sum()))
    if n >= floor:
        found = shares_difference(ours, theirs, CONFIDENCE, paired=paired)
    return Contrast(
        provider=names[0],
        reference=names[1],
        scenario=segment.scenario,
        step=segment.step,
        metric=metric,
        statistic=SHARES,
        estimate=found.value,
        low=found.low,
        high=found.high,
        p=p if n >= floor else None,
        need_more=floor - n if n < floor else None,
        n_blocks=n,
        paired=paired,
        method=SCORE,
    )
