"""What else is known of a run's answers: their questions, sessions, words and calls."""

import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from compare.judge.frame import Bools, Floats, Frame, Ints, floats
from providers.outcome import Flag

COLUMNS = (
    "seq", "scenario", "case_id", "turn", "session_id", "answer_sha256", "params",
    "n_tool_calls", "n_tool_calls_fit", "flags",
)  # fmt: skip
"""What `Judged.more` is asked for, in this order."""

LEAK = f'"{Flag.TOOL_MARKUP_LEAK}"'

WAYS = (".stream", ".whole")
"""How the cases end of a question that is asked both ways (`scenarios.content`)."""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of each row of a frame; -1 stands for nothing.

    `case` tells cases and their turns apart, `question` leaves out whether they were
    streamed, which `way` tells (0 or 1, -1: asked one way alone). `words` tells answers
    apart that differ in a byte, `session` sessions. `cold` are those that were asked
    for with a temperature of 0. `called` and `fit` count tool calls, and those that fit
    the tools that were offered; `leaked` are answers with the markup of a call in them.
    """

    case: Ints
    question: Ints
    way: Ints
    session: Ints
    words: Ints
    cold: Bools
    called: Floats
    fit: Floats
    leaked: Bools


def answers(frame: Frame, batches: Iterable[Sequence[Sequence[Any]]]) -> Answers:
    """Return what batches of `COLUMNS` say of the rows of a frame."""
    made = _Codes(len(frame))
    for seq, *columns in batches:
        rows = np.searchsorted(frame.seq, np.array(seq))
        # A run that goes on may have more rows by now than were judged.
        known = rows < len(frame)
        known[known] = frame.seq[rows[known]] == np.array(seq)[known]
        made.take(rows, known, columns)
    return made.answers()


class _Codes:
    """Numbers for texts, batch by batch."""

    def __init__(self, n: int) -> None:
        names = ("case", "question", "way", "session", "words")
        self._columns = {name: np.full(n, -1) for name in names}
        self._numbers = {name: _numbered() for name in names}
        self._cold = np.zeros(n, dtype=np.bool_)
        self._called, self._fit = np.full(n, np.nan), np.full(n, np.nan)
        self._leaked = np.zeros(n, dtype=np.bool_)

    def take(self, rows: Ints, known: Bools, columns: Sequence[Sequence[Any]]) -> None:
        scenes, cases, turns, sessions, words, params, called, fit, flags = columns
        bare = [_bare(case) for case in cases]
        self._put("case", rows, known, zip(scenes, cases, turns, strict=True))
        asked = (
            (s, case, t) for s, (case, _), t in zip(scenes, bare, turns, strict=True)
        )
        self._put("question", rows, known, asked)
        self._put("session", rows, known, sessions)
        self._put("words", rows, known, words)
        self._columns["way"][rows[known]] = np.array([way for _, way in bare])[known]
        cold = {text: _is_cold(text) for text in set(params)}
        self._cold[rows[known]] = np.array([cold[text] for text in params])[known]
        self._called[rows[known]] = floats(called)[known]
        self._fit[rows[known]] = floats(fit)[known]
        leaked = np.array([LEAK in (text or "") for text in flags], dtype=np.bool_)
        self._leaked[rows[known]] = leaked[known]

    def _put(
        self, name: str, rows: Ints, known: Bools, keys: Iterable[Hashable]
    ) -> None:
        numbers = self._numbers[name]
        codes = [-1 if key is None else numbers[key] for key in keys]
        self._columns[name][rows[known]] = np.array(codes, dtype=np.int64)[known]

    def answers(self) -> Answers:
        return Answers(
            **self._columns,
            cold=self._cold,
            called=self._called,
            fit=self._fit,
            leaked=self._leaked,
        )


def _bare(case: str) -> tuple[str, int]:
    """Return a case without what tells how it was asked, and that (-1: nothing)."""
    for n, end in enumerate(WAYS):
        if case.endswith(end):
            return case.removesuffix(end), n
    return case, -1


def _is_cold(params: str) -> bool:
    try:
        told = msgspec.json.decode(params or "{}")
    except msgspec.DecodeError:  # a stranger's row
        return False
    return isinstance(told, dict) and told.get("temperature") == 0


def _numbered() -> defaultdict[Hashable, int]:
    return defaultdict(itertools.count().__next__)
