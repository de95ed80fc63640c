"""Recall in long prompts, depth by length, as a grid of shares for each host."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from compare.judge.ladder import Cell, Climb, climbs, is_ladder
from compare.show.climbs import deep, read_whole, right, size
from compare.show.panel import Panel
from compare.show.parts import below_it, empty, foot_height, stack
from compare.show.subject import Subject
from compare.show.theme import Theme

CELL = 0.36
"""Inches that a line of the grid takes."""


def ctx_grid(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw the share of right answers at each depth and length, host by host."""
    found = _found(panel)
    told = [line for each in found for line in read_whole(each)]
    if not found:
        plot = figure.add_subplot(spec)
        plot.set_title(panel.title)
        return empty(plot, "no prompt of a ladder was asked here", panel.theme)
    heights = [_height(each) for each in found]
    *places, foot = stack(spec, *heights, foot_height(told))
    hosts = {host.name: host for host in panel.hosts}
    for n, (each, place) in enumerate(zip(found, places, strict=True)):
        plot = figure.add_subplot(place)
        if not n:
            plot.set_title(panel.title)
        host = hosts[each.provider]
        _grid(plot, each, panel.theme)
        plot.set_ylabel(f"{host.label}\n{host.facts}\ndepth", size=7.5)
    plot.set_xlabel("tokens of the prompt")
    below_it(figure, foot, told, panel.theme)
    return None


def ctx_grid_height(panel: Panel) -> float:
    """Return the inches that a panel of recall by depth and length takes."""
    found = _found(panel)
    told = [line for each in found for line in read_whole(each)]
    return 0.3 + sum(map(_height, found), 0.0 if found else 1.0) + foot_height(told)


def lacks_ladder(subject: Subject) -> str | None:
    """Return why a run has no recall by depth and length to show."""
    frame = subject.frame
    if any(is_ladder(frame, subject.more, each) for each in frame.segments):
        return None
    return "no scenario of it is a ladder of prompt lengths"


def _found(panel: Panel) -> list[Climb]:
    drawn = {host.name for host in panel.hosts}
    found = climbs(panel.frame, panel.subject.more, panel.segments)
    return [each for each in found if each.provider in drawn]


def _height(climb: Climb) -> float:
    return 0.65 + CELL * max(len(climb.depths), 2)


def _words(cell: Cell | None) -> str:
    if cell is None or cell.low is None or cell.high is None:
        return right(cell)
    return f"{right(cell)}\n{100 * cell.low:.0f} to {100 * cell.high:.0f} %"


def _grid(plot: Axes, climb: Climb, theme: Theme) -> None:
    sizes, depths = climb.sizes, climb.depths
    cells = {(cell.depth, cell.tokens): cell for cell in climb.cells}
    shares = np.full((len(depths), len(sizes)), np.nan)
    for y, depth in enumerate(depths):
        for x, tokens in enumerate(sizes):
            cell = cells.get((depth, tokens))
            share = cell.share if cell else None
            dark = share is not None and share > 0.6
            plot.text(x + 0.5, y + 0.5, _words(cell), ha="center", va="center",
                      size=7.5, color=theme.paper if dark else theme.ink)  # fmt: skip
            if share is not None:
                shares[y, x] = share
    plot.set_facecolor(theme.paper)
    scale = LinearSegmentedColormap.from_list("recall", [theme.pale, theme.deep])
    plot.pcolormesh(np.arange(len(sizes) + 1), np.arange(len(depths) + 1), shares,
                    cmap=scale, vmin=0, vmax=1, edgecolors=theme.paper,
                    linewidth=0.8)  # fmt: skip
    plot.set_ylim(len(depths), 0)
    plot.set_yticks(np.arange(len(depths)) + 0.5, [deep(d) for d in depths], size=8)
    plot.set_xticks(np.arange(len(sizes)) + 0.5, [size(n) for n in sizes], size=8)
    plot.tick_params(length=0)
    plot.grid(visible=False)
