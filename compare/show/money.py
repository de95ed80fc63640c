"""What it costs: against speed, and for an answer that was accepted."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import MaxNLocator

from compare.judge.accepted import Accepted, Per, accepted
from compare.judge.economy import PER, efficient, interval_of_mean
from compare.judge.pair import FLOOR_OF_MEANS
from compare.judge.stats import Interval
from compare.show.panel import Host, Panel
from compare.show.parts import (
    Plain,
    below_it,
    empty,
    foot_height,
    host_axis,
    stack,
)
from compare.show.subject import Subject
from compare.show.words import number, plain, usd

ALIKE = 0.05
"""An axis reaches so much of its values beyond them: what is less looks alike."""


def cost_speed(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw what 1,000 requests cost against how long the median one takes."""
    points, missing = _cost_points(panel)
    above, below = stack(spec, 3.2, foot_height(missing))
    plot = figure.add_subplot(above)
    plot.set_title(panel.title)
    below_it(figure, below, missing, panel.theme)
    muted = panel.theme.muted
    if not points:
        why = "no host has both a known cost and a median time"
        return empty(plot, why, panel.theme)
    front = efficient([(x, y) for _, x, y in points])
    best = [points[n] for n in front]
    plot.step([x for _, x, _ in best], [y for _, _, y in best], where="post",
              color=muted, lw=1, ls="--", zorder=1.5)  # fmt: skip
    ends: list[list[float]] = [[], []]
    for n, (host, x, y) in enumerate(points):
        fill = host.colour if n in front else panel.theme.paper
        dear, slow = _bar(_of_cost(panel, host)), _bar(_of_median(panel, host))
        plot.plot(dear, [y] * len(dear), color=host.colour, lw=1.2)
        plot.plot([x] * len(slow), slow, color=host.colour, lw=1.2)
        ends[0] += [x, *dear]
        ends[1] += [y, *slow]
        plot.plot(x, y, host.marker, color=host.colour, mfc=fill, markersize=8)
        plot.annotate(
            f"{host.label}\n{host.facts}",
            (x, y),
            xytext=(0, 0),
            textcoords="offset points",
            size=8.5,
            linespacing=1.1,
            arrowprops={"arrowstyle": "-", "color": muted, "lw": 0.6},
            bbox={"fc": panel.theme.paper, "ec": "none", "alpha": 0.75, "pad": 0.5},
        ).set_in_layout(False)
    _around(plot, "x", ends[0])
    _around(plot, "y", ends[1])
    plot.set_xlabel("USD per 1,000 requests (to the left: cheaper)")
    plot.set_ylabel("end to end, median (ms)\n(lower: faster)")
    return None


def cost_speed_height(panel: Panel) -> float:
    """Return the inches that a panel of cost against speed takes."""
    return 3.6 + foot_height(_cost_points(panel)[1])


