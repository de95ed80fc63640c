"""Percentiles with their floors and intervals, and shares with theirs: numbers only.

Percentiles are pooled from rows and never averaged; what has too few rows has none.
"""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

FLOORS_99: dict[float, int] = {
    0.5: 11,
    0.75: 24,
    0.9: 64,
    0.95: 130,
    0.97: 219,
    0.99: 662,
    0.999: 6636,
}
"""How many values a quantile needs before it is worth stating (99 % confidence)."""

CONFIDENCE = 0.95
NARROWEST = 200
"""For how many values `always_mean` is narrowest."""

Interval = tuple[float | None, float | None]


class Quantile(msgspec.Struct, frozen=True, kw_only=True):
    """One quantile of `n` values, with its 95 % order-statistic interval.

    `value` is None where `n` is below `floor`, and where the quantile lies among
    requests that never ended well: `never` is True then. An end is None where it is
    not bounded.
    """

    value: float | None
    n: int
    floor: int
    low: float | None = None
    high: float | None = None
    never: bool = False

    def text(self, form: Callable[[float], str] = "{:.0f}".format) -> str:
        """Return the value as `form` writes it, or why there is none."""
        if self.never:
            return "never"
        if self.value is None:
            return f"n/a (n={self.n} < {self.floor})"
        return form(self.value)


def percentile(values: ArrayLike, q: float) -> float:
    """Return quantile `q` (0 to 1) of values that exist, interpolated linearly."""
    return float(np.quantile(np.asarray(values, dtype=float), q))


def floor_of(q: float) -> int:
    """Return how many values quantile `q` needs; low quantiles mirror the high ones.

    Between two listed quantiles the higher one's floor holds. ValueError beyond 0.999.
    """
    far = max(q, 1 - q)
    for listed, floor in FLOORS_99.items():
        if far <= listed + 1e-12:
            return floor
    raise ValueError(f"no floor is known for quantile {q}: use 0.001 to 0.999")


def quantile(
    values: Sequence[float] | NDArray[np.float64],
    q: float,
    confidence: float = CONFIDENCE,
) -> Quantile:
    """Return quantile `q` of pooled values, or none below its floor."""
    return adjusted(values, 0, q, confidence)


def adjusted(
    values: Sequence[float] | NDArray[np.float64],
    n_failed: int,
    q: float,
    confidence: float = CONFIDENCE,
) -> Quantile:
    """Return quantile `q` where each failure counts as longer than any value.

    So a host that refuses fast does not look fast: with more than 1 - q of failures
    the quantile is never reached.
    """
    n, floor = len(values) + n_failed, floor_of(q)
    if n < floor:
        return Quantile(value=None, n=n, floor=floor)
    ordered = _ascending(values)
    value = at_rank(ordered, n, q)
    low, high = _ends(ordered, n, q, confidence)
    return Quantile(
        value=value, n=n, floor=floor, low=low, high=high, never=value is None
    )


def at_rank(ordered: NDArray[np.float64], n: int, q: float) -> float | None:
    """Return quantile `q` of `n` values of which the least are given, ascending.

    Linear between ranks, as numpy has it; None where a rank is not among the given.
    """
    rank = (n - 1) * q
    below, above = math.floor(rank), math.ceil(rank)
    if above >= len(ordered):
        return None
    low, high = float(ordered[below]), float(ordered[above])
    return low + (high - low) * (rank - below)


