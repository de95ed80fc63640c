"""Boxes of single figures host by host, and lines of all of them over the load."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from compare.judge.stats import floor_of, percentile
from compare.judge.summary import summarise
from compare.judge.tally import values
from compare.show.style import (
    MUTED,
    PERCENT,
    Host,
    Panel,
    empty,
    legend,
    legend_height,
    scale,
    stack,
)
from compare.show.words import number

DOTS = 400
"""At most so many answers of a host are dots, evenly chosen by rank."""


def latency_box(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw each host's times to first token and to the last one, side by side."""
    sides = spec.subgridspec(1, 2, wspace=0.05)
    first = figure.add_subplot(sides[0, 0])
    last = figure.add_subplot(sides[0, 1], sharey=first)
    first.set_title(panel.title)
    _boxes(first, panel, "ttft")
    _boxes(last, panel, "e2e")
    last.tick_params(labelleft=False)
    first.set_xlabel("time to first token (ms)")
    last.set_xlabel("end to end (ms)")


def throughput(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw each answer's decode speed, or over load steps all streams together."""
    if len(panel.loads) > 1:
        return _over_loads(figure, spec, panel)
    plot = figure.add_subplot(spec)
    plot.set_title(panel.title)
    _boxes(plot, panel, "decode_tps")
    plot.set_xlabel("decode speed of one stream (tokens/s)")
    return None


def host_axis(plot: Axes, panel: Panel) -> None:
    """Give every host a line of the panel, with its name and counts at the left."""
    plot.set_ylim(len(panel.hosts) - 0.45, -0.65)
    plot.set_yticks(
        range(len(panel.hosts)),
        [f"{host.label}\n{host.facts}" for host in panel.hosts],
    )
    plot.grid(visible=False, axis="y")
    plot.tick_params(axis="y", length=0, labelsize=8.5)


def _boxes(plot: Axes, panel: Panel, metric: str) -> None:
    drawn: list[float] = []
    for y, host in enumerate(panel.hosts):
        found = sorted(values(host.rows, metric))
        if found:
            _box(plot, y, host, found)
        else:
            why = _why_nothing(host, metric)
            where = plot.get_yaxis_transform()
            plot.text(0.02, y, why, va="center", size=8.5, color=MUTED, transform=where)
        drawn += found
    host_axis(plot, panel)
    if drawn:
        scale(plot, "x", drawn)
    else:
        plot.set_xticks([])


def _box(plot: Axes, y: int, host: Host, found: Sequence[float]) -> None:
    n = len(found)
    dots = (
        found if n <= DOTS else [found[i * (n - 1) // (DOTS - 1)] for i in range(DOTS)]
    )
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
        plot.plot([middle, middle], [y - 0.27, y + 0.27], color="black", lw=2)
        plot.text(middle, y - 0.31, number(middle), ha="center", va="bottom", size=8.5)


def _over_loads(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    above, middle, below = stack(spec, 2.4, 1.0, legend_height(panel))
    plot = figure.add_subplot(above)
    share = figure.add_subplot(middle, sharex=plot)
    plot.set_title(panel.title)
    known = False
    places = {step: n for n, step in enumerate(panel.loads)}
    for host in panel.hosts:
        steps = sorted(summarise(host.rows), key=lambda each: places[each.step])
        at = [places[each.step] for each in steps]
        look: Any = {"color": host.colour, "marker": host.marker, "markersize": 5}
        rates = [np.nan if s.system_tps is None else s.system_tps for s in steps]
        oks = [s.tally.success_share for s in steps]
        known = known or not all(np.isnan(rates))
        plot.plot(at, rates, ls=host.line, **look)
        share.plot(
            at, [np.nan if ok is None else ok for ok in oks], ls=host.line, **look
        )
    plot.set_ylabel("all streams (tokens/s)")
    plot.set_ylim(bottom=0)
    plot.tick_params(labelbottom=False)
    if not known:
        empty(plot, "no token counts: no request was ok, or no host stated usage")
    share.set_ylim(-0.05, 1.1)
    share.yaxis.set_major_formatter(PERCENT)
    share.set_yticks([0, 0.5, 1])
    share.set_ylabel("ok")
    share.set_xticks(range(len(places)), list(panel.loads.values()))
    share.set_xlim(-0.3, len(places) - 0.7)
    share.set_xlabel("load step")
    legend(figure, below, panel)


def _why_nothing(host: Host, metric: str) -> str:
    if not host.rows:
        return "no measured request"
    if not host.counts.n_ok:
        return "no request was ok"
    return "not streamed" if metric == "ttft" else "no token times"
