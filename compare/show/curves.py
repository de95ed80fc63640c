"""Curves: which share of the requests was answered by when."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from compare.judge.frame import Floats, Ints
from compare.judge.sample import cut_off
from compare.judge.stats import share_interval
from compare.show.panel import Host, Panel
from compare.show.parts import (
    AXES,
    empty,
    joined,
    legend,
    legend_height,
    scale,
    spans_decades,
    stack,
    why_nothing,
)
from compare.show.theme import PERCENT

HEIGHT = 2.9
PLACES = 1_000
"""Places across a panel at which a curve of more steps is looked up: about a pixel."""

BANDS = 250
"""Places of a band; where its steps are more they are few pixels late."""


def ttft_ecdf(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw which share of requests had their first token by when; failures never do."""
    _ecdf(figure, spec, panel, "ttft")


def e2e_ecdf(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw which share of requests had their last token by when; failures never do."""
    _ecdf(figure, spec, panel, "e2e")


def thinned(ordered: Floats, low: float, high: float, *, log: bool) -> Floats:
    """Return the places at which a staircase of ascending values is to be looked up.

    All of them if they are few. Else the last value in each of `PLACES` stretches from
    `low` to `high`: between two of these the staircase moves by less than a pixel to
    the side, and at them it is exact.
    """
    if len(ordered) <= PLACES:
        return np.unique(ordered)
    made = np.geomspace if log else np.linspace
    edges = made(low, high, PLACES + 1)[1:]
    edges[-1] = high  # whatever rounding made of it
    last = np.searchsorted(ordered, edges, side="right") - 1
    return np.unique(np.append(ordered[last[last >= 0]], ordered[[0, -1]]))


def band(plot: Axes, host: Host, at: Floats, part: Ints, n: int) -> None:
    """Draw the 95 % interval of the share `part` / `n` at each place of a staircase."""
    last = len(at) - 1
    some = np.unique(np.linspace(0, last, min(len(at), BANDS)).round().astype(int))
    ends = np.array([share_interval(int(part[k]), n) for k in some], dtype=np.float64)
    plot.fill_between(at[some], ends[:, 0], ends[:, 1], step="post", lw=0, alpha=0.16,
                      color=host.colour)  # fmt: skip


def _ecdf(figure: Figure, spec: SubplotSpec, panel: Panel, metric: str) -> None:
    above, below = stack(spec, HEIGHT, legend_height(panel))
    plot = figure.add_subplot(above)
    plot.set_title(panel.title)
    legend(figure, below, panel)
    found = {host.name: panel.values(host, metric) for host in panel.hosts}
    drawn = joined(list(found.values()))
    if not len(drawn):
        return empty(plot, why_nothing(panel.hosts, metric), panel.theme)
    ends, log = (float(drawn.min()), float(drawn.max())), spans_decades(drawn)
    for host in panel.hosts:
        if len(found[host.name]):
            _curve(
                plot, host, found[host.name], thinned(found[host.name], *ends, log=log),
                cut_off(panel.frame, host.rows, metric),
            )  # fmt: skip
    scale(plot, "x", drawn)
    plot.set_ylim(0, 1.04)
    plot.yaxis.set_major_formatter(PERCENT)
    blank = sum(host.counts.n_ok for host in panel.hosts) - len(drawn)
    less = f"\n({blank:,} ok answers without it are left out)" if blank else ""
    plot.set_xlabel(AXES[metric] + less)
    plot.set_ylabel("requests answered by then")
    return None


def _curve(plot: Axes, host: Host, ordered: Floats, at: Floats, cut: Floats) -> None:
    # Failures are in the denominator: a host that fails never reaches 100 %. So is what
    # we cut off without an answer after a longer time than any answer took.
    n = len(ordered) + host.counts.n_failed + int((cut > ordered[-1]).sum())
    below = np.searchsorted(ordered, at, side="right")
    look = {"color": host.colour, "ls": host.line, "lw": 1.8}
    plot.step([at[0], *at], [0, *(below / n)], where="post", **look)
    band(plot, host, at, below, n)
    plot.plot(at[-1], below[-1] / n, host.marker, color=host.colour, markersize=6)
