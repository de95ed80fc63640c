"""`h2h run`: a load test or a comparison, ended by its table."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from compare.cli import gating, jobs, sweeping
from compare.cli.going import ENDED, Telling, conducted
from compare.cli.options import db_option, json_option, writer

if TYPE_CHECKING:
    from compare.cli.going import Beside, Driver
    from compare.cli.trust import Scales
    from compare.run.config import Flags, Job
    from compare.run.prepare import Run
    from compare.run.tally import Tally
    from data.store import Store


@click.command()
@jobs.who
@jobs.load
@jobs.cold
@gating.gates
@click.option(
    "--abort-on-fail",
    is_flag=True,
    help="Stop as soon as a threshold on a host has surely failed.",
)
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
    abort_on_fail: bool,
    junit: Path | None,
    markdown: Path | None,
    force: bool,
    **values: Any,
) -> int:
    """Run a load test or comparison, from a JOB file, flags, or both.

    With --resume RUN alone the run goes on as it was begun; with the job named once
    more, only if that is still the same. --budget may change.
    """
    from compare.run.config import read

    gating.refuse_papers(junit, markdown, force=force, as_json=as_json)
    telling = Telling(ui, as_json, verbose, junit=junit, markdown=markdown)
    flags = jobs.flags_of(values)
    if resume is not None:
        if dry_run:
            raise click.UsageError("--dry-run is about a whole run: drop --resume")
        return _go_on(job, flags, db, resume, telling, abort_on_fail=abort_on_fail)
    wanted = read(job, flags)
    gating.check(wanted)
    if wanted.load.sweep:
        sweeping.refuse(wanted)
    if dry_run:
        return _dry_run(wanted, as_json)
    carried = sweeping.swept if wanted.load.sweep else carry_out
    return carried(
        wanted,
        db,
        telling,
        calibrated=not no_calibrate,
        abort_on_fail=abort_on_fail,
    )


def carry_out(
    job: "Job",
    db: Path,
    telling: Telling,
    *,
    kind: str = "run",
    driver: Callable[["Run", "Store"], "Driver"] | None = None,
    calibrated: bool = True,
    abort_on_fail: bool = False,
) -> int:
    """Run a job, tell what came of it, and return the exit code.

    `driver` makes, once the store is open, what drives the engine and hears of its
    rows; without it the whole plan is run. With `calibrated` the bench measures its own
    error first. With `abort_on_fail` a threshold that has surely failed stops the run.
    """
    from compare.cli.budget import budget_left
    from compare.cli.trust import Scales, floor_of, metronome
    from compare.run.descriptors import make_room, needed
    from compare.run.money import refuse_unbudgeted
    from compare.run.prepare import prepare

    limit = job.day_nusd if job.budget_nusd is None else job.budget_nusd
    refuse_unbudgeted(job.scenarios, job.prices, limit)
    ready = prepare(job, kind)
    _tell_remarks(job)
    make_room(needed(job))
    how: dict[str, Any] = {}
    if driver is None:
        _tell_crowding(job.workers)
    scales = Scales(ready)
    besides: list[Beside] = [gating.Guard(job, ready.plan)] if abort_on_fail else []
    with metronome(calibrated) as host, writer(db) as store:
        # Once the store is open: that may bring back rows that were paid for today.
        how["limit_nusd"] = budget_left(job, db)
        how["floor"] = floor_of(host, job)
        if driver is not None:
            drives = driver(ready, store)
            besides.append(drives)
            how |= {"drive": drives.drive, "dated": drives.dated}
        ended = conducted(ready, store, scales, besides, telling, how)
    return _left(ready, db, ended, scales, telling)


def _go_on(
    path: Path | None,
    flags: "Flags",
    db: Path,
    text: str,
    telling: Telling,
    *,
    abort_on_fail: bool,
) -> int:
    """Resume a run, tell what came of it all, and return the exit code."""
    from compare.cli import again
    from compare.cli.trust import Scales
    from compare.run.descriptors import make_room, needed

    run = again.found(path, flags, db, text)
    make_room(needed(run.job))
    scales = Scales(run)
    besides: list[Beside] = [gating.Guard(run.job, run.plan)] if abort_on_fail else []
    weighing = [scales.add, *(each.add for each in besides)]
    with writer(db) as store:
        after, limit = again.left(run, db, weighing)
        again.tell(after)
        how = {"limit_nusd": limit, "after": after}
        ended = conducted(after.run, store, scales, besides, telling, how)
    return _left(after.run, db, ended, scales, telling)


def _left(
    ready: "Run",
    db: Path,
    ended: tuple["Tally", str | None],
    scales: "Scales",
    telling: Telling,
) -> int:
    """Tell what came of a run that has ended, and return the exit code."""
    from compare.cli.leave import leave

    told = telling.end and ended[1] != ENDED
    held = gating.conclude(db, ready.run_id, telling) if told else True
    return leave(ready, *ended, scales.judgement, held=held)


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


def _dry_run(job: "Job", as_json: bool) -> int:
    from compare.cli.estimate import estimate, print_estimate

    print_estimate(estimate(job), as_json=as_json)
    return 0
