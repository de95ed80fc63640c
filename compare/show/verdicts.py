"""A comparison in a terminal: the verdict first, then figures, contrasts, caveats."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compare.judge.caveats import Note
from compare.judge.comparison import Comparison
from compare.judge.contrast import (
    BETTER,
    FASTER,
    NO_DIFFERENCE,
    SLOWER,
    TOO_FEW,
    WORSE,
)
from compare.judge.pair import MEANS, PASSED, WINS, Also, Contrast
from compare.show.headline import NAMES, headline, sided, sides
from compare.show.tables import checks, grid, head, segments
from compare.show.words import percent, plain, segment, usd

COLOURS = {
    FASTER: "green",
    BETTER: "green",
    SLOWER: "red",
    WORSE: "red",
    NO_DIFFERENCE: "dim",
    TOO_FEW: "yellow",
}
POINTS = ("ok", PASSED)
"""Metrics whose differences are in points."""
TAILS = ("ratio_of_p90", "ratio_of_p95", "ratio_of_means")


def comparison(found: Comparison) -> Group:
    """Return a whole comparison for a terminal of 80 columns."""
    found = sided(found)
    parts: list[RenderableType] = []
    for run, side in zip(found.runs, sides(found), strict=True):
        first, *rest = head(run)
        parts += [*(Text(line) for line in (side + first, *rest)), Text()]
    parts += [Text(line, style="bold") for line in headline(found)]
    parts += segments(found.summaries, intervals=True)
    parts += checks(found.qualities)
    if found.contrasts:
        marks = marked(found.notes, found.contrasts)
        parts += [Text(), *contrasts(found.contrasts, marks)]
    if found.notes:
        parts += [Text("caveats", style="bold"), Text(), caveats(found.notes), Text()]
    return Group(*parts)


def marked(notes: Sequence[Note], found: Sequence[Contrast]) -> dict[int, str]:
    """Return by number of a contrast the letters of the notes that spoil it alone.

    What spoils everything stands once, below.
    """
    some = [n for n, note in enumerate(notes) if note.hosts or note.metrics]
    return {
        k: "".join(letter(n) for n in some if notes[n].spoils(each))
        for k, each in enumerate(found)
    }


def letter(n: int) -> str:
    """Return the mark of the nth note: a to z, then the number."""
    return chr(ord("a") + n) if n < 26 else f" {n + 1} "


def contrasts(
    found: Sequence[Contrast], marks: dict[int, str] | None = None
) -> list[RenderableType]:
    """Return a table for each scenario, load step and pair of hosts, with its terms."""
    parts: list[RenderableType] = []
    several = len({each.step for each in found}) > 1
    keys = dict.fromkeys((c.scenario, c.step, c.provider, c.reference) for c in found)
    for key in keys:
        group = {
            n: c
            for n, c in enumerate(found)
            if (c.scenario, c.step, c.provider, c.reference) == key
        }
        scenario, step, provider, reference = key
        where = segment(scenario, step, several=several)
        title = f"{where}: {plain(provider, NAMES)} against {plain(reference, NAMES)}"
        parts += [Text(title, style="bold"), Text(), _ratios(group, marks or {})]
        parts += [Text(), *_tails(list(group.values()))]
    parts.append(Text(terms(found)))
    return [*parts, Text()]


def _ratios(group: dict[int, Contrast], marks: dict[int, str]) -> Table:
    paired = all(each.paired for each in group.values())
    n = "blocks" if paired else "n"
    won = ["wins"] if paired else []
    columns = ["metric", "ratio", "95 % interval", *won, n, "verdict"]
    table = grid(columns, [], left=(0, len(columns) - 1))
    for k, each in group.items():
        cells = [each.metric, _value(each), _interval(each)]
        cells += [wins(each)] if paired else []
        verdict = Text(_verdict(each), style=COLOURS.get(each.verdict or "", ""))
        if marks.get(k):
            verdict.append(f" [{marks[k].strip()}]", style="dim")
        texts = (Text(plain(cell)) for cell in (*cells, f"{each.n_blocks:,}"))
        table.add_row(*texts, verdict)
    return table


def ratio_cells(each: Contrast) -> list[str]:
    """Return a contrast's metric, ratio, interval, n and verdict as texts."""
    n = f"{each.n_blocks:,}"
    return [each.metric, _value(each), _interval(each), n, _verdict(each)]


