"""`h2h probe`: measure on a schedule, in the foreground."""

from pathlib import Path
from typing import Any

import click

from compare.cli import gating, jobs
from compare.cli.options import db_option, json_option

DEFAULT_EVERY_S = 300.0


@click.command()
@jobs.who
@click.option("--every", metavar="TIME", help="Time between probes (default: 5m).")
@click.option("--for", "span", metavar="TIME", help="Stop after this (default: never).")
@jobs.cold
@db_option
@json_option
def probe(
    job: Path | None,
    every: str | None,
    span: str | None,
    db: Path,
    as_json: bool,
    **values: Any,
) -> int:
    """Probe hosts on a fixed grid; rows are like any other run's."""
    from compare.cli.going import Telling
    from compare.cli.run import carry_out
    from compare.run.config import read
    from compare.run.mistakes import JobError
    from compare.serve.probe import probe as driver
    from compare.serve.probe import probing
    from scenarios.form import parse_duration

    wanted = probing(read(job, jobs.flags_of(values), "ping"))
    gating.check(wanted)
    pause = parse_duration(every) if every else wanted.every or DEFAULT_EVERY_S
    if not pause > 0:
        raise JobError(f"--every {every}: must be above 0, such as 5m")
    length = parse_duration(span) if span else None
    return carry_out(
        wanted,
        db,
        Telling(ui="plain", as_json=as_json),
        kind="probe",
        drive=lambda plan: driver(plan, pause, length),
        calibrated=False,
    )
