"""`h2h prices`: the price list that comes along, with its dates and sources."""

from typing import TYPE_CHECKING, Any

import click

from compare.cli.options import json_option, near, print_json

if TYPE_CHECKING:
    from data.prices import Price


@click.command()
@click.option("--host", metavar="HOST", help="Only this host.")
@click.option("--family", metavar="MODEL", help="Only this family, such as glm-5.2.")
@json_option
def prices(host: str | None, family: str | None, as_json: bool) -> None:
    """List prices in USD per 1M tokens. A price not listed is unknown, not 0."""
    from compare.show import tables
    from data.prices import load

    found = load()
    for flag, wanted, field in (
        ("--host", host, "host"),
        ("--family", family, "model_family"),
    ):
        known = sorted({getattr(price, field) for price in found})
        if wanted is not None and wanted not in known:
            raise click.UsageError(f"{flag} {wanted}: unknown; {near(wanted, known)}")
        found = [p for p in found if wanted is None or getattr(p, field) == wanted]
    if as_json:
        print_json([_facts(price) for price in found])
        return
    headers = ("host", "model", "variant", "in", "out", "cached", "write", "seen")
    console = tables.console()
    console.print(tables.grid(headers, [_cells(p) for p in found], left=(0, 1, 2, 7)))
    console.print(
        "USD per 1M tokens; - is not listed. Sources: "
        + "; ".join(dict.fromkeys(price.source for price in found))
    )


def _cells(price: "Price") -> tuple[str, ...]:
    facts = _facts(price)
    seen = str(price.date or "n/a")
    if price.valid_to is not None:
        seen += f" (until {price.valid_to})"
    if price.subscription:
        seen += " (by subscription)"
    return (
        price.host,
        price.model_id,
        price.variant,
        *(
            facts[key] or "-"
            for key in ("input", "output", "cache_read", "cache_write")
        ),
        seen,
    )


def _facts(price: "Price") -> dict[str, Any]:
    return {
        "host": price.host,
        "model_id": price.model_id,
        "model_family": price.model_family,
        "variant": price.variant,
        "input": _per_million(price.input_pusd),
        "output": _per_million(price.output_pusd),
        "cache_read": _per_million(price.cache_read_pusd),
        "cache_write": _per_million(price.cache_write_pusd),
        "official": price.official,
        "subscription": price.subscription,
        "source": price.source,
        "date": str(price.date) if price.date else None,
        "valid_from": str(price.valid_from) if price.valid_from else None,
        "valid_to": str(price.valid_to) if price.valid_to else None,
    }


def _per_million(pusd: int | None) -> str | None:
    # Exact decimals, as in the list: a price never passes through a float.
    if pusd is None:
        return None
    whole, rest = divmod(pusd, 10**6)
    return f"{whole}.{f'{rest:06}'.rstrip('0'):0<2}" if pusd else "0"