def _tails(group: Sequence[Contrast]) -> list[RenderableType]:
    """Return the ratios that get no verdict, and what one host costs more."""
    lines = []
    for each in group:
        cells = tail_cells(each)
        if any(cells):
            lines.append([each.metric, *(cell or "-" for cell in cells)])
    parts: list[RenderableType] = []
    if lines:
        parts = [grid(["ratio of", "p90", "p95", "means"], lines), Text()]
    for told in filter(None, map(dearer, group)):
        parts += [Text(told), Text()]
    return parts


def tail_cells(each: Contrast) -> list[str]:
    """Return the ratios of a contrast that get no verdict, in the order of `TAILS`."""
    also = {other.statistic: other for other in each.also}
    return [_short(also.get(name)) for name in TAILS]


def dearer(each: Contrast) -> str:
    """Return what the host costs more or less, nothing where that is not known."""
    more = next((other for other in each.also if other.statistic == MEANS), None)
    if more is None or more.estimate is None:
        return ""
    value = 1000 * more.estimate
    low, high = (None if end is None else 1000 * end for end in (more.low, more.high))
    span = ""
    if low is not None and high is not None:
        low, high = sorted((abs(low), abs(high))) if low * high > 0 else (low, high)
        span = f" ({usd(low)} to {usd(high)})"
    if value == 0:
        return (
            f"costs the same per 1,000 answered requests{span if low or high else ''}"
        )
    word = "more" if value > 0 else "less"
    return f"costs {usd(abs(value))} {word} per 1,000 answered requests{span}"


def terms(found: Sequence[Contrast]) -> str:
    """Return what the columns of contrasts mean, and where their intervals are from."""
    paired = all(each.paired for each in found)
    where = "in the blocks that both answered" if paired else "of two separate runs"
    methods = {e.method for e in found} | {a.method for e in found for a in e.also}
    large = "large sample" in methods
    bootstrap = "bootstrap over " + ("blocks" if paired else "each run's answers apart")
    how = "large-sample formula" if large else bootstrap
    if large and "block bootstrap" in methods:
        how = f"{bootstrap}, from 20,000 on a large-sample formula"
    won = "; wins: in how many of them the host was better" if paired else ""
    return (
        f"ratio: median of the host / median of the reference, {where}; ok, passed: "
        f"difference of the shares in points{won}. "
        f"Intervals: {how}. A verdict needs p of 5 % or less, corrected "
        "for the number of hosts (Holm); no difference shown is not equality."
    )


def caveats(notes: Sequence[Note]) -> Table:
    """Return the caveats with their letters and advice."""
    lines = [
        (letter(n).strip(), f"{plain(note.text, 300)}: {note.advice}")
        for n, note in enumerate(notes)
    ]
    table = grid(["", ""], lines, left=(0, 1))
    table.show_header = False
    return table


def _value(each: Contrast) -> str:
    if each.estimate is None:
        return "n/a"
    if each.metric in POINTS:
        return f"{100 * each.estimate:+.1f} pts"
    return f"{each.estimate:.3f}"


def _interval(each: Contrast) -> str:
    if each.low is None or each.high is None:
        return "n/a"
    if each.metric in POINTS:
        return f"{100 * each.low:+.1f} to {100 * each.high:+.1f}"
    return f"{each.low:.3f} to {each.high:.3f}"


def wins(each: Contrast) -> str:
    """Return the share of blocks in which the host was better, - where none is."""
    found = next((other for other in each.also if other.statistic == WINS), None)
    if found is None or found.estimate is None:
        return "-"
    return percent(found.estimate)


def _short(also: Also | None) -> str:
    if also is None or also.estimate is None:
        return ""
    if also.low is None or also.high is None:
        return f"{also.estimate:.2f}"
    return f"{also.estimate:.2f} ({also.low:.2f} to {also.high:.2f})"


def _verdict(each: Contrast) -> str:
    below = each.below_floor and each.verdict == NO_DIFFERENCE
    return "below the bench's floor" if below else each.verdict or "-"
