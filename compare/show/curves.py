"""Curves: which share of the requests was answered by when."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from compare.judge.frame import Floats
from compare.show.panel import Host, Panel
from compare.show.parts import (
    AXES,
    empty,
    joined,
    legend,
    legend_height,
    scale,
    stack,
    why_nothing,
)
from compare.show.theme import PERCENT

HEIGHT = 2.7


def ttft_ecdf(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw which share of requests had their first token by when; failures never do."""
    _ecdf(figure, spec, panel, "ttft")


def _ecdf(figure: Figure, spec: SubplotSpec, panel: Panel, metric: str) -> None:
    above, below = stack(spec, HEIGHT, legend_height(panel))
    plot = figure.add_subplot(above)
    plot.set_title(panel.title)
    legend(figure, below, panel)
    found = {host.name: panel.values(host, metric) for host in panel.hosts}
    drawn = joined(list(found.values()))
    if not len(drawn):
        return empty(plot, why_nothing(panel.hosts, metric), panel.theme)
    for host in panel.hosts:
        if len(found[host.name]):
            _curve(plot, host, found[host.name])
    scale(plot, "x", drawn)
    plot.set_xlabel(AXES[metric])
    plot.set_ylim(0, 1.04)
    plot.yaxis.set_major_formatter(PERCENT)
    plot.set_ylabel("requests answered by then")
    return None


def _curve(plot: Axes, host: Host, xs: Floats) -> None:
    # Failures are in the denominator: a host that fails never reaches 100 %.
    share = np.arange(len(xs) + 1) / (len(xs) + host.counts.n_failed)
    plot.step(
        [xs[0], *xs], share, where="post", color=host.colour, ls=host.line, lw=1.8
    )
    plot.plot(xs[-1], share[-1], host.marker, color=host.colour, markersize=6)
