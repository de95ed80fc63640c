"""What a built-in scenario costs at most at each host whose price is listed."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from compare.run.budget import worst_of
from compare.run.hosts import list_price
from data import prices
from providers.provider import Provider
from providers.registry import endpoints, known
from scenarios.load import Load
from scenarios.plan import Block, Plan, segments, units
from scenarios.request import Arrival
from scenarios.scenario import Scenario

LOOKED_AT = 200_000
OF_A_TRACE = 200
"""Of a trace its first requests are a pass."""

_PIECE = re.compile(r"[A-Za-z]+|[0-9]{1,3}|[^\sA-Za-z0-9\x80-\U0010ffff]+|[^\x00-\x7f]")
"""A word, three digits, signs in a row, or a letter of another script."""


def worth(scenario: Scenario) -> dict[str, Any]:
    """Return the sizes and worst cases of one pass: each case once, every turn.

    `prompt_tokens_about` counts words, digits by three and signs, which is near what
    tokenizers make of English; `prompt_bytes` is more than any makes of it. Both are
    [least, most] over the requests. `worst_usd` is of the dearest request,
    `worst_usd_pass` of all, for each host with a list price of today.
    """
    priced = _priced()
    sizes, about = [], []
    worst = worst_of(
        (host for host, _ in priced.values()),
        {name: price for name, (_, price) in priced.items()},
    )
    dues: dict[str, list[int]] = {name: [] for name in priced}
    # Block by block: of a long ladder all prompts together are hundreds of megabytes.
    for block in _pass(scenario, tuple(priced)):
        shown = _shown(block[0])
        sizes.append(len(shown.encode()))
        about.append(_about(shown))
        for each in block:
            dues[each.provider].append(worst(each))
    return {
        "requests": len(sizes),
        "prompt_tokens_about": [min(about), max(about)],
        "prompt_bytes": [min(sizes), max(sizes)],
        "hosts": [
            {
                "provider": name,
                "model": priced[name][0].model,
                "worst_usd": max(due) / 1e9,
                "worst_usd_pass": sum(due) / 1e9,
            }
            for name, due in dues.items()
        ],
    }


def _priced() -> dict[str, tuple[Provider, prices.Price]]:
    """Return the known hosts whose model has a price per token in the list of today."""
    listed, today = prices.load(), dt.datetime.now(dt.UTC).date()
    found = {}
    for name, endpoint in endpoints().items():
        if not endpoint.model:
            continue
        host = known(name)
        price = list_price(host, listed, today)
        if price is not None and prices.worst_case(price, 1, 1) is not None:
            found[name] = (host, price)
    return found


def _pass(scenario: Scenario, hosts: tuple[str, ...]) -> Iterator[Block]:
    n = len(scenario.cases) * scenario.turns
    if scenario.trace:
        n = min(len(scenario.trace.asked), OF_A_TRACE)
    load = Load(max_requests=n)
    plan = Plan(scenarios=(scenario,), providers=hosts, load=load, salt="show")
    work = units(plan, segments(plan)[0], plan.providers)
    return (block for unit in work for block in unit.blocks)


def _about(text: str) -> int:
    """Return about how many tokens a text is, going by its first `LOOKED_AT` signs."""
    start = text[:LOOKED_AT]
    return round(len(_PIECE.findall(start)) * len(text) / len(start))


def _shown(arrival: Arrival) -> str:
    """Return what the model is shown, as the JSON it is sent in."""
    request = arrival.request
    return msgspec.json.encode([request.messages, request.tools or []]).decode()
