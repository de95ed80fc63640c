"""Long runs and probes by the hour of the week."""

import datetime as dt
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import (
    LinearSegmentedColormap,
    ListedColormap,
    LogNorm,
    Normalize,
)
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from compare.judge.frame import Bools, Floats
from compare.judge.periods import (
    DAY_S,
    Periods,
    began,
    by_period,
    hours_of_week,
    moments,
)
from compare.judge.stats import floor_of
from compare.show.calendar import SHARES, classed, key_of, lacks_span, looks_of, thin
from compare.show.panel import Host, Panel
from compare.show.parts import empty, joined, stack, why_nothing
from compare.show.subject import Subject
from compare.show.theme import Theme

WEEK = 168
TOO_FEW = f"no hour has {floor_of(0.5)} answers yet"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
RARE = "////"
"""The hatch of hours whose interval is wide."""


def hour_of_week(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw the median time to first token, and what was ok, by hour of the week."""
    n = len(panel.hosts)
    above, below = stack(spec, 0.4 + 1.15 * n, 0.3)
    grid = above.subgridspec(n, 3, width_ratios=(1, 1, 0.04), wspace=0.03, hspace=0.05)
    rare = Patch(fc=panel.theme.paper, ec=panel.theme.ink, hatch=RARE, lw=0.3)
    key_of(figure, below, panel.theme, rare)
    begun = began(panel.subject.run.started_at)
    found = [_by_hour(panel, host, begun) for host in panel.hosts] if begun else []
    medians = [_medians(each) for each in found]
    known = joined(medians)
    known = known[~np.isnan(known)]
    colours = _scale(panel.theme)
    norm = _norm(known)
    for row, host in enumerate(panel.hosts):
        left = figure.add_subplot(grid[row, 0])
        if not row:
            left.set_title(panel.title)
        if not found or not found[row].n.any():
            empty(left, f"{host.label}: {why_nothing([host], 'ttft')}", panel.theme)
            continue
        right = figure.add_subplot(grid[row, 1], sharey=left)
        _map(left, medians[row], colours, norm, panel.theme)
        if np.isnan(medians[row]).all():
            left.text(0.5, 0.5, TOO_FEW, ha="center", va="center", size=8,
                      color=panel.theme.muted, transform=left.transAxes)  # fmt: skip
        _map(right, classed(found[row].success), *_classes(panel.theme), panel.theme)
        _hatch(left, loose(found[row]), panel.theme)
        _hatch(right, thin(found[row]), panel.theme)
        each = f"{found[row].n.min():,} to {found[row].n.max():,} an hour"
        left.set_ylabel(f"{host.label}\n{host.facts}\n{each}", size=7)
        right.tick_params(labelleft=False)
        last = row == n - 1
        left.set_xlabel("median time to first token (hour, UTC)" if last else "")
        right.set_xlabel("ok (hour, UTC)" if last else "")
        for axes in (left, right):
            axes.tick_params(labelbottom=last)
    if len(known):
        _bar(figure, grid[:, 2], colours, norm)


def hour_of_week_height(panel: Panel) -> float:
    """Return the inches that a panel of hours of the week takes."""
    return 1.0 + 1.15 * max(len(panel.hosts), 1)


def loose(found: Periods) -> Bools:
    """Tell of which periods the median's 95 % interval is wider than half of it."""
    return np.array(
        [
            each.value is not None
            and (each.low is None or each.high is None
                 or each.high - each.low > each.value / 2)
            for each in found.medians
        ]
    )  # fmt: skip


def lacks_a_day(subject: Subject) -> str | None:
    """Return why a run says nothing of the hours of the week."""
    return lacks_span(subject, DAY_S, "a day")


def _by_hour(panel: Panel, host: Host, begun: dt.datetime) -> Periods:
    hours = hours_of_week(moments(panel.frame, host.rows), begun)
    return by_period(panel.frame, host.rows, hours, WEEK, "ttft")


def _medians(found: Periods) -> Floats:
    return np.array([each.value for each in found.medians], dtype=np.float64)


def _scale(theme: Theme) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list("times", [theme.pale, theme.deep])


def _norm(known: Floats) -> Normalize:
    if not len(known):
        return Normalize(0, 1)
    low, high = float(known.min()), float(known.max())
    if low > 0 and high > 3 * low:
        return LogNorm(low, high)
    return Normalize(low, high if high > low else low + 1)


def _classes(theme: Theme) -> tuple[ListedColormap, Normalize]:
    """Return the colours of the classes of success shares, by their numbers."""
    colours = [look["facecolor"] for look in looks_of(theme)]
    return ListedColormap(colours), Normalize(-0.5, len(SHARES) - 0.5)


def _map(
    axes: Axes, values: Floats, colours: Any, norm: Normalize, theme: Theme
) -> None:
    """Draw a week as seven lines of 24 hours; hatched where there are too few."""
    axes.set_facecolor(theme.paper)
    axes.pcolormesh(np.arange(25), np.arange(8), values.reshape(7, 24), cmap=colours,
                    norm=norm, edgecolors=theme.paper, linewidth=0.4)  # fmt: skip
    axes.set_ylim(7, 0)
    axes.set_xlim(0, 24)
    axes.set_yticks(np.arange(7) + 0.5, DAYS, size=7)
    axes.set_xticks([0, 6, 12, 18, 24])
    axes.tick_params(length=0)
    axes.grid(visible=False)


def _hatch(axes: Axes, where: Bools, theme: Theme) -> None:
    """Hatch hours of the week."""
    hours = np.ma.masked_where(~where, np.ones(WEEK)).reshape(7, 24)
    axes.pcolor(np.arange(25), np.arange(8), hours, cmap=ListedColormap(["none"]),
                hatch=RARE, edgecolor=theme.ink, linewidth=0)  # fmt: skip


def _bar(figure: Figure, spec: SubplotSpec, colours: Any, norm: Normalize) -> None:
    axes = figure.add_subplot(spec)
    bar = figure.colorbar(ScalarMappable(norm, colours), cax=axes)
    bar.set_label("ms", size=8)
    low, high = norm.vmin or 0.0, norm.vmax or 1.0
    if isinstance(norm, LogNorm):
        bar.set_ticks(list(np.geomspace(low, high, 4)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:,.0f}"))
    axes.tick_params(labelsize=7.5)
