"""`h2h demo`: the main job, on three simulated hosts, with no key."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from compare.cli.options import db_option

if TYPE_CHECKING:
    from compare.run.config import Job

# Each simulated host's model id and the host of the price list whose price it has.
HOSTS = {
    "ourtoken": ("glm-5.2", "ourtoken"),
    "openrouter": ("z-ai/glm-5.2", "openrouter"),
    "zai": ("glm-5.2", "zai"),
}
BLOCKS = 150
CONCURRENCY = 8


@click.command()
@db_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("charts"),
    help="Where the charts and the report go (default: charts).",
)
@click.option(
    "-n", "--max-requests", type=click.IntRange(1), default=BLOCKS, show_default=True
)
@click.option(
    "--ui",
    type=click.Choice(["auto", "live", "plain", "none"]),
    default="auto",
    help="How progress is shown.",
)
def demo(db: Path, output: Path, max_requests: int, ui: str) -> int:
    """Compare three simulated hosts: no key, no network, under a minute.

    The hosts are real HTTP servers on this machine that behave on the wire like the
    ones they are named for. Their speeds are invented; their prices are listed ones.
    """
    from compare.cli.going import Telling
    from compare.cli.options import print_summary, write_charts
    from compare.cli.reading import comparison, judged
    from compare.cli.report import page
    from compare.cli.run import carry_out
    from compare.show import tables, verdicts
    from data.export import replacing
    from providers.simulator.spawn import spawn

    click.echo(
        "Three SIMULATED hosts on this machine: invented speeds, listed prices, and\n"
        f"one of them overloaded now and then. {max_requests} questions to each,\n"
        f"every one to all three at the same moment, {CONCURRENCY} at a time.\n"
    )
    with ExitStack() as stack:
        urls = stack.enter_context(spawn(["ourtoken", "openrouter"]))
        urls |= stack.enter_context(
            spawn(["zai"], fault="http_429_overloaded", fault_share=0.03)
        )
        job = _job(urls, max_requests)
        status = carry_out(job, db, Telling(ui, end=False), kind="demo")
    if status:
        print_summary(db)
        return status
    run = judged(db, "latest")
    found = comparison([run])
    tables.console().print(verdicts.comparison(found))
    paths = write_charts(db, "latest", output)
    path = output / f"{run.run.run_id}-report.html"
    with replacing(path, force=False) as stream:
        stream.write(page(db, [run], found).encode())
    click.echo(
        f"\nrows in {db}; {len(paths)} charts in {output}/, and all of it on one"
    )
    click.echo(f"page: {path}\nLook at it, then:")
    click.echo("  h2h show latest            the table again")
    click.echo("  h2h export latest -o rows.csv --format csv")
    click.echo("  h2h init                   a job file for real hosts")
    return 0


def _job(urls: dict[str, str], blocks: int) -> "Job":
    """Return the demo's job: a chat of 1k tokens, paired, at the listed prices."""
    import datetime as dt

    from compare.run.config import Job
    from data import prices
    from providers.provider import Provider
    from scenarios.load import Load
    from scenarios.scenario import load

    listed, today = prices.load(), dt.datetime.now(dt.UTC).date()
    found = {
        name: prices.find(listed, host, model, today)
        for name, (model, host) in HOSTS.items()
    }
    return Job(
        providers=tuple(
            Provider(name=name, dialect=name, base_url=urls[name], model=model)
            for name, (model, _) in HOSTS.items()
        ),
        prices={name: price for name, price in found.items() if price is not None},
        scenarios=(load("chat-1k"),),
        load=Load(concurrencies=(CONCURRENCY,), max_requests=blocks, warmup=3),
    )
