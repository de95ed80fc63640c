"""Streams from inside: every token of a few answers, and the gaps of all of them."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import MaxNLocator

from compare.judge.depth import events_of
from compare.judge.frame import Floats, Ints
from compare.show.curves import band, thinned
from compare.show.panel import Host, Panel
from compare.show.parts import (
    Plain,
    empty,
    joined,
    legend,
    legend_height,
    scale,
    spans_decades,
    stack,
    why_nothing,
)
from compare.show.subject import Subject
from compare.show.theme import PERCENT
from compare.show.words import percent

ROWS = 48
MOST = 12
"""Requests of a host in the raster: at most so many, and fewer where hosts are many."""

LINE = 0.1
TICK = 0.42
RESOLUTION_MS = 0.001
"""Stamps that are equal are no further apart than this."""

STALL_MS = 1_000.0


class Course(msgspec.Struct, frozen=True):
    """One request: its events with output, and its end, in ms from its sending."""

    events: Floats
    end: float
    ok: bool


def raster(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw some requests as lines, each event that brought output as a tick."""
    plot = figure.add_subplot(spec)
    plot.set_title(panel.title)
    blocks = _middle(panel) if panel.hosts else np.zeros(0, dtype=np.int64)
    courses = {host.name: _courses(panel, host, blocks) for host in panel.hosts}
    if not any(len(each.events) for found in courses.values() for each in found):
        return empty(plot, _no_stream(panel), panel.theme)
    y, labels, places = 0.0, [], []
    for host in panel.hosts:
        found = courses[host.name]
        for n, each in enumerate(found):
            _course(plot, y + n, host, each, panel.theme.muted)
        height = max(len(found), 3)
        places.append(y + (height - 1) / 2)
        labels.append(f"{host.label}\n{host.facts}")
        y += height + 1.5
    plot.set_ylim(y - 1.5, -1)
    plot.set_yticks(places, labels, size=8.5)
    plot.tick_params(axis="y", length=0)
    plot.grid(visible=False, axis="y")
    plot.set_xlim(left=0)
    plot.xaxis.set_major_locator(MaxNLocator(6))
    plot.xaxis.set_major_formatter(Plain())
    plot.set_xlabel("time since the request was sent (ms)")
    return None


def raster_height(panel: Panel) -> float:
    """Return the inches that a panel of the raster takes."""
    return 0.8 + LINE * len(panel.hosts) * (max(_each(panel), 3) + 1.5)


