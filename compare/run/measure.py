"""From a Reply to a Row: what was asked, counts and gaps, the cost, the checks."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

from compare.run.checked import answer_of, checked, passed, said, score
from compare.run.course import stream
from compare.run.sender import Result
from data.prices import Cost, Price, cost
from data.row import CheckRow, Row
from providers.outcome import Flag
from providers.provider import Provider
from providers.reply import Reply, Stamps, Usage
from scenarios.checks import Check
from scenarios.request import Arrival, Request

NO_COST = Cost(
    input_nusd=None,
    cached_nusd=None,
    cache_write_nusd=None,
    output_nusd=None,
    total_nusd=None,
)
MOST_NUSD = 10**15
"""What no one answer costs: a million US dollars. Such a figure is none."""
DURATIONS = frozenset({"dns", "connect", "tls"})
STAMPS = [(f"{name}_ns", name in DURATIONS) for name in Stamps.__struct_fields__]
"""The column of each stamp, and whether it is a duration and no moment."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What all rows of a run share. `origin` is the run's start on its clock, in ns.

    `deadlines` are those in force, as JSON, by scenario.
    """

    run_id: str
    origin: int
    providers: Mapping[str, Provider]
    prices: Mapping[str, Price]
    checks: Callable[[str, str], Sequence[Check]]
    seed: int
    worker: int = 0
    deadlines: Mapping[str, str] = {}


def measure(result: Result, context: Context) -> tuple[Row, list[CheckRow]]:
    """Return the row of a result, and a line for each check of its answer.

    Everything unknown is None: a failure has the stamps that it reached.
    """
    arrival, reply, segment = result.arrival, result.reply, result.segment
    provider = context.providers[arrival.provider]
    answer = answer_of(reply)
    checks = context.checks(arrival.scenario, arrival.case)
    verdicts = checked(context.run_id, result, answer, checks, provider)
    counted = _cost(reply, context.prices.get(provider.name))
    spent = NO_COST if _beyond(counted) else counted
    course = stream(reply, context.origin)
    row = Row(
        run_id=context.run_id,
        seed=context.seed,
        worker=context.worker,
        load=_load(segment.step, segment.rate, segment.concurrency, segment.ramp),
        deadlines=context.deadlines.get(arrival.scenario, "{}"),
        **_asked(arrival, provider),
        effort_verified=_effort_verified(arrival.request, provider, reply),
        **_stamps(result, context.origin),
        **course,
        **_charged(reply, spent),
        price_id=_price_id(context.prices.get(provider.name)),
        **_told(reply),
        flags=_json(sorted(_flags(result, course.get("stream_label"), counted))),
        passed=passed(verdicts),
        score=score(verdicts),
        **said(answer, arrival.request),
    )
    return row, verdicts


def _asked(arrival: Arrival, provider: Provider) -> dict[str, Any]:
    """Return the columns of what was asked, and of whom."""
    request = arrival.request
    return {
        "seq": arrival.seq,
        "block": arrival.block,
        "scenario": arrival.scenario,
        "scenario_version": arrival.scenario_version,
        "case_id": arrival.case,
        "session_id": arrival.session,
        "turn": arrival.turn,
        "phase": arrival.phase,
        "provider": provider.name,
        "dialect": provider.dialect,
        "model_requested": provider.model,
        "variant": provider.pin,
        "prompt_sha256": request.digest,
        "params": _json(request.params),
        "effort_requested": request.effort or provider.effort,
        "max_tokens": request.max_tokens,
        "nonce": request.nonce,
    }


def _told(reply: Reply) -> dict[str, Any]:
    """Return the columns of what the host told of itself, and of what became of it."""
    return {
        "model_served": reply.model_served,
        "upstream": reply.upstream,
        "response_id": reply.response_id,
        "system_fingerprint": reply.system_fingerprint,
        "body_sha256": reply.body_sha256,
        "outcome": reply.outcome,
        "blame": reply.blame,
        "http_status": reply.http_status,
        "error_code": reply.error_code,
        "error_excerpt": reply.error_excerpt,
        "finish_reason": reply.finish_reason,
        "retry_after_s": reply.retry_after_s,
        "ratelimit": _json(reply.ratelimit) if reply.ratelimit else None,
        "conn_reused": None if reply.conn_reused is None else int(reply.conn_reused),
    }


def _charged(reply: Reply, spent: Cost) -> dict[str, Any]:
    """Return the columns of the tokens and what they cost."""
    usage = reply.usage or Usage()
    return {
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "completion_tokens": usage.completion_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "total_tokens": usage.total_tokens,
        "usage_source": usage.source or ("absent" if reply.http_status else None),
        "usage_json": usage.raw,
        "cost_input_nusd": spent.input_nusd,
        "cost_cached_nusd": spent.cached_nusd,
        "cost_cache_write_nusd": spent.cache_write_nusd,
        "cost_output_nusd": spent.output_nusd,
        "cost_nusd": spent.total_nusd,
        "cost_reported_nusd": _reported(usage.cost_usd),
    }


def _stamps(result: Result, origin: int) -> dict[str, Any]:
    """Return the stamp columns: ns from the run's start, durations as they are."""
    found: dict[str, Any] = {"due_ns": _since(origin, result.due)}
    values = msgspec.structs.astuple(result.reply.stamps)
    for (column, lasts), at in zip(STAMPS, values, strict=True):
        found[column] = at if lasts or at is None else at - origin
    found["queued_ns"] = _since(origin, result.queued)
    return found


