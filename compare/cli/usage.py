"""`h2h usage`: what was sent and spent, by day, host and model."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from compare.cli.options import db_option, json_option, opened, print_json

if TYPE_CHECKING:
    from data.ledger import DayUsage


@click.command()
@click.option(
    "--since", metavar="WHEN", help="Only since then: 7d, 12h, or a day (2026-11-01)."
)
@db_option
@json_option
def usage(since: str | None, db: Path, as_json: bool) -> None:
    """Show requests, tokens and spend by UTC day, host and model; warm-up counts."""
    import msgspec

    from compare.show import tables
    from data import ledger

    begin = None if since is None else _moment(since)
    with opened(db) as reader:
        found = ledger.usage(reader, begin)
    if as_json:
        print_json([msgspec.to_builtins(each) for each in found])
        return
    if not found:
        click.echo("nothing was sent" + (f" since {since}" if since else ""))
        return
    stated = any(each.cost_reported_usd is not None for each in found)
    headers = ("day", "host", "model", "n", "in", "cached", "out", "USD", "stated USD")
    # Few hosts state a cost; the others' names can use the room.
    shown = len(headers) if stated else len(headers) - 1
    lines = [_cells(each)[:shown] for each in found]
    console = tables.console()
    console.print(tables.grid(headers[:shown], lines, left=(0, 1, 2), whole=(0, 1)))
    unpriced = sum(each.n_unpriced for each in found)
    if unpriced:
        click.echo(f"{unpriced:,} requests have no computed cost: USD leaves them out")


def _cells(each: "DayUsage") -> tuple[str, ...]:
    from compare.show.words import plain, usd

    counts = (each.prompt_tokens, each.cached_tokens, each.completion_tokens)
    money = (each.cost_usd, each.cost_reported_usd)
    return (
        each.day,
        plain(each.provider, 20),
        plain(each.model, 24),
        f"{each.requests:,}",
        *("n/a" if n is None else f"{n:,}" for n in counts),
        *("n/a" if amount is None else usd(amount) for amount in money),
    )


def _moment(text: str) -> dt.datetime:
    from scenarios.form import parse_duration
    from scenarios.request import ScenarioError

    now = dt.datetime.now(dt.UTC)
    try:
        if text.endswith("d") and text[:-1].isdecimal():
            return now - dt.timedelta(days=int(text[:-1]))
        if "-" in text:
            moment = dt.datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return now - dt.timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError, ScenarioError):
        raise click.UsageError(
            f"--since {text}: no time; write 7d, 12h, 30m or a day such as 2026-11-01"
        ) from None
