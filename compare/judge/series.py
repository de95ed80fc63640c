"""A host's figures over time, from its roll-ups: one point a span of hours."""

import sqlite3
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from compare.judge.frame import Floats
from data import histogram, history
from data.rollup import HOUR_MS

QUANTILES = (0.5, 0.95)
SUMS = ("n", "ok", "at_fault", "excused", "prompt_tokens", "cached_tokens",
        "cacheable_tokens", "completion_tokens", "cost_nusd", "n_priced")  # fmt: skip
_ENTRY = np.dtype([("bucket", "<u2"), ("n", "<u4")])


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of equal length, a line a span that had probes; NaN is unknown.

    `at_ms` is when a span begins. `p50` and `p95` are of the times asked for, in ms,
    within `histogram.ERROR`; `cost_usd` is of a request, `cache_hit` of its prompt's
    tokens, `errors` of the rows that are not excused.
    """

    at_ms: NDArray[np.int64]
    n: Floats
    availability: Floats
    errors: Floats
    p50: Floats
    p95: Floats
    cost_usd: Floats
    cache_hit: Floats


def series(
    db: sqlite3.Connection,
    provider: str,
    scenario: str | None,
    hours: tuple[int, int],
    step: int = 1,
    what: str = "ttft",
) -> Series:
    """Return a host's figures from one hour up to another, `step` hours a point.

    `what` is `ttft`, `e2e` or `tpot`; `scenario` None is all of them together.
    """
    found = list(history.lines(db, ("hour", *SUMS, what), provider, scenario, hours))
    begins = np.array([line[0] for line in found], dtype=np.int64) // step * step
    spans, place = np.unique(begins, return_inverse=True)
    sums = {
        name: _summed([line[at] for line in found], place, len(spans))
        for at, name in enumerate(SUMS, 1)
    }
    low, high = quantiles([line[-1] for line in found], place, len(spans), QUANTILES)
    counted = sums["n"] - sums["excused"]
    return Series(
        at_ms=spans * HOUR_MS,
        n=sums["n"],
        availability=1 - _share(sums["at_fault"], counted),
        errors=_share(counted - sums["ok"], counted),
        p50=low,
        p95=high,
        cost_usd=_share(sums["cost_nusd"], sums["n_priced"]) / 1e9,
        cache_hit=_share(sums["cached_tokens"], sums["cacheable_tokens"]),
    )


def quantiles(
    blobs: Sequence[bytes],
    place: NDArray[np.intp],
    spans: int,
    wanted: Sequence[float],
) -> list[Floats]:
    """Return quantiles in ms of histograms that are merged by their place."""
    entries = np.frombuffer(b"".join(blobs), dtype=_ENTRY)
    sizes = np.array([len(blob) // _ENTRY.itemsize for blob in blobs], dtype=np.intp)
    owner = np.repeat(place, sizes)
    wide = histogram.LAST + 1
    keys, at = np.unique(owner * wide + entries["bucket"], return_inverse=True)
    n = _summed(entries["n"], at, len(keys))
    span, bucket = keys // wide, keys % wide
    totals = _summed(n, span, spans)
    before = np.concatenate(([0.0], np.cumsum(totals)[:-1]))
    running = np.cumsum(n)
    return [
        _at_ranks(np.ceil(q * totals).clip(1) + before, running, bucket, totals)
        for q in wanted
    ]


def _at_ranks(
    ranks: Floats, running: Floats, bucket: NDArray[np.int64], totals: Floats
) -> Floats:
    """Return the time in whose bucket each rank falls; NaN where a span has none."""
    found = np.full(len(ranks), np.nan)
    for span in np.flatnonzero(totals):
        number = bucket[np.searchsorted(running, ranks[span])]
        found[span] = histogram.middle(int(number))
    return found


def _summed(values: ArrayLike, place: NDArray[np.intp], spans: int) -> Floats:
    weights = np.asarray(values, dtype=float)
    return np.bincount(place, weights=weights, minlength=spans).astype(float)


def _share(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, NaN of nothing."""
    found = np.full(len(part), np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found
