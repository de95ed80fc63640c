"""`h2h export`: a run's rows, or its summary, as a file for other tools."""

import sys
from pathlib import Path
from typing import Any

import click

from compare.cli.options import db_option, force_option, opened, run_argument

FORMATS = ("csv", "jsonl", "markdown", "parquet")


@click.command()
@run_argument
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="csv", show_default=True
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=Path("-"),
    help="The file (default, or -: standard output).",
)
@click.option("--summary", is_flag=True, help="One line a host instead of a request.")
@click.option("--checks", is_flag=True, help="What checks say, one line a host.")
@click.option("--csv-raw", is_flag=True, help="Leave cells that look like formulas.")
@force_option
@db_option
def export(
    run: str,
    form: str,
    output: Path,
    summary: bool,
    checks: bool,
    csv_raw: bool,
    force: bool,
    db: Path,
) -> None:
    """Write every row of RUN (the warm-up too: see `phase`), or a line a host."""
    if summary and checks:
        raise click.UsageError("--summary and --checks: choose one")
    to_stdout = str(output) == "-"
    if to_stdout and form == "parquet":
        raise click.UsageError("--format parquet is binary: name a file with -o")
    out = sys.stdout if to_stdout else output
    write = _write_marks if checks else _write_summary if summary else _write_rows
    n = write(db, run, form, out, force=force, raw=csv_raw)
    if not to_stdout:
        click.echo(
            f"{output}: {n:,} {'lines' if summary or checks else 'rows'}", err=True
        )


def _write_rows(db: Path, text: str, form: str, out: Any, **how: bool) -> int:
    from compare.show.words import plain
    from data import query
    from data.export import export as write
    from data.row import Row

    # The run is found before anything is written: a mistake leaves no header behind.
    with opened(db) as reader:
        run = query.run(reader, query.resolve(reader, text))
        if run.status == "running":
            click.echo(f"run {plain(run.run_id)} is still going: rows so far", err=True)
        return write(query.rows(reader, run.run_id), Row, form, out, **how)


def _write_summary(db: Path, text: str, form: str, out: Any, **how: bool) -> int:
    from compare.cli.reading import judged
    from compare.judge.comparison import objectives_of
    from compare.judge.lines import Line, lines
    from compare.judge.summary import summarise
    from data.export import export as write

    found = judged(db, text)
    summaries = summarise(found.frame, objectives_of(found.run))
    return write(lines(found.run, summaries), Line, form, out, **how)


def _write_marks(db: Path, text: str, form: str, out: Any, **how: bool) -> int:
    from compare.cli.reading import judged
    from compare.judge.comparison import quality_of
    from compare.judge.marks import Mark, marks
    from compare.show.words import names_in
    from data.export import export as write

    found = judged(db, text)
    hosts = [h for h in names_in(found.run.providers) if h in found.frame.hosts]
    made = quality_of(found, next(iter(hosts), None))
    return write(marks(found.run, made), Mark, form, out, **how)
