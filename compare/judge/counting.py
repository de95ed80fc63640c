"""Whether hosts count the tokens of one prompt alike: a line through their counts."""

import msgspec
import numpy as np

from compare.judge.frame import Floats, Frame, Ints, Segment
from compare.judge.ladder import More, is_ladder
from compare.judge.stats import CONFIDENCE

FEWEST = 8
"""Fewer blocks tell nothing of a line."""

SPREAD = 8.0
"""Prompts of which the longest is not so many times the shortest bear no line."""

RESAMPLES = 2_000
MOST = 2_000
"""So many blocks are looked at, evenly spaced: more change no figure."""


class Counting(msgspec.Struct, frozen=True, kw_only=True):
    """How a host counts prompts: extra + slope x the count of `reference`.

    Of `n` blocks that both answered and of which both stated the prompt tokens. Least
    squares; the ends are of 95 % intervals (bootstrap over blocks). `furthest` is the
    largest distance of a count from the line, in tokens: where it is more than a few,
    the two do not cut texts alike. `alike` tells that each prompt had one count.
    """

    provider: str
    reference: str
    scenario: str
    step: int | None
    n: int
    slope: float
    slope_low: float
    slope_high: float
    extra: float
    extra_low: float
    extra_high: float
    furthest: float
    alike: bool


def countings(frame: Frame, more: More, seed: int = 0) -> list[Counting]:
    """Return how each host counts prompts, set against the first, in each segment.

    Only where prompts are of many lengths, the same for both, and no ladder: there a
    host that cuts them is told of by other means.
    """
    found = []
    for segment in frame.segments:
        reference, *others = frame.hosts_of(segment)
        if not others or not _spread(frame, segment, reference):
            continue
        if is_ladder(frame, more, segment):
            continue
        made = (_counting(frame, segment, h, reference, seed) for h in others)
        found += [each for each in made if each is not None]
    return found


def _spread(frame: Frame, segment: Segment, host: str) -> bool:
    tokens = frame.values("prompt", frame.rows(segment, host))
    return len(tokens) >= FEWEST and bool(tokens.max() >= SPREAD * max(tokens.min(), 1))


def _counting(
    frame: Frame, segment: Segment, host: str, reference: str, seed: int
) -> Counting | None:
    x, y = _pairs(frame, frame.rows(segment, reference), frame.rows(segment, host))
    if len(x) < FEWEST or x.max() < SPREAD * max(x.min(), 1):
        return None
    rng = np.random.default_rng([seed, len(x)])
    drawn = rng.integers(0, len(x), (RESAMPLES, len(x)))
    slope, extra = _lines(x[None, :], y[None, :])
    slopes, extras = _lines(x[drawn], y[drawn])
    ends = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    slope_low, slope_high = np.nanquantile(slopes, ends)
    extra_low, extra_high = np.nanquantile(extras, ends)
    return Counting(
        provider=host,
        reference=reference,
        scenario=segment.scenario,
        step=segment.step,
        n=len(x),
        slope=float(slope[0]),
        slope_low=float(slope_low),
        slope_high=float(slope_high),
        extra=float(extra[0]),
        extra_low=float(extra_low),
        extra_high=float(extra_high),
        furthest=float(np.abs(y - extra[0] - slope[0] * x).max()),
        alike=bool((x == y).all()),
    )


def _pairs(frame: Frame, theirs: Ints, ours: Ints) -> tuple[Floats, Floats]:
    """Return the prompt tokens of both, of blocks that showed both the same bytes."""
    _, a, b = np.intersect1d(
        frame.block[theirs], frame.block[ours], assume_unique=True, return_indices=True
    )
    rows = theirs[a], ours[b]
    x, y = (frame.figures["prompt"][each] for each in rows)
    same = frame.prompt[rows[0]] == frame.prompt[rows[1]]
    known = same & ~np.isnan(x) & ~np.isnan(y) & frame.ok[rows[0]] & frame.ok[rows[1]]
    x, y = x[known], y[known]
    every = max(1, -(-len(x) // MOST))
    return x[::every], y[::every]


def _lines(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return slope and intercept of the least squares through each line of points.

    NaN where all of x is one: a resample may draw one length alone.
    """
    mx, my = x.mean(axis=1), y.mean(axis=1)
    dx = x - mx[:, None]
    spread = (dx * dx).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(spread > 0, (dx * y).sum(axis=1) / spread, np.nan)
    return slope, my - slope * mx
