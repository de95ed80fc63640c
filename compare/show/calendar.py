"""Long runs and probes: by the hour of the week, and day by day."""

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

from compare.judge.frame import Floats
from compare.judge.periods import (
    DAY_S,
    HOUR_S,
    Periods,
    began,
    by_period,
    hours_of_week,
    midnight_before,
    moments,
    periods_of,
)
from compare.judge.stats import floor_of
from compare.show.panel import Host, Panel
from compare.show.parts import empty, host_axis, joined, stack, why_nothing
from compare.show.subject import Subject
from compare.show.theme import Theme

WEEK = 168
TOO_FEW = f"no hour has {floor_of(0.5)} answers yet"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CELLS = 92
"""A calendar of more days has a cell a week."""

SHARES = {
    "100 %": 1.0,
    "≥ 99.9 %": 0.999,
    "≥ 99 %": 0.99,
    "≥ 95 %": 0.95,
    "≥ 90 %": 0.9,
    "< 90 %": 0.0,
}
"""The classes of success shares, best first, with the least share of each."""


LAST_YEAR, LONGEST = 9_000, 10 * 366 * DAY_S
"""Beyond these a file from elsewhere holds no moments that a calendar could show."""


def hour_of_week(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw the median time to first token, and what was ok, by hour of the week."""
    n = len(panel.hosts)
    above, below = stack(spec, 0.4 + 1.15 * n, 0.3)
    grid = above.subgridspec(n, 3, width_ratios=(1, 1, 0.04), wspace=0.03, hspace=0.05)
    _key(figure, below, panel.theme)
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
        _map(right, _classed(found[row].success), *_classes(panel.theme), panel.theme)
        left.set_ylabel(f"{host.label}\n{host.facts}", size=7.5)
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


def calendar(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw which share of each day's (or hour's) requests was ok, host by host."""
    above, below = stack(spec, 0.5 + 0.42 * len(panel.hosts), 0.3)
    plot = figure.add_subplot(above)
    plot.set_title(panel.title)
    _key(figure, below, panel.theme)
    begun = began(panel.subject.run.started_at)
    at, why = _moments(panel), _lacks(panel.subject, 0.0, "")
    if begun is None or why or not len(at):
        return empty(plot, why or why_nothing(panel.hosts, "e2e"), panel.theme)
    first, each, n = _cells(begun, at)
    asked = []
    for y, host in enumerate(panel.hosts):
        period = periods_of(moments(panel.frame, host.rows), first, each)
        found = by_period(panel.frame, host.rows, period, n, "e2e")
        asked += [int(count) for count in found.n if count]
        _row(plot, y, found, panel.theme)
    host_axis(plot, panel)
    plot.set_xlim(0, n)
    plot.set_xticks(*_dates(begun, first, each, n))
    plot.grid(visible=False)
    words = {HOUR_S: "an hour", DAY_S: "a day"}.get(each, "a week")
    usual = f"; requests in the median one: {np.median(asked):,.0f}" if asked else ""
    plot.set_xlabel(f"one cell {words} (UTC){usual}")
    return None


def calendar_height(panel: Panel) -> float:
    """Return the inches that a panel of the calendar takes."""
    return 1.2 + 0.42 * len(panel.hosts)


def lacks_a_day(subject: Subject) -> str | None:
    """Return why a run says nothing of the hours of the week."""
    return _lacks(subject, DAY_S, "a day")


def lacks_hours(subject: Subject) -> str | None:
    """Return why a run says nothing of availability in the course of time."""
    return _lacks(subject, 2 * HOUR_S, "two hours")


def _lacks(subject: Subject, least: float, words: str) -> str | None:
    begun = began(subject.run.started_at)
    if begun is None or begun.year > LAST_YEAR:
        return "when the run started is not known"
    lasted = _lasted(subject)
    if lasted > LONGEST:
        return "its moments span more than ten years"
    return None if lasted >= least else f"the run lasted less than {words}"


def _lasted(subject: Subject) -> float:
    """Return the seconds from the first request to the last."""
    at = moments(subject.frame, np.arange(len(subject.frame)))
    known = at[~np.isnan(at)]
    return float(known.max() - known.min()) if len(known) else 0.0


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


def _classed(shares: Floats) -> Floats:
    """Return the number of each share's class, NaN where there is none."""
    least = np.array(list(SHARES.values()))
    classes = np.argmax(shares[:, None] >= least[None, :], axis=1)
    return np.where(np.isnan(shares), np.nan, classes)


def _classes(theme: Theme) -> tuple[ListedColormap, Normalize]:
    """Return the colours of the classes of success shares, by their numbers."""
    colours = [look["facecolor"] for look in _looks(theme)]
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


def _moments(panel: Panel) -> Floats:
    found = [moments(panel.frame, host.rows) for host in panel.hosts]
    at = joined(found)
    return at[~np.isnan(at)]


def _cells(begun: dt.datetime, at: Floats) -> tuple[float, float, int]:
    """Return where the first cell begins (s from the start), its length, how many."""
    first = midnight_before(begun)
    span = float(at.max()) - first
    each = DAY_S if span > 3 * DAY_S else HOUR_S
    if span > CELLS * DAY_S:
        each, first = 7 * DAY_S, first - begun.weekday() * DAY_S
    first += np.floor((float(at.min()) - first) / each) * each
    return first, each, int((float(at.max()) - first) // each) + 1


def _row(plot: Axes, y: int, found: Periods, theme: Theme) -> None:
    looks = _looks(theme)
    for x, place in enumerate(_classed(found.success)):
        if np.isnan(place):
            plot.plot(x + 0.5, y, ".", color=theme.edge, markersize=2)
        else:
            plot.barh(y, 0.96, left=x + 0.02, height=0.7, **looks[int(place)])


def _looks(theme: Theme) -> list[dict[str, Any]]:
    """Return how each class of the calendar looks: darker and denser is worse."""
    hatches = ("", "..", "///", "xxx", "xxxx", "")
    scale = LinearSegmentedColormap.from_list("ok", [theme.fine, theme.bad[0]])
    found = [
        {"facecolor": scale(k / 5), "edgecolor": theme.paper, "hatch": hatch, "lw": 0.3}
        for k, hatch in enumerate(hatches)
    ]
    found[-1]["facecolor"] = theme.ink
    return found


def _key(figure: Figure, spec: SubplotSpec, theme: Theme) -> None:
    axes = figure.add_subplot(spec)
    axes.axis("off")
    keys = [
        Patch(label=words, **look)
        for words, look in zip(SHARES, _looks(theme), strict=True)
    ]
    axes.legend(handles=keys, title="ok:", loc="upper left", ncols=6, borderaxespad=0,
                handlelength=1.4, columnspacing=1.2)  # fmt: skip


def _dates(
    begun: dt.datetime, first: float, each: float, n: int
) -> tuple[list[float], list[str]]:
    """Return at most eight ticks at starts of cells, with their dates or hours."""
    every = max(1, -(-n // 8))
    form = "%d %b %H:00" if each == HOUR_S else "%d %b"
    places = list(range(0, n, every))
    texts = [
        (begun + dt.timedelta(seconds=first + each * k)).strftime(form) for k in places
    ]
    return [float(k) for k in places], texts