def _since(origin: int, at: int | None) -> int | None:
    return None if at is None else at - origin


def _cost(reply: Reply, price: Price | None) -> Cost:
    usage = reply.usage
    if price is None or usage is None:
        return NO_COST
    return cost(
        price,
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.completion_tokens,
    )


def _beyond(spent: Cost) -> bool:
    """Return whether any part of a cost is more than an answer can cost."""
    return any((nusd or 0) >= MOST_NUSD for nusd in msgspec.structs.astuple(spent))


def _reported(cost_usd: str | None) -> int | None:
    """Return a host's own cost in nano-USD; None when it is no plausible figure.

    One that is not zero and yet rounds to it is none: 0 says that nothing was charged.
    """
    if cost_usd is None:
        return None
    try:
        nusd = Decimal(cost_usd).scaleb(9)
        stored = round(nusd) if 0 <= nusd < MOST_NUSD else None
    except InvalidOperation:  # no number
        return None
    return None if stored == 0 and nusd else stored


def _price_id(price: Price | None) -> str | None:
    return None if price is None else price.id


def _flags(result: Result, label: str | None, spent: Cost) -> set[Flag]:
    flags = set(result.reply.flags)
    if label == "coalesced":
        flags.add(Flag.COALESCED_CHUNKS)
    stated = (result.reply.usage or Usage()).cost_usd
    reported = _reported(stated)
    free = reported == 0 and bool(spent.total_nusd)
    if free or _beyond(spent) or (stated is not None and reported is None):
        flags.add(Flag.COST_IMPLAUSIBLE)
    if result.worst_nusd and (spent.total_nusd or 0) > result.worst_nusd:
        flags.add(Flag.OVER_RESERVE)
    return flags


def _effort_verified(request: Request, provider: Provider, reply: Reply) -> int | None:
    """Return 1 when the reply shows the wished effort, 0 when it shows another.

    None when nothing was wished, or the host states no count of reasoning tokens and
    shows no reasoning text: then it may have thought in silence.
    """
    effort = request.effort or provider.effort
    stated = reply.usage.reasoning_tokens if reply.usage else None
    if effort in {None, "default"} or (stated is None and not reply.reasoning):
        return None
    thought = bool(stated) or bool(reply.reasoning)
    return int(thought == (effort != "off"))


@lru_cache(maxsize=64)
def _load(step: int, rate: float | None, concurrency: int, ramp: float) -> str:
    """Return the column `load`, which is the same in all rows of a segment."""
    load = {"step": step, "rate": rate, "concurrency": concurrency, "ramp": ramp}
    return _json(load)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
