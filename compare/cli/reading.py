"""Stored runs as columns, for the verbs that judge them."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from compare.judge.comparison import Comparison, Judged
    from compare.judge.definitions import Defined
    from compare.show.subject import Subject
    from data.row import RunRow


def judged(db: Path, text: str) -> "Judged":
    """Return the run meant by an id, a unique prefix or `latest`, with its rows.

    A run still going, and one without measured rows, is said on stderr. StoreError
    when the database cannot be read or holds no such run.
    """
    import msgspec

    from compare.judge.comparison import Judged
    from compare.judge.depth import COLUMNS as DEPTHS
    from compare.judge.frame import COLUMNS, read
    from compare.judge.kind import Asked
    from compare.show.words import plain
    from data import query

    with closing(query.open_reader(db)) as reader:
        run = query.run(reader, query.resolve(reader, text))
        frame = msgspec.structs.replace(
            read(query.columns(reader, run.run_id, COLUMNS)), breaks=_breaks(run)
        )
        for segment in frame.segments:
            for host in frame.hosts_of(segment):
                first = int(frame.seq[frame.rows(segment, host)[0]])
                row = query.row(reader, run.run_id, first)
                what = {name: getattr(row, name) for name in Asked.__struct_fields__}
                frame.asked[segment, host] = Asked(**what)
    if run.status == "running":
        click.echo(f"run {plain(run.run_id)} is still going: so far", err=True)
    if not len(frame):
        click.echo(f"run {plain(run.run_id)} has no measured request yet", err=True)

    def timelines() -> "Iterator[Sequence[Sequence[Any]]]":
        with closing(query.open_reader(db)) as again:
            yield from query.columns(again, run.run_id, DEPTHS)

    def more(
        names: "Sequence[str]", span: tuple[int, int] | None
    ) -> "Iterator[Sequence[Sequence[Any]]]":
        with closing(query.open_reader(db)) as again:
            yield from query.columns(again, run.run_id, names, span=span)

    return Judged(run, frame, timelines, more)


def _breaks(run: "RunRow") -> tuple[tuple[float, float], ...]:
    """Return the breaks after which a run was resumed, in s from its start."""
    import json

    found = json.loads(run.resumed)
    return tuple((each["from_ns"] / 1e9, each["to_ns"] / 1e9) for each in found)


def redefined(db: Path, text: str, tool: str) -> "tuple[RunRow, list[Defined]]":
    """Return a run and its metrics under another tool's formulas."""
    from compare.judge.definitions import COLUMNS, defined
    from data import query

    with closing(query.open_reader(db)) as reader:
        run = query.run(reader, query.resolve(reader, text))
        return run, defined(tool, query.columns(reader, run.run_id, COLUMNS))


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
    from compare.judge.comparison import across, objectives_of, within
    from compare.show.words import names_in

    hosts = names_in(found[0].run.providers)
    chosen = known_host(reference, hosts)
    wanted = objectives or objectives_of(found[-1].run)
    if len(found) == 1:
        first = next((h for h in hosts if h in found[0].frame.hosts), None)
        chosen = chosen or first or next(iter(hosts), None)
        return within(found[0], chosen, objectives=wanted, anyway=anyway)
    return across(found[0], found[1], chosen, objectives=wanted, anyway=anyway)


def drawn_from(db: Path, text: str, *, compared: bool = True) -> "Subject":
    """Return what charts of a run are drawn of, if need be with its comparison."""
    from compare.judge.comparable import Incomparable
    from compare.show.subject import subject

    found = judged(db, text)
    if not compared:
        return subject(found)
    try:
        return subject(found, comparison([found]))
    except Incomparable as error:
        return subject(found, refused=str(error))


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
        "caveats": [
            {**msgspec.to_builtins(note), "advice": note.advice} for note in found.notes
        ],
    }
