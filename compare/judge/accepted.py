"""What an accepted answer costs, in money and in waiting, failures included."""

import math

import msgspec
import numpy as np

from compare.judge.frame import Bools, Floats, Frame, Ints
from compare.judge.pair import FLOOR_OF_MEANS
from compare.judge.stats import normal


class Per(msgspec.Struct, frozen=True, kw_only=True):
    """What all requests took, over how many were accepted.

    `low` and `high` are its 95 % interval, None below `FLOOR_OF_MEANS` requests. The
    `n_unknown` requests of unknown amount are in neither sum: with any of them `value`
    is too low. `value` is None where nothing was accepted, or no amount is known.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n_unknown: int = 0


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """How many answers were accepted, and what each of them took.

    `n` is ok + failed. Accepted is what passed its checks; where no answer was checked
    (`checked` False) every ok one. Of `n_unchecked` answers it is not known whether
    they would pass: they are in none of the figures. `usd` and `seconds` are what the
    n requests were charged and lasted, over the accepted ones. A request lasts until
    its last token, a failed one until its end.
    """

    n: int
    n_accepted: int
    checked: bool
    n_unchecked: int
    usd: Per
    seconds: Per


def accepted(frame: Frame, rows: Ints) -> Accepted:
    """Return what became of some rows that their host answers for."""
    rows = rows[frame.judged[rows]]
    ok, passed = frame.ok[rows], frame.figures["passed"][rows]
    checked = bool((~np.isnan(passed[ok])).any())
    waiting = ok & np.isnan(passed) & checked
    rows, ok, passed = rows[~waiting], ok[~waiting], passed[~waiting]
    good = ok & (passed == 1) if checked else ok
    sent, end = frame.figures["sent_s"][rows], frame.figures["end_s"][rows]
    lasted = np.where(ok, frame.figures["e2e"][rows] / 1e3, end - sent)
    cost = frame.figures["cost"][rows]
    unpriced = bool(np.isnan(cost[ok]).any())
    return Accepted(
        n=len(rows),
        n_accepted=int(good.sum()),
        checked=checked,
        n_unchecked=int(waiting.sum()),
        usd=_per(np.where(unpriced, np.nan, cost), good),
        seconds=_per(lasted, good),
    )


def _per(amounts: Floats, good: Bools) -> Per:
    """Return the ratio of two sums over the same requests.

    Its standard error is that of a ratio estimator: sd(x - r y) / (mean(y) sqrt(n))
    (Cochran, Sampling Techniques, 1977, 6.4).
    """
    known = ~np.isnan(amounts)
    x, y, n = amounts[known], good[known].astype(np.float64), int(known.sum())
    unknown = len(amounts) - n
    if not n or not good.sum() or not y.sum():
        return Per(value=None, n_unknown=unknown)
    value = float(x.sum() / y.sum())
    if n < FLOOR_OF_MEANS:
        return Per(value=value, n_unknown=unknown)
    error = float((x - value * y).std(ddof=1)) / (float(y.mean()) * math.sqrt(n))
    reach = normal() * error
    return Per(
        value=value,
        low=max(value - reach, 0.0),
        high=value + reach,
        n_unknown=unknown,
    )
