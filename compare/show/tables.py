"""Tables for people: readable at 80 columns, in a pipe, and whatever a host is called.

Every text becomes a rich Text, never markup, and no borders are drawn.
"""

import io
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from compare.judge.quality import Quality
from compare.judge.summary import Summary
from compare.show import quality
from compare.show.cells import METRICS, OPTIONAL, interval
from compare.show.words import (
    exactness,
    labels,
    moment,
    named,
    names_in,
    plain,
    reasons,
    segment,
)
from data.row import RunRow

SIDE_BY_SIDE = 4
"""Up to so many hosts are columns; more are rows."""
PIPED_WIDTH = 160

NAMES = 24
NARROW = 17


def console(stream: TextIO | None = None, width: int | None = None) -> Console:
    """Return a console for tables: plain text unless it is a terminal."""
    stream = stream or sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        # A host's name must not end the verb where the terminal cannot show it.
        stream.reconfigure(errors="replace")
    if width is None and not stream.isatty() and "COLUMNS" not in os.environ:
        width = PIPED_WIDTH  # nobody wraps a pipe: names stay whole
    return Console(
        file=stream,
        width=width,
        markup=False,
        highlight=False,
        emoji=False,
        no_color=True if not stream.isatty() else None,
    )


def grid(
    headers: Sequence[str],
    lines: Iterable[Sequence[str]],
    left: Sequence[int] = (0,),
    whole: Sequence[int] = (),
) -> Table:
    """Return a table without borders.

    The columns numbered in `left` are texts, those in `whole` are never broken.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for n, header in enumerate(headers):
        table.add_column(
            Text(plain(header)),
            justify="left" if n in left else "right",
            overflow="fold",
            no_wrap=n in whole,
        )
    for line in lines:
        table.add_row(*(_text(cell) for cell in line))
    return table


def summary(run: RunRow, summaries: Sequence[Summary]) -> Group:
    """Return a run's summary: its head, a table a scenario and step, what failed."""
    parts: list[RenderableType] = [Text(line) for line in head(run)]
    if not summaries:
        parts.append(Text("no measured request in this run"))
    return Group(*parts, *segments(summaries))


def checks(found: Sequence[Quality]) -> list[RenderableType]:
    """Return what checks say, a table for each scenario and load step, with terms."""
    parts: list[RenderableType] = []
    steps = len({each.step for each in found})
    for scenario, step in dict.fromkeys((q.scenario, q.step) for q in found):
        group = [q for q in found if (q.scenario, q.step) == (scenario, step)]
        if not (said := quality.labels(group)):
            continue
        where = segment(scenario, step, several=steps > 1)
        parts += [Text(), Text(f"checks of {where}", style="bold"), Text()]
        for some in _dealt(group):
            names = labels([each.provider for each in some], NAMES)
            lines = [[n, *(quality.LINES[n](each) for each in some)] for n in said]
            parts += [grid(["", *(names[q.provider] for q in some)], lines), Text()]
        parts += [Text(note) for each in group for note in quality.notes(each)]
        parts += [Text(note) for note in quality.unknown(group)]
    return [*parts, Text(), Text(quality.TERMS), Text()] if parts else []


def _dealt(group: Sequence[Quality]) -> list[Sequence[Quality]]:
    """Return hosts in tables of at most three: their cells are wide."""
    return [group[n : n + 3] for n in range(0, len(group), 3)]


def segments(
    summaries: Sequence[Summary], *, intervals: bool = False
) -> list[RenderableType]:
    """Return a table for each scenario and load step, and below it what failed.

    With `intervals` the times have theirs.
    """
    parts: list[RenderableType] = []
    steps = len({each.step for each in summaries})
    for scenario, step in dict.fromkeys((s.scenario, s.step) for s in summaries):
        group = [s for s in summaries if (s.scenario, s.step) == (scenario, step)]
        where = segment(scenario, step, several=steps > 1)
        parts += [Text(), Text(f"scenario {where}"), Text()]
        parts += _tables(group, intervals=intervals)
        notes = [note for each in group for note in fates(each)]
        parts += [Text(), *(Text(note) for note in notes)] if notes else []
    return parts


