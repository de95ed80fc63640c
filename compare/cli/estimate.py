"""What a job would send and what it can cost at most, without sending anything."""

import itertools
import json
from typing import Any

import click

from compare.run.budget import worst_of
from compare.run.config import Job
from scenarios.load import steps
from scenarios.plan import Plan, Segment, segments, units
from scenarios.sweep import most_tried
from scenarios.trace import Trace

LOOKED_AT = 200
MARGIN = 1.1
"""Prompts of one size differ by a few bytes; what was not looked at gets this more."""


def estimate(job: Job) -> dict[str, Any]:
    """Return requests and the most they can cost, by host; None is no bound known.

    Small plans are added up request by request; of larger ones the dearest of the
    first 200 blocks stands for the rest, with a tenth on top.
    """
    plan = Plan(
        scenarios=job.scenarios,
        providers=tuple(provider.name for provider in job.providers),
        load=job.load,
        salt="dry-run",
    )
    hosts: dict[str, dict[str, Any]] = {
        name: {"provider": name, "requests": 0, "most_usd": 0.0}
        for name in plan.providers
    }
    for segment in _dearest(plan):
        worst = _worst(job, plan, segment)
        for name, host in hosts.items():
            n = segment.n_blocks
            if segment.duration is not None and segment.rate is not None:
                due = int(segment.duration * segment.rate)
                n = due if n is None else min(n, due)
            _add(host, n, worst[name], MARGIN * _longer(segment.scenario.trace))
    for name, host in hosts.items():
        if name not in job.prices:
            host["most_usd"] = None
    return {"hosts": list(hosts.values()), "budget_usd": _usd(job.budget_nusd)}


def _dearest(plan: Plan) -> list[Segment]:
    """Return the segments that count: of a sweep as many of the highest as it tries."""
    found = segments(plan)
    if not plan.load.sweep:
        return found
    loads = [s.rate or float(s.concurrency) for s in steps(plan.load)]
    least = len(loads) - most_tried(loads)
    return [segment for segment in found if segment.step >= least]


def print_estimate(found: dict[str, Any], *, as_json: bool) -> None:
    """Print an estimate, one host a line."""
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    width = max(len(host["provider"]) for host in found["hosts"])
    for host in found["hosts"]:
        n, most = host["requests"], host["most_usd"]
        requests = "unbounded" if n is None else f"{n:,}"
        dollars = "no bound (no price)" if most is None else f"at most ${most:,.4f}"
        if n is None:
            dollars = "no bound (a duration decides); give --budget"
        click.echo(f"{host['provider']:<{width}}  {requests:>9} requests  {dollars}")
    if found["budget_usd"] is not None:
        click.echo(f"the run stops before ${found['budget_usd']:,.4f} (budget)")
    sums = [host["most_usd"] for host in found["hosts"]]
    if None not in sums and len(sums) > 1:
        click.echo(f"{'total':<{width}}  {'':>9}           at most ${sum(sums):,.4f}")


def _worst(job: Job, plan: Plan, segment: Any) -> dict[str, list[int]]:
    """Return the worst cases in nano-USD of the first blocks, by host."""
    worst = worst_of(job.providers, job.prices)
    found: dict[str, list[int]] = {name: [] for name in plan.providers}
    work = units(plan, segment, plan.providers)
    blocks = itertools.chain.from_iterable(unit.blocks for unit in work)
    for block in itertools.islice(blocks, LOOKED_AT):
        for arrival in block:
            found[arrival.provider].append(worst(arrival))
    return found


def _longer(trace: Trace | None) -> float:
    """Return how much longer than the first requests of a trace the others may be."""
    if trace is None:
        return 1.0
    first, rest = trace.asked[:LOOKED_AT], trace.asked[LOOKED_AT:]
    pairs = ((each.tokens, each.max_tokens) for each in rest)
    most = [max(column) for column in zip(*pairs, strict=True)]
    seen = max(each.tokens for each in first), max(each.max_tokens for each in first)
    return max((a / b for a, b in zip(most, seen, strict=False)), default=1.0)


def _add(host: dict[str, Any], n: int | None, worst: list[int], margin: float) -> None:
    if n is None or host["requests"] is None:
        host["requests"] = host["most_usd"] = None
        return
    host["requests"] += n
    rest = max(n - len(worst), 0)
    dearest = max(worst, default=0)
    host["most_usd"] += (sum(worst[:n]) + rest * dearest * margin) / 1e9


def _usd(nusd: int | None) -> float | None:
    return None if nusd is None else nusd / 1e9
