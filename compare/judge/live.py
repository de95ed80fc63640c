"""Thresholds of a run that is still going: stop it once one has surely failed.

Only rows up to a host's first that still runs are looked at: quick answers end first,
and what has ended so far would flatter a slow host and blame a quick failure.
"""

import time
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence

from compare.judge.evidence import Evidence, evidence, figure
from compare.judge.frame import COLUMNS, Segment, read
from compare.judge.stats import always_interval, always_mean, floor_of
from compare.judge.threshold import SHARES, Threshold
from data.row import Row

EVERY_S = 1.0
SPARED = 20
"""A look may take so small a part of the time: it keeps the event loop waiting."""
SURE = 0.99
"""A host's threshold stops a run that it would pass in at most 1 % of runs."""
FEWEST = floor_of(0.9)
"""A mean is looked at from so many values on: its interval is one for many."""


class Watch:
    """Collects the rows of a run and looks at them about once a second.

    `failed` is the text of the first threshold that surely failed, by intervals that
    hold at every look. Ratios are judged only at the end. `firsts` are the numbers of
    the first blocks of the plan's segments, ascending.
    """

    def __init__(
        self,
        thresholds: Sequence[Threshold],
        objectives: Mapping[str, float],
        firsts: Sequence[int] = (0,),
    ) -> None:
        self._thresholds = [each for each in thresholds if each.against is None]
        self._objectives = objectives
        self._firsts = firsts
        self._lines: dict[tuple[str, int], Line] = {}
        self._seen: dict[tuple[int, Segment, str], Evidence] = {}
        self._next = time.monotonic() + EVERY_S
        self.failed: str | None = None

    def add(self, row: Row) -> None:
        """Take in one row, and look if it is time to."""
        if row.phase != "measure" or not self._thresholds:
            return
        first = self._firsts[bisect(self._firsts, row.block) - 1]
        self._lines.setdefault((row.provider, first), Line(first)).add(row)
        now = time.monotonic()
        if now >= self._next:
            self.look()
            took = time.monotonic() - now
            self._next = now + max(EVERY_S, SPARED * took)

    def look(self) -> None:
        """Judge the thresholds by what has ended of each host, as it was sent."""
        rows = [row for line in self._lines.values() for row in line.whole()]
        columns = zip(
            *(tuple(getattr(row, name) for name in COLUMNS) for row in rows),
            strict=True,
        )
        frame = read([list(columns)] if rows else [])
        for n, threshold in enumerate(self._thresholds):
            for segment in frame.segments:
                for host in frame.hosts_of(segment):
                    if threshold.host in (None, host):
                        new = evidence(
                            frame, segment, host, threshold, self._objectives
                        )
                        key = (n, segment, host)
                        old = self._seen.get(key)
                        self._seen[key] = new if old is None else old + new
        for (n, _, _), seen in self._seen.items():
            if surely_failed(self._thresholds[n], seen):
                self.failed = self.failed or self._thresholds[n].text


class Line:
    """The rows of a host from a first block on, waiting for those sent before them.

    Blocks are numbered in the order in which they are begun.
    """

    def __init__(self, first: int) -> None:
        self._waiting: dict[int, Row] = {}
        self._next = first

    def add(self, row: Row) -> None:
        """Take in a row that has ended."""
        self._waiting[row.block] = row

    def whole(self) -> Iterator[Row]:
        """Yield, once, the rows before which none is missing."""
        while self._next in self._waiting:
            yield self._waiting.pop(self._next)
            self._next += 1


def surely_failed(threshold: Threshold, seen: Evidence) -> bool:
    """Tell whether a threshold fails wherever in its interval the truth is.

    A quantile is on the wrong side of a bound where the share of values up to the bound
    is; a minimum or maximum where one value is, whatever else may come.
    """
    aggregate = threshold.aggregate
    if threshold.metric in SHARES:
        ends = always_interval(seen.part, seen.whole, SURE)
        return threshold.holds_nowhere(*ends)
    if isinstance(aggregate, float):
        return _beyond(threshold, aggregate, seen)
    if aggregate == "avg":
        if seen.unknown or len(seen.values) < FEWEST:
            return False
        return threshold.holds_nowhere(*always_mean(seen.values, SURE))
    found = figure(threshold, seen)
    if found.value is None:
        return False
    low = float("-inf") if found.low is None else found.low
    high = float("inf") if found.high is None else found.high
    return threshold.holds_nowhere(low, high)


def _beyond(threshold: Threshold, q: float, seen: Evidence) -> bool:
    """Tell whether quantile `q` is surely on the wrong side of its bound."""
    n, bound = len(seen.values), threshold.value
    most = always_interval(int((seen.values <= bound).sum()), n, SURE)[1]
    least = always_interval(int((seen.values < bound).sum()), n, SURE)[0]
    above = most < q and threshold.sign in {"<", "<=", "=="}
    return above or (least > q and threshold.sign in {">", ">=", "=="})
