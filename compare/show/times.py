"""What changed in the course of a run."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from compare.judge.frame import Floats
from compare.judge.periods import Periods, by_period, moments, periods_of
from compare.judge.stats import share_intervals
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
from compare.show.theme import PERCENT

DOTS = 300
"""At most so many answers of a host are dots, every so-manieth."""

PLACES = 300
"""Failures nearer than the width over this are one mark."""

PERIODS = 60
ROW, SHARES = 0.36, 0.8
"""Inches of a host's failures, and of the shares that failed."""

ANSWERS = 20
"""A median is of about so many answers or more, and there are at most `PERIODS`."""

UNITS = ((2 * 86_400.0, 86_400.0, "days"), (2 * 3_600.0, 3_600.0, "hours"),
         (600.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))  # fmt: skip


def over_time(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw times to first token when they were sent, their medians, and failures.

    The line of medians has a gap where no answer came.
    """
    bad = [host for host in panel.hosts if host.counts.n_failed]
    heights = (2.8, 0.12 + ROW * len(bad), *([SHARES] if bad else []))
    above, middle, *under, below = stack(spec, *heights, legend_height(panel))
    plot, strip = figure.add_subplot(above), figure.add_subplot(middle)
    plot.set_title(panel.title)
    legend(figure, below, panel)
    low, high, unit, word = _ends(panel)
    drawn = [_dots(plot, panel, host, unit) for host in panel.hosts]
    found = joined(drawn)
    if len(found):
        for host in panel.hosts:
            _medians(plot, panel, host, (low, high, unit))
        scale(plot, "y", found)
        plot.set_ylabel("time to first token (ms)")
        plot.tick_params(labelbottom=False)
    else:
        empty(plot, why_nothing(panel.hosts, "ttft"), panel.theme)
    for y, host in enumerate(bad):
        at = _failures(panel, host, low, high) / unit
        strip.plot(at, np.full(len(at), y), "x", color=host.colour, markersize=5)
    room = (high - low) * 0.02 or 1.0
    all_axes = [plot, strip] if len(found) else [strip]
    if bad:
        all_axes.append(figure.add_subplot(under[0]))
        for host in bad:
            _failed(all_axes[-1], panel, host, (low, high, unit))
    for axes in all_axes:
        axes.set_xlim((low - room) / unit, (high + room) / unit)
        _breaks(axes, panel, unit)
        axes.tick_params(labelbottom=axes is all_axes[-1])
    _strip(strip, bad)
    words = f"{word} since the run's start"
    all_axes[-1].set_xlabel(words + ("" if bad else " (no failure)"))


def failed_height(panel: Panel) -> float:
    """Return the inches that the failures of `over_time` take."""
    n = sum(host.counts.n_failed > 0 for host in panel.hosts)
    return 0.12 + ROW * n + SHARES * bool(n)


def _strip(strip: Axes, bad: list[Host]) -> None:
    strip.set_ylim(len(bad) - 0.4, -0.6)
    strip.set_yticks(
        range(len(bad)), [f"{h.label}\n{h.counts.n_failed:,} failed" for h in bad]
    )
    strip.tick_params(axis="y", labelsize=8)
    strip.spines["left"].set_visible(bool(bad))


def _ends(panel: Panel) -> tuple[float, float, float, str]:
    """Return the first and last moment in s, and the unit of the axis with its name."""
    found = joined([moments(panel.frame, host.rows) for host in panel.hosts])
    known = found[~np.isnan(found)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    unit, word = next((u, w) for least, u, w in UNITS if high - low >= least)
    return low, high, unit, word


def _dots(plot: Axes, panel: Panel, host: Host, unit: float) -> Floats:
    """Draw some answers as dots, and return the times of all."""
    frame = panel.frame
    ok = host.rows[frame.ok[host.rows]]
    x, y = frame.figures["sent_s"][ok], frame.figures["ttft"][ok]
    known = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[known], y[known]
    some = slice(None, None, max(1, -(-len(y) // DOTS)))
    few = len(y[some]) * len(panel.hosts) < 300
    plot.scatter(x[some] / unit, y[some], s=16 if few else 6, marker=host.marker,
                 color=host.colour, alpha=0.7 if few else 0.3, lw=0)  # fmt: skip
    return y


def _medians(
    plot: Axes, panel: Panel, host: Host, span: tuple[float, float, float]
) -> None:
    """Draw a host's medians of equal spans of time.

    There is none where answers are too few, or fewer than failures: an outage.
    """
    made = _spans(panel, host, span, host.counts.n_ok)
    if made is None:
        return
    middles, found = made
    values = np.array([m.value for m in found.medians], dtype=np.float64)
    values[found.n_failed > found.n_ok] = np.nan
    lows = np.array([m.low for m in found.medians], dtype=np.float64)
    highs = np.array([m.high for m in found.medians], dtype=np.float64)
    wide = ~np.isnan(values)
    plot.fill_between(middles, lows, highs, where=wide.tolist(), color=host.colour,
                      alpha=0.16, lw=0)  # fmt: skip
    plot.plot(middles, values, color=host.colour, ls=host.line, lw=1.8,
              marker=host.marker, markersize=3)  # fmt: skip


def _failed(
    plot: Axes, panel: Panel, host: Host, span: tuple[float, float, float]
) -> None:
    """Draw which share of a host's requests failed in equal spans of time."""
    plot.yaxis.set_major_formatter(PERCENT)
    plot.set_ylabel("failed", size=8.5)
    made = _spans(panel, host, span, host.counts.n_ok + host.counts.n_failed)
    if made is None:
        return
    middles, found = made
    ends = share_intervals(found.n_failed, found.n)
    wide = (found.n > 0).tolist()
    plot.fill_between(middles, ends[:, 0], ends[:, 1], where=wide, color=host.colour,
                      alpha=0.16, lw=0)  # fmt: skip
    plot.plot(middles, 1 - found.success, color=host.colour, ls=host.line, lw=1.4,
              marker=host.marker, markersize=3)  # fmt: skip
    plot.set_ylim(bottom=0)


def _spans(
    panel: Panel, host: Host, span: tuple[float, float, float], n_requests: int
) -> tuple[Floats, Periods] | None:
    """Return the middles of equal spans of time and what became of requests in them.

    None where requests are too few for two spans.
    """
    low, high, unit = span
    n = min(PERIODS, n_requests // ANSWERS)
    if n < 2 or high <= low:
        return None
    each = (high - low) / n
    period = periods_of(moments(panel.frame, host.rows), low, each)
    period = np.minimum(period, n - 1)  # the last moment ends the last span
    middles = (low + each * (np.arange(n, dtype=np.float64) + 0.5)) / unit
    found = by_period(panel.frame, host.rows, period, n, "ttft")
    return np.asarray(middles, dtype=np.float64), found


def _failures(panel: Panel, host: Host, low: float, high: float) -> Floats:
    """Return when requests failed, one moment for those too near to tell apart."""
    frame = panel.frame
    at = moments(frame, host.rows)[frame.judged[host.rows] & ~frame.ok[host.rows]]
    at = np.sort(at[~np.isnan(at)])
    if len(at) <= PLACES:
        return at
    place = np.floor((at - low) / (high - low) * PLACES)
    return at[np.diff(place, prepend=-1) > 0]


def _breaks(axes: Axes, panel: Panel, unit: float) -> None:
    """Shade the times in which the run was not sending."""
    for begun, ended in panel.frame.breaks:
        axes.axvspan(begun / unit, ended / unit, color=panel.theme.grid, alpha=0.6,
                     lw=0, zorder=0)  # fmt: skip
