"""Requests by when they were sent: shares and medians of many spans of time."""

import datetime as dt

import msgspec
import numpy as np

from compare.judge.frame import Floats, Frame, Ints
from compare.judge.stats import Quantile, quantile

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S


class Periods(msgspec.Struct, frozen=True, kw_only=True):
    """What became of requests in each of several periods.

    `n_ok` and `n_failed` leave out what no host answers for. `medians` are of the
    answers, each with its floor.
    """

    n_ok: Ints
    n_failed: Ints
    medians: tuple[Quantile, ...]

    @property
    def n(self) -> Ints:
        """Return how many requests of each period a host answers for."""
        return self.n_ok + self.n_failed

    @property
    def success(self) -> Floats:
        """Return each period's success share, NaN of nothing."""
        n = self.n
        return np.where(n > 0, self.n_ok / np.maximum(n, 1), np.nan)


def moments(frame: Frame, rows: Ints) -> Floats:
    """Return when requests were sent, or else ended, in s from the run's start."""
    sent, end = frame.figures["sent_s"][rows], frame.figures["end_s"][rows]
    return np.where(np.isnan(sent), end, sent)


def by_period(
    frame: Frame, rows: Ints, period: Ints, n_periods: int, metric: str
) -> Periods:
    """Return what became of rows in periods 0 to `n_periods` - 1; others are left out.

    `period` has the period of each row.
    """
    inside = frame.judged[rows] & (period >= 0) & (period < n_periods)
    rows, period = rows[inside], period[inside]
    ok = frame.ok[rows]
    value = frame.figures[metric][rows]
    known = ok & ~np.isnan(value)
    order = np.lexsort((value[known], period[known]))
    ends = np.cumsum(np.bincount(period[known], minlength=n_periods))
    parts = np.split(value[known][order], ends[:-1])
    return Periods(
        n_ok=np.bincount(period[ok], minlength=n_periods),
        n_failed=np.bincount(period[~ok], minlength=n_periods),
        medians=tuple(quantile(part, 0.5) for part in parts),
    )


def periods_of(at: Floats, first: float, each: float) -> Ints:
    """Return in which span of `each` seconds after `first` moments lie, -1: unknown."""
    found = np.floor((at - first) / each)
    return np.where(np.isnan(found), -1, found).astype(np.int64)


def began(started_at: str) -> dt.datetime | None:
    """Return when a run started, in UTC; None if that cannot be read."""
    try:
        found = dt.datetime.fromisoformat(started_at)
    except ValueError:
        return None
    if found.tzinfo is None:
        return found.replace(tzinfo=dt.UTC)
    return found.astimezone(dt.UTC)


def midnight_before(begun: dt.datetime) -> float:
    """Return when the day (UTC) of a run's start began: s from the start, below 0."""
    midnight = begun.replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - begun).total_seconds()


def hours_of_week(at: Floats, begun: dt.datetime) -> Ints:
    """Return the hour of the week (UTC) of moments in s from a run's start.

    Monday 00:00 is 0; -1 where the moment is unknown.
    """
    monday = midnight_before(begun) - begun.weekday() * DAY_S
    hours = periods_of(at, monday, HOUR_S)
    return np.where(hours < 0, -1, hours % 168)
