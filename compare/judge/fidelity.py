"""Whether tools are called when they should be, and as they should be."""

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np

from compare.judge.answers import Answers
from compare.judge.frame import Bools, Floats, Frame, Ints
from compare.judge.stats import share_interval
from data.verdicts import Verdicts

CALL, NO_CALL = "call", "no-call"
"""Names of checks that tell whether a tool should have been called."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A share of `n`, with its 95 % interval; None of nothing."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """How well tools were called, where checks say whether one should have been.

    `f1` is of calling at all: `n_hit` answers called a tool rightly, `n_missed` should
    have, `n_needless` should not have. `schema` is the share of the answers with calls
    in which all calls fit the tools that were offered. `agree` is the share of the
    questions asked both ways whose streamed and whole answers were judged alike.
    """

    f1: float | None
    low: float | None
    high: float | None
    n_hit: int
    n_missed: int
    n_needless: int
    schema: Share
    agree: Share


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """How live sessions went.

    `median` is the number of steps of those that were solved, None without any.
    `invalid` is the share of tool calls that name no tool or do not keep its schema,
    `leaks` the share of answers with the markup of a call in their text, `idle` of
    those that called no tool.
    """

    median: float | None
    n_solved: int
    invalid: Share
    leaks: Share
    idle: Share


def steps(known: Answers, rows: Ints, solved: Bools, session: Ints) -> Steps:
    """Return how live sessions went, from the numbers of their sessions by row.

    `rows` are answers, `solved` tells which sessions were.
    """
    counts = np.bincount(session, minlength=len(solved))[solved]
    made, fit = known.called[rows], known.fit[rows]
    told = ~np.isnan(made) & ~np.isnan(fit)
    calls = int(made[told].sum())
    return Steps(
        median=float(np.median(counts)) if len(counts) else None,
        n_solved=len(counts),
        invalid=share(calls - int(fit[told].sum()), calls),
        leaks=share(int(known.leaked[rows].sum()), len(rows)),
        idle=share(int((made[told] == 0).sum()), int(told.sum())),
    )


def share(part: int, whole: int) -> Share:
    """Return a share with Wilson's interval; none of a stranger's impossible counts."""
    if not 0 <= part <= whole:
        return Share(value=None, low=None, high=None, n=whole)
    low, high = share_interval(part, whole)
    return Share(value=part / whole if whole else None, low=low, high=high, n=whole)


def mean_share(shares: Floats) -> Share:
    """Return the mean of shares, one a case.

    What lies between 0 and 1 varies at most as a share of the same mean does, so
    Wilson's interval for as many cases is rather too wide than too narrow.
    """
    n = len(shares)
    low, high = share_interval(float(shares.sum()), n)
    value = float(shares.mean()) if n else None
    return Share(value=value, low=low, high=high, n=n)


def tools(
    frame: Frame, known: Answers, rows: Ints, verdicts: Sequence[Verdicts]
) -> Tools | None:
    """Return how well tools were called in some rows; None where no check tells."""
    if not {CALL, NO_CALL} & {each.name for each in verdicts}:
        return None
    called: Counter[tuple[str, int | None]] = Counter()
    for each in verdicts:
        called[each.name, each.called] += each.n
    hit, missed, needless = called[CALL, 1], called[CALL, 0], called[NO_CALL, 1]
    value, low, high = _f1(hit, missed + needless)
    rows = rows[frame.ok[rows]]
    made, fit = known.called[rows], known.fit[rows]
    some = (made > 0) & ~np.isnan(fit)
    return Tools(
        f1=value,
        low=low,
        high=high,
        n_hit=hit,
        n_missed=missed,
        n_needless=needless,
        schema=share(int((fit == made)[some].sum()), int(some.sum())),
        agree=_agree(frame, known, rows),
    )


def _f1(hit: int, wrong: int) -> tuple[float | None, float | None, float | None]:
    """Return F1 = 2 hit / (2 hit + wrong) with its interval.

    It is 2 J / (1 + J) of the share J = hit / (hit + wrong), which rises with J: its
    interval is Wilson's of J, taken there.
    """
    if not hit + wrong:
        return None, None, None
    low, high = (
        None if end is None else 2 * end / (1 + end)
        for end in share_interval(hit, hit + wrong)
    )
    return 2 * hit / (2 * hit + wrong), low, high


def _agree(frame: Frame, known: Answers, rows: Ints) -> Share:
    """Return how often the two ways of asking one question were judged alike.

    The nth answer to the one is held to the nth to the other.
    """
    passed = frame.figures["passed"]
    rows = rows[~np.isnan(passed[rows]) & (known.way[rows] >= 0)]
    found: dict[int, tuple[list[float], list[float]]] = {}
    for row in rows.tolist():
        sides = found.setdefault(int(known.question[row]), ([], []))
        sides[int(known.way[row])].append(float(passed[row]))
    pairs = [pair for sides in found.values() for pair in zip(*sides, strict=False)]
    return share(sum(a == b for a, b in pairs), len(pairs))
