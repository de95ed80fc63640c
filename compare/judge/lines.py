"""A summary as one flat line a host, scenario and step, for spreadsheets."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from compare.judge.summary import Summary, summarise
from data.row import RunRow, Timing


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One Summary with its run; quantiles below their floors are None.

    `outcomes` is a JSON object of counts. Times in ms, money in USD.
    """

    run_id: str
    started_at: str
    status: str
    validity: str | None
    provider: str
    scenario: str
    step: int | None
    n: int
    n_attempted: int
    n_ok: int
    n_failed: int
    n_interrupted: int
    n_set_aside: int
    success_share: float | None
    outcomes: str
    ttft_p50_ms: float | None
    ttft_p95_ms: float | None
    ttfa_p50_ms: float | None
    decode_tps_p50: float | None
    decode_tps_n: int
    e2e_p50_ms: float | None
    e2e_p95_ms: float | None
    tokens_p50: float | None
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


def lines(run: RunRow, timings: Iterable[Timing]) -> Iterator[Line]:
    """Yield a run's summaries as flat lines."""
    for summary in summarise(timings):
        yield _line(run, summary)


def _line(run: RunRow, summary: Summary) -> Line:
    counts = msgspec.structs.asdict(summary.tally)
    counts["outcomes"] = msgspec.json.encode(summary.tally.outcomes).decode()
    same = set(Line.__struct_fields__) & set(Summary.__struct_fields__)
    return Line(
        run_id=run.run_id,
        started_at=run.started_at,
        status=run.status,
        validity=run.validity,
        ttft_p50_ms=summary.ttft_p50.value,
        ttft_p95_ms=summary.ttft_p95.value,
        ttfa_p50_ms=summary.ttfa_p50.value,
        decode_tps_n=summary.decode_tps_p50.n,
        e2e_p50_ms=summary.e2e_p50.value,
        e2e_p95_ms=summary.e2e_p95.value,
        **counts,
        **{name: _bare(getattr(summary, name)) for name in same},
    )


def _bare(value: Any) -> Any:
    return getattr(value, "value", value)
