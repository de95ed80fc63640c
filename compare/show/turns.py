"""A session turn by turn: time to first token, cost, and cache hits."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import MaxNLocator

from compare.judge.frame import Floats, Ints
from compare.judge.stats import quantile
from compare.show.panel import Host, Panel
from compare.show.parts import empty, legend, legend_height, stack
from compare.show.subject import Subject
from compare.show.theme import PERCENT

HEIGHT = 1.7
LEAST = 3
"""Sessions of fewer turns are compared turn by turn elsewhere."""

Figures = Callable[[Panel, Ints], float | None]


def turns(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw by turn the time to first token, the cost and the cache hits of hosts."""
    places = stack(spec, HEIGHT, HEIGHT, HEIGHT, legend_height(panel))
    first = figure.add_subplot(places[0])
    first.set_title(panel.title)
    legend(figure, places[3], panel)
    if lacks_turns_of(panel):
        return empty(first, "no session of three turns or more", panel.theme)
    others = [figure.add_subplot(place, sharex=first) for place in places[1:3]]
    for host in panel.hosts:
        _times(first, host, panel)
        for plot, figures in zip(others, (_cost, _hits), strict=True):
            _line(plot, host, panel, figures)
    first.set_ylabel("TTFT (ms)\n(lower: faster)")
    others[0].set_ylabel("USD a request")
    others[1].set_ylabel("cache hit")
    others[1].set_ylim(-0.04, 1.04)
    others[1].yaxis.set_major_formatter(PERCENT)
    for plot in (first, others[0]):
        plot.set_ylim(bottom=0)
        plot.tick_params(labelbottom=False)
    others[1].set_xlabel("turn of the session")
    others[1].xaxis.set_major_locator(MaxNLocator(10, integer=True))
    return None


def turns_height(panel: Panel) -> float:
    """Return the inches that a panel of turns takes."""
    return 3 * HEIGHT + 0.7 + legend_height(panel)


def lacks_turns(subject: Subject) -> str | None:
    """Return why a run has no sessions to show."""
    known = subject.turns[~np.isnan(subject.turns)]
    if len(known) and known.max() >= LEAST:
        return None
    return "no scenario has sessions of three turns or more"


def lacks_turns_of(panel: Panel) -> bool:
    """Tell whether a panel has no session to show."""
    found = [panel.subject.turns[host.rows] for host in panel.hosts]
    known = np.concatenate([np.zeros(0), *found])
    known = known[~np.isnan(known)]
    return not len(known) or known.max() < LEAST


def _times(plot: Axes, host: Host, panel: Panel) -> None:
    """Draw each answer's time to first token, and medians from 11 answers on."""
    rows = host.rows[panel.frame.ok[host.rows]]
    ttft = panel.frame.figures["ttft"][rows]
    turn = panel.subject.turns[rows]
    shift = 0.12 * (host.number % 5 - 2)
    plot.plot(turn + shift, ttft, host.marker, color=host.colour, ms=2.5, alpha=0.6)
    at, medians = [], []
    for n in np.unique(turn[~np.isnan(turn)]):
        found = quantile(np.sort(_known(ttft[turn == n])), 0.5)
        if found.value is not None:
            at.append(n)
            medians.append(found.value)
    plot.plot(at, medians, host.line, color=host.colour, lw=1.4)


def _line(plot: Axes, host: Host, panel: Panel, figures: Figures) -> None:
    turn = panel.subject.turns[host.rows]
    numbers = np.unique(turn[~np.isnan(turn)])
    found = [figures(panel, host.rows[turn == n]) for n in numbers]
    values = np.array([np.nan if each is None else each for each in found])
    plot.plot(numbers, values, color=host.colour, ls=host.line, marker=host.marker,
              ms=3, lw=1.2)  # fmt: skip


def _cost(panel: Panel, rows: Ints) -> float | None:
    """Return the mean cost of some requests; None while one that is ok has none."""
    costs = panel.frame.figures["cost"][rows]
    if np.isnan(costs[panel.frame.ok[rows]]).any() or np.isnan(costs).all():
        return None
    return float(_known(costs).mean())


def _hits(panel: Panel, rows: Ints) -> float | None:
    """Return cached / prompt tokens of the requests where both are stated."""
    cached, prompt = (panel.frame.figures[name][rows] for name in ("cached", "prompt"))
    both = ~np.isnan(cached) & ~np.isnan(prompt)
    whole = float(prompt[both].sum())
    return float(cached[both].sum()) / whole if whole else None


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]
