"""Claims about the bench, each held against a truth that is known from elsewhere."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from data.row import Row
from data.timeline import unpack
from providers.simulator.truth import TruthRow

MS = 1_000_000
KS_99 = 1.63
"""Over the root of n: a Kolmogorov-Smirnov distance that chance exceeds in 1 of 100."""

Pair = tuple[Row, TruthRow]
Measure = Callable[[Row, TruthRow], list[float]]


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Something claimed of the bench, and whether it holds: `measured` <= `bound`.

    `measured` is None where nothing could be measured, which proves nothing.
    """

    name: str
    holds: bool
    measured: float | None
    bound: float
    unit: str
    detail: str


def paired(rows: Iterable[Row], truth: Iterable[TruthRow]) -> list[Pair]:
    """Return each row with what its host says of it, found by the answer's id."""
    known = {each.response_id: each for each in truth if each.response_id}
    return [(row, known[row.response_id]) for row in rows if row.response_id in known]


def times(pairs: Sequence[Pair]) -> list[Claim]:
    """Return the claims about times: the median error of each is under its bound."""
    return [
        _timed("time to first token", pairs, _ttft, 2.0),
        _timed("time to first answer", pairs, _ttfa, 2.0),
        _timed("end to end", pairs, _e2e, 2.0),
        _timed("time per output token", pairs, _tpot, 0.2),
        _timed("gaps between events", pairs, _gaps, 1.0),
    ]


def counts(pairs: Sequence[Pair]) -> list[Claim]:
    """Return the claims about tokens and money: not one row is off."""
    cached = [row for row, true in pairs if true.cached_tokens]
    priced = [(row, true) for row, true in pairs if true.cost_usd is not None]
    return [
        exact(
            "token counts",
            [_tokens(*pair) for pair in pairs],
            "rows whose prompt, completion or reasoning tokens are not the host's",
        ),
        exact(
            "cached tokens",
            [row.cached_tokens == true.cached_tokens for row, true in pairs]
            if cached
            else [],
            f"rows with a wrong count; {len(cached)} of them hit the cache",
        ),
        exact(
            "cost",
            [_cost(*pair) for pair in priced],
            "rows whose cost is not what was billed, to the nano-USD",
        ),
    ]


def exact(name: str, right: Sequence[bool], detail: str) -> Claim:
    """Return the claim that all of some facts are right; none at all prove nothing."""
    wrong = sum(not each for each in right)
    return Claim(
        name=name,
        holds=bool(right) and not wrong,
        measured=wrong if right else None,
        bound=0,
        unit=f"of {len(right)}",
        detail=detail,
    )


def outcomes(found: Mapping[str, str], wanted: Mapping[str, str]) -> Claim:
    """Return the claim that each fault, by its name, has the outcome it should."""
    wrong = [
        f"{name}: {found.get(name)}"
        for name in wanted
        if found.get(name) != wanted[name]
    ]
    detail = f"faults with a wrong outcome{': ' if wrong else ''}{', '.join(wrong)}"
    return exact(
        "outcomes of faults", [found.get(n) == wanted[n] for n in wanted], detail
    )


def blocks(rows: Iterable[Row], hosts: Sequence[str]) -> Claim:
    """Return the claim that each block asks every host the same, once."""
    asked: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        asked[row.block].append(row)
    right = [
        sorted(row.provider for row in block) == sorted(hosts)
        and len({row.prompt_sha256 for row in block}) == 1
        for block in asked.values()
    ]
    spread = [
        (max(stamps) - min(stamps)) / MS
        for block in asked.values()
        if (stamps := [row.sent_ns for row in block if row.sent_ns is not None])
    ]
    moment = f"sent within {quantile(spread, 0.5):.2f} ms (p50)" if spread else "unsent"
    return exact(
        "blocks paired", right, f"blocks not asked of each host once; {moment}"
    )


