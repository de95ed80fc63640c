"""The time to the k-th output token: what unlike lengths of answers cannot distort."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from compare.judge.frame import Bools, Floats, Frame, Ints, Segment, floats

ONE_IN = 10
"""A depth is one that all of each host's answers reach but one in so many."""

US_A_MS = 1_000.0

LONGEST = 9
"""Bytes of a number in a timeline that are read: 63 bits, 290,000 years."""

COLUMNS = ("seq", "reasoning_tokens", "reasoning_chars", "timeline")
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
    for seq, reasoning, chars, timelines in batches:
        rows = np.searchsorted(frame.seq, np.array(seq))
        shown = frame.figures["tokens"][rows] - _hidden(reasoning, chars)
        sent_ms = frame.figures["sent_s"][rows] * 1e3
        found[rows] = time_to(wanted[rows], shown, sent_ms, timelines)
    frame.figures["ttn"] = found


def time_to(
    depth: Floats,
    tokens: Floats,
    sent_ms: Floats,
    timelines: Sequence[bytes | None],
) -> Floats:
    """Return the ms from `sent_ms` to token `depth` of each answer, NaN where unknown.

    Timelines are those of `data.timeline`, from the run's start as `sent_ms` is; all of
    them are unpacked at once.
    """
    begins, gap_us, output = _unpacked(timelines)
    at_us = _running(gap_us)
    rank = _running(output)
    before = rank[begins]
    events = np.diff(before)
    with np.errstate(invalid="ignore", divide="ignore"):
        place = np.ceil(depth * events / tokens)
        known = (depth <= tokens) & (events > 0)
    rows = np.flatnonzero(known)
    found = np.full(len(timelines), np.nan)
    hit = np.searchsorted(rank, before[rows] + place[rows])
    found[rows] = (at_us[hit] - at_us[begins[rows]]) / US_A_MS - sent_ms[rows]
    return found


def events_of(timelines: Sequence[bytes | None]) -> tuple[Ints, Ints, Bools]:
    """Return of each event of all timelines its row, moment (us) and if output came."""
    begins, gap_us, output = _unpacked(timelines)
    counts = np.diff(begins)
    at_us = _running(gap_us)
    moments = at_us[1:] - np.repeat(at_us[begins[:-1]], counts)
    return np.repeat(np.arange(len(counts)), counts), moments, output


def _unpacked(timelines: Sequence[bytes | None]) -> tuple[Ints, Ints, Bools]:
    """Return where each timeline's events begin and end, all gaps (us), and if output.

    The first has one place more than there are timelines.
    """
    blobs = [each or b"" for each in timelines]
    sizes = np.fromiter(map(len, blobs), np.int64, len(blobs))
    data = np.frombuffer(bytearray().join(blobs), dtype=np.uint8)
    edges = _running(sizes)
    data[edges[1:][sizes > 0] - 1] &= 0x7F  # a torn number ends with its timeline
    last = np.flatnonzero(data < 0x80)
    first = np.concatenate(([0], last[:-1] + 1))[: len(last)]
    more = last - first
    values = (data[first] & 0x7F).astype(np.int64)
    for n in range(1, min(int(more.max(initial=0)), LONGEST - 1) + 1):
        longer = np.flatnonzero(more >= n)
        values[longer] |= (data[first[longer] + n] & 0x7F).astype(np.int64) << (7 * n)
    return np.searchsorted(last, edges), values >> 2, (values & 3) > 0


def _running(values: Ints | Bools) -> Ints:
    """Return the sums of none, one, two, ... and all of some values."""
    found = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=found[1:])
    return found


def _hidden(reasoning: Sequence[int | None], chars: Sequence[int | None]) -> Floats:
    """Return how many of the counted tokens were not sent: reasoning that is hidden."""
    thought, seen = floats(reasoning), floats(chars)
    return np.where((seen > 0) | np.isnan(thought), 0.0, thought)
