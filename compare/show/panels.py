"""Curves, bars and points: what most charts draw for one scenario and load step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from compare.judge.summary import summarise
from compare.judge.tally import fate, value, values
from compare.show.boxes import host_axis
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
from data.row import Timing
from providers.outcome import Outcome

RASTER = 3000
"""More points than this are one image inside an SVG or PDF, which stays small."""

_FAILED = ("#D55E00", "#CC79A7", "#56B4E9", "#E69F00", "#0072B2", "#8c8c8c", "#000000")
_HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\")
_KEYS = 2  # columns of a legend: outcomes have long names
_RANK = {str(outcome): n for n, outcome in enumerate(Outcome)}


def ttft_ecdf(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw which share of requests had their first token by when; failures never do."""
    plot, below = _with_legend(figure, spec, panel)
    plot.set_title(panel.title)
    found = {host.name: sorted(values(host.rows, "ttft")) for host in panel.hosts}
    if not any(found.values()):
        empty(plot, _why_no_first_token(panel))
        return legend(figure, below, panel)
    for host in panel.hosts:
        if xs := found[host.name]:
            _curve(plot, host, xs)
    scale(plot, "x", [x for xs in found.values() for x in xs])
    plot.set_ylim(0, 1.04)
    plot.yaxis.set_major_formatter(PERCENT)
    plot.set_xlabel("time to first token (ms)")
    plot.set_ylabel("requests answered by then")
    return legend(figure, below, panel)