def arrivals(rows: Iterable[Row], rate: float) -> list[Claim]:
    """Return the claims about an open loop of Poisson arrivals at `rate` a second."""
    timed = sorted(
        (row.sent_ns, row.due_ns)
        for row in rows
        if row.sent_ns is not None and row.due_ns is not None
    )
    gaps = [(later[0] - sooner[0]) / 1e9 for sooner, later in pairwise(timed)]
    distance = _kolmogorov(gaps, rate) if gaps else None
    late = [(sent - due) / MS for sent, due in timed]
    return [
        _claim(
            "Poisson arrivals",
            distance,
            KS_99 / math.sqrt(max(len(gaps), 1)),
            "KS",
            f"distance of {len(gaps)} gaps from the law, at {rate:.0f} a second",
        ),
        _claim(
            "sent when due",
            quantile(late, 0.5) if late else None,
            2.0,
            "ms",
            f"late at p50; p99 {quantile(late, 0.99):.2f} ms" if late else "",
        ),
    ]


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile of at least one value, by nearest rank."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def _claim(
    name: str, measured: float | None, bound: float, unit: str, detail: str
) -> Claim:
    holds = measured is not None and measured <= bound
    return Claim(
        name=name, holds=holds, measured=measured, bound=bound, unit=unit, detail=detail
    )


def _timed(name: str, pairs: Sequence[Pair], measure: Measure, bound: float) -> Claim:
    errors = [abs(each) / MS for pair in pairs for each in measure(*pair)]
    if not errors:
        return _claim(name, None, bound, "ms", "nothing to measure")
    tail = f"median error of {len(errors)}; p99 {quantile(errors, 0.99):.2f} ms"
    return _claim(name, quantile(errors, 0.5), bound, "ms", tail)


def _since_sent(
    row: Row, at: int | None, true: TruthRow, then: int | None
) -> list[float]:
    if row.sent_ns is None or at is None or then is None:
        return []
    return [(at - row.sent_ns) - (then - true.received_ns)]


def _ttft(row: Row, true: TruthRow) -> list[float]:
    return _since_sent(row, row.first_token_ns, true, true.first_token_ns)


def _ttfa(row: Row, true: TruthRow) -> list[float]:
    return _since_sent(row, row.first_answer_ns, true, true.first_answer_ns)


def _e2e(row: Row, true: TruthRow) -> list[float]:
    return _since_sent(row, row.last_token_ns, true, true.last_token_ns)


def _tpot(row: Row, true: TruthRow) -> list[float]:
    ours = (row.first_token_ns, row.last_token_ns, row.completion_tokens)
    theirs = (true.first_token_ns, true.last_token_ns, true.completion_tokens)
    if None in (*ours, *theirs) or (true.completion_tokens or 0) < 2:
        return []
    return [_per_token(*ours) - _per_token(*theirs)]


def _per_token(first: int | None, last: int | None, n: int | None) -> float:
    return ((last or 0) - (first or 0)) / ((n or 2) - 1)


def _gaps(row: Row, true: TruthRow) -> list[float]:
    ours = [at for at, kind in unpack(row.timeline or b"", 0) if kind]
    if len(ours) != len(true.chunk_ns):
        return []
    spans = zip(pairwise(ours), pairwise(true.chunk_ns), strict=True)
    return [(b - a) - (d - c) for (a, b), (c, d) in spans]


def _tokens(row: Row, true: TruthRow) -> bool:
    # Not every host states its reasoning tokens: then they are unknown, not 0.
    thought = row.reasoning_tokens in {None, true.reasoning_tokens}
    return thought and (row.prompt_tokens, row.completion_tokens) == (
        true.prompt_tokens,
        true.completion_tokens,
    )


def _cost(row: Row, true: TruthRow) -> bool:
    billed = round((true.cost_usd or 0.0) * 1e9)
    return row.cost_nusd == billed and row.cost_reported_nusd in {None, billed}


def _kolmogorov(gaps: Sequence[float], rate: float) -> float:
    """Return the largest distance of gaps (s) from an exponential law."""
    n = len(gaps)
    law = [1 - math.exp(-rate * gap) for gap in sorted(gaps)]
    return max(max(p - i / n, (i + 1) / n - p) for i, p in enumerate(law))
