"""`h2h run`: a load test or a comparison, ended by its table."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from compare.cli import jobs
from compare.cli.options import db_option, json_option

if TYPE_CHECKING:
    from compare.cli.trust import Scales
    from compare.run.config import Flags, Job
    from compare.run.prepare import Run
    from compare.run.tally import Tally
    from data.row import Row
    from data.store import Store
    from scenarios.plan import Plan


@click.command()
@jobs.who
@jobs.load
@jobs.cold
@db_option
@json_option
@click.option(
    "--ui",
    type=click.Choice(["auto", "live", "plain", "none"]),
    default="auto",
    help="How progress is shown (auto: live on a terminal, else plain lines).",
)
@click.option(
    "--dry-run", is_flag=True, help="Print the requests and the most they can cost."
)
@click.option(
    "--no-calibrate",
    is_flag=True,
    help="Do not measure the bench's own error first (it takes a second).",
)
@click.option(
    "--resume",
    metavar="RUN",
    help="Go on with a run that crashed or was stopped: send what has no row yet.",
)
@click.option("-v", "--verbose", is_flag=True, help="Print each failed request.")
def run(
    job: Path | None,
    db: Path,
    as_json: bool,
    ui: str,
    dry_run: bool,
    no_calibrate: bool,
    resume: str | None,
    verbose: bool,
    **values: Any,
) -> int:
    """Run a load test or comparison, from a JOB file, flags, or both.

    With --resume RUN alone the run goes on as it was begun; with the job named once
    more, only if that is still the same. --budget may change.
    """
    from compare.run.config import read

    flags = jobs.flags_of(values)
    if resume is not None:
        if dry_run:
            raise click.UsageError("--dry-run is about a whole run: drop --resume")
        return _go_on(job, flags, db, resume, ui=ui, as_json=as_json, verbose=verbose)
    wanted = read(job, flags)
    if dry_run:
        return _dry_run(wanted, as_json)
    return carry_out(
        wanted,
        db,
        ui=ui,
        as_json=as_json,
        verbose=verbose,
        calibrated=not no_calibrate,
    )


def carry_out(
    job: "Job",
    db: Path,
    *,
    ui: str,
    as_json: bool = False,
    verbose: bool = False,
    kind: str = "run",
    drive: Callable[["Plan"], Any] | None = None,
    calibrated: bool = True,
) -> int:
    """Run a job, print what came of it, and return the exit code.

    `drive` makes, from the plan, what drives the engine; by default the whole plan.
    With `calibrated` the bench measures its own error first.
    """
    from compare.cli.budget import budget_left
    from compare.cli.trust import Scales, floor_of, metronome
    from compare.run.descriptors import make_room, needed
    from compare.run.prepare import prepare
    from data.store import Store

    ready = prepare(job, kind)
    _tell_remarks(job)
    make_room(needed(job))
    how: dict[str, Any] = {"limit_nusd": budget_left(job, db)}
    if drive is None:
        _tell_crowding(job.workers)
    else:
        how["drive"] = drive(ready.plan)
    scales = Scales(ready)
    with metronome(calibrated) as host, Store.open(db) as store:
        how["floor"] = floor_of(host, job)
        ended = _conducted(ready, store, scales, ui, verbose, how)
    return _left(ready, db, ended, scales, as_json=as_json)


def _go_on(
    path: Path | None,
    flags: "Flags",
    db: Path,
    text: str,
    *,
    ui: str,
    as_json: bool,
    verbose: bool,
) -> int:
    """Resume a run, print what came of it all, and return the exit code."""
    from compare.cli import again
    from compare.cli.trust import Scales
    from compare.run.descriptors import make_room, needed
    from data.store import Store

    run, record = again.found(path, flags, db, text)
    make_room(needed(run.job))
    scales = Scales(run)
    with Store.open(db) as store:
        after, limit = again.left(run, record, db, scales)
        again.tell(after)
        how = {"limit_nusd": limit, "after": after}
        ended = _conducted(after.run, store, scales, ui, verbose, how)
    return _left(after.run, db, ended, scales, as_json=as_json)


def _conducted(
    ready: "Run",
    store: "Store",
    scales: "Scales",
    ui: str,
    verbose: bool,
    how: dict[str, Any],
) -> tuple["Tally", str | None]:
    """Conduct a run, judged by its rows."""
    from compare.cli.trust import run_loop

    how["judge"] = scales.judge
    how["watch"] = scales.watched(tell_failure if verbose else None)
    found: tuple[Tally, str | None] = run_loop(_watched(ready, store, ui, how))
    return found


def _left(
    ready: "Run",
    db: Path,
    ended: tuple["Tally", str | None],
    scales: "Scales",
    *,
    as_json: bool,
) -> int:
    """Print the summary of a run that has ended, and return the exit code."""
    from compare.cli.leave import leave
    from compare.cli.options import print_summary

    print_summary(db, ready.run_id, as_json=as_json)
    return leave(ready, *ended, scales.judgement)


def _tell_remarks(job: "Job") -> None:
    """Say what is odd about the keys; never what they are."""
    from compare.run.hosts import remarks

    for provider in job.providers:
        for remark in remarks(provider):
            click.echo(f"host {provider.name}: {remark}", err=True)


def _tell_crowding(workers: int) -> None:
    """Say so when workers will have to wait for each other's cores."""
    import os

    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux knows which cores are ours
        cores = os.cpu_count() or 1
    if workers > cores:
        click.echo(
            f"{workers} workers share {cores} core{'s' if cores > 1 else ''}: they "
            "hold each other up, and what they measure may show it",
            err=True,
        )


async def _watched(
    ready: "Run", store: "Store", ui: str, how: dict[str, Any]
) -> tuple["Tally", str | None]:
    """Conduct the run with its progress shown and its signals minded."""
    import asyncio

    from compare.cli.progress import progress
    from compare.run.conduct import conduct
    from compare.run.rest import missing

    planned = missing(ready.plan, ready.rest) if "drive" not in how else None
    going: asyncio.Queue[Any] = asyncio.Queue()

    def start(engine: Any, tally: Any) -> None:
        mind_signals(engine)
        going.put_nowait((engine, tally))

    task = asyncio.create_task(conduct(ready, store, ready=start, **how))
    first = asyncio.create_task(going.get())
    await asyncio.wait({task, first}, return_when=asyncio.FIRST_COMPLETED)
    if not first.done():
        first.cancel()
        return await task
    engine, tally = first.result()
    async with progress(engine, tally, ui, planned):
        return await task


def tell_failure(row: "Row") -> None:
    """Print a request that failed, its host's words made safe for a terminal."""
    from compare.show.words import plain

    if row.outcome == "ok":
        return
    status = f" HTTP {row.http_status}" if row.http_status else ""
    words = f": {plain(row.error_excerpt)}" if row.error_excerpt else ""
    click.echo(
        f"{plain(row.provider)} block {row.block}: {row.outcome}{status}{words}",
        err=True,
    )


def mind_signals(engine: Any) -> None:
    """Stop sending at the first Ctrl-C or SIGTERM, end everything at the second."""
    import asyncio
    import signal

    def once() -> None:
        if engine.stopped is None:
            click.echo("stopping: waiting for what is in flight (again: now)", err=True)
            engine.stop()
        else:
            engine.finish_now()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, once)


def _dry_run(job: "Job", as_json: bool) -> int:
    from compare.cli.estimate import estimate, print_estimate

    print_estimate(estimate(job), as_json=as_json)
    return 0