def cost_speed(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw what 1,000 requests cost against how long the median one takes."""
    above, below = stack(spec, 3.2, cost_foot(panel))
    plot, foot = figure.add_subplot(above), figure.add_subplot(below)
    plot.set_title(panel.title)
    foot.axis("off")
    points, missing = _cost_points(panel)
    for n, line in enumerate(missing):
        y = 1 - 0.19 * n / cost_foot(panel)
        foot.text(0, y, line, va="top", size=9, color=MUTED, transform=foot.transAxes)
    if not points:
        return empty(plot, "no host has both a known cost and a median time")
    for host, x, y in points:
        plot.plot(x, y, host.marker, color=host.colour, markersize=8)
        plot.annotate(
            f"{host.label}\n{host.facts}",
            (x, y),
            xytext=(0, 0),
            textcoords="offset points",
            size=8.5,
            linespacing=1.1,
            arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 0.6},
        ).set_in_layout(False)
    for which, place in (("x", 1), ("y", 2)):
        _around(plot, which, [float(point[place]) for point in points])  # type: ignore[arg-type]
    plot.set_xlabel("USD per 1,000 requests (to the left: cheaper)")
    plot.set_ylabel("end to end, median (ms)\n(lower: faster)")
    return None


def errors(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw what became of every request, host by host, each outcome with its count."""
    seen = _outcomes(panel)
    above, below = stack(spec, 0.6 + 0.55 * len(panel.hosts), outcomes_height(panel))
    plot, foot = figure.add_subplot(above), figure.add_subplot(below)
    plot.set_title(panel.title)
    foot.axis("off")
    if not seen:
        return empty(plot, "no measured request")
    for y, host in enumerate(panel.hosts):
        _stack(plot, y, host, seen)
    host_axis(plot, panel)
    plot.set_xlim(0, 1)
    plot.xaxis.set_major_formatter(PERCENT)
    plot.set_xlabel("share of all requests")
    keys = [Patch(label=outcome, **_look(outcome)) for outcome in seen]
    foot.legend(handles=keys, loc="upper left", ncols=_KEYS, borderaxespad=0)
    return None


def over_time(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw each request's time to first token when it was sent, and each failure."""
    bad = [host for host in panel.hosts if host.counts.n_failed]
    heights = (2.6, failed_height(panel), legend_height(panel))
    above, middle, below = stack(spec, *heights)
    plot, strip = figure.add_subplot(above), figure.add_subplot(middle)
    plot.set_title(panel.title)
    legend(figure, below, panel)
    ends = _moments(panel)
    drawn = [_dots_over_time(plot, host, len(panel.hosts)) for host in panel.hosts]
    if any(drawn):
        scale(plot, "y", [y for ys in drawn for y in ys])
        plot.set_ylabel("time to first token (ms)")
        plot.tick_params(labelbottom=False)
        plot.set_xlim(*ends)
    else:
        empty(plot, _why_no_first_token(panel))
    for y, host in enumerate(bad):
        at = [_moment(row) for row in host.rows if fate(row) == "failed"]
        known = [x for x in at if x is not None]
        strip.plot(known, [y] * len(known), "x", color=host.colour, markersize=5)
    strip.set_xlim(*ends)
    strip.set_ylim(len(bad) - 0.4, -0.6)
    strip.set_yticks(
        range(len(bad)), [f"{h.label}\n{h.counts.n_failed:,} failed" for h in bad]
    )
    strip.tick_params(axis="y", labelsize=8)
    strip.spines["left"].set_visible(bool(bad))
    strip.set_xlabel("seconds since the run's start" + ("" if bad else " (no failure)"))


def outcomes_height(panel: Panel) -> float:
    """Return the inches that the legend of `errors` takes."""
    return 0.1 + 0.2 * -(-len(_outcomes(panel)) // _KEYS)


def failed_height(panel: Panel) -> float:
    """Return the inches that the failures of `over_time` take."""
    return 0.12 + 0.36 * sum(host.counts.n_failed > 0 for host in panel.hosts)


def cost_foot(panel: Panel) -> float:
    """Return the inches that the hosts which `cost_speed` cannot place take."""
    return 0.05 + 0.19 * len(_cost_points(panel)[1])


def _with_legend(
    figure: Figure, spec: SubplotSpec, panel: Panel
) -> tuple[Axes, SubplotSpec]:
    above, below = stack(spec, 2.7, legend_height(panel))
    return figure.add_subplot(above), below


def _curve(plot: Axes, host: Host, xs: Sequence[float]) -> None:
    # Failures are in the denominator: a host that fails never reaches 100 %.
    share = np.arange(len(xs) + 1) / (len(xs) + host.counts.n_failed)
    plot.step(
        [xs[0], *xs], share, where="post", color=host.colour, ls=host.line, lw=1.8
    )
    plot.plot(xs[-1], share[-1], host.marker, color=host.colour, markersize=6)


def _cost_points(panel: Panel) -> tuple[list[tuple[Host, float, float]], list[str]]:
    points: list[tuple[Host, float, float]] = []
    missing: list[str] = []
    for host in panel.hosts:
        found = summarise(host.rows)
        each = found[0] if found else None
        if each is None or each.e2e_p50.value is None:
            why = each.e2e_p50.text() if each else "no request"
            missing.append(f"not shown: {host.label}: {host.facts}; median {why}")
        elif each.cost_per_1k_usd is None:
            why = f"{each.n_unpriced:,} ok requests unpriced"
            missing.append(f"not shown: {host.label}: {host.facts}; {why}")
        else:
            points.append((host, each.cost_per_1k_usd, each.e2e_p50.value))
    return points, missing


def _around(plot: Axes, which: str, found: Sequence[float]) -> None:
    low, high = min(found), max(found)
    room = (high - low) * 0.25 or high * 0.25 or 1.0
    ends = (max(0.0, low - room), high + room)
    (plot.set_xlim if which == "x" else plot.set_ylim)(*ends)
    axis = plot.xaxis if which == "x" else plot.yaxis
    axis.set_major_formatter(FuncFormatter(lambda at, _: number(at)))


def _outcomes(panel: Panel) -> list[str]:
    seen = {outcome for host in panel.hosts for outcome in host.counts.outcomes}
    return sorted(seen, key=lambda outcome: (_RANK.get(outcome, 99), outcome))


def _look(outcome: str) -> dict[str, Any]:
    if outcome == Outcome.OK:
        return {"facecolor": "#bfe3d4", "edgecolor": "#4d8a73"}
    rank = _RANK.get(outcome, 99)
    hatch = _HATCHES[rank // len(_FAILED) % len(_HATCHES)]
    colour = _FAILED[rank % len(_FAILED)]
    return {"facecolor": colour, "edgecolor": "white", "hatch": hatch}


def _stack(plot: Axes, y: int, host: Host, seen: Sequence[str]) -> None:
    counts, left = host.counts, 0.0
    if not counts.n:
        plot.text(0.01, y, "no measured request", va="center", color=MUTED)
        return
    for outcome in seen:
        share = counts.outcomes.get(outcome, 0) / counts.n
        if share:
            plot.barh(y, share, left=left, height=0.42, lw=0.5, **_look(outcome))
        left += share
    listed = [f"{outcome} {n:,}" for outcome, n in counts.outcomes.items()]
    more = f", {len(listed) - 4} other outcomes" if len(listed) > 4 else ""
    text = ", ".join(listed[:4]) + more
    plot.text(0.003, y + 0.23, text, va="top", size=8)


def _dots_over_time(plot: Axes, host: Host, n_hosts: int) -> list[float]:
    found = [
        (row.sent_s, ttft)
        for row in host.rows
        if row.sent_s is not None and (ttft := value(row, "ttft")) is not None
    ]
    plot.scatter(
        [x for x, _ in found],
        [y for _, y in found],
        s=16 if len(found) < 500 else 7,
        marker=host.marker,
        color=host.colour,
        alpha=0.8 if len(found) * n_hosts < 300 else 0.5,
        lw=0,
        rasterized=len(found) > RASTER,
    )
    return [y for _, y in found]


def _moment(row: Timing) -> float | None:
    return row.end_s if row.sent_s is None else row.sent_s


def _moments(panel: Panel) -> tuple[float, float]:
    found = [_moment(row) for host in panel.hosts for row in host.rows]
    known = [at for at in found if at is not None] or [0.0]
    room = (max(known) - min(known)) * 0.02 or 1.0
    return min(known) - room, max(known) + room


def _why_no_first_token(panel: Panel) -> str:
    rows = [row for host in panel.hosts for row in host.rows]
    if not rows:
        return "no measured request"
    if not any(row.outcome == Outcome.OK for row in rows):
        return "no request was ok: see the chart of errors"
    return "no time to first token: the answers were not streamed"
