"""`h2h compare`: a run's hosts against a reference, or one run against another."""

from pathlib import Path

import click

from compare.cli.options import (
    db_option,
    json_option,
    print_between,
    print_contrasts,
    run_argument,
)


@click.command()
@run_argument
@click.argument("run_b", required=False)
@click.option(
    "--reference",
    metavar="HOST",
    help="The host to set the others against (default: the first one of the run).",
)
@db_option
@json_option
def compare(
    run: str, run_b: str | None, reference: str | None, db: Path, as_json: bool
) -> None:
    """Contrast the hosts of RUN within its blocks, or RUN_B with RUN.

    A contrast is the ratio of two medians with its 95 % interval. Two runs share no
    moment, so theirs says how things changed, not which host is faster: each host of
    RUN_B is set against itself in RUN, or against the --reference of RUN.
    """
    if run_b is None:
        print_contrasts(db, run, reference, as_json=as_json)
    else:
        print_between(db, (run, run_b), reference, as_json=as_json)
