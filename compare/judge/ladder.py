"""What long prompts came to: recall by length and depth, and where they were cut."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from compare.judge.frame import Frame, Ints
from compare.judge.kind import Segment
from compare.judge.stats import share_interval
from scenarios.hay import Rung, rung_of

More = Callable[[Sequence[str], tuple[int, int] | None], Any]

GROWS = 0.9
"""A prompt is read whole while its stated tokens grow by so much of the usual."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """The answers at one length and depth: `n_right` of `n` that were checked.

    `low` and `high` are the 95 % Wilson interval of their share, None of none.
    `n_failed` requests got no answer.
    """

    tokens: int
    depth: float
    n_right: int
    n: int
    n_failed: int
    low: float | None
    high: float | None

    @property
    def share(self) -> float | None:
        """Return the share that was right, None of none."""
        return self.n_right / self.n if self.n else None


class Climb(msgspec.Struct, frozen=True, kw_only=True):
    """One host on the ladder of one scenario and load step.

    `stated` is the median of the prompt tokens that it stated at each length, None
    where it stated none. Where these stop growing, the prompt was cut: `cut_from` is
    the first such length, `read_most` the most tokens that were stated; both None
    where they grow, or fewer than two lengths are known.
    """

    provider: str
    scenario: str
    step: int | None
    cells: tuple[Cell, ...]
    stated: dict[int, float | None]
    cut_from: int | None
    read_most: int | None

    @property
    def sizes(self) -> list[int]:
        """Return the lengths that were asked, ascending."""
        return sorted({cell.tokens for cell in self.cells})

    @property
    def depths(self) -> list[float]:
        """Return the depths that were asked, ascending."""
        return sorted({cell.depth for cell in self.cells})


def is_ladder(frame: Frame, more: More, segment: Segment) -> bool:
    """Tell whether a segment asked the cases of a ladder, going by its first row."""
    rows = [frame.rows(segment, host)[0] for host in frame.hosts_of(segment)]
    first = int(frame.seq[min(rows)])
    ids = [each for (column,) in more(("case_id",), (first, first)) for each in column]
    return bool(ids) and rung_of(ids[0]) is not None


def climbs(
    frame: Frame, more: More, among: Sequence[Segment] | None = None
) -> list[Climb]:
    """Return what each host came to on each ladder; none where there is no ladder.

    `more` reads columns of the same run's rows, as that of a `Judged` does.
    """
    found = []
    for segment in frame.segments if among is None else among:
        if is_ladder(frame, more, segment):
            rungs = _rungs(frame, more, segment)
            found += [_climb(frame, segment, h, rungs) for h in frame.hosts_of(segment)]
    return found


def _rungs(frame: Frame, more: More, segment: Segment) -> dict[int, Rung]:
    """Return the rung of each row of a segment, by `seq`."""
    seqs = [frame.seq[frame.rows(segment, host)] for host in frame.hosts_of(segment)]
    span = min(int(s[0]) for s in seqs), max(int(s[-1]) for s in seqs)
    return {
        seq: rung
        for batch in more(("seq", "case_id"), span)
        for seq, case_id in zip(*batch, strict=True)
        if (rung := rung_of(case_id)) is not None
    }


def _climb(frame: Frame, segment: Segment, host: str, rungs: dict[int, Rung]) -> Climb:
    rows = frame.rows(segment, host)
    at: dict[tuple[int, float], list[int]] = {}
    by_size: dict[int, list[int]] = {}
    for row in rows.tolist():
        rung = rungs.get(int(frame.seq[row]))
        if rung is not None:
            at.setdefault((rung.tokens, rung.depth), []).append(row)
            by_size.setdefault(rung.tokens, []).append(row)
    stated = {size: _stated(frame, np.array(by_size[size])) for size in sorted(by_size)}
    cut = _cut_from(stated)
    known = [tokens for tokens in stated.values() if tokens is not None]
    return Climb(
        provider=host,
        scenario=segment.scenario,
        step=segment.step,
        cells=tuple(_cell(frame, np.array(at[key]), *key) for key in sorted(at)),
        stated=stated,
        cut_from=cut,
        read_most=None if cut is None else round(max(known)),
    )


def _cell(frame: Frame, rows: Ints, tokens: int, depth: float) -> Cell:
    passed = frame.values("passed", rows)
    counts = frame.tally(rows)
    low, high = share_interval(float(passed.sum()), len(passed))
    return Cell(
        tokens=tokens,
        depth=depth,
        n_right=int(passed.sum()),
        n=len(passed),
        n_failed=counts.n_failed,
        low=low,
        high=high,
    )


def _stated(frame: Frame, rows: Ints) -> float | None:
    tokens = frame.values("prompt", rows)
    return float(np.median(tokens)) if len(tokens) else None


def _cut_from(stated: dict[int, float | None]) -> int | None:
    """Return the first length at which the stated tokens grew too little.

    That is by the most that they grew anywhere, or were of the shortest prompt.
    """
    known = {size: tokens for size, tokens in stated.items() if tokens is not None}
    growths = [
        (longer, (known[longer] - known[shorter]) / (longer - shorter))
        for shorter, longer in itertools.pairwise(known)
    ]
    rates = (tokens / size for size, tokens in known.items())
    usual = max([*(each for _, each in growths), *rates], default=0.0)
    return next((size for size, each in growths if each < GROWS * usual), None)
