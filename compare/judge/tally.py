"""What became of requests, ours and the hosts' doings apart, and their figures."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from data.row import Timing
from providers.outcome import Blame, Outcome

SPARED = frozenset({Outcome.DROPPED, Outcome.LOST, Outcome.POLICY_REFUSED})

OK, FAILED, INTERRUPTED, SET_ASIDE = "ok", "failed", "interrupted", "set_aside"
"""The fates of requests, as `Tally` counts them."""

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


def fate_of(outcome: str, blame: str | None) -> str:
    """Return the fate of a request of that outcome, and that blame."""
    if outcome == Outcome.OK:
        return OK
    if outcome == Outcome.INTERRUPTED:
        return INTERRUPTED
    return SET_ASIDE if outcome in SPARED or blame == Blame.CLIENT else FAILED


def fate(row: Timing) -> str:
    """Return `ok`, `failed`, `interrupted` or `set_aside`, as `Tally` counts them."""
    return fate_of(row.outcome, row.blame)


def tally(timings: Iterable[Timing]) -> Tally:
    """Count what became of requests, ours and the hosts' doings apart."""
    return count((row.outcome, row.blame, 1) for row in timings)


def count(found: Iterable[tuple[str, str | None, int]]) -> Tally:
    """Return the Tally of outcomes and blames, each with how many requests had it."""
    fates: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for outcome, blame, n in found:
        fates[fate_of(outcome, blame)] += n
        outcomes[outcome] += n
    judged = fates[OK] + fates[FAILED]
    return Tally(
        n=outcomes.total(),
        n_attempted=judged + fates[INTERRUPTED],
        n_ok=fates[OK],
        n_failed=fates[FAILED],
        n_interrupted=fates[INTERRUPTED],
        n_set_aside=fates[SET_ASIDE],
        success_share=fates[OK] / judged if judged else None,
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
