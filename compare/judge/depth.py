"""The time to the k-th output token: what unlike lengths of answers cannot distort."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.judge.frame import Floats, Frame, Ints, Segment

ONE_IN = 10
"""A depth is one that all of each host's answers reach but one in so many."""

US_A_MS = 1_000.0

COLUMNS = (
    "seq", "sent_ns", "completion_tokens", "reasoning_tokens", "reasoning_chars",
    "timeline",
)  # fmt: skip
"""What `data.query.columns` is asked for, in this order."""


def depth_of(frame: Frame, segment: Segment) -> int | None:
    """Return how many tokens nine in ten of each host's answers reach; None below 2."""
    least = []
    for host in frame.hosts_of(segment):
        tokens = np.sort(frame.values("tokens", frame.rows(segment, host)))
        if len(tokens):
            least.append(int(tokens[len(tokens) // ONE_IN]))
    return min(least) if len(least) > 1 and min(least) >= 2 else None


def add_depths(
    frame: Frame,
    depths: dict[Segment, int],
    batches: Iterable[Sequence[Sequence[Any]]],
) -> None:
    """Add the figure `ttn` (ms) to a frame, from its stored timelines.

    The k-th of n tokens came in event ceil(k E / n) of the E that carried output: exact
    where each event carries as many. Reasoning that was counted but not shown is not
    waited for. NaN where a host states no count or the answer is shorter.
    """
    wanted = np.full(len(frame), np.nan)
    for segment, depth in depths.items():
        for host in frame.hosts_of(segment):
            wanted[frame.rows(segment, host)] = depth
    found = np.full(len(frame), np.nan)
    for batch in batches:
        rows = np.searchsorted(frame.seq, np.array(batch[0]))
        shown = _shown(*batch[2:5])
        found[rows] = time_to(wanted[rows], shown, batch[1], batch[5])
    frame.figures["ttn"] = found


def time_to(
    depth: Floats,
    tokens: Floats,
    sent_ns: Sequence[int | None],
    timelines: Sequence[bytes | None],
) -> Floats:
    """Return the ms from `sent_ns` to token `depth` of each answer, NaN where unknown.

    Timelines are those of `data.timeline`, from the run's start as `sent_ns` is; all of
    them are unpacked at once.
    """
    row, at_us, output = events_of(timelines)
    n_rows = len(timelines)
    events = np.bincount(row[output], minlength=n_rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        reached = (depth <= tokens) & (events > 0)
        place = np.where(reached, np.ceil(depth * events / tokens), -1)
    rank = np.cumsum(output)
    before = np.concatenate(([0], np.cumsum(events)))[:-1]
    hit = output & (rank - before[row] == place[row])
    found = np.full(n_rows, np.nan)
    found[row[hit]] = at_us[hit] / US_A_MS
    return np.asarray(found - np.array(sent_ns, dtype=np.float64) / 1e6)


def events_of(
    timelines: Sequence[bytes | None],
) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Return of each event of all timelines its row, moment (us) and if output came."""
    sizes = [len(each or b"") for each in timelines]
    data = np.frombuffer(b"".join(each or b"" for each in timelines), dtype=np.uint8)
    last = data < 0x80
    if not last.any():
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty, np.zeros(0, dtype=np.bool_)
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    places = np.arange(len(data)) - np.repeat(starts, ends - starts + 1)
    parts = (data & 0x7F).astype(np.int64) << (7 * places)
    values = np.add.reduceat(parts, starts)
    row = np.repeat(np.arange(len(sizes)), sizes)[ends]
    at = np.cumsum(values >> 2)
    first = np.searchsorted(row, np.arange(len(sizes)))
    base = np.concatenate(([0], at))[first]
    return row, at - base[row], (values & 3) > 0


def _shown(
    tokens: Sequence[int | None],
    reasoning: Sequence[int | None],
    chars: Sequence[int | None],
) -> Floats:
    """Return how many of the counted tokens were sent: hidden reasoning is not."""
    counted, thought, seen = (
        np.array(each, dtype=np.float64) for each in (tokens, reasoning, chars)
    )
    hidden = np.where((seen > 0) | np.isnan(thought), 0.0, thought)
    return np.asarray(counted - hidden)