def per_accepted(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw what each accepted answer cost and how long it was waited for."""
    found = [_taken(panel, host) for host in panel.hosts]
    told = _of_accepted(panel, found)
    above, below = stack(spec, 0.75 + 0.45 * len(found), foot_height(told))
    sides = above.subgridspec(1, 2, wspace=0.05)
    first = figure.add_subplot(sides[0, 0])
    last = figure.add_subplot(sides[0, 1], sharey=first)
    first.set_title(panel.title)
    below_it(figure, below, told, panel.theme)
    for y, (host, each) in enumerate(zip(panel.hosts, found, strict=True)):
        _per(first, y, host, each.usd, PER, panel)
        _per(last, y, host, each.seconds, 1, panel)
    host_axis(first, panel)
    last.tick_params(labelleft=False, length=0)
    last.grid(visible=False, axis="y")
    for plot in (first, last):
        if not plot.patches:
            plot.set_xticks([])  # numbers on an empty axis would be invented
            continue
        low, high = plot.get_xlim()
        plot.set_xlim(0, high + 0.45 * (high - min(low, 0)))
        plot.xaxis.set_major_locator(MaxNLocator(5))
        plot.xaxis.set_major_formatter(Plain())
    first.set_xlabel(f"USD per {PER:,} accepted answers")
    last.set_xlabel("seconds per accepted answer")


def accepted_height(panel: Panel) -> float:
    """Return the inches that a panel of accepted answers takes."""
    found = [_taken(panel, host) for host in panel.hosts]
    return 0.9 + 0.45 * len(found) + foot_height(_of_accepted(panel, found))


def _taken(panel: Panel, host: Host) -> Accepted:
    """Return what accepted answers took; where sessions are judged, sessions."""
    for segment in panel.segments:
        known = panel.subject.qualities.get((segment, host.name))
        if known is not None:
            return known.accepted
    return accepted(panel.frame, host.rows)


def lacks_prices(subject: Subject) -> str | None:
    """Return why a run has no costs to show."""
    known = any(s.cost_per_1k_usd is not None for s in subject.summaries.values())
    return None if known else "no host's answers could be priced"


def priced(subject: Subject) -> list[str]:
    """Return from which day the prices are that the run was charged by."""
    days: dict[str, list[str]] = {}
    for host, price in subject.prices.items():
        day = f"seen {price.date}" if price.date else "given by the user"
        days.setdefault(day, []).append(subject.hosts.get(host, plain(host)))
    if len(days) == 1:
        return [f"list prices, {next(iter(days))}"]
    told = [f"{day} ({', '.join(hosts)})" for day, hosts in sorted(days.items())]
    return [f"list prices: {'; '.join(told)}"] if told else []


def _per(plot: Axes, y: int, host: Host, per: Per, n: int, panel: Panel) -> None:
    """Draw what `n` accepted answers took, with its interval."""
    if per.value is None:
        why = "nothing accepted" if host.counts.n else "no measured request"
        if host.counts.n_ok and per.n_unknown:
            why = "unpriced"
        plot.text(0.02, y, why, va="center", size=8.5, color=panel.theme.muted,
                  transform=plot.get_yaxis_transform())  # fmt: skip
        return
    value = high = per.value * n
    plot.barh(y, value, height=0.36, color=(host.colour, 0.35), ec=host.colour)
    plot.plot(value, y, host.marker, color=host.colour, markersize=6)
    if per.low is not None and per.high is not None:
        high = per.high * n
        plot.plot([per.low * n, high], [y, y], color=panel.theme.ink, lw=1.2)
    words = f"{number(value)} s" if n == 1 else usd(value)
    least = "at least " if per.n_unknown else ""
    plot.annotate(least + words, (high, y), xytext=(8, 0), size=8.5, va="center",
                  textcoords="offset points")  # fmt: skip


def _of_accepted(panel: Panel, found: list[Accepted]) -> list[str]:
    """Return what was accepted of each host, in words."""
    told = []
    for host, each in zip(panel.hosts, found, strict=True):
        if not each.n:
            continue
        how = "passed their checks" if each.checked else "ok (nothing was checked)"
        if not host.counts.n_ok:
            how = "ok"
        line = f"{host.label}: {each.n_accepted:,} of {each.n:,} {how}"
        if each.n_unchecked:
            line += f"; {each.n_unchecked:,} not checked and not in it"
        if each.usd.n_unknown and each.usd.value is not None:
            line += f"; {each.usd.n_unknown:,} failed ones of unknown cost not in it"
        told.append(line)
    return told


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
            n = len(panel.frame.known("cost", host.rows))
            if n < FLOOR_OF_MEANS:
                why = f"n/a (n={n} < {FLOOR_OF_MEANS})"
                missing.append(f"{host.label}: interval of the cost {why}")
    return points, missing


def _of_cost(panel: Panel, host: Host) -> Interval:
    """Return the interval of what 1,000 requests cost."""
    low, high = interval_of_mean(panel.frame.known("cost", host.rows))
    return (None, None) if low is None or high is None else (low * PER, high * PER)


def _of_median(panel: Panel, host: Host) -> Interval:
    each = panel.summary(host)
    return (None, None) if each is None else (each.e2e_p50.low, each.e2e_p50.high)


def _bar(ends: Interval) -> list[float]:
    """Return the ends of an interval, none where one is not bounded."""
    return [end for end in ends if end is not None] if None not in ends else []


def _around(plot: Axes, which: str, found: list[float]) -> None:
    low, high = min(found), max(found)
    room = max((high - low) * 0.25, high * ALIKE) or 1.0
    ends = (low - room if low > room else -0.03 * (high + room), high + room)
    (plot.set_xlim if which == "x" else plot.set_ylim)(*ends)
    axis = plot.xaxis if which == "x" else plot.yaxis
    axis.set_major_formatter(Plain())
