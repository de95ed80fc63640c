"""Stored runs as columns, ready to be judged."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from compare.judge.comparison import Batches, Judged
from compare.judge.depth import COLUMNS as DEPTHS
from compare.judge.frame import COLUMNS, read
from compare.judge.kind import Asked, Kind, Segment
from data import query
from data.row import RunRow

WHERE = ("provider", "scenario", "turn", "load")
"""The columns that tell who was asked in which segment."""


def load(db: Path, text: str) -> Judged:
    """Return the run meant by an id, a unique prefix or `latest`, with its rows.

    StoreError when the database cannot be read or holds no such run.
    """
    with closing(query.open_reader(db)) as reader:
        run = query.run(reader, query.resolve(reader, text))
        frame = msgspec.structs.replace(
            read(query.columns(reader, run.run_id, COLUMNS)), breaks=_breaks(run)
        )
        frame.asked.update(_asked(reader, run.run_id))

    def timelines() -> Iterator[Sequence[Sequence[Any]]]:
        with closing(query.open_reader(db)) as again:
            yield from query.columns(again, run.run_id, DEPTHS)

    def more(names: Sequence[str], span: tuple[int, int] | None) -> Batches:
        with closing(query.open_reader(db)) as again:
            yield from query.columns(again, run.run_id, names, span=span)

    return Judged(run, frame, timelines, more)


def _asked(
    reader: sqlite3.Connection, run_id: str
) -> dict[tuple[Segment, str], tuple[Asked, ...]]:
    """Return all that each host was asked for, by case where that is not one thing."""
    names = Asked.__struct_fields__[:-1]
    found = _by_host(query.distinct(reader, run_id, (*WHERE, *names)))
    if all(len(each) == 1 for each in found.values()):
        return found
    return _by_host(query.distinct(reader, run_id, (*WHERE, *names, "case_id")))


def _by_host(
    lines: Iterator[tuple[Any, ...]],
) -> dict[tuple[Segment, str], tuple[Asked, ...]]:
    found: dict[tuple[Segment, str], tuple[Asked, ...]] = {}
    for host, scenario, turn, load, *what in lines:
        kind = Kind(host, scenario, turn, load, "", None, None, None)
        key = (Segment(kind.asked, kind.step), host)
        found[key] = tuple(dict.fromkeys((*found.get(key, ()), Asked(*what))))
    return found


def _breaks(run: RunRow) -> tuple[tuple[float, float], ...]:
    """Return the breaks after which a run was resumed, in s from its start."""
    found = json.loads(run.resumed)
    return tuple((each["from_ns"] / 1e9, each["to_ns"] / 1e9) for each in found)
