"""`h2h report`: a comparison as one page that stands alone."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from compare.cli.options import (
    anyway_option,
    db_option,
    force_option,
    reference_option,
    run_argument,
    run_b_argument,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compare.judge.comparison import Comparison, Judged
    from compare.show.pictures import Gallery
    from data.row import Failure


@click.command()
@run_argument
@run_b_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="The file to write.",
)
@reference_option
@anyway_option
@force_option
@db_option
def report(
    run: str,
    run_b: str | None,
    output: Path,
    reference: str | None,
    anyway: bool,
    force: bool,
    db: Path,
) -> None:
    """Write the comparison of RUN, or of two runs, as one page of HTML.

    It holds the verdict, tables, charts, caveats, costs, failures and how all of it
    was measured, and loads nothing from anywhere. The path is printed.
    """
    from compare.cli.reading import comparison, judged
    from data.export import replacing

    with replacing(output, force) as stream:
        runs = [judged(db, text) for text in ([run] if run_b is None else [run, run_b])]
        found = comparison(runs, reference, anyway=anyway)
        stream.write(page(db, runs, found, reference).encode())
    click.echo(output)


def page(
    db: Path,
    runs: "Sequence[Judged]",
    found: "Comparison",
    reference: str | None = None,
) -> str:
    """Return the page of one run, or of two; `found` is what was said of them."""
    import msgspec

    from compare.cli import gating
    from compare.judge.comparison import thresholds_of
    from compare.show.pictures import PAGE, Gallery
    from compare.show.report import Source
    from compare.show.report import report as written

    asked = gating.parsed(thresholds_of(runs[-1].run))
    bare = Source(
        comparison=found,
        gallery=Gallery(charts=[], glyphs={}, left_out={}),
        gates=gating.judge(runs, asked, found.objectives, reference),
        failures=[_failures(db, each.run.run_id) for each in runs],
        counts=[len(each.frame) for each in runs],
    )
    room = PAGE - len(written(bare).encode())
    return written(msgspec.structs.replace(bare, gallery=_charts(runs, found, room)))


def _charts(runs: "Sequence[Judged]", found: "Comparison", room: int) -> "Gallery":
    from compare.show.pictures import gallery
    from compare.show.subject import subject

    if found.paired:
        return gallery([subject(runs[0], found)], room)
    why = "two runs are contrasted in the table, not in a chart"
    return gallery([subject(each, refused=why) for each in runs], room)


def _failures(db: Path, run_id: str) -> "list[Failure]":
    from contextlib import closing

    from compare.show.report import MOST_FAILURES
    from data import query

    with closing(query.open_reader(db)) as reader:
        return query.failures(reader, run_id, MOST_FAILURES)
