"""Intervals of what is said of two columns of numbers: bootstrap and large samples."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from compare.judge.frame import Bools, Floats, Ints
from compare.judge.stats import at_rank, normal

RESAMPLES = 10_000
FEWEST = 2_000
"""Resamples are 10,000 up to 1,000 blocks, and fewer beyond; never fewer than this."""

WIDTH = 2_000
"""Resamples that are worked on at once: their running sums are added row by row."""

CELLS = 500_000
"""Blocks times resamples that are counted at once, so as to stay in the cache."""

LARGE = 20_000
"""From so many blocks on the large-sample interval stands in for the bootstrap."""

MEAN = "mean"


class Estimate(msgspec.Struct, frozen=True):
    """An estimate with its interval and the two-sided p-value of "no difference".

    None: there is none; an end is None where it is not bounded.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None = None


NOTHING = Estimate(None, None, None)

Counts = NDArray[np.uint16]
Statistic = float | str
"""A quantile (0 to 1), or `MEAN`."""


def resamples_of(n: int) -> int:
    """Return how many resamples `n` blocks get."""
    return max(FEWEST, min(RESAMPLES, RESAMPLES * 1_000 // max(n, 1)))


def drawn(
    columns: Sequence[Floats],
    statistics: Sequence[Statistic],
    rng: np.random.Generator,
    resamples: int,
) -> NDArray[np.float64]:
    """Return statistics of columns in some resamples of their blocks.

    The columns are as long as there are blocks, NaN where a block has no value. Blocks
    are drawn with replacement, whole: all columns and all that is missing from them
    together. The shape is (column, statistic, resample); NaN where a resample holds no
    value of a column.
    """
    sorts = [_sorted(column) for column in columns]
    parts = [
        np.stack([_of_column(*each, counts, statistics) for each in sorts])
        for counts in _draws(len(columns[0]), resamples, rng)
    ]
    return np.concatenate(parts, axis=2)


def _draws(n: int, resamples: int, rng: np.random.Generator) -> Iterator[Counts]:
    """Yield how often each block is in each resample: (block, resample), batch-wise."""
    narrow = max(1, CELLS // n)
    for start in range(0, resamples, WIDTH):
        counts = np.empty((n, min(WIDTH, resamples - start)), dtype=np.uint16)
        for first in range(0, counts.shape[1], narrow):
            part = counts[:, first : first + narrow]
            m = part.shape[1]
            cells = rng.integers(0, n, size=(n, m), dtype=np.int64) * m + np.arange(m)
            part[:] = np.bincount(cells.ravel(), minlength=n * m).reshape(n, m)
        yield counts


def _sorted(column: Floats) -> tuple[Ints, Floats]:
    order = np.argsort(column)[: int((~np.isnan(column)).sum())]
    return order, column[order]


def _of_column(
    order: Ints, values: Floats, counts: Counts, statistics: Sequence[Statistic]
) -> Floats:
    """Return (statistic, resample) of one column whose values ascend.

    A resample is never written out: how often its values lie below each one is the
    running sum of the counts, in which the ranks are looked up.
    """
    found = np.full((len(statistics), counts.shape[1]), np.nan)
    if not len(values):
        return found
    running = counts[order]
    sums = np.einsum("i,ij->j", values, running)
    for below, here in pairwise(running):  # numpy's own cumsum is far slower here
        np.add(below, here, out=here)
    total = running[-1].astype(np.int64)
    some = total > 0
    for row, statistic in zip(found, statistics, strict=True):
        if isinstance(statistic, str):
            np.divide(sums, total, out=row, where=some)
        else:
            row[some] = _quantiles(running, values, total, statistic)[some]
    return found


def _quantiles(running: Counts, values: Floats, total: Ints, q: float) -> Floats:
    """Return quantile `q` of each resample, linear between ranks."""
    last = np.maximum(total - 1, 0)
    rank = last * q
    below = np.floor(rank).astype(np.int64)
    place = _place(running, below)
    low = values[place]
    high = values[_onward(running, place, np.minimum(below + 1, last))]
    return np.asarray(low + (high - low) * (rank - below))


def _place(running: Counts, rank: Ints) -> Ints:
    """Return for each resample the first value that more than `rank` values reach."""
    # A binary search of all columns at once, in steps of falling powers of two. `at`
    # is the last cell that is known not to reach the rank, a row above it all at first.
    cells, (n, width) = running.ravel(), running.shape
    wanted = rank.astype(running.dtype)
    at = np.arange(width) - width
    for power in reversed(range(n.bit_length())):
        ahead = at + (width << power)
        short = cells.take(ahead, mode="clip") <= wanted
        short &= ahead < cells.size
        np.copyto(at, ahead, where=short)
    return np.asarray(np.minimum(at // width + 1, n - 1))


def _onward(running: Counts, place: Ints, rank: Ints) -> Ints:
    """Return what `_place` does, from places that lie at most a few values before."""
    cells, (n, width) = running.ravel(), running.shape
    found, wanted = place.copy(), rank.astype(running.dtype)
    short = np.arange(width)
    while len(short):
        at = found[short]
        enough = cells.take(at * width + short) > wanted[short]
        short = short[~enough & (at < n - 1)]
        found[short] += 1
    return found


def percentiles(
    value: float, draws: Floats, none: float, confidence: float
) -> Estimate:
    """Return the percentile-bootstrap interval of draws, tested against `none`.

    `none` is the value that means no difference; p is twice the share of the draws
    on its lesser side, each side given one draw more, so that p is never 0. Without
    bounds where some draw has none.
    """
    draws = draws[~np.isnan(draws)]
    if not len(draws) or np.isinf(draws).any():
        return Estimate(value, None, None)
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    lesser = min(int((draws <= none).sum()), int((draws >= none).sum()))
    p = min(2 * (lesser + 1) / (len(draws) + 1), 1.0)
    return Estimate(value, float(low), float(high), p)


def large_ratio(
    ours: Floats,
    theirs: Floats,
    statistic: Statistic,
    confidence: float,
    *,
    paired: bool,
    ordered: tuple[Floats, Floats] | None = None,
) -> Estimate | None:
    """Return the large-sample interval of a ratio of quantiles or of means.

    On logarithms. The standard error of a quantile is the width of its order-statistic
    interval over twice the normal one (Woodruff, JASA 47, 1952); those of two paired
    quantiles are correlated as being below one goes with being below the other. A
    mean has the delta method. None where a logarithm does not exist. `ordered` are both
    sides ascending, if that is known.
    """
    z = normal(confidence)
    if isinstance(statistic, str):
        x, y = float(ours.mean()), float(theirs.mean())
        found = _mean_error(ours / x, theirs / y, paired) if x > 0 < y else None
    else:
        sorts = ordered or (np.sort(ours), np.sort(theirs))
        x, y = (at_rank(each, len(each), statistic) or 0.0 for each in sorts)
        one, other = (_log_error(each, statistic) for each in sorts)
        found = None
        if one is not None and other is not None:
            shared = (ours <= x) & (theirs <= y) if paired else None
            found = _ratio_error(one, other, shared, statistic)
    if found is None or not x > 0 < y:
        return None
    middle = math.log(x / y)
    low, high = math.exp(middle - z * found), math.exp(middle + z * found)
    return Estimate(x / y, low, high, _two_sided(middle, found))


def large_difference(
    ours: Floats, theirs: Floats, confidence: float, paired: bool
) -> Estimate:
    """Return the large-sample interval of a difference of means."""
    dust = dust_of(ours, theirs)
    value = settled(float(ours.mean() - theirs.mean()), dust)
    error = settled(_mean_error(ours, theirs, paired), dust)
    reach = normal(confidence) * error
    return Estimate(value, value - reach, value + reach, _two_sided(value, error))


def dust_of(ours: Floats, theirs: Floats) -> float:
    """Return what of a difference of means is rounding of the sums, and nothing else.

    A sum of n floats is off by at most n epsilon times the sum of their sizes (Higham,
    Accuracy and Stability of Numerical Algorithms, 2002, 4.2).
    """
    n = max(len(ours), len(theirs))
    sizes = float(np.abs(ours).mean() + np.abs(theirs).mean())
    return n * float(np.finfo(np.float64).eps) * sizes


def settled(value: float, dust: float) -> float:
    """Return a value, or 0 where it is no more than dust."""
    return 0.0 if abs(value) <= dust else value


def _mean_error(ours: Floats, theirs: Floats, paired: bool) -> float:
    if paired:
        return float((ours - theirs).std(ddof=1)) / math.sqrt(len(ours))
    parts = (float(x.var(ddof=1)) / len(x) for x in (ours, theirs))
    return math.sqrt(sum(parts))


def _log_error(ordered: Floats, q: float) -> float | None:
    """Return the standard error of the logarithm of a quantile; None below 0."""
    n, z = len(ordered), normal()
    reach = z * math.sqrt(n * q * (1 - q))
    low = float(ordered[max(math.floor(n * q - reach), 0)])
    high = float(ordered[min(math.ceil(n * q + reach), n - 1)])
    return math.log(high / low) / (2 * z) if low > 0 else None


def _ratio_error(one: float, other: float, shared: Bools | None, q: float) -> float:
    """Return the error of a difference of logs; `shared`: in which both are below."""
    both = 0.0
    if shared is not None:
        both = (float(shared.mean()) - q * q) / (q * (1 - q))
    return math.sqrt(max(one * one + other * other - 2 * both * one * other, 0.0))


def _two_sided(value: float, error: float) -> float:
    if not error:
        return 1.0 if value == 0 else 0.0
    return math.erfc(abs(value / error) / math.sqrt(2))


def shares_difference(
    ours: Bools, theirs: Bools, confidence: float, *, paired: bool
) -> Estimate:
    """Return the interval of a difference of two shares, adjusted near 0 and 1.

    Paired: Bonett and Price, J. Educ. Behav. Stat. 37 (2012), one more of each
    discordant pair; unpaired: Agresti and Caffo, Am. Stat. 54 (2000), one more of each
    outcome. A bootstrap of two shares of 100 % would have no width.
    """
    value = float(ours.mean() - theirs.mean())
    z = normal(confidence)
    if paired:
        n = len(ours) + 2
        up = (int((ours & ~theirs).sum()) + 1) / n
        down = (int((theirs & ~ours).sum()) + 1) / n
        middle, variance = up - down, (up + down - (up - down) ** 2) / n
    else:
        sides = [(int(each.sum()) + 1, len(each) + 2) for each in (ours, theirs)]
        (p, m), (q, n) = ((part / whole, whole) for part, whole in sides)
        middle, variance = p - q, p * (1 - p) / m + q * (1 - q) / n
    reach = z * math.sqrt(variance)
    return Estimate(value, max(middle - reach, -1.0), min(middle + reach, 1.0))
