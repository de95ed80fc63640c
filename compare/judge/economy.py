"""Cheap and fast: who is not beaten at both, and what the prompt cache is worth."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from compare.judge.frame import Floats, Frame, Ints
from compare.judge.pair import FLOOR_OF_MEANS
from compare.judge.resample import LARGE, MEAN, drawn, resamples_of
from compare.judge.stats import CONFIDENCE, Interval, normal
from data.prices import Price

NUSD = 1e9
PER = 1_000
"""Costs are of so many requests."""


class CacheLine(msgspec.Struct, frozen=True, kw_only=True):
    """What 1,000 answered requests cost, by the share of the prompt read from cache.

    Straight from `none` (USD, nothing cached) to `full` (all of it cached). `prompt`
    and `completion` are the mean tokens of an answer that it rests on.
    """

    none: float
    full: float
    prompt: float
    completion: float

    def at(self, share: float) -> float:
        """Return the cost in USD where that share of the prompt is read from cache."""
        return self.none + (self.full - self.none) * share


def cache_line(frame: Frame, rows: Ints, price: Price) -> CacheLine | None:
    """Return a host's cost against its cache hits, at its own mean tokens an answer.

    None where a price (input, cache read, output) is not listed or no answer has
    counts. What a host charges for writing its cache is not in it.
    """
    ok = rows[frame.ok[rows]]
    prompt, completion = frame.known("prompt", ok), frame.known("tokens", ok)
    rates = (price.input_pusd, price.cache_read_pusd, price.output_pusd)
    fresh, read, out = rates
    if fresh is None or read is None or out is None:
        return None
    if not len(prompt) or not len(completion):
        return None
    asked, told = float(prompt.mean()), float(completion.mean())
    scale = PER / 1e3 / NUSD  # pico-USD a token to USD of 1,000 requests
    output = told * out * scale
    return CacheLine(
        none=asked * fresh * scale + output,
        full=asked * read * scale + output,
        prompt=asked,
        completion=told,
    )


def crossing(one: CacheLine, other: CacheLine) -> float | None:
    """Return the share of the prompt, cached at both, at which both cost the same.

    None where one is cheaper at every share.
    """
    start, end = one.none - other.none, one.full - other.full
    if start * end >= 0:
        return None
    return start / (start - end)


def needed(one: CacheLine, cost: float) -> float | None:
    """Return from which cached share on one host costs no more than an amount.

    0 if it never costs more, None if it always does.
    """
    if one.none <= cost:
        return 0.0
    if one.full > cost:
        return None
    return (one.none - cost) / (one.none - one.full)


def interval_of_mean(amounts: Floats) -> Interval:
    """Return the 95 % interval of a mean, None, None below `FLOOR_OF_MEANS` amounts.

    Percentiles of a bootstrap with a fixed seed; from 20,000 amounts on mean +- z sd /
    sqrt(n).
    """
    n = len(amounts)
    if n < FLOOR_OF_MEANS:
        return None, None
    if n >= LARGE:
        reach = normal() * float(amounts.std(ddof=1)) / math.sqrt(n)
        return float(amounts.mean()) - reach, float(amounts.mean()) + reach
    means = drawn([amounts], [MEAN], np.random.default_rng(n), resamples_of(n))[0, 0]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def efficient(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return which points no other is better than in both respects, by the first.

    Less is better in both. Of equal points all are efficient.
    """
    found = [
        n
        for n, (x, y) in enumerate(points)
        if not any(a <= x and b <= y and (a, b) != (x, y) for a, b in points)
    ]
    return sorted(found, key=lambda n: points[n])
