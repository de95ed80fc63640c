"""What became of requests, ours and the hosts' doings apart, and their figures."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from data.row import Timing
from providers.outcome import Blame, Outcome

SPARED = frozenset({Outcome.DROPPED, Outcome.LOST, Outcome.POLICY_REFUSED})

METRICS: dict[str, str] = {
    "ttft": "ttft_ms",
    "ttfa": "ttfa_ms",
    "e2e": "e2e_ms",
    "tpot": "tpot_ms",
    "decode_tps": "decode_tps",
    "tokens": "completion_tokens",
    "cost": "cost_usd",
}
"""Each metric's field of a Timing."""


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What became of some requests: `n` = ok + failed + interrupted + set aside.

    Interrupted ones were cut off by us: neither ok nor failed. Set aside are those
    that no host can answer for: dropped, lost, withheld, or failed by our own doing.
    `n_attempted` leaves these out; `success_share` is ok / (ok + failed), or None.
    """

    n: int
    n_attempted: int
    n_ok: int
    n_failed: int
    n_interrupted: int
    n_set_aside: int
    success_share: float | None
    outcomes: dict[str, int]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one host's ok requests, with what is missing from it in view."""

    provider: str
    scenario: str
    metric: str
    values: tuple[float, ...]
    n_attempted: int
    n_ok: int
    n_failed: int
    n_censored: int


def fate(row: Timing) -> str:
    """Return `ok`, `failed`, `interrupted` or `set_aside`, as `Tally` counts them."""
    if row.outcome == Outcome.OK:
        return "ok"
    if row.outcome == Outcome.INTERRUPTED:
        return "interrupted"
    ours = row.outcome in SPARED or row.blame == Blame.CLIENT
    return "set_aside" if ours else "failed"


def tally(timings: Iterable[Timing]) -> Tally:
    """Count what became of requests, ours and the hosts' doings apart."""
    rows = list(timings)
    fates = Counter(fate(row) for row in rows)
    judged = fates["ok"] + fates["failed"]
    outcomes = Counter(row.outcome for row in rows)
    return Tally(
        n=len(rows),
        n_attempted=judged + fates["interrupted"],
        n_ok=fates["ok"],
        n_failed=fates["failed"],
        n_interrupted=fates["interrupted"],
        n_set_aside=fates["set_aside"],
        success_share=fates["ok"] / judged if judged else None,
        outcomes=dict(sorted(outcomes.items(), key=lambda each: (-each[1], each[0]))),
    )


def value(timing: Timing, metric: str) -> float | None:
    """Return one metric of one request, None unless it is ok and has the figure.

    An answer that was not streamed has no first token of its own to time.
    """
    if timing.outcome != Outcome.OK:
        return None
    if metric in ("ttft", "ttfa") and timing.stream_label == "not_streamed":
        return None
    found: float | None = getattr(timing, METRICS[metric])
    return found


def values(timings: Iterable[Timing], metric: str) -> list[float]:
    """Return a metric's known values over the ok requests."""
    found = (value(timing, metric) for timing in timings)
    return [each for each in found if each is not None]


def sample(timings: Sequence[Timing], metric: str) -> Sample:
    """Return one metric of requests that share host and scenario (at least one)."""
    counts = tally(timings)
    return Sample(
        provider=timings[0].provider,
        scenario=timings[0].asked,
        metric=metric,
        values=tuple(values(timings, metric)),
        n_attempted=counts.n_attempted,
        n_ok=counts.n_ok,
        n_failed=counts.n_failed,
        n_censored=counts.n_interrupted,
    )
