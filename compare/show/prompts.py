"""Time to first token against the length of the prompt."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from compare.judge.frame import Floats
from compare.judge.periods import by_period
from compare.judge.stats import percentile
from compare.show.panel import Host, Panel
from compare.show.parts import (
    AXES,
    empty,
    joined,
    legend,
    legend_height,
    scale,
    stack,
    why_nothing,
)
from compare.show.subject import Subject

DOTS = 200
"""At most so many requests of a host are dots, every so-manieth."""

CLASSES = 10
ALIKE = 1.5
"""Prompts of which the longest is not so many times the shortest show nothing."""


def prompt_length(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw times to first token over the prompts' tokens, with medians by length."""
    above, below = stack(spec, 3.2, legend_height(panel))
    plot = figure.add_subplot(above)
    plot.set_title(panel.title)
    legend(figure, below, panel)
    lengths = joined([panel.frame.values("prompt", host.rows) for host in panel.hosts])
    times = joined([panel.values(host, "ttft") for host in panel.hosts])
    if not len(lengths) or not len(times):
        why = why_nothing(panel.hosts, "ttft") if not len(times) else "no token counts"
        return empty(plot, why, panel.theme)
    edges = classes(lengths)
    for host in panel.hosts:
        _dots(plot, panel, host)
        _medians(plot, panel, host, edges)
    scale(plot, "x", lengths)
    scale(plot, "y", times)
    plot.set_xlabel("tokens of the prompt, as the host counts them")
    plot.set_ylabel(AXES["ttft"])
    return None


def lacks_lengths(subject: Subject) -> str | None:
    """Return why a run has nothing to show of its prompts' lengths."""
    frame = subject.frame
    lengths = frame.values("prompt", np.arange(len(frame)))
    if not len(lengths):
        return "no host stated the tokens of its prompts"
    low, high = np.quantile(lengths, [0.02, 0.98])
    if high < ALIKE * low:
        return f"all prompts are about as long ({low:,.0f} to {high:,.0f} tokens)"
    return None


def classes(lengths: Floats) -> Floats:
    """Return where classes of length begin, with about as many requests in each.

    Each begins at a length that occurs: a few unlike lengths are a class each.
    """
    shares = np.linspace(0, 1, CLASSES + 1)
    return np.unique(np.quantile(lengths, shares, method="lower"))


def _dots(plot: Axes, panel: Panel, host: Host) -> None:
    frame = panel.frame
    ok = host.rows[frame.ok[host.rows]]
    some = ok[:: max(1, -(-len(ok) // DOTS))]
    x, y = frame.figures["prompt"][some], frame.figures["ttft"][some]
    plot.scatter(x, y, s=8, marker=host.marker, color=host.colour, alpha=0.35, lw=0)


def _medians(plot: Axes, panel: Panel, host: Host, edges: Floats) -> None:
    lengths = panel.frame.figures["prompt"][host.rows]
    place = np.searchsorted(edges, lengths, side="right") - 1
    place = np.where(np.isnan(lengths), -1, place)
    found = by_period(panel.frame, host.rows, place, len(edges), "ttft")
    middles = [
        percentile(lengths[place == n], 0.5) if found.n_ok[n] else np.nan
        for n in range(len(edges))
    ]
    values = [np.nan if each.value is None else each.value for each in found.medians]
    plot.plot(middles, values, marker=host.marker, color=host.colour, ls=host.line,
              markersize=6, mec=panel.theme.paper, mew=0.6)  # fmt: skip
    for x, each in zip(middles, found.medians, strict=True):
        if each.low is not None and each.high is not None:
            plot.plot([x, x], [each.low, each.high], color=host.colour, lw=1.4)
