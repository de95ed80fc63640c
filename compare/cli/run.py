"""`h2h run`: a load test or a comparison, ended by its table."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from compare.cli import gating, jobs
from compare.cli.options import db_option, json_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from compare.judge.threshold import Threshold
    from compare.judge.validity import Judgement
    from compare.run.config import Job
    from compare.run.prepare import Run
    from compare.run.tally import Tally
    from data.row import Row
    from scenarios.plan import Plan

EXITS = {"interrupted": 130, "budget": 5, "store": 1, "threshold": gating.FAILED}


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
@click.option("-v", "--verbose", is_flag=True, help="Print each failed request.")
def run(
    job: Path | None,
    db: Path,
    as_json: bool,
    ui: str,
    dry_run: bool,
    no_calibrate: bool,
    verbose: bool,
    abort_on_fail: bool,
    junit: Path | None,
    markdown: Path | None,
    force: bool,
    **values: Any,
) -> int:
    """Run a load test or comparison, from a JOB file, flags, or both."""
    from compare.run.config import read

    gating.refuse_existing([junit, markdown], force=force)
    wanted = read(job, jobs.flags_of(values))
    thresholds = gating.checked(wanted)
    if dry_run:
        return _dry_run(wanted, as_json)
    return carry_out(
        wanted,
        db,
        ui=ui,
        as_json=as_json,
        verbose=verbose,
        calibrated=not no_calibrate,
        abort_on=thresholds if abort_on_fail else (),
        papers={"junit": junit, "markdown": markdown},
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
    print_end: bool = True,
    abort_on: "Sequence[Threshold]" = (),
    papers: "Mapping[str, Path | None] | None" = None,
) -> int:
    """Run a job, print what came of it, and return the exit code.

    `drive` makes, from the plan, what drives the engine; by default the whole plan.
    With `calibrated` the bench measures its own error first. Without `print_end` the
    caller prints what came of it. `abort_on` are the thresholds that stop it, `papers`
    what `gating.conclude` is to write.
    """
    from compare.cli.trust import Scales, floor_of, metronome, run_loop
    from compare.run.descriptors import make_room, needed
    from compare.run.prepare import prepare
    from data.store import Store

    ready = prepare(job, kind)
    make_room(needed(job))
    if drive is None:
        _tell_crowding(job.workers)
    limit = budget_left(job, db)
    with metronome(calibrated) as host, Store.open(db) as store:
        scales = Scales(ready)
        how: dict[str, Any] = {"limit_nusd": limit, "judge": scales.judge}
        how["watch"] = scales.watched(tell_failure if verbose else None)
        if abort_on:
            how["watch"] = gating.aborting(how, abort_on, job.slo)
        how["floor"] = floor_of(host, job)
        if drive is not None:
            how["drive"] = drive(ready.plan)
        tally, stopped = run_loop(_watched(ready, store, ui, how))
    held = True
    if print_end:
        held = gating.conclude(db, ready.run_id, as_json=as_json, **(papers or {}))
    status = _leave(ready, tally, stopped, scales.judgement)
    return status if status or held else gating.FAILED


def budget_left(job: "Job", db: Path) -> int | None:
    """Return what may still be spent, in nano-USD: the run's and the day's limit."""
    import datetime as dt

    from data import query

    limits = [job.budget_nusd] if job.budget_nusd is not None else []
    if job.day_nusd is not None:
        midnight = dt.datetime.now(dt.UTC).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        spent = 0
        if db.exists():
            spent = query.spent_nusd(query.open_reader(db), midnight)
        limits.append(max(job.day_nusd - spent, 0))
    return min(limits, default=None)


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
    ready: "Run", store: Any, ui: str, how: dict[str, Any]
) -> tuple["Tally", str | None]:
    """Conduct the run with its progress shown and its signals minded."""
    import asyncio

    from compare.cli.progress import progress
    from compare.run.conduct import conduct
    from scenarios.plan import count

    n = count(ready.plan) if "drive" not in how else None
    planned = None if n is None else n * len(ready.plan.providers)
    going: asyncio.Queue[Any] = asyncio.Queue()

    also = how.pop("also", None)

    def start(engine: Any, tally: Any) -> None:
        mind_signals(engine)
        if also is not None:
            also(engine)
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


def _leave(
    ready: "Run", tally: "Tally", stopped: str | None, judged: "Judgement | None"
) -> int:
    """Return the exit code of a finished run, saying aloud what it means."""
    if stopped == "interrupted":
        click.echo(f"interrupted: run {ready.run_id} keeps its rows", err=True)
        return 130
    if tally.unreached:
        click.echo(f"error: {_mend(ready, tally)}", err=True)
        return 3
    _tell_lost_address(ready, tally)
    if stopped == "budget":
        click.echo("budget reached: the next request might have exceeded it", err=True)
    if stopped == "threshold":
        click.echo("stopped: a threshold has surely failed", err=True)
    if stopped is None and not tally.rows:
        click.echo("error: nothing was sent", err=True)
        return 4
    invalid = judged is not None and judged.validity == "invalid"
    if invalid and stopped is None:
        click.echo("the run is invalid: the reasons stand above its table", err=True)
    return EXITS.get(stopped or "", 4 if invalid else 0)


def _tell_lost_address(ready: "Run", tally: "Tally") -> None:
    """Say of each host whose every answer was a plain HTTP error where to look."""
    for provider in ready.providers:
        if set(tally.by_host.get(provider.name, ())) == {"http_error"}:
            click.echo(
                f"{provider.name}: every answer was an HTTP error; is its base_url "
                f"right? {provider.base_url} (most hosts want /v1 at its end)",
                err=True,
            )


REMEDIES = {
    "auth_error": "the key was refused: check its variable and the account",
    "dns_error": "the host's name does not resolve: check base_url and the network",
    "connect_error": "nothing answers there: check base_url, the port and the network",
    "tls_error": "the certificate is not trusted: check base_url, or give ca_file",
    "model_not_found": "the model is not served there: check model",
}


def _mend(ready: "Run", tally: "Tally") -> str:
    """Return one line that says for each host what to mend."""
    urls = {provider.name: provider.base_url for provider in ready.providers}
    told = []
    for name, outcomes in tally.by_host.items():
        outcome = outcomes.most_common(1)[0][0]
        told.append(f"{name} ({urls[name]}): {outcome}, {REMEDIES[outcome]}")
    return "no request got through; " + "; ".join(told)


def _dry_run(job: "Job", as_json: bool) -> int:
    from compare.cli.estimate import estimate, print_estimate

    print_estimate(estimate(job), as_json=as_json)
    return 0
