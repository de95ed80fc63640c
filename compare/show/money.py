"""What it costs: against speed."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import FuncFormatter

from compare.show.panel import Host, Panel
from compare.show.parts import empty, stack
from compare.show.words import number


def cost_speed(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw what 1,000 requests cost against how long the median one takes."""
    above, below = stack(spec, 3.2, cost_foot(panel))
    plot, foot = figure.add_subplot(above), figure.add_subplot(below)
    plot.set_title(panel.title)
    foot.axis("off")
    muted = panel.theme.muted
    points, missing = _cost_points(panel)
    for n, line in enumerate(missing):
        y = 1 - 0.19 * n / cost_foot(panel)
        foot.text(0, y, line, va="top", size=9, color=muted, transform=foot.transAxes)
    if not points:
        why = "no host has both a known cost and a median time"
        return empty(plot, why, panel.theme)
    for host, x, y in points:
        plot.plot(x, y, host.marker, color=host.colour, markersize=8)
        plot.annotate(
            f"{host.label}\n{host.facts}",
            (x, y),
            xytext=(0, 0),
            textcoords="offset points",
            size=8.5,
            linespacing=1.1,
            arrowprops={"arrowstyle": "-", "color": muted, "lw": 0.6},
        ).set_in_layout(False)
    _around(plot, "x", [x for _, x, _ in points])
    _around(plot, "y", [y for _, _, y in points])
    plot.set_xlabel("USD per 1,000 requests (to the left: cheaper)")
    plot.set_ylabel("end to end, median (ms)\n(lower: faster)")
    return None


def cost_foot(panel: Panel) -> float:
    """Return the inches that the hosts which `cost_speed` cannot place take."""
    return 0.05 + 0.19 * len(_cost_points(panel)[1])


def _cost_points(panel: Panel) -> tuple[list[tuple[Host, float, float]], list[str]]:
    points: list[tuple[Host, float, float]] = []
    missing: list[str] = []
    for host in panel.hosts:
        each = panel.summary(host)
        if each is None or each.e2e_p50.value is None:
            why = each.e2e_p50.text() if each else "no request"
            missing.append(f"not shown: {host.label}: {host.facts}; median {why}")
        elif each.cost_per_1k_usd is None:
            why = f"{each.n_unpriced:,} ok requests unpriced"
            missing.append(f"not shown: {host.label}: {host.facts}; {why}")
        else:
            points.append((host, each.cost_per_1k_usd, each.e2e_p50.value))
    return points, missing


def _around(plot: Axes, which: str, found: list[float]) -> None:
    low, high = min(found), max(found)
    room = (high - low) * 0.25 or high * 0.25 or 1.0
    ends = (max(0.0, low - room), high + room)
    (plot.set_xlim if which == "x" else plot.set_ylim)(*ends)
    axis = plot.xaxis if which == "x" else plot.yaxis
    axis.set_major_formatter(FuncFormatter(lambda at, _: number(at)))
