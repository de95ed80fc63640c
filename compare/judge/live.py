"""Thresholds of a run that is still going: stop it once one has surely failed."""

import time
from collections.abc import Mapping, Sequence

from compare.judge.evidence import Evidence, evidence, figure, surely_failed
from compare.judge.frame import COLUMNS, Segment, read
from compare.judge.stats import exact_interval
from compare.judge.threshold import Threshold
from data.row import Row

EVERY_S = 1.0
SPARED = 20
"""A look may take so small a part of the time: it keeps the event loop waiting."""
SURE = 0.99
"""Looks are many: what stops a run must hold at a higher confidence than a verdict."""


class Watch:
    """Collects the rows of a run and looks at them about once a second.

    `failed` is the text of the first threshold that surely failed: the 99 % interval of
    its figure lies wholly on the wrong side. Ratios are judged only at the end.
    """

    def __init__(
        self, thresholds: Sequence[Threshold], objectives: Mapping[str, float]
    ) -> None:
        self._thresholds = [each for each in thresholds if each.against is None]
        self._objectives = objectives
        self._rows: list[Row] = []
        self._seen: dict[tuple[int, Segment, str], Evidence] = {}
        self._next = time.monotonic() + EVERY_S
        self.failed: str | None = None

    def add(self, row: Row) -> None:
        """Take in one row, and look if it is time to."""
        if row.phase != "measure" or not self._thresholds:
            return
        self._rows.append(row)
        now = time.monotonic()
        if now >= self._next:
            self.look()
            took = time.monotonic() - now
            self._next = now + max(EVERY_S, SPARED * took)

    def look(self) -> None:
        """Judge the thresholds by all rows so far."""
        lines = zip(
            *(tuple(getattr(row, name) for name in COLUMNS) for row in self._rows),
            strict=True,
        )
        frame = read([list(lines)] if self._rows else [])
        self._rows.clear()
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
            threshold = self._thresholds[n]
            if surely_failed(threshold, figure(threshold, seen, SURE, exact_interval)):
                self.failed = self.failed or threshold.text
