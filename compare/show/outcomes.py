"""Bars: what became of every request."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.patches import Patch

from compare.show.panel import Host, Panel
from compare.show.parts import empty, host_axis, stack
from compare.show.theme import HATCHES, PERCENT, Theme
from providers.outcome import Outcome

_KEYS = 2  # columns of a legend: outcomes have long names
_RANK = {str(outcome): n for n, outcome in enumerate(Outcome)}


def errors(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw what became of every request, host by host, each outcome with its count."""
    seen = _outcomes(panel)
    above, below = stack(spec, 0.6 + 0.55 * len(panel.hosts), outcomes_height(panel))
    plot, foot = figure.add_subplot(above), figure.add_subplot(below)
    plot.set_title(panel.title)
    foot.axis("off")
    if not seen:
        return empty(plot, "no measured request", panel.theme)
    for y, host in enumerate(panel.hosts):
        _stack(plot, y, host, seen, panel.theme)
    host_axis(plot, panel)
    plot.set_xlim(0, 1)
    plot.xaxis.set_major_formatter(PERCENT)
    plot.set_xlabel("share of all requests")
    keys = [Patch(label=outcome, **_look(outcome, panel.theme)) for outcome in seen]
    foot.legend(handles=keys, loc="upper left", ncols=_KEYS, borderaxespad=0)
    return None


def outcomes_height(panel: Panel) -> float:
    """Return the inches that the legend of `errors` takes."""
    return 0.1 + 0.2 * -(-len(_outcomes(panel)) // _KEYS)


def _outcomes(panel: Panel) -> list[str]:
    seen = {outcome for host in panel.hosts for outcome in host.counts.outcomes}
    return sorted(seen, key=lambda outcome: (_RANK.get(outcome, 99), outcome))


def _look(outcome: str, theme: Theme) -> dict[str, Any]:
    if outcome == Outcome.OK:
        return {"facecolor": theme.fine, "edgecolor": theme.fine_edge}
    rank = _RANK.get(outcome, 99)
    hatch = HATCHES[rank // len(theme.bad) % len(HATCHES)]
    colour = theme.bad[rank % len(theme.bad)]
    return {"facecolor": colour, "edgecolor": theme.paper, "hatch": hatch}


def _stack(plot: Axes, y: int, host: Host, seen: Sequence[str], theme: Theme) -> None:
    counts, left = host.counts, 0.0
    if not counts.n:
        plot.text(0.01, y, "no measured request", va="center", color=theme.muted)
        return
    for outcome in seen:
        share = counts.outcomes.get(outcome, 0) / counts.n
        if share:
            look = _look(outcome, theme)
            plot.barh(y, share, left=left, height=0.42, lw=0.5, **look)
        left += share
    _ok_interval(plot, y, host, theme)
    listed = [f"{outcome} {n:,}" for outcome, n in counts.outcomes.items()]
    more = f", {len(listed) - 4} more kinds" if len(listed) > 4 else ""
    text = f"{', '.join(listed[:4])}{more}; ok: {host.share}"
    plot.text(0.003, y + 0.23, text, va="top", size=8)


def _ok_interval(plot: Axes, y: int, host: Host, theme: Theme) -> None:
    """Draw how far the share of ok requests may reach, where its part of the bar ends.

    It is of those that were ok or failed, the bar of all: it is drawn to their scale.
    """
    judged = host.counts.n_ok + host.counts.n_failed
    low, high = host.ends
    if low is not None and high is not None:
        ends = [low * judged / host.counts.n, high * judged / host.counts.n]
        plot.plot(ends, [y, y], color=theme.ink, lw=1.4, marker="|", markersize=7)
