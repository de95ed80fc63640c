"""What changed with time."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from compare.judge.frame import Floats
from compare.show.panel import Host, Panel
from compare.show.parts import (
    empty,
    joined,
    legend,
    legend_height,
    scale,
    stack,
    why_nothing,
)

RASTER = 3000
"""More points than this are one image inside an SVG or PDF, which stays small."""


def over_time(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw each request's time to first token when it was sent, and each failure."""
    bad = [host for host in panel.hosts if host.counts.n_failed]
    heights = (2.6, failed_height(panel), legend_height(panel))
    above, middle, below = stack(spec, *heights)
    plot, strip = figure.add_subplot(above), figure.add_subplot(middle)
    plot.set_title(panel.title)
    legend(figure, below, panel)
    ends = _moments(panel)
    drawn = [_dots_over_time(plot, panel, host) for host in panel.hosts]
    found = joined(drawn)
    if len(found):
        scale(plot, "y", found)
        plot.set_ylabel("time to first token (ms)")
        plot.tick_params(labelbottom=False)
        plot.set_xlim(*ends)
    else:
        empty(plot, why_nothing(panel.hosts, "ttft"), panel.theme)
    for y, host in enumerate(bad):
        failed = panel.frame.judged[host.rows] & ~panel.frame.ok[host.rows]
        at = _moment(panel, host)[failed]
        strip.plot(at, np.full(len(at), y), "x", color=host.colour, markersize=5)
    strip.set_xlim(*ends)
    strip.set_ylim(len(bad) - 0.4, -0.6)
    strip.set_yticks(
        range(len(bad)), [f"{h.label}\n{h.counts.n_failed:,} failed" for h in bad]
    )
    strip.tick_params(axis="y", labelsize=8)
    strip.spines["left"].set_visible(bool(bad))
    strip.set_xlabel("seconds since the run's start" + ("" if bad else " (no failure)"))


def failed_height(panel: Panel) -> float:
    """Return the inches that the failures of `over_time` take."""
    return 0.12 + 0.36 * sum(host.counts.n_failed > 0 for host in panel.hosts)


def _dots_over_time(plot: Axes, panel: Panel, host: Host) -> Floats:
    frame = panel.frame
    ok = host.rows[frame.ok[host.rows]]
    x, y = frame.figures["sent_s"][ok], frame.figures["ttft"][ok]
    known = ~np.isnan(x) & ~np.isnan(y)
    n = int(known.sum())
    plot.scatter(
        x[known],
        y[known],
        s=16 if n < 500 else 7,
        marker=host.marker,
        color=host.colour,
        alpha=0.8 if n * len(panel.hosts) < 300 else 0.5,
        lw=0,
        rasterized=n > RASTER,
    )
    return y[known]


def _moment(panel: Panel, host: Host) -> Floats:
    sent, end = (panel.frame.figures[name][host.rows] for name in ("sent_s", "end_s"))
    return np.where(np.isnan(sent), end, sent)


def _moments(panel: Panel) -> tuple[float, float]:
    found = joined([_moment(panel, host) for host in panel.hosts])
    known = found[~np.isnan(found)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
    room = (high - low) * 0.02 or 1.0
    return float(low - room), float(high + room)
