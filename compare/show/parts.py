"""What panels are made of: places, axes, legends, and words where there is nothing."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    Formatter,
    FuncFormatter,
    LogLocator,
    NullFormatter,
    NullLocator,
)
from matplotlib.transforms import blended_transform_factory

from compare.judge.frame import Floats
from compare.show.letters import spelt, wrapped
from compare.show.panel import Host, Panel
from compare.show.theme import WIDTH, Theme
from compare.show.words import plain

FOOT_LINE = 0.18
MARGIN = 0.015
"""What stays free at the left of words, as a part of the page's width."""

ACROSS = WIDTH * (1 - 2 * MARGIN)

AXES = {
    "ttft": "time to first token (ms)",
    "e2e": "end to end (ms)",
    "decode_tps": "decode speed of one stream (tokens/s)",
}
"""What stands at the axis of a metric."""


class Plain(Formatter):
    """Ticks as plain numbers, with as many places as tell each from the next."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return a number as it stands at a tick of its own."""
        return f"{x:,.6g}"

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Return the texts of all ticks of an axis."""
        apart = min((b - a for a, b in pairwise(sorted(values)) if b > a), default=1.0)
        for places in range(10):
            texts = [f"{value:,.{places}f}" for value in values]
            if all(abs(float(t.replace(",", "")) - v) < apart / 50
                   for t, v in zip(texts, values, strict=True)):  # fmt: skip
                return texts
        return [f"{value:.6g}" for value in values]


def stack(spec: SubplotSpec, *heights: float) -> list[SubplotSpec]:
    """Divide a place into places one below the other, of these relative heights."""
    grid = spec.subgridspec(len(heights), 1, height_ratios=heights)
    return [grid[n, 0] for n in range(len(heights))]


def spans_decades(values: Floats) -> bool:
    """Tell whether values span so much that their axis is logarithmic."""
    return bool(len(values) and values.min() > 0 and values.max() > 12 * values.min())


def scale(axes: Axes, which: str, values: Floats, *, narrow: bool = False) -> None:
    """Make an axis logarithmic where values span more than a factor of twelve.

    Ticks are plain numbers either way; on few decades they stand at 1, 2 and 5, on
    a `narrow` axis at 1 and 3.
    """
    axis = axes.xaxis if which == "x" else axes.yaxis
    if spans_decades(values):
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        most, few = (300, (1.0, 3.0)) if narrow else (3000, (1.0, 2.0, 5.0))
        subs = (1.0,) if values.max() > most * values.min() else few
        axis.set_major_locator(LogLocator(subs=subs, numticks=12))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    else:
        axis.set_major_formatter(Plain())


def empty(axes: Axes, why: str, theme: Theme) -> None:
    """Say in an empty panel why it is empty."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.text(
        0.5,
        0.5,
        "\n".join(wrapped(spelt(plain(why, 900)), 4.5, 9.5)),
        ha="center",
        va="center",
        color=theme.muted,
        transform=axes.transAxes,
    )


def legend(
    figure: Figure, spec: SubplotSpec, panel: Panel, more: Sequence[str] = ()
) -> None:
    """List a panel's hosts with their counts, below it and never over the data.

    `more` is said of each host beside its counts; then each has a line of its own.
    """
    axes = figure.add_subplot(spec)
    axes.axis("off")
    keys = [
        Line2D([], [], color=host.colour, linestyle=host.line, marker=host.marker)
        for host in panel.hosts
    ]
    texts = [f"{host.label}: {host.facts}" for host in panel.hosts]
    if more:
        texts = [text + each for text, each in zip(texts, more, strict=True)]
    axes.legend(
        keys,
        texts,
        loc="upper left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0,
        ncols=1 if more else _columns(panel),
        handlelength=3.2,
        columnspacing=1.5,
    )


def below_it(
    figure: Figure, spec: SubplotSpec, lines: Sequence[str], theme: Theme
) -> None:
    """Write lines below a panel, in the place that `foot_height` left for them."""
    foot = figure.add_subplot(spec)
    foot.axis("off")
    # From the page's edge on: a panel's own edge depends on the names at its left.
    where = blended_transform_factory(figure.transFigure, foot.transAxes)
    parts = _wrapped(lines)
    for n, line in enumerate(parts):
        y, muted = 1 - FOOT_LINE * n / _high(parts), theme.muted
        text = foot.text(MARGIN, y, line, va="top", size=8.5, color=muted,
                         transform=where)  # fmt: skip
        text.set_in_layout(False)  # it is as wide as the page lets it be


def foot_height(lines: Sequence[str]) -> float:
    """Return the inches that lines below a panel take."""
    return _high(_wrapped(lines))


def _high(parts: Sequence[str]) -> float:
    return 0.05 + FOOT_LINE * len(parts)


def _wrapped(lines: Sequence[str]) -> list[str]:
    return [
        part for line in lines for part in wrapped(spelt(plain(line, 900)), ACROSS, 8.5)
    ]


def _columns(panel: Panel) -> int:
    longest = max((len(host.label + host.facts) for host in panel.hosts), default=0)
    return 2 if longest <= 36 and len(panel.hosts) > 2 else 1


def legend_height(panel: Panel, *, lines: bool = False) -> float:
    """Return the inches that a panel's legend takes, with `lines` one a host."""
    columns = 1 if lines else _columns(panel)
    return 0.1 + 0.19 * -(-len(panel.hosts) // columns)


def host_axis(plot: Axes, panel: Panel) -> None:
    """Give every host a line of the panel, with its name and counts at the left."""
    plot.set_ylim(len(panel.hosts) - 0.45, -0.65)
    plot.set_yticks(
        range(len(panel.hosts)),
        [f"{host.label}\n{host.facts}" for host in panel.hosts],
    )
    plot.grid(visible=False, axis="y")
    plot.tick_params(axis="y", length=0, labelsize=8.5)


def why_nothing(hosts: Sequence[Host], metric: str) -> str:
    """Return why some hosts have no value of a metric."""
    if not sum(host.counts.n for host in hosts):
        return "no measured request"
    if not sum(host.counts.n_ok for host in hosts):
        return "no request was ok"
    return "the answers were not streamed" if metric == "ttft" else "no token times"


def joined(found: Sequence[Floats]) -> Floats:
    """Return all values of several columns; there may be none."""
    return np.concatenate([np.zeros(0), *found])
