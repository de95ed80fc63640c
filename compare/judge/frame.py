"""A run's measured requests as columns: a million of them fit in memory and in time.

Unknown figures are NaN in here and nowhere else.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from compare.judge.kind import Asked, Kind, Segment
from compare.judge.tally import FAILED, INTERRUPTED, OK, Tally, count, fate_of
from data.row import Timing

__all__ = [
    "COLUMNS", "DERIVED", "Bools", "Floats", "Frame", "Ints", "Kind", "Segment", "of",
    "read",
]  # fmt: skip

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


STAMPS = (
    "sent_ns", "end_ns", "due_ns", "first_token_ns", "first_answer_ns",
    "last_token_ns",
)  # fmt: skip
COUNTS = (
    "prompt_tokens", "cached_tokens", "completion_tokens", "passed", "cost_nusd",
    "cost_reported_nusd",
)  # fmt: skip
COLUMNS = (
    *Kind.__struct_fields__, "seq", "block", "prompt_sha256", *STAMPS, *COUNTS
)  # fmt: skip
"""What `data.query.columns` is asked for, in this order."""

DERIVED: dict[str, str] = {
    "ttft": "ttft_ms",
    "ttfa": "ttfa_ms",
    "ttft_due": "ttft_due_ms",
    "e2e": "e2e_ms",
    "e2e_due": "e2e_due_ms",
    "tpot": "tpot_ms",
    "decode_tps": "decode_tps",
    "tokens": "completion_tokens",
    "cost": "cost_usd",
    "cost_reported": "cost_reported_usd",
    "prompt": "prompt_tokens",
    "cached": "cached_tokens",
    "passed": "passed",
    "sent_s": "sent_s",
    "end_s": "end_s",
}
"""Each figure of a Frame, and the field of a Timing that has the same."""


class Frame(msgspec.Struct, frozen=True, dict=True):
    """Requests in order of `seq`: for each one its kind, block, prompt and figures.

    `prompt` tells prompts apart (0: unknown). `figures` has the keys of `DERIVED`;
    times in ms, money in USD, `sent_s` and `end_s` in seconds from the run's start.
    `asked` has each unlike thing that a host was asked for, and is empty where nobody
    looked. `breaks`, first and last second each, are the times in which a run that was
    resumed did not send. `live` are scenarios in which each host was asked from its own
    answers: a session is one block there.
    """

    kinds: tuple[Kind, ...]
    kind: Ints
    seq: Ints
    block: Ints
    prompt: Ints
    figures: dict[str, Floats]
    asked: dict[tuple[Segment, str], tuple[Asked, ...]] = {}
    breaks: tuple[tuple[float, float], ...] = ()
    live: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.kind)

    def codes(self, value: Callable[[Kind], int]) -> Ints:
        """Return for each row the number that its kind has."""
        found = np.array([value(kind) for kind in self.kinds], dtype=np.int64)
        return found[self.kind]

    def marks(self, value: Callable[[Kind], bool]) -> Bools:
        """Return for each row whether its kind is such a one."""
        found = np.array([value(kind) for kind in self.kinds], dtype=np.bool_)
        return found[self.kind]

    @cached_property
    def ok(self) -> Bools:
        """Return which rows are answers."""
        return self.marks(lambda kind: kind.outcome == OK)

    @cached_property
    def judged(self) -> Bools:
        """Return which rows a host answers for: ok or failed."""
        fates = {OK, FAILED}
        return self.marks(lambda kind: fate_of(kind.outcome, kind.blame) in fates)

    @cached_property
    def censored(self) -> Bools:
        """Return which rows were cut off by us."""
        return self.marks(lambda kind: fate_of(kind.outcome, kind.blame) == INTERRUPTED)

    @cached_property
    def _rows(self) -> Mapping[tuple[Segment, str], Ints]:
        keys = [(Segment(k.asked, k.step), k.provider) for k in self.kinds]
        codes = {key: n for n, key in enumerate(dict.fromkeys(keys))}
        group = np.array([codes[key] for key in keys], dtype=np.int64)[self.kind]
        order = np.argsort(group, kind="stable")
        ends = np.cumsum(np.bincount(group, minlength=len(codes)))
        parts = np.split(order, ends[:-1])
        return dict(zip(codes, parts, strict=True)) if len(self) else {}

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Return the segments in the order of their first requests."""
        return self._in_order(0)

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """Return the hosts in the order of their first requests."""
        return self._in_order(1)

    def _in_order(self, place: int) -> tuple[Any, ...]:
        found = sorted(self._rows, key=lambda key: int(self._rows[key][0]))
        return tuple(dict.fromkeys(key[place] for key in found))

    def hosts_of(self, segment: Segment) -> list[str]:
        """Return who was asked in a segment, in the order of first requests."""
        found = [(int(r[0]), h) for (s, h), r in self._rows.items() if s == segment]
        return [host for _, host in sorted(found)]

    def rows(self, segment: Segment, host: str) -> Ints:
        """Return the numbers of a host's rows in a segment; none if it has none."""
        return self._rows.get((segment, host), np.zeros(0, dtype=np.int64))

    def lasted(self, since: float, until: float) -> float:
        """Return how many seconds a span lasted, the breaks in it left out."""
        idle = (min(to, until) - max(begun, since) for begun, to in self.breaks)
        return until - since - sum(each for each in idle if each > 0)

    def values(self, name: str, rows: Ints) -> Floats:
        """Return the known values of a figure over the ok ones among some rows."""
        found = self.figures[name][rows[self.ok[rows]]]
        return found[~np.isnan(found)]

    def known(self, name: str, rows: Ints) -> Floats:
        """Return the known values of a figure over some rows, ok or not."""
        found = self.figures[name][rows]
        return found[~np.isnan(found)]

    def tally(self, rows: Ints) -> Tally:
        """Count what became of some rows."""
        counts = np.bincount(self.kind[rows], minlength=len(self.kinds))
        return count(
            (kind.outcome, kind.blame, int(n))
            for kind, n in zip(self.kinds, counts, strict=True)
            if n
        )

    def kinds_of(self, rows: Ints) -> Iterator[tuple[Kind, int]]:
        """Yield the kinds among some rows, and how many rows each has."""
        counts = np.bincount(self.kind[rows], minlength=len(self.kinds))
        for kind, n in zip(self.kinds, counts, strict=True):
            if n:
                yield kind, int(n)


