"""Boxes of single figures, host by host."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from compare.judge.frame import Floats
from compare.judge.stats import floor_of, percentile
from compare.show.panel import Host, Panel
from compare.show.parts import AXES, host_axis, joined, scale, why_nothing
from compare.show.words import number

DOTS = 400
"""At most so many answers of a host are dots, evenly chosen by rank."""


def latency_box(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw each host's times to first token and to the last one, side by side."""
    sides = spec.subgridspec(1, 2, wspace=0.05)
    first = figure.add_subplot(sides[0, 0])
    last = figure.add_subplot(sides[0, 1], sharey=first)
    first.set_title(panel.title)
    boxes(first, panel, "ttft")
    boxes(last, panel, "e2e")
    last.tick_params(labelleft=False)


def boxes(plot: Axes, panel: Panel, metric: str) -> None:
    """Draw a metric's answers as dots and, from their floors on, as boxes."""
    found = [panel.values(host, metric) for host in panel.hosts]
    for y, (host, values) in enumerate(zip(panel.hosts, found, strict=True)):
        if len(values):
            _box(plot, y, host, values, panel.theme.ink)
            continue
        why, where = why_nothing([host], metric), plot.get_yaxis_transform()
        muted = panel.theme.muted
        plot.text(0.02, y, why, va="center", size=8.5, color=muted, transform=where)
    host_axis(plot, panel)
    plot.set_xlabel(AXES[metric])
    drawn = joined(found)
    if len(drawn):
        scale(plot, "x", drawn)
    else:
        plot.set_xticks([])


def _box(plot: Axes, y: int, host: Host, found: Floats, ink: str) -> None:
    n = len(found)
    dots = found if n <= DOTS else found[np.arange(DOTS) * (n - 1) // (DOTS - 1)]
    spread = np.random.default_rng(n).uniform(-0.2, 0.2, len(dots))
    size = 7 if n > 60 else 18
    plot.scatter(dots, y + spread, s=size, color=host.colour, alpha=0.45, lw=0)
    if n >= floor_of(0.75):
        low, high = percentile(found, 0.25), percentile(found, 0.75)
        plot.barh(
            y,
            high - low,
            left=low,
            height=0.5,
            facecolor=(host.colour, 0.25),
            edgecolor=host.colour,
        )
    if n >= floor_of(0.95):
        low, high = percentile(found, 0.05), percentile(found, 0.95)
        plot.plot([low, high], [y, y], color=host.colour, lw=1, zorder=1.5)
        plot.plot([low, high], [y, y], "|", color=host.colour, markersize=8)
    if n >= floor_of(0.5):
        middle = percentile(found, 0.5)
        plot.plot([middle, middle], [y - 0.27, y + 0.27], color=ink, lw=2)
        plot.text(middle, y - 0.31, number(middle), ha="center", va="bottom", size=8.5)