def head(run: RunRow) -> list[str]:
    """Return what every view of a run begins with: id, date, state, validity, why."""
    first = f"{named(run)}, started {moment(run.started_at)}"
    state = f"{plain(run.status)}, {plain(run.validity or 'validity not judged')}"
    if run.status == "running":
        state = "still running: this is what it has measured so far"
    why = [f"  because: {reason}" for reason in reasons(run)]
    return [first, state, *why, exactness(run)]


def runs(found: Sequence[RunRow], counts: dict[str, int]) -> Table:
    """Return a list of runs with their numbers of stored requests."""
    lines = [
        (
            plain(run.run_id, 48),
            plain(run.kind, 20),
            moment(run.started_at).removesuffix(" UTC"),
            plain(run.status + (f", {run.validity}" if run.validity else ""), 40),
            f"{counts.get(run.run_id, 0):,}",
            ", ".join(plain(name, NAMES) for name in names_in(run.providers)),
        )
        for run in found
    ]
    headers = ("run", "kind", "started (UTC)", "status", "n", "hosts")
    return grid(headers, lines, left=(0, 1, 2, 3, 5), whole=(0, 1, 2))


FIRST = ("requests", "ok", "TTFT p50 ms", "TTFT p95 ms", "first answer p50 ms")
SECOND = ("end to end p50 ms", "end to end p95 ms", "decode p50 tok/s")
THIRD = ("output p50 tokens", "USD per 1,000 requests", "checks passed", "cache hit")


def _tables(
    group: Sequence[Summary], *, intervals: bool = False
) -> list[RenderableType]:
    names = labels([each.provider for each in group], NAMES)
    if len(group) > SIDE_BY_SIDE:
        parts: list[RenderableType] = []
        names = labels([each.provider for each in group], NARROW)
        for chosen in (FIRST, SECOND, THIRD):
            parts += [_by_host(group, names, chosen), Text()]
        return parts[:-1]
    headers = ["", *(names[each.provider] for each in group)]
    lines = [
        [label, *(_wrapped(cell(each), len(group) > 3) for each in group)]
        for label, cell in METRICS.items()
        if label not in OPTIONAL or any(map(OPTIONAL[label], group))
    ]
    if intervals:
        lines = [_with_interval(line, group) for line in lines]
    return [grid(headers, lines)]


def _with_interval(line: list[str], group: Sequence[Summary]) -> list[str]:
    """Return a line of the table with the intervals of its quantiles, if it has any."""
    breaks = "\n" if len(group) > 2 else " "
    cells = zip(line[1:], group, strict=True)
    return [
        line[0],
        *(f"{cell}{breaks}{interval(line[0], each)}".rstrip() for cell, each in cells),
    ]


def _by_host(
    group: Sequence[Summary], names: dict[str, str], chosen: Sequence[str]
) -> Table:
    lines = [
        [
            names[each.provider],
            *(_wrapped(METRICS[name](each), True) for name in chosen),
        ]
        for each in group
    ]
    return grid(["host", *chosen], lines)


def _wrapped(text: str, narrow: bool) -> str:
    return text.replace(" (", "\n(") if narrow else text


def fates(each: Summary) -> list[str]:
    """Return what became of a host's requests that are no answers, a phrase each."""
    name, counts, notes = plain(each.provider, NAMES), each.tally, []
    bad = {what: n for what, n in counts.outcomes.items() if what != "ok"}
    if bad:
        listed = ", ".join(f"{n:,} {plain(what)}" for what, n in bad.items())
        notes.append(f"{name}: not ok: {listed}")
    if counts.n_interrupted:
        notes.append(
            f"{name}: interrupted by us: {counts.n_interrupted:,}, neither ok nor "
            "failed; percentiles are lower bounds"
        )
    if each.goodput is not None and each.goodput.n_unknown:
        notes.append(
            f"{name}: goodput: {each.goodput.n_unknown:,} answers lack a figure that "
            "an objective needs, and count as not good"
        )
    if counts.n_set_aside:
        notes.append(
            f"{name}: not counted: {counts.n_set_aside:,} that never reached the "
            "host or failed by our own doing"
        )
    return notes


def _text(cell: str) -> Text:
    # A line break is ours; everything else in a cell may come from anywhere.
    return Text("\n".join(plain(line) for line in cell.split("\n")))
