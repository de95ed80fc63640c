"""One summary a host, scenario and load step: what `h2h show` prints."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np

from compare.judge.frame import Floats, Frame, Ints, Segment, of
from compare.judge.sample import Goodput, goodput, sample, span_of
from compare.judge.stats import Quantile
from compare.judge.tally import Tally
from data.row import Timing


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One host in one scenario and load step.

    Times are in ms, money in USD per 1,000 requests, `start_s` and `span_s` in
    seconds; None is unknown. `cost_per_1k_usd` is None while any ok request is
    unpriced (`n_unpriced`). `n_not_streamed` ok requests have no first-token times.
    In `ttft_p95_adjusted` a failure lasts for ever. `labels` counts the ok answers by
    stream label; `n_new_connection` of them opened one. `goodput` is None without
    objectives.
    """

    provider: str
    scenario: str
    step: int | None
    tally: Tally
    ttft_p50: Quantile
    ttft_p95: Quantile
    ttft_p95_adjusted: Quantile
    ttfa_p50: Quantile
    decode_tps_p50: Quantile
    e2e_p50: Quantile
    e2e_p95: Quantile
    tokens_p05: Quantile
    tokens_p50: Quantile
    tokens_p95: Quantile
    n_not_streamed: int
    labels: dict[str, int]
    n_new_connection: int
    goodput: Goodput | None
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


def summarise(
    found: Frame | Iterable[Timing], objectives: Mapping[str, float] | None = None
) -> list[Summary]:
    """Return one Summary a scenario, step and host, in the order of first requests.

    `objectives` are times in ms by metric: what a good request keeps.
    """
    frame = found if isinstance(found, Frame) else of(found)
    return [
        _summary(frame, segment, host, objectives or {})
        for segment in frame.segments
        for host in frame.hosts_of(segment)
    ]


def _summary(
    frame: Frame, segment: Segment, host: str, objectives: Mapping[str, float]
) -> Summary:
    rows = frame.rows(segment, host)
    ttft, ttfa, decode, e2e, tokens = (
        sample(frame, segment, host, metric)
        for metric in ("ttft", "ttfa", "decode_tps", "e2e", "tokens")
    )
    start, span = span_of(frame, rows)
    passed = frame.known("passed", rows)
    return Summary(
        provider=host,
        scenario=segment.scenario,
        step=segment.step,
        tally=frame.tally(rows),
        ttft_p50=ttft.quantile(0.5),
        ttft_p95=ttft.quantile(0.95),
        ttft_p95_adjusted=ttft.adjusted(0.95),
        ttfa_p50=ttfa.quantile(0.5),
        decode_tps_p50=decode.quantile(0.5),
        e2e_p50=e2e.quantile(0.5),
        e2e_p95=e2e.quantile(0.95),
        tokens_p05=tokens.quantile(0.05),
        tokens_p50=tokens.quantile(0.5),
        tokens_p95=tokens.quantile(0.95),
        goodput=goodput(frame, rows, objectives) if objectives else None,
        cache_hit_share=_cache_hits(frame, rows),
        passed_share=float(passed.mean()) if len(passed) else None,
        n_checked=len(passed),
        start_s=start,
        span_s=span,
        achieved_rps=_starts_per_s(frame, rows),
        system_tps=_system_tps(frame, rows, span),
        **_streams(frame, rows),
        **_money(frame, rows),
    )


def _streams(frame: Frame, rows: Ints) -> dict[str, Any]:
    """Return how the ok answers came: their labels, and on which connections."""
    labels: Counter[str] = Counter()
    fresh = 0
    for kind, n in frame.kinds_of(rows[frame.ok[rows]]):
        labels[kind.stream_label or "unknown"] += n
        fresh += n if kind.conn_reused == 0 else 0
    return {
        "labels": dict(sorted(labels.items(), key=lambda each: (-each[1], each[0]))),
        "n_not_streamed": labels["not_streamed"],
        "n_new_connection": fresh,
    }


def _money(frame: Frame, rows: Ints) -> dict[str, Any]:
    """Return what was charged, by the price list and as stated, of all requests."""
    unpriced = int(np.isnan(frame.figures["cost"][rows[frame.ok[rows]]]).sum())
    told = frame.known("cost_reported", rows)
    return {
        "cost_per_1k_usd": None if unpriced else _per_1k(frame.known("cost", rows)),
        "n_unpriced": unpriced,
        "reported_per_1k_usd": _per_1k(told),
        "n_reported": len(told),
    }


def _per_1k(costs: Floats) -> float | None:
    return 1000 * math.fsum(costs) / len(costs) if len(costs) else None


def _cache_hits(frame: Frame, rows: Ints) -> float | None:
    cached, prompt = (frame.figures[name][rows] for name in ("cached", "prompt"))
    both = ~np.isnan(cached) & ~np.isnan(prompt)
    whole = float(prompt[both].sum())
    return float(cached[both].sum()) / whole if whole else None


def _starts_per_s(frame: Frame, rows: Ints) -> float | None:
    """Return (n - 1) / (last start - first start); the drain at the end is no rate.

    Breaks of a run that was resumed are no part of that time.
    """
    sent = frame.known("sent_s", rows)
    if len(sent) < 2:
        return None
    lasted = frame.lasted(float(sent.min()), float(sent.max()))
    return (len(sent) - 1) / lasted if lasted > 0 else None


def _system_tps(frame: Frame, rows: Ints, span: float | None) -> float | None:
    """Return all tokens over the whole span; None while one ok answer has no count."""
    ok = rows[frame.ok[rows]]
    untold = bool(np.isnan(frame.figures["tokens"][ok]).any())
    if untold or not len(ok) or not span:
        return None
    return float(frame.known("tokens", rows).sum()) / span
