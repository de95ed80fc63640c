"""What the prompt cache is worth: cost against hit rate, and where hosts break even."""

from itertools import combinations

from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from compare.judge.economy import CacheLine, cache_line, crossing, needed
from compare.show.panel import Host, Panel
from compare.show.parts import (
    below_it,
    empty,
    foot_height,
    legend,
    legend_height,
    stack,
)
from compare.show.subject import Subject
from compare.show.theme import PERCENT
from compare.show.words import percent, usd


def cost_cache(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw what 1,000 answers cost by the share of the prompt read from cache."""
    lines, told = _lines(panel), _told(panel)
    above, middle, below = stack(spec, 3.0, legend_height(panel), foot_height(told))
    plot = figure.add_subplot(above)
    plot.set_title(panel.title)
    legend(figure, middle, panel)
    below_it(figure, below, told, panel.theme)
    if not lines:
        why = "no host has listed prices of cached and other tokens, and counts"
        return empty(plot, why, panel.theme)
    for host, line in lines:
        plot.plot([0, 1], [line.none, line.full], color=host.colour, ls=host.line,
                  lw=1.8)  # fmt: skip
        hit = _hits(panel, host)
        if hit is not None:
            plot.plot(hit, line.at(hit), host.marker, color=host.colour, markersize=8,
                      mec=panel.theme.ink, mew=0.8, zorder=3)  # fmt: skip
    for (_, one), (_, other) in combinations(lines, 2):
        at = crossing(one, other)
        if at is not None:
            plot.plot(at, one.at(at), "o", mfc=panel.theme.paper, mec=panel.theme.ink,
                      markersize=5)  # fmt: skip
    plot.set_xlim(-0.02, 1.02)
    plot.set_ylim(bottom=0)
    plot.xaxis.set_major_formatter(PERCENT)
    plot.set_xlabel("share of the prompt's tokens read from cache")
    plot.set_ylabel("USD per 1,000 answers")
    return None


def cost_cache_height(panel: Panel) -> float:
    """Return the inches that a panel of cost against cache hits takes."""
    return 3.4 + legend_height(panel) + foot_height(_told(panel))


def lacks_cache_prices(subject: Subject) -> str | None:
    """Return why a run has no cost against cache hits to show."""
    for price in subject.prices.values():
        if price.cache_read_pusd is not None and price.input_pusd is not None:
            return None
    return "no host of it has a listed price of cached tokens"


def _lines(panel: Panel) -> list[tuple[Host, CacheLine]]:
    found = []
    for host in panel.hosts:
        price = panel.subject.prices.get(host.name)
        line = cache_line(panel.frame, host.rows, price) if price else None
        if line is not None:
            found.append((host, line))
    return found


def _hits(panel: Panel, host: Host) -> float | None:
    summary = panel.summary(host)
    return None if summary is None else summary.cache_hit_share


def _told(panel: Panel) -> list[str]:
    """Return where others break even with the first host, and who is not shown."""
    lines = _lines(panel)
    told = [*_even(lines), *_needs(panel, lines)]
    shown = {host.name for host, _ in lines}
    missing = [host.label for host in panel.hosts if host.name not in shown]
    if missing:
        why = "no listed price of cached tokens, or no counts"
        told.append(f"not shown: {', '.join(missing)}: {why}")
    return told


def _even(lines: list[tuple[Host, CacheLine]]) -> list[str]:
    if len(lines) < 2:
        return []
    (first, line), *others = lines
    found = []
    for host, other in others:
        at = crossing(line, other)
        if at is not None:
            found.append(f"{host.label} at {percent(at)} cached ({usd(line.at(at))})")
    told = ", ".join(found) or "no other host, whatever is cached at both"
    return [f"break even with {first.label}: {told}"]


def _needs(panel: Panel, lines: list[tuple[Host, CacheLine]]) -> list[str]:
    """Return from which hit rate on others cost no more than the first does."""
    hit = _hits(panel, lines[0][0]) if lines else None
    if hit is None or len(lines) < 2:
        return []
    (first, line), *others = lines
    found = []
    for host, other in others:
        share = needed(other, line.at(hit))
        if share is None:
            found.append(f"{host.label} never")
        else:
            rate = f"from {percent(share)} on" if share else "at any rate"
            found.append(f"{host.label} {rate}")
    told = ", ".join(found)
    return [f"as cheap as {first.label} at its measured {percent(hit)} cached: {told}"]
