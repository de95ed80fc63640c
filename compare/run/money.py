"""The money of a job: what each host's tokens cost, and what may be spent."""

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation

from compare.run.hosts import list_price
from compare.run.mistakes import JobError
from data import prices
from data.prices import Price
from providers.provider import Provider
from providers.registry import nearest
from scenarios.scenario import Scenario

LONG = 100_000
"""Tokens of a prompt above which it is not sent without a budget."""


def price_of_each(
    providers: Iterable[Provider], given: Mapping[str, Price], flags: Iterable[str]
) -> dict[str, Price]:
    """Return the price of each host: --price, else the job's, else the price list.

    `given` are the job's, by host; `flags` the texts of --price. A host without any is
    absent. Raises PriceError, or JobError for a host that is not in the run.
    """
    listed, today = prices.load(), dt.datetime.now(dt.UTC).date()
    hosts = tuple(providers)
    found = {
        provider.name: price
        for provider in hosts
        if (price := list_price(provider, listed, today)) is not None
    }
    found |= dict(given)
    names = [provider.name for provider in hosts]
    for text in flags:
        price = prices.parse(text)
        if price.host not in names:
            hint = nearest(price.host, names)
            raise JobError(f"--price {price.host}: no such host in this run: {hint}")
        found[price.host] = price
    return found


def nusd(value: object, where: str) -> int | None:
    """Return an amount of USD, a number or a text, in nano-USD; None stays None.

    Raises JobError for what is no amount above 0.
    """
    if value is None:
        return None
    try:
        usd = Decimal(str(value).removeprefix("$"))
    except InvalidOperation:
        usd = Decimal(0)
    if isinstance(value, bool) or not usd.is_finite() or not 0 < usd < 10**9:
        raise JobError(f"{where}: {value!r} is no amount; give USD above 0, such as 5")
    return int(usd.scaleb(9))


def refuse_unbudgeted(
    scenarios: Iterable[Scenario], listed: Mapping[str, Price], budget_nusd: int | None
) -> None:
    """Refuse very long prompts that cost money and that no budget would end."""
    if budget_nusd is not None or not listed:
        return
    for scenario in scenarios:
        longest = max(scenario.sizes, default=0)
        if longest > LONG:
            raise JobError(
                f"scenario {scenario.name!r} has prompts of {longest:,} tokens, and no "
                "budget ends them: give --budget (--dry-run says what they may cost), "
                "or override its sizes"
            )


def refuse_unpriced(providers: Iterable[Provider], listed: Mapping[str, Price]) -> None:
    """Refuse a budget that could not be kept: a host without a price has no bound."""
    for provider in providers:
        price = listed.get(provider.name)
        if price is None or prices.worst_case(price, 1, 1) is None:
            raise JobError(
                f"a budget needs a price for host {provider.name!r} "
                f"(model {provider.model!r}): give --price "
                f"{provider.name}=INPUT,OUTPUT,CACHED in USD per 1M tokens, or price "
                "in its [[provider]]"
            )
