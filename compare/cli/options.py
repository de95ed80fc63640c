"""What the verbs share: their options, and what each prints of a stored run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from contextlib import closing

    from compare.judge.comparison import Judged
    from compare.judge.summary import Summary
    from data.row import RunRow, Timing
    from data.store import Store

LATEST = "latest"

db_option = click.option(
    "--db",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("h2h.db"),
    show_default=True,
    help="The database of runs.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
run_argument = click.argument("run", default=LATEST, metavar="[RUN]")
run_b_argument = click.argument("run_b", required=False)
reference_option = click.option(
    "--reference",
    metavar="HOST",
    help="The host to set the others against (default: the first one of the run).",
)
anyway_option = click.option(
    "--anyway",
    is_flag=True,
    help="Compare what was asked unlike things; every output says so.",
)
force_option = click.option(
    "--force", is_flag=True, help="Replace files that are there."
)


def print_json(found: Any) -> None:
    """Print JSON-able data in ASCII: a host's text cannot steer a terminal."""
    click.echo(json.dumps(found, indent=2, ensure_ascii=True, allow_nan=False))


def opened(db: Path) -> "closing[sqlite3.Connection]":
    """Open a database to read; say once, on stderr, that records wait beside it.

    StoreError when it cannot be read.
    """
    from contextlib import closing

    from data import query, spool

    reader = query.open_reader(db)
    if spool.waits(db) and db not in _told():
        _told().add(db)
        click.echo(waiting(db), err=True)
    return closing(reader)


def writer(db: Path) -> "Store":
    """Open a database to write; say on stderr what was damaged beside it."""
    from data.store import Store

    store = Store.open(db)
    if store.remark is not None:
        click.echo(store.remark, err=True)
    return store


def _told() -> set[Path]:
    """Return the databases of which this command has said what waits beside them."""
    context = click.get_current_context(silent=True)
    told: set[Path] = (
        context.find_root().meta.setdefault("h2h.told", set()) if context else set()
    )
    return told


def waiting(db: Path) -> str:
    """Return what to say of records that a database has not taken yet."""
    from data import spool

    return (
        f"{spool.spool_path(db)}: holds records that {db.name} did not take and that "
        "are not shown; the next h2h run, probe or runs rm on it stores them"
    )


def stored(db: Path, text: str) -> "tuple[RunRow, list[Timing]]":
    """Return the run meant by an id, a unique prefix or `latest`, and its timings.

    A run still going, and one without measured rows, is said on stderr. StoreError
    when the database cannot be read or holds no such run.
    """
    from compare.show.words import plain
    from data import query

    with opened(db) as reader:
        run = query.run(reader, query.resolve(reader, text))
        timings = query.timings(reader, run.run_id)
    if run.status == "running":
        click.echo(f"run {plain(run.run_id)} is still going: so far", err=True)
    if not timings:
        click.echo(f"run {plain(run.run_id)} has no measured request yet", err=True)
    return run, timings


def print_summary(
    db: Path,
    run: str = LATEST,
    *,
    as_json: bool = False,
    objectives: "Mapping[str, float] | None" = None,
) -> None:
    """Print a run's summary table, or as JSON {run, summaries}.

    `objectives` (ms by metric) None takes those of the run itself.
    """
    from compare.cli.reading import judged
    from compare.judge.comparison import objectives_of
    from compare.judge.summary import summarise
    from compare.show import tables

    found = judged(db, run)
    wanted = objectives or objectives_of(found.run)
    summaries = summarise(found.frame, wanted)
    if as_json:
        print_json(summary_facts(found, summaries))
        return
    tables.console().print(tables.summary(found.run, summaries))
    print_more(found)


