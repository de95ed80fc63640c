"""Tables for people: readable at 80 columns, in a pipe, and whatever a host is called.

Every text becomes a rich Text, never markup, and no borders are drawn.
"""

import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from compare.judge.contrast import NO_DIFFERENCE, Contrast
from compare.judge.summary import Summary
from compare.show.words import (
    exactness,
    labels,
    moment,
    named,
    names_in,
    number,
    percent,
    plain,
    reasons,
    usd,
)
from data.row import RunRow

SIDE_BY_SIDE = 4
PIPED_WIDTH = 160
"""Up to so many hosts are columns; more are rows."""

NAMES = 24
NARROW = 17

Cell = Callable[[Summary], str]


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
    steps = len({each.step for each in summaries})
    for scenario, step in dict.fromkeys((s.scenario, s.step) for s in summaries):
        group = [s for s in summaries if (s.scenario, s.step) == (scenario, step)]
        named = plain(scenario) + (f", load step {step}" if steps > 1 else "")
        parts += [Text(), Text(f"scenario {named}"), Text(), *_tables(group)]
        notes = [note for each in group for note in _notes(each)]
        parts += [Text(), *(Text(note) for note in notes)] if notes else []
    return Group(*parts)


def head(run: RunRow) -> list[str]:
    """Return what every view of a run begins with: id, date, state, validity, why."""
    first = f"{named(run)}, started {moment(run.started_at)}"
    state = f"{plain(run.status)}, {plain(run.validity or 'validity not judged')}"
    if run.status == "running":
        state = "still running: this is what it has measured so far"
    why = [f"  because: {reason}" for reason in reasons(run)]
    return [first, state, *why, exactness(run)]


def contrasts(found: Sequence[Contrast], *, paired: bool = True) -> Group:
    """Return contrasts as a table a scenario and pair of hosts, with what they say."""
    parts: list[RenderableType] = []
    n = "blocks" if paired else "n"
    columns = ("metric", "ratio", "95 % interval", n, "verdict")
    keys = dict.fromkeys((c.scenario, c.provider, c.reference) for c in found)
    for scenario, provider, reference in keys:
        lines = [
            (c.metric, _ratio(c), _interval(c), f"{c.n_blocks:,}", _verdict(c))
            for c in found
            if (c.scenario, c.provider, c.reference) == (scenario, provider, reference)
        ]
        title = (
            f"{plain(scenario)}: {plain(provider, 60)} against {plain(reference, 60)}"
        )
        parts += [Text(title), Text(), grid(columns, lines, left=(0, 4)), Text()]
    how = "in the blocks that both answered" if paired else "of two separate runs"
    parts.append(
        Text(
            f"ratio: median of the host / median of the reference, {how}. An interval "
            "that holds 1 is compatible with no difference; verdicts are not given."
        )
    )
    if any(each.verdict == NO_DIFFERENCE for each in found):
        parts.append(
            Text(
                "below the bench's floor: the medians differ by less than the bench's "
                "own error before the run, so no difference is shown."
            )
        )
    return Group(*parts)


def runs(found: Sequence[RunRow], counts: dict[str, int]) -> Table:
    """Return a list of runs with their numbers of stored requests."""
    lines = [
        (
            run.run_id,
            run.kind,
            moment(run.started_at).removesuffix(" UTC"),
            run.status + (f", {run.validity}" if run.validity else ""),
            f"{counts.get(run.run_id, 0):,}",
            ", ".join(plain(name, NAMES) for name in names_in(run.providers)),
        )
        for run in found
    ]
    headers = ("run", "kind", "started (UTC)", "status", "n", "hosts")
    return grid(headers, lines, left=(0, 1, 2, 3, 5), whole=(0, 1, 2))


def _time(field: str) -> Cell:
    def cell(each: Summary) -> str:
        found = getattr(each, field)
        nothing_streamed = each.n_not_streamed and not found.n
        if field.startswith("tt") and nothing_streamed:
            return "n/a (not streamed)"
        return str(found.text(number))

    return cell


def _known(value: float | None, form: Callable[[float], str], why: str = "") -> str:
    return (f"n/a ({why})" if why else "n/a") if value is None else form(value)


def _cost(each: Summary) -> str:
    why = f"{each.n_unpriced:,} unpriced" if each.n_unpriced else ""
    return _known(each.cost_per_1k_usd, usd, why)


def _stated(each: Summary) -> str:
    return _known(each.reported_per_1k_usd, usd, "not stated")


def _passed(each: Summary) -> str:
    return _known(each.passed_share, percent, "no checks")


def _attempted(each: Summary) -> str:
    return f"{each.tally.n_attempted:,}"


def _ok(each: Summary) -> str:
    return _known(each.tally.success_share, percent)


METRICS: dict[str, Cell] = {
    "requests": _attempted,
    "ok": _ok,
    "TTFT p50 ms": _time("ttft_p50"),
    "TTFT p95 ms": _time("ttft_p95"),
    "first answer p50 ms": _time("ttfa_p50"),
    "decode p50 tok/s": _time("decode_tps_p50"),
    "end to end p50 ms": _time("e2e_p50"),
    "end to end p95 ms": _time("e2e_p95"),
    "output p50 tokens": _time("tokens_p50"),
    "USD per 1,000 requests": _cost,
    "USD as stated by host": _stated,
    "checks passed": _passed,
    "cache hit": lambda each: _known(each.cache_hit_share, percent, "not stated"),
    "achieved req/s": lambda each: _known(each.achieved_rps, number),
    "all streams tok/s": lambda each: _known(each.system_tps, number),
}
"""The lines of a summary table, in order: label and what stands there for a host."""

FIRST = ("requests", "ok", "TTFT p50 ms", "TTFT p95 ms", "first answer p50 ms")
SECOND = ("end to end p50 ms", "end to end p95 ms", "decode p50 tok/s")
THIRD = ("output p50 tokens", "USD per 1,000 requests", "checks passed", "cache hit")


def _tables(group: Sequence[Summary]) -> list[RenderableType]:
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
        if label != "USD as stated by host" or any(each.n_reported for each in group)
    ]
    return [grid(headers, lines)]


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


def _notes(each: Summary) -> list[str]:
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
    if counts.n_set_aside:
        notes.append(
            f"{name}: not counted: {counts.n_set_aside:,} that never reached the "
            "host or failed by our own doing"
        )
    return notes


def _ratio(contrast: Contrast) -> str:
    if contrast.need_more:
        return f"n/a (n={contrast.n_blocks} < {contrast.n_blocks + contrast.need_more})"
    return _known(contrast.estimate, "{:.3f}".format)


def _interval(contrast: Contrast) -> str:
    if contrast.low is None or contrast.high is None:
        return "n/a"
    return f"{contrast.low:.3f} to {contrast.high:.3f}"


def _verdict(contrast: Contrast) -> str:
    # The only verdict that is given yet, and the only ground for it.
    below = contrast.verdict == NO_DIFFERENCE
    return "below the bench's floor" if below else contrast.verdict or "-"


def _text(cell: str) -> Text:
    # A line break is ours; everything else in a cell may come from anywhere.
    return Text("\n".join(plain(line) for line in cell.split("\n")))