def gaps(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw how many answers have longer gaps, the median one and the longest."""
    above, below = stack(spec, 2.7, legend_height(panel, lines=True))
    sides = above.subgridspec(1, 2, wspace=0.06)
    first = figure.add_subplot(sides[0, 0])
    last = figure.add_subplot(sides[0, 1], sharey=first)
    first.set_title(panel.title)
    legend(figure, below, panel, [_stalls(panel, host) for host in panel.hosts])
    found = [
        [_gaps(panel, host, name) for host in panel.hosts]
        for name in ("gap_p50_ns", "gap_max_ns")
    ]
    if not len(joined(found[1])):
        last.set_visible(False)
        return empty(first, _no_gaps(panel), panel.theme)
    for plot, columns in zip((first, last), found, strict=True):
        _exceedance(plot, panel, columns)
    first.set_xlabel("median gap of an answer (ms)")
    last.set_xlabel("its longest gap: a stall (ms)")
    first.set_ylabel("answers with a longer one")
    last.tick_params(labelleft=False)
    return None


def lacks_gaps(subject: Subject) -> str | None:
    """Return why a run has no gaps to show."""
    if np.isnan(subject.gaps["gap_max_ns"]).all():
        return "no answer came in several chunks"
    return None


def lacks_timelines(subject: Subject) -> str | None:
    """Return why a run has no timelines to show."""
    frame = subject.frame
    first = frame.figures["ttft"][frame.ok]
    return "no answer was streamed" if np.isnan(first).all() else None


def _each(panel: Panel) -> int:
    """Return how many requests of each host the raster has."""
    most = max((len(host.rows) for host in panel.hosts), default=0)
    return min(most, max(3, min(MOST, ROWS // max(len(panel.hosts), 1))))


def _middle(panel: Panel) -> Ints:
    """Return some blocks from the middle of those of the host that was asked most."""
    most = max(panel.hosts, key=lambda host: len(host.rows))
    blocks = np.sort(panel.frame.block[most.rows], kind="stable")
    n = _each(panel)
    start = max((len(blocks) - n) // 2, 0)
    return blocks[start : start + n]


def _courses(panel: Panel, host: Host, blocks: Ints) -> list[Course]:
    frame = panel.frame
    rows = host.rows[np.isin(frame.block[host.rows], blocks)]
    if not len(rows):
        return []
    seqs = frame.seq[rows]
    span = (int(seqs.min()), int(seqs.max()))
    blobs: dict[int, Any] = {}
    for batch in panel.subject.more(("seq", "timeline"), span):
        blobs.update(zip(*batch, strict=True))
    row, at_us, output = events_of([blobs.get(int(seq)) for seq in seqs])
    sent, end = frame.figures["sent_s"][rows], frame.figures["end_s"][rows]
    return [
        Course(
            at_us[(row == n) & output] / 1e3 - sent[n] * 1e3,
            (end[n] - sent[n]) * 1e3,
            bool(frame.ok[rows[n]]),
        )
        for n in range(len(rows))
    ]


def _course(plot: Axes, y: float, host: Host, each: Course, muted: str) -> None:
    if np.isnan(each.end):
        return
    plot.plot([0, each.end], [y, y], color=muted, lw=0.4, zorder=1.5)
    # All ticks are one broken line, which an SVG holds in half the bytes of markers.
    ends = np.tile([y - TICK, y + TICK, np.nan], len(each.events))
    plot.plot(np.repeat(each.events, 3), ends, color=host.colour, lw=0.8)
    if not each.ok:
        plot.plot(each.end, y, "x", color=host.colour, markersize=5)


def _gaps(panel: Panel, host: Host, name: str) -> Floats:
    """Return a gap of each of a host's answers, ascending."""
    ok = host.rows[panel.frame.ok[host.rows]]
    found = panel.subject.gaps[name][ok]
    return np.maximum(np.sort(found[~np.isnan(found)]), RESOLUTION_MS)


def _exceedance(plot: Axes, panel: Panel, columns: Sequence[Floats]) -> None:
    drawn = joined(columns)
    if not len(drawn):  # of a file from elsewhere: a longest gap and no median one
        return
    ends, log = (float(drawn.min()), float(drawn.max())), spans_decades(drawn)
    for host, ordered in zip(panel.hosts, columns, strict=True):
        if not len(ordered):
            continue
        at = thinned(ordered, *ends, log=log)
        more = len(ordered) - np.searchsorted(ordered, at, side="right")
        beyond = more / len(ordered)
        band(plot, host, at, more, len(ordered))
        plot.step([at[0], *at], [1.0, *beyond], where="post", color=host.colour,
                  ls=host.line, lw=1.6)  # fmt: skip
        half = len(at) // 2
        plot.plot(at[half], beyond[half], host.marker, color=host.colour, markersize=5)
    scale(plot, "x", drawn, narrow=True)
    plot.set_ylim(0, 1.04)
    plot.yaxis.set_major_formatter(PERCENT)


def _stalls(panel: Panel, host: Host) -> str:
    """Return in words how many of a host's answers stood still for a second."""
    longest = _gaps(panel, host, "gap_max_ns")
    if not len(longest):
        return ""
    share = float((longest >= STALL_MS).mean())
    return f"; {percent(share)} of answers stood still for 1 s"


def _no_stream(panel: Panel) -> str:
    if sum(host.counts.n_ok for host in panel.hosts):
        return "no timeline of these answers is stored"
    return why_nothing(panel.hosts, "ttft")


def _no_gaps(panel: Panel) -> str:
    if sum(host.counts.n_ok for host in panel.hosts):
        return "no answer came in several chunks"
    return why_nothing(panel.hosts, "ttft")
