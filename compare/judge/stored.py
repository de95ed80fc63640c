"""Stored runs as columns, ready to be judged."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from compare.judge.comparison import Batches, Judged
from compare.judge.depth import COLUMNS as DEPTHS
from compare.judge.frame import COLUMNS, read
from compare.judge.kind import Asked
from data import query
from data.row import RunRow


def load(db: Path, text: str) -> Judged:
    """Return the run meant by an id, a unique prefix or `latest`, with its rows.

    StoreError when the database cannot be read or holds no such run.
    """
    with closing(query.open_reader(db)) as reader:
        run = query.run(reader, query.resolve(reader, text))
        frame = msgspec.structs.replace(
            read(query.columns(reader, run.run_id, COLUMNS)), breaks=_breaks(run)
        )
        for segment in frame.segments:
            for host in frame.hosts_of(segment):
                first = int(frame.seq[frame.rows(segment, host)[0]])
                row = query.row(reader, run.run_id, first)
                what = {name: getattr(row, name) for name in Asked.__struct_fields__}
                frame.asked[segment, host] = Asked(**what)

    def timelines() -> Iterator[Sequence[Sequence[Any]]]:
        with closing(query.open_reader(db)) as again:
            yield from query.columns(again, run.run_id, DEPTHS)

    def more(names: Sequence[str], span: tuple[int, int] | None) -> Batches:
        with closing(query.open_reader(db)) as again:
            yield from query.columns(again, run.run_id, names, span=span)

    return Judged(run, frame, timelines, more)


def _breaks(run: RunRow) -> tuple[tuple[float, float], ...]:
    """Return the breaks after which a run was resumed, in s from its start."""
    found = json.loads(run.resumed)
    return tuple((each["from_ns"] / 1e9, each["to_ns"] / 1e9) for each in found)
