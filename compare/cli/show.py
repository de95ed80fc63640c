"""`h2h show`: one run's summary."""

from pathlib import Path

import click

from compare.cli import gating
from compare.cli.options import db_option, json_option, print_summary, run_argument


@click.command()
@run_argument
@gating.goodput_option
@db_option
@json_option
def show(run: str, goodput: str | None, db: Path, as_json: bool) -> None:
    """Show the summary of RUN: an id, the start of one, or `latest` (the default)."""
    objectives = gating.objectives(goodput)
    print_summary(db, run, as_json=as_json, objectives=objectives)
