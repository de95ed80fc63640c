"""`h2h runs`: the runs of a database, and how to remove one."""

from contextlib import closing
from pathlib import Path

import click

from compare.cli.options import (
    LATEST,
    db_option,
    json_option,
    opened,
    print_json,
    run_facts,
    writer,
)


@click.group(invoke_without_command=True)
@db_option
@json_option
@click.pass_context
def runs(context: click.Context, db: Path, as_json: bool) -> None:
    """List the runs of a database, newest first; `runs rm RUN` removes one."""
    if context.invoked_subcommand is not None:
        return
    from compare.show import tables
    from data import query

    with opened(db) as reader:
        found, counts = query.runs(reader), query.counts(reader)
    if as_json:
        print_json([run_facts(run, counts.get(run.run_id, 0)) for run in found])
    elif found:
        tables.console().print(tables.runs(found, counts))
    else:
        click.echo(f"{db} holds no run yet; make one with `h2h run`")


@runs.command()
@click.argument("run")
@click.option(
    "--db", type=click.Path(path_type=Path, dir_okay=False), help="The database."
)
@click.pass_context
def rm(context: click.Context, run: str, db: Path | None) -> None:
    """Remove RUN (its id or the start of it) with all its rows, without asking."""
    from compare.show.words import plain
    from data import query
    from data.store import StoreError

    path: Path = db or (context.parent or context).params["db"]
    if run == LATEST:
        raise click.UsageError("name the run by its id; `h2h runs` lists them")
    with closing(query.open_reader(path)) as reader:
        found = query.run(reader, query.resolve(reader, run))
    if found.status == "running":
        raise StoreError(f"run {found.run_id}: still going; stop it before removing it")
    with writer(path) as store:
        store.delete_run(found.run_id)
    click.echo(f"removed {plain(found.run_id)}")
