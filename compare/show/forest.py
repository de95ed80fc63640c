"""A forest of contrasts: each host's ratios to the reference, with their intervals."""

from collections.abc import Callable, Sequence
from math import log

import msgspec
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import FuncFormatter, Locator, NullFormatter, NullLocator

from compare.judge.caveats import Note
from compare.judge.contrast import FASTER, NO_DIFFERENCE, SLOWER
from compare.judge.frame import Segment
from compare.judge.pair import Contrast, base
from compare.show.panel import Host, Panel
from compare.show.parts import below_it, empty, foot_height, stack
from compare.show.subject import Subject
from compare.show.theme import Theme
from compare.show.verdicts import letter, marked
from compare.show.words import percent, plain

WORDS = {
    "ttft": "time to first token",
    "ttfa": "time to first answer",
    "e2e": "end to end",
    "ttn": "time to token",
    "tpot": "time per token",
    "cost": "cost",
}
"""The metrics that are drawn, in this order: of all of them less is better."""

LINE = 0.24
LETTER = 0.09
"""Inches that a letter of a tick's label takes."""
MARKS = {FASTER: "<", SLOWER: ">"}
TICKS = (
    100, 10, 0.1, 0.01, 5, 2, 0.5, 0.2, 50, 20, 0.05, 0.02, 3, 1.5, 0.75, 1.25, 0.9,
    1.1, 0.95, 1.05, 0.98, 1.02, 0.99, 1.01,
)  # fmt: skip
"""Round ratios, those that are kept first where there is no room for all."""


class Line(msgspec.Struct, frozen=True):
    """A line of the forest: a heading, or a contrast with its caveats' letters."""

    label: str
    contrast: Contrast | None = None
    marks: str = ""


