"""Times host by host: boxes of single answers, and percentiles with their intervals."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from compare.judge.frame import Floats
from compare.judge.stats import Quantile, adjusted, floor_of, percentile, quantile
from compare.show.panel import Host, Panel
from compare.show.parts import AXES, host_axis, joined, scale, why_nothing
from compare.show.theme import Theme
from compare.show.words import number

DOTS = 200
"""At most so many answers of a host are dots, evenly chosen by rank."""

PERCENTILES = {0.5: "p50", 0.9: "p90", 0.95: "p95", 0.99: "p99"}


def latency_box(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw each host's times to first token and to the last one, side by side."""
    for plot, metric in zip(_sides(figure, spec, panel), ("ttft", "e2e"), strict=True):
        boxes(plot, panel, metric)


def percentiles(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw percentiles of both times with their intervals, or which have too few."""
    for plot, metric in zip(_sides(figure, spec, panel), ("ttft", "e2e"), strict=True):
        _percentiles(plot, panel, metric)


def boxes(plot: Axes, panel: Panel, metric: str) -> None:
    """Draw a metric's answers as dots and, from their floors on, as boxes."""
    found = [panel.values(host, metric) for host in panel.hosts]
    for y, (host, values) in enumerate(zip(panel.hosts, found, strict=True)):
        if len(values):
            _box(plot, y, host, values, panel.theme.ink)
        else:
            _nothing(plot, y, host, metric, panel.theme)
    _finish(plot, panel, metric, joined(found))


def _sides(figure: Figure, spec: SubplotSpec, panel: Panel) -> tuple[Axes, Axes]:
    sides = spec.subgridspec(1, 2, wspace=0.05)
    first = figure.add_subplot(sides[0, 0])
    last = figure.add_subplot(sides[0, 1], sharey=first)
    first.set_title(panel.title)
    last.tick_params(labelleft=False)
    return first, last


def _nothing(plot: Axes, y: int, host: Host, metric: str, theme: Theme) -> None:
    why, where = why_nothing([host], metric), plot.get_yaxis_transform()
    plot.text(0.02, y, why, va="center", size=8.5, color=theme.muted, transform=where)


def _finish(plot: Axes, panel: Panel, metric: str, drawn: Floats) -> None:
    left = plot.yaxis.get_tick_params()["labelleft"]
    host_axis(plot, panel)
    plot.tick_params(labelleft=left)
    plot.set_xlabel(AXES[metric])
    if len(drawn):
        scale(plot, "x", drawn, narrow=metric != "decode_tps")
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
        middle, each = percentile(found, 0.5), quantile(found, 0.5)
        if each.low is not None and each.high is not None:
            plot.plot([each.low, each.high], [y - 0.27] * 2, color=ink, lw=1.4)
        plot.plot([middle, middle], [y - 0.27, y + 0.27], color=ink, lw=2)
        plot.text(middle, y - 0.31, number(middle), ha="center", va="bottom", size=8.5)


def _percentiles(plot: Axes, panel: Panel, metric: str) -> None:
    drawn: list[float] = []
    for y, host in enumerate(panel.hosts):
        values = panel.values(host, metric)
        if not len(values):
            _nothing(plot, y, host, metric, panel.theme)
            continue
        for n, (q, name) in enumerate(PERCENTILES.items()):
            at = y + 0.2 * (n - 1.5)
            found = quantile(values, q)
            worse = adjusted(values, host.counts.n_failed, q)
            far = worse.value if host.counts.n_failed and found.value else None
            if far is not None:
                plot.plot(far, at, host.marker, color=host.colour,
                          mfc=panel.theme.paper, markersize=5, zorder=1.8)  # fmt: skip
            drawn += _percentile(plot, at, host, (name, far), found, panel.theme)
    _finish(plot, panel, metric, np.array(drawn))
    if drawn:
        _room_at_the_right(plot)


def _percentile(
    plot: Axes,
    y: float,
    host: Host,
    named: tuple[str, float | None],
    found: Quantile,
    theme: Theme,
) -> list[float]:
    """Draw one percentile, and return what its axis must reach.

    `named` has its name, and where it is with failures counted, or None.
    """
    name, far = named
    if found.value is None:
        where = plot.get_yaxis_transform()
        told = f"{name} {found.text()}"
        plot.text(0.99, y, told, ha="right", va="center", size=7.5, color=theme.muted,
                  transform=where)  # fmt: skip
        return []
    low = found.value if found.low is None else found.low
    high = found.value if found.high is None else found.high
    look = {"color": host.colour, "lw": 1.4}
    plot.plot([low, high], [y, y], **look)  # type: ignore[arg-type]
    plot.plot(found.value, y, host.marker, color=host.colour, markersize=4.5)
    if found.high is None:  # not bounded above
        plot.plot(high, y, ">", color=host.colour, markersize=4)
    end = high if far is None else max(high, far)
    plot.annotate(f"{name} {number(found.value)}", (end, y), xytext=(5, 0),
                  textcoords="offset points", size=7.5, va="center",
                  color=theme.ink)  # fmt: skip
    return [low, end]


def _room_at_the_right(plot: Axes) -> None:
    """Widen an axis so that words behind the last mark stand inside it."""
    low, high = plot.get_xlim()
    log = plot.get_xscale() == "log"
    plot.set_xlim(
        low, high * (high / low) ** 0.35 if log else high + 0.35 * (high - low)
    )