def interval(
    values: Sequence[float] | NDArray[np.float64],
    q: float,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the order-statistic interval of quantile `q`: no shape is assumed.

    How many values lie below the true quantile is binomial (n, q); the ends are
    the ranks that it leaves outside with at most (1 - confidence) / 2 each. An end
    is None where that many values are not enough to bound it.
    """
    ordered = _ascending(values)
    return _ends(ordered, len(ordered), q, confidence)


def _ascending(values: ArrayLike) -> NDArray[np.float64]:
    """Return values in order; looking first is quicker where they are so already."""
    found = np.asarray(values, dtype=float)
    return found if (found[1:] >= found[:-1]).all() else np.sort(found)


def _ends(
    ordered: NDArray[np.float64], n: int, q: float, confidence: float
) -> Interval:
    """Return the interval of a quantile of `n` values, the least of them given."""
    if n == 0:
        return None, None
    first, mass = _binomial(n, q)
    below = np.cumsum(mass)
    tail = (1 - confidence) / 2
    low = first + int(np.searchsorted(below, tail, side="right"))
    high = first + int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return (
        float(ordered[low - 1]) if 1 <= low <= len(ordered) else None,
        float(ordered[high - 1]) if high <= len(ordered) else None,
    )


def _binomial(n: int, q: float) -> tuple[int, NDArray[np.float64]]:
    """Return the mass of a binomial from a first count on, where it is not nothing.

    From the mode outwards by the ratio of neighbours: nothing overflows, and a million
    values need no more than a few thousand terms.
    """
    mode = min(int((n + 1) * q), n)
    reach = int(14 * math.sqrt(n * q * (1 - q))) + 14
    first, last = max(mode - reach, 0), min(mode + reach, n)
    k = np.arange(first, last)
    ratio = np.log((n - k) / (k + 1) * (q / (1 - q)))
    logs = np.concatenate(([0.0], np.cumsum(ratio)))
    mass = np.exp(logs - logs.max())
    return first, np.asarray(mass / mass.sum())


def normal(confidence: float = CONFIDENCE) -> float:
    """Return how many standard errors a two-sided interval reaches to each side."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def share_interval(
    part: float, whole: int, confidence: float = CONFIDENCE
) -> tuple[float, float] | tuple[None, None]:
    """Return the Wilson score interval of a share; None, None of nothing.

    Wilson, "Probable inference", JASA 22 (1927): it keeps its coverage near 0 and 1,
    where estimate +- standard error has no width.
    """
    if not whole:
        return None, None
    z, p = normal(confidence), part / whole
    middle = p + z * z / (2 * whole)
    reach = z * math.sqrt(p * (1 - p) / whole + z * z / (4 * whole * whole))
    scale = 1 + z * z / whole
    # At the ends it is 0 or 1, whatever rounding makes of it.
    low = (middle - reach) / scale if part else 0.0
    high = (middle + reach) / scale if part < whole else 1.0
    return max(low, 0.0), min(high, 1.0)


def share_intervals(parts: ArrayLike, wholes: ArrayLike) -> NDArray[np.float64]:
    """Return the `share_interval` of many shares, a line each; NaN of nothing."""
    each = zip(np.asarray(parts), np.asarray(wholes), strict=True)
    ends = [share_interval(int(part), int(whole)) for part, whole in each]
    return np.array(ends, dtype=np.float64).reshape(-1, 2)


def always_interval(
    part: int, whole: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return an interval of a share that holds at every look, however many there are.

    The shares at which the beta-binomial mixture's likelihood ratio, the prior uniform,
    is below 1 / (1 - confidence) (Robbins, Ann. Math. Statist. 41, 1970; by Ville's
    inequality it ever gets there with at most that chance). (0, 1) of nothing.
    """
    bound = math.log(1 - confidence) + (
        math.lgamma(part + 1) + math.lgamma(whole - part + 1) - math.lgamma(whole + 2)
    )

    def likely(share: float) -> bool:
        return _times_log(part, share) + _times_log(whole - part, 1 - share) >= bound

    middle = part / whole if whole else 0.5
    low = _share_at(lambda p: p >= middle or likely(p)) if part else 0.0
    high = _share_at(lambda p: p > middle and not likely(p)) if part < whole else 1.0
    return low, high


def always_mean(
    values: NDArray[np.float64], confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return an interval of a mean that holds, for many values, at every look.

    Robbins' normal mixture with the estimated standard deviation (asymptotic:
    Waudby-Smith et al., Ann. Statist. 52, 2024), narrowest near `NARROWEST` values.
    """
    n, tail = len(values), -2 * math.log(1 - confidence)
    spread = n * (tail + math.log(tail + 1)) / NARROWEST
    grown = math.log(spread + 1) + tail
    reach = float(values.std(ddof=1)) * math.sqrt((1 + 1 / spread) * grown / n)
    return float(values.mean()) - reach, float(values.mean()) + reach


def _times_log(times: int, share: float) -> float:
    """Return times x log(share), 0 where there is nothing to count."""
    if not times:
        return 0.0
    return times * math.log(share) if share > 0 else -math.inf


def _share_at(beyond: Callable[[float], bool]) -> float:
    """Return the least share from which on something is so, to a millionth."""
    low, high = 0.0, 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return (low + high) / 2


def _at_least(k: int, n: int, q: float) -> float:
    """Return how often a binomial (n, q) is k or more."""
    first, mass = _binomial(n, q)
    return float(mass[max(k - first, 0) :].sum())


def mcnemar(ours: int, theirs: int) -> float:
    """Return the exact two-sided p of as many discordant pairs on the two sides.

    McNemar, Psychometrika 12 (1947): if none is better, each discordant pair falls to
    either side by the toss of a coin.
    """
    n = ours + theirs
    return min(1.0, 2 * _at_least(max(ours, theirs), n, 0.5)) if n else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for being several (Holm, Scand. J. Statist. 6, 1979).

    The smallest is multiplied by their number, the next by one less, and so on; none
    gets smaller than the one before it, none above 1.
    """
    order = sorted(range(len(p_values)), key=lambda n: p_values[n])
    found = [0.0] * len(p_values)
    worst = 0.0
    for rank, n in enumerate(order):
        worst = max(worst, min((len(order) - rank) * p_values[n], 1.0))
        found[n] = worst
    return found
