"""Stored runs as columns, for the verbs that judge them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from compare.judge.caveats import Note
    from compare.judge.comparison import Comparison, Judged
    from compare.judge.definitions import Defined
    from compare.show.subject import Subject
    from data.row import RunRow


def judged(db: Path, text: str) -> "Judged":
    """Return the run meant by an id, a unique prefix or `latest`, with its rows.

    A run still going, and one without measured rows, is said on stderr. StoreError
    when the database cannot be read or holds no such run.
    """
    from compare.cli.options import opened
    from compare.judge.stored import load
    from compare.show.words import plain

    with opened(db):  # says so where records wait beside it
        found = load(db, text)
    if found.run.status == "running":
        click.echo(f"run {plain(found.run.run_id)} is still going: so far", err=True)
    if not len(found.frame):
        name = plain(found.run.run_id)
        click.echo(f"run {name} has no measured request yet", err=True)
    return found


def redefined(
    db: Path, text: str, tool: str, *, anyway: bool = False
) -> "tuple[RunRow, list[Defined], list[Note]]":
    """Return a run, its metrics under another tool's formulas, and what is unlike.

    Incomparable if its hosts were asked unlike things, unless `anyway`.
    """
    from compare.cli.options import opened
    from compare.judge.comparable import unlike
    from compare.judge.comparison import allowed
    from compare.judge.definitions import COLUMNS, defined
    from data import query

    found = judged(db, text)
    notes = allowed(unlike(found.frame), anyway=anyway)
    with opened(db) as reader:
        columns = query.columns(reader, found.run.run_id, COLUMNS)
        return found.run, defined(tool, columns), notes


def comparison(
    found: "Sequence[Judged]",
    reference: str | None = None,
    *,
    objectives: "Mapping[str, float] | None" = None,
    anyway: bool = False,
) -> "Comparison":
    """Return the comparison of one run's hosts, or of the second run with the first.

    `objectives` None takes those of the (second) run. UsageError for a reference that
    is none of the (first) run's hosts.
    """
    from compare.cli.options import known_host
    from compare.judge.comparison import compared
    from compare.show.words import names_in

    hosts = names_in(found[0].run.providers)
    chosen = known_host(reference, hosts)
    return compared(found, hosts, chosen, objectives=objectives, anyway=anyway)


def drawn_from(
    db: Path, text: str, *, compared: bool = True, anyway: bool = False
) -> "Subject":
    """Return what charts of a run are drawn of, if need be with its comparison.

    Incomparable if its hosts were asked unlike things, unless `anyway`: any chart
    would set them side by side.
    """
    from compare.judge.comparable import refuse
    from compare.show.subject import subject

    found = judged(db, text)
    made = subject(found, comparison([found], anyway=anyway) if compared else None)
    if not anyway:
        refuse(made.unlike)
    return made


def facts(found: "Comparison") -> dict[str, Any]:
    """Return a comparison as the one JSON object that `h2h compare` promises."""
    import msgspec

    more = {"run_id_b": found.runs[1].run_id} if not found.paired else {}
    return {
        "run_id": found.runs[0].run_id,
        **more,
        "reference": found.reference,
        "contrasts": [
            {
                **msgspec.to_builtins(each),
                "caveats": [n.caveat.value for n in found.notes if n.spoils(each)],
            }
            for each in found.contrasts
        ],
        "checks": [msgspec.to_builtins(each) for each in found.qualities],
        "caveats": noted(found.notes),
    }


def noted(notes: "Sequence[Note]") -> list[dict[str, Any]]:
    """Return caveats as JSON-able data, each with its advice."""
    import msgspec

    return [{**msgspec.to_builtins(note), "advice": note.advice} for note in notes]
