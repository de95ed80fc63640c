"""What load does: speed of single streams, and of all of them over the load steps."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import NullFormatter, NullLocator

from compare.judge.knee import knee
from compare.judge.sample import Goodput, goodput
from compare.judge.stats import Quantile, share_interval
from compare.judge.summary import Summary
from compare.show.boxes import boxes
from compare.show.panel import Host, Panel
from compare.show.parts import (
    Plain,
    below_it,
    empty,
    foot_height,
    legend,
    legend_height,
    stack,
)
from compare.show.theme import PERCENT
from compare.show.words import number

HEIGHTS = (1.7, 1.7, 1.7, 1.0)


class Point(msgspec.Struct, frozen=True):
    """One host at one load step."""

    at: float
    step: int | None
    summary: Summary
    good: Goodput


def throughput(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw each answer's decode speed, or what all streams reach over load steps."""
    if len(panel.steps) > 1:
        return _over_loads(figure, spec, panel)
    plot = figure.add_subplot(spec)
    plot.set_title(panel.title)
    boxes(plot, panel, "decode_tps")
    return None


def throughput_height(panel: Panel) -> float:
    """Return the inches that a panel of throughput takes."""
    if len(panel.steps) > 1:
        return 0.5 + sum(HEIGHTS) + _words_height(panel) + legend_height(panel)
    return 0.85 + 0.5 * len(panel.hosts)


def knee_of(points: Sequence[Point]) -> Point | None:
    """Return the step at which a host's good answers over their time are the most."""
    found = knee(
        [point.good.per_s for point in points],
        [point.summary.e2e_p50.value for point in points],
    )
    return None if found is None else points[found]


def _words_height(panel: Panel) -> float:
    return foot_height(["knee"] * len(panel.hosts))


def _over_loads(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    *places, words, below = stack(
        spec, *HEIGHTS, _words_height(panel), legend_height(panel)
    )
    plots: list[Axes] = []
    for place in places:
        plots.append(figure.add_subplot(place, sharex=plots[0] if plots else None))
    tokens, good, first, share = plots
    tokens.set_title(panel.title)
    told = []
    for host in panel.hosts:
        points = points_of(panel, host)
        best = knee_of(points)
        told.append(_told(panel, host, best))
        _line(tokens, host, points, [p.summary.system_tps for p in points])
        _line(good, host, points, [p.good.per_s for p in points])
        if best is not None and best.good.per_s is not None:
            good.plot(best.at, best.good.per_s, "o", mfc="none", mec=panel.theme.ink,
                      markersize=12)  # fmt: skip
        _times(first, host, points)
        _shares(share, host, points)
    _finish(panel, plots)
    below_it(figure, words, told, panel.theme)
    legend(figure, below, panel)


def points_of(panel: Panel, host: Host) -> list[Point]:
    """Return a host's points of a scenario, by rising load."""
    subject, places = panel.subject, _places(panel)
    found = []
    for segment in panel.segments:
        summary = subject.summaries.get((segment, host.name))
        if summary is not None:
            rows = panel.frame.rows(segment, host.name)
            good = summary.goodput or goodput(panel.frame, rows, subject.objectives)
            found.append(Point(places[segment.step], segment.step, summary, good))
    return sorted(found, key=lambda point: point.at)


def _places(panel: Panel) -> dict[int | None, float]:
    """Return where each load step stands: at its amount, or else in order."""
    amounts = [step.amount for step in panel.steps.values()]
    if all(amounts) and len(set(amounts)) == len(amounts):
        return {n: float(step.amount or 0) for n, step in panel.steps.items()}
    return {n: place for place, n in enumerate(panel.steps, 1)}


def _line(
    plot: Axes, host: Host, points: Sequence[Point], ys: Sequence[float | None]
) -> None:
    known = np.array(ys, dtype=np.float64)
    look: Any = {"color": host.colour, "marker": host.marker, "markersize": 5}
    plot.plot([point.at for point in points], known, ls=host.line, **look)


def _times(plot: Axes, host: Host, points: Sequence[Point]) -> None:
    medians: list[Quantile] = [point.summary.ttft_p50 for point in points]
    _line(plot, host, points, [each.value for each in medians])
    for point, each in zip(points, medians, strict=True):
        if each.low is not None and each.high is not None:
            plot.plot([point.at] * 2, [each.low, each.high], color=host.colour, lw=1)


def _shares(plot: Axes, host: Host, points: Sequence[Point]) -> None:
    _line(plot, host, points, [p.summary.tally.success_share for p in points])
    for point in points:
        counts = point.summary.tally
        low, high = share_interval(counts.n_ok, counts.n_ok + counts.n_failed)
        if low is not None and high is not None:
            plot.plot([point.at] * 2, [low, high], color=host.colour, lw=1)


def _finish(panel: Panel, plots: Sequence[Axes]) -> None:
    tokens, good, first, share = plots
    tokens.set_ylabel("all streams\n(tokens/s)")
    limits = panel.subject.objectives
    good.set_ylabel("good answers/s" if limits else "ok answers/s")
    first.set_ylabel("TTFT, median\n(ms)")
    share.set_ylabel("ok")
    for plot in (tokens, good, first):
        if any(np.isfinite(line.get_ydata()).any() for line in plot.lines):
            plot.set_ylim(0, 1.1 * plot.get_ylim()[1])  # room for a ring
            plot.yaxis.set_major_formatter(Plain())
            plot.tick_params(labelbottom=False)
        else:
            empty(plot, _why(plot is tokens), panel.theme)
    share.set_ylim(-0.05, 1.1)
    share.yaxis.set_major_formatter(PERCENT)
    share.set_yticks([0, 0.5, 1])
    places = _places(panel)
    share.set_xscale("log")
    share.xaxis.set_minor_locator(NullLocator())
    share.xaxis.set_minor_formatter(NullFormatter())
    units = {step.unit for step in panel.steps.values()}
    unit = units.pop() if len(units) == 1 else ""
    names = [
        f"{step.amount:g}" if unit and step.amount else step.label
        for step in panel.steps.values()
    ]
    share.set_xticks(list(places.values()), names)
    share.set_xlim(min(places.values()) / 1.15, max(places.values()) * 1.15)
    share.set_xlabel(f"load: {unit}" if unit else "load step")


def _why(tokens: bool) -> str:
    if tokens:
        return "no token counts: no request was ok, or no host stated usage"
    return "too few answers, or none"


def _told(panel: Panel, host: Host, best: Point | None) -> str:
    if best is None or best.good.per_s is None:
        return f"{host.label}: no knee within this sweep"
    step = panel.steps[best.step]
    rate = number(best.good.per_s)
    return f"{host.label}: knee at {step.label}, {rate} answers/s (ringed)"
