"""Long runs and probes: by the hour of the week, and day by day."""

import datetime as dt
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import (
    LinearSegmentedColormap,
)
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.patches import Patch

from compare.judge.frame import Bools, Floats
from compare.judge.periods import (
    DAY_S,
    HOUR_S,
    Periods,
    began,
    by_period,
    midnight_before,
    moments,
    periods_of,
)
from compare.judge.stats import share_intervals
from compare.show.panel import Panel
from compare.show.parts import empty, host_axis, joined, stack, why_nothing
from compare.show.subject import Subject
from compare.show.theme import Theme

CELLS = 92
"""A calendar of more days has a cell a week."""

WIDE = 0.1
"""A success share whose interval is wider is of too few requests to lean on."""

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


def calendar(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw which share of each day's (or hour's) requests was ok, host by host."""
    above, below = stack(spec, 0.5 + 0.42 * len(panel.hosts), 0.3)
    plot = figure.add_subplot(above)
    plot.set_title(panel.title)
    key_of(figure, below, panel.theme)
    begun = began(panel.subject.run.started_at)
    at, why = _moments(panel), lacks_span(panel.subject, 0.0, "")
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
    _overall(plot, panel)
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


def thin(found: Periods) -> Bools:
    """Tell of which periods the success share's 95 % interval is wider than `WIDE`."""
    ends = share_intervals(found.n_ok, found.n)
    with np.errstate(invalid="ignore"):
        return np.asarray(ends[:, 1] - ends[:, 0] > WIDE)


def lacks_hours(subject: Subject) -> str | None:
    """Return why a run says nothing of availability in the course of time."""
    return lacks_span(subject, 2 * HOUR_S, "two hours")


def lacks_span(subject: Subject, least: float, words: str) -> str | None:
    """Return why a run does not span `least` seconds, which are `words`."""
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


def classed(shares: Floats) -> Floats:
    """Return the number of each share's class, NaN where there is none."""
    least = np.array(list(SHARES.values()))
    classes = np.argmax(shares[:, None] >= least[None, :], axis=1)
    return np.where(np.isnan(shares), np.nan, classes)


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
    looks = looks_of(theme)
    rare = thin(found)
    for x, place in enumerate(classed(found.success)):
        if np.isnan(place):
            plot.plot(x + 0.5, y, ".", color=theme.edge, markersize=2)
        else:
            height = 0.25 if rare[x] else 0.7
            plot.barh(y, 0.96, left=x + 0.02, height=height, **looks[int(place)])


def _overall(plot: Axes, panel: Panel) -> None:
    """Write each host's whole success share with its interval at the right."""
    side = plot.twinx()
    side.set_ylim(plot.get_ylim())
    texts = [host.share.replace(" (", "\n(") for host in panel.hosts]
    side.set_yticks(range(len(texts)), texts, size=8)
    side.tick_params(axis="y", length=0)
    side.grid(visible=False)
    side.spines[:].set_visible(False)


def looks_of(theme: Theme) -> list[dict[str, Any]]:
    """Return how each class of the calendar looks: darker and denser is worse."""
    hatches = ("", "..", "///", "xxx", "xxxx", "")
    scale = LinearSegmentedColormap.from_list("ok", [theme.fine, theme.bad[0]])
    found = [
        {"facecolor": scale(k / 5), "edgecolor": theme.paper, "hatch": hatch, "lw": 0.3}
        for k, hatch in enumerate(hatches)
    ]
    found[-1]["facecolor"] = theme.ink
    return found


def key_of(
    figure: Figure, spec: SubplotSpec, theme: Theme, rare: Patch | None = None
) -> None:
    """List the classes of success shares; a map has the hatch of `rare` alone."""
    axes = figure.add_subplot(spec)
    axes.axis("off")
    keys = [
        Patch(label=words, **(look if rare is None else {**look, "hatch": ""}))
        for words, look in zip(SHARES, looks_of(theme), strict=True)
    ]
    if rare is not None:
        rare.set_label("wide interval")
        keys.append(rare)
    axes.legend(handles=keys, title="ok:", loc="upper left", ncols=7, borderaxespad=0,
                handlelength=1.4, columnspacing=1.1)  # fmt: skip


def _dates(
    begun: dt.datetime, first: float, each: float, n: int
) -> tuple[list[float], list[str]]:
    """Return some ticks at starts of cells, with their dates or hours."""
    form, most = ("%d %b %H:00", 5) if each == HOUR_S else ("%d %b", 8)
    every = max(1, -(-n // most))
    places = list(range(0, n, every))
    texts = [
        (begun + dt.timedelta(seconds=first + each * k)).strftime(form) for k in places
    ]
    return [float(k) for k in places], texts