def forest(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw each ratio to the reference with its interval, coloured by its verdict."""
    lines, told = _lines(panel), _caveats(panel)
    above, below = stack(spec, _height(lines), foot_height(told))
    plot = figure.add_subplot(above)
    plot.set_title(panel.title)
    below_it(figure, below, told, panel.theme)
    drawn = [
        each.contrast for each in lines if each.contrast and each.contrast.estimate
    ]
    if not drawn:
        return empty(plot, why_no_contrast(panel), panel.theme)
    plot.axvline(1, color=panel.theme.ink, lw=1)
    for y, line in enumerate(lines):
        if line.contrast is not None:
            _ratio(plot, y, line.contrast, panel.theme)
        else:
            plot.axhline(y, color=panel.theme.grid, lw=0.6)
    plot.set_ylim(len(lines) - 0.4, -0.6)
    plot.set_yticks(range(len(lines)), [line.label for line in lines], size=8.5)
    for line, text in zip(lines, plot.get_yticklabels(), strict=True):
        text.set_fontweight("normal" if line.contrast is not None else "bold")
    plot.grid(visible=False, axis="y")
    plot.tick_params(axis="y", length=0)
    _axis(plot, drawn)
    _said(plot, lines, panel.theme)
    names = {host.name: _label(host) for host in panel.hosts}
    reference = names.get(drawn[0].reference, "the reference")
    plot.set_xlabel(f"ratio to {reference}\n(to the left: faster or cheaper)")
    return None


def forest_height(panel: Panel) -> float:
    """Return the inches that a panel of contrasts takes."""
    return _height(_lines(panel)) + foot_height(_caveats(panel))


def why_no_contrast(panel: Panel) -> str:
    """Return why a panel has no contrast to show."""
    subject = panel.subject
    if subject.refused:
        return f"not compared: {plain(subject.refused, 90)}"
    if subject.comparison is None:
        return "the hosts were not compared"
    if len(subject.hosts) < 2:
        return "one host only: there is nothing to contrast it with"
    return "too few blocks in which both hosts answered"


def _height(lines: Sequence[Line]) -> float:
    return 0.9 + LINE * max(len(lines), 4)


def _lines(panel: Panel) -> list[Line]:
    """Return the lines of a panel: a metric's name, then its hosts' contrasts."""
    mine = _contrasts(panel)
    names = {host.name: host for host in panel.hosts}
    lines: list[Line] = []
    for metric, words in WORDS.items():
        group = [(each, marks) for each, marks in mine if base(each.metric) == metric]
        found = [each for each, _ in group]
        if not group or (metric == "ttfa" and _same(found, [each for each, _ in mine])):
            continue
        depth = found[0].metric.partition("(")[2].rstrip(")")
        lines.append(Line(f"{words} {depth}".rstrip()))
        lines += [
            Line(_label(names[each.provider]), each, marks)
            for each, marks in group
            if each.provider in names
        ]
    return lines


def _contrasts(panel: Panel) -> list[tuple[Contrast, str]]:
    """Return a panel's contrasts, with the letters that `h2h compare` gives them."""
    comparison = panel.subject.comparison
    if comparison is None:
        return []
    mine = [
        each
        for each in comparison.contrasts
        if Segment(each.scenario, each.step) in panel.segments
        and each.provider in panel.subject.drawn
    ]
    marks = marked(comparison.notes, mine)
    return [(each, marks[n].strip()) for n, each in enumerate(mine)]


def shared_caveats(subject: Subject) -> list[str]:
    """Return the caveats of a run's contrasts that are of no scenario of its own."""
    every = subject.comparison.contrasts if subject.comparison else []
    found = [each for each in every if each.provider in subject.drawn]
    return _told(subject, found, lambda note: note.scenario is None)


def _caveats(panel: Panel) -> list[str]:
    """Return the caveats of a panel's contrasts that are of its scenario."""
    found = [each for each, _ in _contrasts(panel)]
    return _told(panel.subject, found, lambda note: note.scenario is not None)


def _told(
    subject: Subject, found: Sequence[Contrast], chosen: Callable[[Note], bool]
) -> list[str]:
    """Return caveats that spoil some contrast, with the letters of `h2h compare`."""
    notes = subject.comparison.notes if subject.comparison else []
    return [
        f"[{letter(n).strip()}] {plain(note.text, 890)}"
        for n, note in enumerate(notes)
        if chosen(note) and any(note.spoils(each) for each in found)
    ]


def _same(group: Sequence[Contrast], all_of_them: Sequence[Contrast]) -> bool:
    """Tell whether answers began with their first token: then it is said once."""
    first = {c.provider: c.estimate for c in all_of_them if c.metric == "ttft"}
    return all(first.get(each.provider) == each.estimate for each in group)


def _label(host: Host) -> str:
    """Return a host's name and success share; contrasts have an n of their own."""
    share = host.counts.success_share
    return host.label if share is None else f"{host.label}, {percent(share)} ok"


def _colour(each: Contrast, theme: Theme) -> str:
    known = {FASTER: theme.faster, SLOWER: theme.slower}
    return known.get(each.verdict or "", theme.muted)


def _ratio(plot: Axes, y: int, each: Contrast, theme: Theme) -> None:
    if each.estimate is None:
        return
    colour = _colour(each, theme)
    sure = each.verdict in {FASTER, SLOWER}
    if each.low is not None and each.high is not None:
        plot.plot([each.low, each.high], [y, y], color=colour, lw=2.2 if sure else 1.3)
    mark = MARKS.get(each.verdict or "", "o")
    fill = colour if sure else theme.paper
    plot.plot(each.estimate, y, mark, color=colour, mfc=fill, markersize=7)


def _axis(plot: Axes, drawn: Sequence[Contrast]) -> None:
    """Make the axis logarithmic: twice and half as long stand equally far from 1."""
    ends = [1.0]
    for each in drawn:
        ends += [end for end in (each.estimate, each.low, each.high) if end]
    low, high = min(ends), max(ends)
    room = max((high / low) ** 0.06, 1.02)
    plot.set_xscale("log")
    plot.set_xlim(low / room, high * room)
    plot.xaxis.set_major_locator(Ratios(plot))
    plot.xaxis.set_minor_locator(NullLocator())
    plot.xaxis.set_minor_formatter(NullFormatter())
    plot.xaxis.set_major_formatter(FuncFormatter(lambda at, _: _tick(at)))


def _ticks(low: float, high: float, inches: float) -> list[float]:
    """Return round ratios within an axis so wide, 1 among them, no labels overlapping.

    The ends of their labels are at least a letter apart.
    """
    scale = inches / log(high / low)
    kept = [1.0]
    for tick in TICKS:
        near = any(
            abs(log(tick / k)) * scale < LETTER * (1 + _letters(tick) + _letters(k))
            for k in kept
        )
        if low <= tick <= high and not near:
            kept.append(tick)
    return sorted(kept)


def _letters(tick: float) -> float:
    """Return half the letters of a tick's label."""
    return len(_tick(tick)) / 2


def _tick(at: float) -> str:
    return f"{at:g} x"


class Ratios(Locator):
    """Where the ticks of an axis of ratios are: it depends on how wide it is drawn."""

    def __init__(self, plot: Axes) -> None:
        self._plot = plot

    def __call__(self) -> list[float]:
        """Return the ticks of the axis as it is now."""
        box = self._plot.get_window_extent()
        inches = self._plot.figure.dpi_scale_trans.inverted().transform_bbox(box)
        return _ticks(*self._plot.get_xlim(), max(inches.width, 0.1))

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """Return the ticks between two ratios, were the axis as wide as it is now."""
        return [tick for tick in self() if vmin <= tick <= vmax]


def _said(plot: Axes, lines: Sequence[Line], theme: Theme) -> None:
    """Write each ratio with its interval and verdict at the right of its line."""
    side = plot.twinx()
    side.set_ylim(plot.get_ylim())
    side.set_yticks(range(len(lines)), [_words(each) for each in lines], size=8)
    side.tick_params(axis="y", length=0)
    side.grid(visible=False)
    side.spines[:].set_visible(False)
    for line, text in zip(lines, side.get_yticklabels(), strict=True):
        if line.contrast is not None:
            text.set_color(_colour(line.contrast, theme))


def _words(line: Line) -> str:
    each = line.contrast
    if each is None:
        return ""
    marks = f"[{line.marks}]" if line.marks else ""
    if each.estimate is None:
        more = f", {each.need_more} more needed" if each.need_more else ""
        return f"n/a (n={each.n_blocks:,}{more}) {marks}".rstrip()
    span = ""
    if each.low is not None and each.high is not None:
        span = f" ({each.low:.2f} to {each.high:.2f})"
    below = each.below_floor and each.verdict == NO_DIFFERENCE
    verdict = "below the bench's floor" if below else each.verdict or ""
    parts = (f"{each.estimate:.2f}{span}", f"n={each.n_blocks:,}", verdict, marks)
    return " ".join(part for part in parts if part)
