"""What an accepted answer costs, in money, waiting and tokens, failures included."""

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
    they would pass: they are in none of the figures. `usd`, `seconds` and `tokens`
    (prompt and output) are what the n requests were charged, lasted and used, over the
    accepted ones. A request lasts until its last token, a failed one until its end.
    """

    n: int
    n_accepted: int
    checked: bool
    n_unchecked: int
    usd: Per
    seconds: Per
    tokens: Per


class Trials(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts that may be accepted, one place each in every column; NaN is unknown.

    `ok` tells which were answered, `passed` is 1 or 0 of those that were checked.
    """

    ok: Bools
    passed: Floats
    usd: Floats
    seconds: Floats
    tokens: Floats

    @property
    def waiting(self) -> Bools:
        """Return which were answered and not checked, though others were."""
        unknown = np.isnan(self.passed)
        return self.ok & unknown & bool((self.ok & ~unknown).any())


def trials(frame: Frame, rows: Ints) -> Trials:
    """Return requests as attempts; take those that their host answers for."""
    figures = {name: column[rows] for name, column in frame.figures.items()}
    ok = frame.ok[rows]
    lasted = figures["end_s"] - figures["sent_s"]
    return Trials(
        ok=ok,
        passed=figures["passed"],
        usd=figures["cost"],
        seconds=np.where(ok, figures["e2e"] / 1e3, lasted),
        tokens=figures["prompt"] + figures["tokens"],
    )


def gathered(found: Trials, session: Ints) -> Trials:
    """Return sessions as attempts: each has one number in `session`.

    One is ok if all its requests are, and passed as its last check says; it takes what
    they took together.
    """
    n = int(session.max()) + 1 if len(session) else 0
    known = ~np.isnan(found.passed)
    passed = np.full(n, np.nan)
    passed[session[known]] = found.passed[known]
    sums = {
        name: np.bincount(session, getattr(found, name), minlength=n).astype(float)
        for name in ("usd", "seconds", "tokens")
    }
    failed = np.bincount(session, ~found.ok, minlength=n)
    return Trials(ok=failed == 0, passed=passed, **sums)


def accepted(frame: Frame, rows: Ints) -> Accepted:
    """Return what became of some rows that their host answers for."""
    return accepted_of(trials(frame, rows[frame.judged[rows]]))


def accepted_of(found: Trials) -> Accepted:
    """Return what became of some attempts."""
    checked = bool((found.ok & ~np.isnan(found.passed)).any())
    counted = ~found.waiting
    ok, passed = found.ok[counted], found.passed[counted]
    good = ok & (passed == 1) if checked else ok
    return Accepted(
        n=len(ok),
        n_accepted=int(good.sum()),
        checked=checked,
        n_unchecked=int(found.waiting.sum()),
        usd=_per(_told(found.usd[counted], ok), good),
        seconds=_per(found.seconds[counted], good),
        tokens=_per(_told(found.tokens[counted], ok), good),
    )


def _told(amounts: Floats, ok: Bools) -> Floats:
    """Return amounts, none where an ok attempt has none: failures may be unknown."""
    return np.where(np.isnan(amounts[ok]).any(), np.nan, amounts)


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
