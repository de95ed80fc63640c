"""How often answers pass their checks: a forest, and quality against price."""

import msgspec
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import FuncFormatter

from compare.judge.accepted import Accepted
from compare.judge.economy import PER, efficient
from compare.judge.fidelity import Share
from compare.judge.quality import Quality
from compare.show.panel import Host, Panel
from compare.show.parts import below_it, empty, foot_height, host_axis, stack
from compare.show.quality import span, unknown
from compare.show.subject import Subject
from compare.show.theme import PERCENT
from compare.show.words import number, percent

LINE = 0.5
NONE = "no host has both checked answers and a known cost"


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A host's share of answers that passed, and USD for `PER` attempts."""

    host: Host
    rate: Share
    share: float
    usd: float


def pass_rate(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw the share of checked answers that passed, host by host, with intervals."""
    told = _noise(panel)
    above, below = stack(spec, 0.75 + LINE * len(panel.hosts), foot_height(told))
    plot = figure.add_subplot(above)
    plot.set_title(panel.title)
    below_it(figure, below, told, panel.theme)
    found = {host.name: quality(panel, host) for host in panel.hosts}
    if not any(each and each.passed.n for each in found.values()):
        return empty(plot, "no answer was checked", panel.theme)
    for y, host in enumerate(panel.hosts):
        _rate(plot, y, host, found[host.name], panel)
    host_axis(plot, panel)
    plot.set_xlim(0, 1.42)
    plot.set_xticks([0, 0.25, 0.5, 0.75, 1])
    plot.xaxis.set_major_formatter(PERCENT)
    plot.set_xlabel("share of all checked answers that passed (to the right: better)")
    return None


def pass_rate_height(panel: Panel) -> float:
    """Return the inches that a panel of pass rates takes."""
    return 0.9 + LINE * len(panel.hosts) + foot_height(_noise(panel))


def quality_price(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw the share of answers that passed against what an attempt costs."""
    points, missing = _points(panel)
    above, below = stack(spec, 3.2, foot_height(missing))
    plot = figure.add_subplot(above)
    plot.set_title(panel.title)
    below_it(figure, below, missing, panel.theme)
    if not points:
        return empty(plot, NONE, panel.theme)
    front = efficient([(each.usd, -each.share) for each in points])
    for n, each in enumerate(points):
        host = each.host
        fill = host.colour if n in front else panel.theme.paper
        ends = [end for end in (each.rate.low, each.rate.high) if end is not None]
        plot.plot([each.usd] * len(ends), ends, color=host.colour, lw=1.2)
        at = each.usd, each.share
        plot.plot(*at, host.marker, color=host.colour, mfc=fill, markersize=8)
        plot.annotate(
            f"{host.label}\n{host.facts}",
            at,
            xytext=(0, 0),
            textcoords="offset points",
            size=8.5,
            linespacing=1.1,
            arrowprops={"arrowstyle": "-", "color": panel.theme.muted, "lw": 0.6},
            bbox={"fc": panel.theme.paper, "ec": "none", "alpha": 0.75, "pad": 0.5},
        ).set_in_layout(False)
    _axes(plot, [each.usd for each in points])
    return None


def quality_price_height(panel: Panel) -> float:
    """Return the inches that a panel of quality against price takes."""
    return 3.6 + foot_height(_points(panel)[1])


def lacks_checks(subject: Subject) -> str | None:
    """Return why a run has no pass rates to show."""
    known = any(each.passed.n for each in subject.qualities.values())
    return None if known else "no answer was checked"


def lacks_priced_checks(subject: Subject) -> str | None:
    """Return why a run has no quality and price to show."""
    found = subject.qualities.values()
    known = any(q.passed.n and attempt_usd(q.accepted) is not None for q in found)
    return None if known else NONE


def quality(panel: Panel, host: Host) -> Quality | None:
    """Return what checks say of a host in a panel's one segment."""
    for segment in panel.segments:
        return panel.subject.qualities.get((segment, host.name))
    return None


def attempt_usd(found: Accepted) -> float | None:
    """Return what an attempt cost in USD, None where that is not known.

    Failed ones of unknown cost (`usd.n_unknown`) count as none: then it is at least so.
    """
    if found.usd.value is None:
        return None
    return found.usd.value * found.n_accepted / found.n


def _rate(plot: Axes, y: int, host: Host, each: Quality | None, panel: Panel) -> None:
    if each is None or each.passed.low is None or each.passed.high is None:
        why = "no answer was checked" if host.counts.n else "no measured request"
        plot.text(0.02, y, why, va="center", size=8.5, color=panel.theme.muted)
        return
    rate, value = each.passed, each.passed.value or 0.0
    plot.plot([each.passed.low, each.passed.high], [y, y], color=host.colour, lw=2)
    plot.plot(value, y, host.marker, color=host.colour, markersize=7)
    one = "" if each.pass_at_1 is None else f"\npass@1 {percent(each.pass_at_1)}"
    words = f"{percent(value)} {span(rate)}, {rate.n:,} checked{one}"
    plot.text(1.03, y, words, va="center", size=8)


def _noise(panel: Panel) -> list[str]:
    """Return how unlike the reference hosts were judged, beside their own noise."""
    told = []
    for host in panel.hosts:
        each = quality(panel, host)
        if each is None or not each.passed.n:
            continue
        parts = []
        if each.differs is not None and each.differs.value is not None:
            parts.append(f"unlike the reference in {percent(each.differs.value)}")
        if each.flips.value is not None:
            parts.append(f"unlike itself in {percent(each.flips.value)} of repeats")
        if each.accepted.n_unchecked:
            parts.append(f"{each.accepted.n_unchecked:,} not checked and not in it")
        if parts:
            told.append(f"{host.label}: {'; '.join(parts)}")
    found = [quality(panel, host) for host in panel.hosts]
    return told + unknown([each for each in found if each is not None])


def _points(panel: Panel) -> tuple[list[Point], list[str]]:
    points: list[Point] = []
    missing: list[str] = []
    for host in panel.hosts:
        each = quality(panel, host)
        usd = None if each is None else attempt_usd(each.accepted)
        if each is None or each.passed.value is None:
            missing.append(f"not shown: {host.label}: {host.facts}; nothing checked")
        elif usd is None:
            why = "cost not known" if each.accepted.n_accepted else "none accepted"
            missing.append(f"not shown: {host.label}: {host.facts}; {why}")
        else:
            rate = each.passed
            if n := each.accepted.usd.n_unknown:
                why = f"at least: {n:,} failed ones of unknown cost not in it"
                missing.append(f"{host.label}: {why}")
            points.append(
                Point(host=host, rate=rate, share=each.passed.value, usd=usd * PER)
            )
    return points, missing


def _axes(plot: Axes, costs: list[float]) -> None:
    low, high = min(costs), max(costs)
    room = (high - low) * 0.25 or high * 0.25 or 1.0
    plot.set_xlim(max(0.0, low - room), high + room)
    plot.set_ylim(-0.04, 1.08)
    plot.set_yticks([0, 0.25, 0.5, 0.75, 1])
    plot.yaxis.set_major_formatter(PERCENT)
    plot.xaxis.set_major_formatter(FuncFormatter(lambda at, _: number(at)))
    plot.set_xlabel(f"USD per {PER:,} attempts (to the left: cheaper)")
    plot.set_ylabel("share of all checked answers\nthat passed (higher: better)")