def print_more(found: "Judged") -> None:
    """Print what some scenarios show beside the figures that all have."""
    from compare.cli import sweeping
    from compare.judge.comparison import objectives_of
    from compare.judge.counting import countings as counted
    from compare.judge.ladder import climbs
    from compare.judge.warmth import warmths as cached
    from compare.show import tables
    from compare.show.capacities import capacities
    from compare.show.climbs import climbs as shown
    from compare.show.countings import countings
    from compare.show.subject import prices_of
    from compare.show.warmths import warmths

    console = tables.console()
    for part in [
        *shown(climbs(found.frame, found.more)),
        *countings(counted(found.frame, found.more, found.run.seed or 0)),
        *warmths(cached(found.frame, prices_of(found.run), found.run.seed or 0)),
        *capacities(sweeping.found(found), objectives_of(found.run)),
    ]:
        console.print(part)


def summary_facts(found: "Judged", summaries: "Sequence[Summary]") -> dict[str, Any]:
    """Return what JSON says of a run and its summaries."""
    return {
        "run": run_facts(found.run, len(found.frame)),
        "summaries": [_flat(each) for each in summaries],
        **more_facts(found),
    }


def more_facts(found: "Judged") -> dict[str, Any]:
    """Return what JSON says of what some scenarios show; nothing of all others."""
    import msgspec

    from compare.cli import sweeping
    from compare.judge.counting import countings
    from compare.judge.ladder import climbs
    from compare.judge.warmth import warmths
    from compare.show.subject import prices_of

    prices, seed = prices_of(found.run), found.run.seed or 0
    more: dict[str, Any] = {
        "ladders": climbs(found.frame, found.more),
        "sweep": sweeping.found(found),
        "counts": countings(found.frame, found.more, seed),
        "caches": warmths(found.frame, prices, seed),
    }
    return {key: msgspec.to_builtins(each) for key, each in more.items() if each}


def write_charts(
    db: Path,
    run: str,
    directory: Path,
    kinds: "Sequence[str]" = (),
    file_format: str = "png",
    theme: str = "light",
    *,
    anyway: bool = False,
    force: bool = False,
) -> list[Path]:
    """Draw a run's charts into a directory and return their paths.

    Without `kinds` all that the run has data for; which are left out, and why, is said
    on stderr. UsageError for an unknown kind and a file that is there already;
    Incomparable for hosts that were asked unlike things, unless `anyway`.
    """
    from compare.cli.reading import drawn_from
    from compare.show.charts import COMPARED, ChartError, drawable, write

    chosen = list(kinds)
    wanted = not chosen or not COMPARED.isdisjoint(chosen)
    found = drawn_from(db, run, compared=wanted, anyway=anyway)
    if not kinds:
        chosen, why = drawable(found)
        if why:
            told = "; ".join(f"{kind}: {reason}" for kind, reason in why.items())
            click.echo(f"not drawn: {told}", err=True)
    try:
        return write(chosen, found, directory, file_format, theme, force=force)
    except ChartError as error:
        raise click.UsageError(str(error)) from None


def known_host(name: str | None, hosts: "Sequence[str]") -> str | None:
    """Return the name if the run has that host (None stays None), or UsageError."""
    if name is None or name in hosts:
        return name
    raise click.UsageError(f"--reference {name}: no such host; {near(name, hosts)}")


def near(name: str, known: "Sequence[str]") -> str:
    """Return a phrase that offers the nearest known name, or all of them."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def run_facts(run: "RunRow", n: int) -> dict[str, Any]:
    """Return what JSON says of a run; `n` counts requests."""
    from compare.show.words import names_in

    return {
        "run_id": run.run_id,
        "kind": run.kind,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "status": run.status,
        "validity": run.validity,
        "reasons": json.loads(run.reasons or "[]"),
        "providers": names_in(run.providers),
        "scenarios": names_in(run.scenarios),
        "tags": json.loads(run.tags or "{}"),
        "floor": _floor(run),
        "n": n,
    }


def _floor(run: "RunRow") -> Any:
    """Return the bench's own error as the run has it; None: not measured."""
    return json.loads(run.floor or "null")


def _flat(summary: "Summary") -> dict[str, Any]:
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(summary)
    return {**fields.pop("tally"), **fields}
