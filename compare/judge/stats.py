"""Percentiles with their floors, intervals, and one summary a host, scenario and step.

Percentiles are pooled from rows and never averaged; what has too few rows has none.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from compare.judge.tally import (
    METRICS,
    Sample,
    Tally,
    sample,
    tally,
    value,
    values,
)
from data.row import Timing
from providers.outcome import Outcome

__all__ = [
    "FLOORS_99",
    "METRICS",
    "Quantile",
    "Sample",
    "Summary",
    "Tally",
    "floor_of",
    "interval",
    "percentile",
    "quantile",
    "sample",
    "summarise",
    "tally",
    "value",
    "values",
]

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


class Quantile(msgspec.Struct, frozen=True, kw_only=True):
    """One quantile of `n` values; `value` is None where `n` is below `floor`."""

    value: float | None
    n: int
    floor: int

    def text(self, form: Callable[[float], str] = "{:.0f}".format) -> str:
        """Return the value as `form` writes it, or why there is none."""
        if self.value is None:
            return f"n/a (n={self.n} < {self.floor})"
        return form(self.value)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One host in one scenario and load step: what `h2h show` prints.

    Times are in ms, money in USD per 1,000 requests, `start_s` and `span_s` in
    seconds; None is unknown. `cost_per_1k_usd` is None while any ok request is
    unpriced (`n_unpriced`). `n_not_streamed` ok requests have no first-token times.
    """

    provider: str
    scenario: str
    step: int | None
    tally: Tally
    ttft_p50: Quantile
    ttft_p95: Quantile
    ttfa_p50: Quantile
    decode_tps_p50: Quantile
    e2e_p50: Quantile
    e2e_p95: Quantile
    tokens_p50: Quantile
    n_not_streamed: int
    cost_per_1k_usd: float | None
    n_unpriced: int
    reported_per_1k_usd: float | None
    n_reported: int
    cache_hit_share: float | None
    passed_share: float | None
    n_checked: int
    start_s: float | None
    span_s: float | None
    achieved_rps: float | None
    system_tps: float | None


def percentile(values: Sequence[float], q: float) -> float:
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


def quantile(values: Sequence[float], q: float) -> Quantile:
    """Return quantile `q` of pooled values, or none below its floor."""
    n, floor = len(values), floor_of(q)
    value = percentile(values, q) if n >= floor else None
    return Quantile(value=value, n=n, floor=floor)


def interval(
    values: Sequence[float], q: float, confidence: float = 0.95
) -> tuple[float | None, float | None]:
    """Return the order-statistic interval of quantile `q`: no shape is assumed.

    How many values lie below the true quantile is binomial (n, q); the ends are
    the ranks that it leaves outside with at most (1 - confidence) / 2 each. An end
    is None where that many values are not enough to bound it.
    """
    n = len(values)
    if n == 0:
        return None, None
    below = np.cumsum(_binomial(n, q))
    tail = (1 - confidence) / 2
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1 - tail, side="left")) + 1
    ordered = np.sort(np.asarray(values, dtype=float))
    return (
        float(ordered[low - 1]) if low >= 1 else None,
        float(ordered[high - 1]) if high <= n else None,
    )


def summarise(timings: Iterable[Timing]) -> list[Summary]:
    """Return one Summary a scenario, step and host, in the order of first requests."""
    groups: dict[tuple[str, int | None, str], list[Timing]] = {}
    for row in sorted(timings, key=lambda row: row.seq):
        groups.setdefault((row.asked, row.step, row.provider), []).append(row)
    # A host whose first request ended late must not move behind the other scenario.
    order = {key[:2]: n for n, key in reversed(list(enumerate(groups)))}
    return [_summary(groups[key]) for key in sorted(groups, key=lambda k: order[k[:2]])]


def _summary(rows: list[Timing]) -> Summary:
    ok = [row for row in rows if row.outcome == Outcome.OK]
    counts = tally(rows)
    start, span = _span(rows)
    priced = [row.cost_usd for row in rows if row.cost_usd is not None]
    n_unpriced = sum(row.cost_usd is None for row in ok)
    told = [row.cost_reported_usd for row in rows if row.cost_reported_usd is not None]
    checked = [row.passed for row in rows if row.passed is not None]
    tokens = sum(row.completion_tokens or 0 for row in rows)
    untold = any(row.completion_tokens is None for row in ok)
    return Summary(
        provider=rows[0].provider,
        scenario=rows[0].asked,
        step=rows[0].step,
        tally=counts,
        ttft_p50=quantile(values(ok, "ttft"), 0.5),
        ttft_p95=quantile(values(ok, "ttft"), 0.95),
        ttfa_p50=quantile(values(ok, "ttfa"), 0.5),
        decode_tps_p50=quantile(values(ok, "decode_tps"), 0.5),
        e2e_p50=quantile(values(ok, "e2e"), 0.5),
        e2e_p95=quantile(values(ok, "e2e"), 0.95),
        tokens_p50=quantile(values(ok, "tokens"), 0.5),
        n_not_streamed=sum(row.stream_label == "not_streamed" for row in ok),
        cost_per_1k_usd=None if n_unpriced else _per_1k(priced),
        n_unpriced=n_unpriced,
        reported_per_1k_usd=_per_1k(told),
        n_reported=len(told),
        cache_hit_share=_cache_hits(rows),
        passed_share=sum(checked) / len(checked) if checked else None,
        n_checked=len(checked),
        start_s=start,
        span_s=span,
        achieved_rps=_starts_per_s(rows),
        system_tps=None if untold or not ok or not span else tokens / span,
    )


def _per_1k(costs: Sequence[float]) -> float | None:
    return 1000 * math.fsum(costs) / len(costs) if costs else None


def _cache_hits(rows: Iterable[Timing]) -> float | None:
    both = [
        (row.cached_tokens, row.prompt_tokens)
        for row in rows
        if row.cached_tokens is not None and row.prompt_tokens is not None
    ]
    whole = sum(prompt for _, prompt in both)
    return sum(cached for cached, _ in both) / whole if whole else None


def _starts_per_s(rows: Iterable[Timing]) -> float | None:
    """Return (n - 1) / (last start - first start); the drain at the end is no rate."""
    sent = [row.sent_s for row in rows if row.sent_s is not None]
    lasted = max(sent) - min(sent) if len(sent) > 1 else 0.0
    return (len(sent) - 1) / lasted if lasted > 0 else None


def _span(rows: Iterable[Timing]) -> tuple[float | None, float | None]:
    sent, ended = zip(*((row.sent_s, row.end_s) for row in rows), strict=True)
    start = min((at for at in sent if at is not None), default=None)
    end = max((at for at in ended if at is not None), default=None)
    return start, (None if start is None or end is None else end - start)


def _binomial(n: int, q: float) -> NDArray[np.float64]:
    # In logarithms, since the coefficients of a few thousand values overflow.
    logs = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1)))))
    k = np.arange(n + 1)
    mass = logs[n] - logs - logs[::-1] + k * math.log(q) + (n - k) * math.log1p(-q)
    return np.asarray(np.exp(mass))
