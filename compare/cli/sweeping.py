"""`h2h run --sweep`: the highest load that each host keeps up with."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from compare.cli.going import Telling
    from compare.judge.capacity import Capacity, Tried
    from compare.judge.comparison import Judged
    from compare.run.config import Job
    from compare.run.prepare import Run
    from data.store import Store


def refuse(job: "Job") -> None:
    """Raise JobError for a sweep that could not say anything, with the remedy."""
    from compare.run.mistakes import JobError

    where = job.source or "command line"
    if not job.slo:
        raise JobError(
            f"{where}: a sweep needs to know what a good request keeps: write [slo], "
            "or --goodput ttft:500,tpot:50"
        )
    if job.workers > 1:
        raise JobError(
            f"{where}: load.workers: a sweep takes one process, since the next load "
            "hangs on what came of the last; drop workers"
        )
    for scenario in job.scenarios:
        if scenario.turns > 1:
            raise JobError(
                f"{where}: scenario {scenario.name!r} has {scenario.turns} turns; a "
                "sweep asks scenarios of one turn, such as burst"
            )


def swept(job: "Job", db: Path, telling: "Telling", **how: Any) -> int:
    """Carry out a sweep, tell what came of it, and return the exit code."""
    from compare.cli.run import carry_out
    from compare.serve.sweep import Sweep

    def driver(run: "Run", _store: "Store") -> Sweep:
        return Sweep(run.plan, job.slo, _tell if telling.ui != "none" else _silent)

    return carry_out(job, db, telling, kind="sweep", driver=driver, **how)


def found(judged: "Judged") -> "list[Capacity]":
    """Return what a stored sweep came to; nothing of any other run."""
    import msgspec

    from compare.judge.capacity import capacities
    from compare.judge.comparison import objectives_of
    from scenarios.load import Load
    from scenarios.request import ScenarioError

    job = msgspec.json.decode(judged.run.job or "{}")
    try:
        load = msgspec.convert(job["load"], Load)
    except (KeyError, TypeError, msgspec.ValidationError, ScenarioError):
        return []  # a file from elsewhere may hold anything
    if not load.sweep:
        return []
    return capacities(judged.frame, load, objectives_of(judged.run))


def _tell(host: str, each: "Tried") -> None:
    from compare.show.words import plain

    share = f"{each.n_good:,} of {each.n:,} good"
    kept = "kept up" if each.kept else "too much"
    click.echo(f"{plain(host)}: load {each.load:,.4g}: {share}, {kept}", err=True)


def _silent(_host: str, _each: "Tried") -> None:
    pass
