"""Stored runs as columns, ready to be judged."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from compare.judge.comparison import Batches, Judged
from compare.judge.depth import COLUMNS as DEPTHS
from compare.judge.frame import COLUMNS, Frame, read
from compare.judge.kind import Asked, Kind, Segment
from data import query
from data.row import RunRow
from data.verdicts import Verdicts, verdicts

WHERE = ("provider", "scenario", "turn", "load")
"""The columns that tell who was asked in which segment."""


def load(db: Path, text: str) -> Judged:
    """Return the run meant by an id, a unique prefix or `latest`, with its rows.

    StoreError when the database cannot be read or holds no such run.
    """
    with closing(query.open_reader(db)) as reader:
        run = query.run(reader, query.resolve(reader, text))
        frame = read(query.columns(reader, run.run_id, COLUMNS))
        frame = msgspec.structs.replace(_whole(frame, run), breaks=_breaks(run))
        frame.asked.update(_asked(reader, run))

    def timelines() -> Iterator[Sequence[Sequence[Any]]]:
        with closing(query.open_reader(db)) as again:
            yield from query.columns(again, run.run_id, DEPTHS)

    def more(names: Sequence[str], span: tuple[int, int] | None) -> Batches:
        with closing(query.open_reader(db)) as again:
            yield from query.columns(again, run.run_id, names, span=span)

    def counted() -> list[Verdicts]:
        with closing(query.open_reader(db)) as again:
            return verdicts(again, run.run_id)

    return Judged(run, frame, timelines, more, counted)


def _whole(frame: Frame, run: RunRow) -> Frame:
    """Return a frame without turns where sessions are judged whole.

    Which scenarios these are stands in `runs.scenarios`. In live ones hosts are asked
    each from its own answers, so they share sessions and not blocks, nor prompts.
    """
    whole, live = _marked(run, "whole"), _marked(run, "live")
    shift = frame.codes(lambda k: (k.turn or 1) - 1 if k.scenario in live else 0)
    apart = frame.marks(lambda kind: kind.scenario in live)
    kinds = tuple(
        msgspec.structs.replace(kind, turn=None) if kind.scenario in whole else kind
        for kind in frame.kinds
    )
    return msgspec.structs.replace(
        frame,
        kinds=kinds,
        block=frame.block - shift,
        prompt=np.where(apart, 0, frame.prompt),
        live=live,
    )


def _marked(run: RunRow, how: str) -> frozenset[str]:
    """Return the scenarios of a run that it says are `whole`, or `live`."""
    listed = json.loads(run.scenarios or "[]")
    tables = [each for each in listed if isinstance(each, dict)]
    return frozenset(str(each.get("name")) for each in tables if each.get(how))


def _asked(
    reader: sqlite3.Connection, run: RunRow
) -> dict[tuple[Segment, str], tuple[Asked, ...]]:
    """Return all that each host was asked for, by case where that is not one thing."""
    names, whole = Asked.__struct_fields__[:-1], _marked(run, "whole")
    found = _by_host(query.distinct(reader, run.run_id, (*WHERE, *names)), whole)
    if all(len(each) == 1 for each in found.values()):
        return found
    by_case = query.distinct(reader, run.run_id, (*WHERE, *names, "case_id"))
    return _by_host(by_case, whole)


def _by_host(
    lines: Iterator[tuple[Any, ...]], whole: frozenset[str]
) -> dict[tuple[Segment, str], tuple[Asked, ...]]:
    found: dict[tuple[Segment, str], tuple[Asked, ...]] = {}
    for host, scenario, turn, load, *what in lines:
        part = None if scenario in whole else turn
        kind = Kind(host, scenario, part, load, "", None, None, None)
        key = (Segment(kind.asked, kind.step), host)
        found[key] = tuple(dict.fromkeys((*found.get(key, ()), Asked(*what))))
    return found


def _breaks(run: RunRow) -> tuple[tuple[float, float], ...]:
    """Return the breaks after which a run was resumed, in s from its start."""
    found = json.loads(run.resumed)
    return tuple((each["from_ns"] / 1e9, each["to_ns"] / 1e9) for each in found)