def read(batches: Iterable[Sequence[Sequence[Any]]]) -> Frame:
    """Return the Frame of batches of `COLUMNS`, as `data.query.columns` yields them.

    The figures are those of the view `timings`; a test holds the two together.
    """
    codes = _numbered()
    n_kind = len(Kind.__struct_fields__)
    whole: dict[str, list[Ints]] = {n: [] for n in ("kind", "seq", "block", "prompt")}
    numbers: dict[str, list[Floats]] = {name: [] for name in STAMPS + COUNTS}
    for batch in batches:
        keys = zip(*batch[:n_kind], strict=True)
        seqs, blocks, prompts, *columns = batch[n_kind:]
        found = (map(codes.__getitem__, keys), seqs, blocks, map(hash, prompts))
        for parts, each in zip(whole.values(), found, strict=True):
            parts.append(_ints(each))
        for name, column in zip(numbers, columns, strict=True):
            numbers[name].append(floats(column))
    kinds = tuple(Kind(*key) for key in codes)
    joined = {name: _joined(parts, np.float64) for name, parts in numbers.items()}
    kind, seq, block, prompt = (_joined(each, np.int64) for each in whole.values())
    figures = _figures(kinds, kind, joined)
    return _ordered(Frame(kinds, kind, seq, block, prompt, figures))


def floats(column: Sequence[float | None]) -> Floats:
    """Return a column as numbers, NaN for None."""
    if None in column:
        if column.count(None) == len(column):  # nobody states it: by far the quickest
            return np.full(len(column), np.nan)
        return np.array(column, dtype=np.float64)
    return np.fromiter(column, np.float64, len(column))  # several times as quick


def of(timings: Iterable[Timing]) -> Frame:
    """Return the Frame of requests that were read one by one."""
    rows = list(timings)
    codes = _numbered()
    kind = _ints(codes[_key(row)] for row in rows)
    kinds = tuple(Kind(*key) for key in codes)
    figures = {
        name: np.array([getattr(row, field) for row in rows], dtype=np.float64)
        for name, field in DERIVED.items()
    }
    _blank(figures, kinds, kind)
    seq, block = _ints(r.seq for r in rows), _ints(r.block for r in rows)
    prompt = np.zeros(len(rows), np.int64)
    return _ordered(Frame(kinds, kind, seq, block, prompt, figures))


def _ordered(frame: Frame) -> Frame:
    seq = frame.seq
    if (seq[1:] >= seq[:-1]).all():
        return frame
    order = np.argsort(seq, kind="stable")
    figures = {name: column[order] for name, column in frame.figures.items()}
    return Frame(
        frame.kinds,
        frame.kind[order],
        seq[order],
        frame.block[order],
        frame.prompt[order],
        figures,
    )


def _figures(
    kinds: Sequence[Kind], kind: Ints, raw: Mapping[str, Floats]
) -> dict[str, Floats]:
    """Return the derived figures; `raw` has stamps in ns and counts."""
    sent, first, last = (raw[f"{n}_ns"] for n in ("sent", "first_token", "last_token"))
    tokens = raw["completion_tokens"]
    true = np.array([k.stream_label == "true" for k in kinds], dtype=np.bool_)
    streamed = true[kind] & (last > first) & (tokens >= 2)
    span = np.where(streamed, last - first, np.nan)
    figures = {
        "ttft": (first - sent) / 1e6,
        "ttfa": (raw["first_answer_ns"] - sent) / 1e6,
        "ttft_due": (first - raw["due_ns"]) / 1e6,
        "e2e": (last - sent) / 1e6,
        "e2e_due": (last - raw["due_ns"]) / 1e6,
        "tpot": span / 1e6 / (tokens - 1),
        "decode_tps": (tokens - 1) * 1e9 / span,
        "tokens": tokens,
        "cost": raw["cost_nusd"] / 1e9,
        "cost_reported": raw["cost_reported_nusd"] / 1e9,
        "prompt": raw["prompt_tokens"],
        "cached": raw["cached_tokens"],
        "passed": raw["passed"],
        "sent_s": sent / 1e9,
        "end_s": raw["end_ns"] / 1e9,
    }
    _blank(figures, kinds, kind)
    return figures


def _blank(figures: dict[str, Floats], kinds: Sequence[Kind], kind: Ints) -> None:
    """Blank the first token of answers that were not streamed: they have none."""
    whole = np.array([k.stream_label == "not_streamed" for k in kinds], dtype=np.bool_)
    if whole.any():
        for name in ("ttft", "ttfa", "ttft_due"):
            figures[name][whole[kind]] = np.nan


def _key(row: Timing) -> tuple[Any, ...]:
    load = "{}" if row.step is None else f'{{"step":{row.step}}}'
    return (
        row.provider, row.scenario, row.turn, load, row.outcome, row.blame,
        row.stream_label, row.conn_reused,
    )  # fmt: skip


def _numbered() -> defaultdict[tuple[Any, ...], int]:
    """Return what numbers each new key from 0 on when it is asked for."""
    return defaultdict(itertools.count().__next__)


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int64)


def _joined(parts: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)
