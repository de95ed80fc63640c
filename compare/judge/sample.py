"""One metric of one host, and how many of its requests met all objectives."""

from collections.abc import Mapping

import msgspec
import numpy as np

from compare.judge.frame import Bools, Floats, Frame, Ints, Segment
from compare.judge.stats import Quantile, adjusted, quantile, share_interval

LOWER_IS_BETTER = frozenset(
    {"ttft", "ttfa", "ttft_due", "e2e", "e2e_due", "tpot", "ttn", "cost"}
)
OBJECTIVES = ("ttft", "ttfa", "tpot", "e2e", "ttft_due", "e2e_due")
"""The times, in ms, that an objective may be set for."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one host in one segment, with what is missing from it in view.

    `values` are those of ok answers that have the figure, ascending;
    `n_blank` ok ones have none. Censored ones were cut off by us: percentiles are lower
    bounds then. `cut` are the times in ms after which those of them that had been sent
    and had no figure yet were given up, ascending.
    """

    provider: str
    scenario: str
    step: int | None
    metric: str
    values: Floats
    n_attempted: int
    n_ok: int
    n_failed: int
    n_censored: int
    cut: Floats

    @property
    def n_blank(self) -> int:
        """Return how many ok answers lack the figure."""
        return self.n_ok - len(self.values)

    def quantile(self, q: float) -> Quantile:
        """Return a quantile of the answers, or none below its floor."""
        return quantile(self.values, q)

    def adjusted(self, q: float) -> Quantile:
        """Return a quantile of a time in which each failure lasts for ever.

        So does what we cut off once it had waited longer than the quantile without it;
        what was cut off before that tells nothing of it. ValueError for a metric of
        which more is better.
        """
        if self.metric not in LOWER_IS_BETTER:
            raise ValueError(f"{self.metric}: a failure is not the most of it")
        found = adjusted(self.values, self.n_failed, q)
        beyond = found.value
        if beyond is None:
            beyond = self.values[-1] if len(self.values) else 0.0
        waited = int((self.cut > beyond).sum())
        return adjusted(self.values, self.n_failed + waited, q)

    @property
    def mean(self) -> float | None:
        """Return the mean, None of nothing."""
        return float(np.mean(self.values)) if len(self.values) else None


class Goodput(msgspec.Struct, frozen=True, kw_only=True):
    """How many attempted requests met every objective.

    `share` is `n_good` / `n` with its 95 % Wilson interval; `n` is ok + failed. The
    `n_unknown` ok answers lack a figure that an objective needs: they are not counted
    as good. `n_censored` were cut off by us and are left out. `per_s` is good requests
    a second, over first sent to last end.
    """

    share: float | None
    low: float | None
    high: float | None
    n_good: int
    n: int
    n_unknown: int
    n_censored: int
    per_s: float | None


def sample(frame: Frame, segment: Segment, host: str, metric: str) -> Sample:
    """Return one metric of one host in one segment."""
    rows = frame.rows(segment, host)
    counts = frame.tally(rows)
    return Sample(
        provider=host,
        scenario=segment.scenario,
        step=segment.step,
        metric=metric,
        values=np.sort(frame.values(metric, rows)),
        n_attempted=counts.n_attempted,
        n_ok=counts.n_ok,
        n_failed=counts.n_failed,
        n_censored=counts.n_interrupted,
        cut=np.sort(cut_off(frame, rows, metric)),
    )


def cut_off(frame: Frame, rows: Ints, metric: str) -> Floats:
    """Return the known values of `waiting`."""
    found = waiting(frame, rows, metric)
    return found[~np.isnan(found)]


def waiting(frame: Frame, rows: Ints, metric: str) -> Floats:
    """Return by row after how many ms what had no figure yet was cut off by us.

    Its time, had it gone on, is no less. NaN of all other rows, and of what was never
    sent: that was no host's to answer. An end to end time has no figure before the
    answer ends.
    """
    open_ = frame.censored[rows]
    if not metric.startswith("e2e") and metric in LOWER_IS_BETTER:
        open_ = open_ & np.isnan(frame.figures[metric][rows])
    lasted = (frame.figures["end_s"][rows] - frame.figures["sent_s"][rows]) * 1e3
    return np.where(open_, lasted, np.nan)


def goodput(frame: Frame, rows: Ints, objectives: Mapping[str, float]) -> Goodput:
    """Return how many of some rows met every objective (ms by metric).

    Errors, timeouts, truncated and empty answers are not good, nor is what we cut off
    after it had missed an objective.
    """
    ok = rows[frame.ok[rows]]
    met = np.ones(len(ok), dtype=np.bool_)
    unknown = np.zeros(len(ok), dtype=np.bool_)
    for metric, most in objectives.items():
        figure = frame.figures[metric][ok]
        unknown |= np.isnan(figure)
        met &= figure <= most  # never true of NaN
    n, good = int(frame.judged[rows].sum()), int(met.sum())
    n += int(_too_late(frame, rows, objectives).sum())
    low, high = share_interval(good, n)
    span = span_of(frame, rows)[1]
    return Goodput(
        share=good / n if n else None,
        low=low,
        high=high,
        n_good=good,
        n=n,
        n_unknown=int(unknown.sum()),
        n_censored=int(frame.censored[rows].sum()),
        per_s=good / span if span else None,
    )


def _too_late(frame: Frame, rows: Ints, objectives: Mapping[str, float]) -> Bools:
    """Return which rows were cut off when it was sure that they would not be good."""
    cut = frame.censored[rows]
    lasted = (frame.figures["end_s"][rows] - frame.figures["sent_s"][rows]) * 1e3
    late = np.zeros(len(rows), dtype=np.bool_)
    for metric in objectives.keys() & {"ttft", "ttfa", "e2e"}:
        open_ = np.isnan(frame.figures[metric][rows]) | (metric == "e2e")
        late |= open_ & (lasted > objectives[metric])
    return cut & late


def span_of(frame: Frame, rows: Ints) -> tuple[float | None, float | None]:
    """Return when the first of some rows was sent, and the time to the last's end.

    Breaks of a run that was resumed are no part of that time.
    """
    sent, ended = frame.known("sent_s", rows), frame.known("end_s", rows)
    start = float(sent.min()) if len(sent) else None
    end = float(ended.max()) if len(ended) else None
    return start, (None if start is None or end is None else frame.lasted(start, end))
