"""One panel of a chart and its hosts: one look each, the same in every chart."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from compare.judge.frame import Floats, Frame, Ints, Segment
from compare.judge.stats import Interval, share_interval
from compare.judge.summary import Summary
from compare.judge.tally import Tally
from compare.show.subject import Step, Subject
from compare.show.theme import LINES, MARKERS, Theme
from compare.show.words import percent


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """One host in one panel: its look, the same in every chart, and its requests.

    `rows` are numbers of rows of the frame.
    """

    name: str
    label: str
    number: int
    rows: Ints
    counts: Tally
    colour: str

    @property
    def line(self) -> Any:
        """Return the host's line style; a ninth host has the first one's colour."""
        return LINES[(self.number + self.number // len(LINES)) % len(LINES)]

    @property
    def marker(self) -> str:
        """Return the host's marker."""
        return MARKERS[(self.number + 3 * (self.number // len(MARKERS))) % len(MARKERS)]

    @property
    def facts(self) -> str:
        """Return how many requests this host was asked, what was ok and what we cut."""
        share = self.counts.success_share
        ok = "none counted" if share is None else f"{percent(share)} ok"
        cut = self.counts.n_interrupted
        return f"n={self.counts.n_attempted:,}, {ok}" + f", {cut:,} cut off" * bool(cut)

    @property
    def ends(self) -> Interval:
        """Return the 95 % interval (Wilson) of the share that was ok."""
        counts = self.counts
        return share_interval(counts.n_ok, counts.n_ok + counts.n_failed)

    @property
    def share(self) -> str:
        """Return the share that was ok with its interval, in words."""
        share, (low, high) = self.counts.success_share, self.ends
        if share is None or low is None or high is None:
            return "n/a (none counted)"
        return f"{percent(share)} ({percent(low)} to {percent(high)})"


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn together: one scenario in one load step, or more than that.

    `segments` are those that it holds.
    """

    title: str
    subject: Subject
    theme: Theme
    segments: tuple[Segment, ...]
    hosts: tuple[Host, ...]

    @property
    def steps(self) -> dict[int | None, Step]:
        """Return the run's load steps by their numbers."""
        return self.subject.steps

    @property
    def frame(self) -> Frame:
        """Return the rows of the whole run."""
        return self.subject.frame

    def values(self, host: Host, metric: str) -> Floats:
        """Return a host's known values of a metric over its answers, ascending."""
        return np.sort(self.frame.values(metric, host.rows))

    def summary(self, host: Host) -> Summary | None:
        """Return what is said of a host in this panel's one segment."""
        for segment in self.segments:
            return self.subject.summaries.get((segment, host.name))
        return None


def cast(
    subject: Subject, segments: Sequence[Segment], theme: Theme
) -> tuple[Host, ...]:
    """Return each host with its requests in some segments; it may have none."""
    frame, found = subject.frame, []
    for n, (name, label) in enumerate(subject.drawn.items()):
        parts = [frame.rows(segment, name) for segment in segments]
        rows = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
        found.append(
            Host(
                name=name,
                label=label,
                number=n,
                rows=rows,
                counts=frame.tally(rows),
                colour=theme.hosts[n % len(theme.hosts)],
            )
        )
    return tuple(found)
