"""`h2h probe`: measure on a schedule, in the foreground."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from compare.cli import gating, jobs
from compare.cli.options import db_option, json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from compare.run.config import Job
    from compare.serve.probe import Money
    from data.store import Store


@click.command()
@jobs.who
@click.option("--every", metavar="TIME", help="Time between probes (default: 5m).")
@click.option("--for", "span", metavar="TIME", help="Stop after this (default: never).")
@click.option("--once", is_flag=True, help="Probe once and now: for cron and timers.")
@jobs.cold
@db_option
@json_option
def probe(
    job: Path | None,
    every: str | None,
    span: str | None,
    once: bool,
    db: Path,
    as_json: bool,
    **values: Any,
) -> int:
    """Probe hosts on a fixed grid; rows are like any other run's.

    Points are on the wall clock: every 5m is at :00, :05 and so on. SIGTERM lets what
    is in flight end and leaves with 0.
    """
    from compare.cli.going import Driver, Telling
    from compare.cli.run import carry_out
    from compare.run.config import read
    from compare.run.prepare import Run
    from compare.run.probes import refuse_short
    from compare.serve.probe import Prober, probing
    from data.store import Store
    from scenarios.form import parse_duration

    if once and (every or span):
        raise click.UsageError("--once is one point and now: drop --every and --for")
    pause = None if every is None else parse_duration(every)
    if pause is not None:
        refuse_short(pause, f"--every {every}")
    length = parse_duration(span) if span else None
    wanted = probing(read(job, jobs.flags_of(values), "ping"), pause)
    gating.check(wanted)

    def driver(run: Run, store: Store) -> Driver:
        money = _money(run.job, store.path)
        made = Prober(
            run.plan,
            run.job,
            once=once,
            span=length,
            money=money,
            hourly=_forgetting(run.job, store),
        )
        if not once:
            _tell_first(made.first())
        return made

    return carry_out(
        wanted,
        db,
        Telling(ui="plain", as_json=as_json, service=True),
        kind="probe",
        driver=driver,
        calibrated=False,
    )


def _forgetting(job: "Job", store: "Store") -> "Callable[[int], None]":
    """Return what has rows that are too old deleted, once it is told the time in ms."""
    from data.rollup import HOUR_MS

    def forget(now_ms: int) -> None:
        if job.keep_days is not None:
            # Whole hours: what a window begins with is there whole or not at all.
            oldest = now_ms // HOUR_MS - 24 * job.keep_days
            store.forget(oldest * HOUR_MS)

    return forget


def _money(job: "Job", db: Path) -> "Money":
    """Return what the probes of a job may spend."""
    import msgspec

    from compare.cli.budget import budget_left
    from compare.serve.probe import Money

    today = msgspec.structs.replace(job, budget_nusd=None)
    return Money(
        run_nusd=job.budget_nusd,
        day_nusd=job.day_nusd,
        left_nusd=budget_left(today, db),
    )


def _tell_first(point: int | None) -> None:
    import datetime as dt

    if point is not None:
        when = dt.datetime.fromtimestamp(point // 10**9, dt.UTC)
        click.echo(f"first probe at {when:%Y-%m-%d %H:%M:%S} UTC", err=True)
