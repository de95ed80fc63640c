"""Stored runs as columns, ready to be judged."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from compare.judge.comparison import Batches, Judged
from compare.judge.depth import COLUMNS as DEPTHS
from compare.judge.frame import COLUMNS, Frame, read
from compare.judge.kind import Asked
from data import query
from data.row import RunRow


def load(db: Path, text: str) -> Judged:
    """Return the run meant by an id, a unique prefix or `latest`, with its rows.

    StoreError when the database cannot be read or holds no such run.
    """
    with closing(query.open_reader(db)) as reader:
        run = query.run(reader, query.resolve(reader, text))
        frame = read(query.columns(reader, run.run_id, COLUMNS))
        frame = msgspec.structs.replace(_whole(frame, run), breaks=_breaks(run))
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

    def verdicts() -> list[query.Verdicts]:
        with closing(query.open_reader(db)) as again:
            return query.verdicts(again, run.run_id)

    return Judged(run, frame, timelines, more, verdicts)


def _whole(frame: Frame, run: RunRow) -> Frame:
    """Return a frame without turns where sessions are judged whole.

    Which scenarios these are stands in `runs.scenarios`. In live ones hosts are asked
    each from its own answers, so they share sessions and not blocks, nor prompts.
    """
    listed = json.loads(run.scenarios or "[]")
    tables = [each for each in listed if isinstance(each, dict)]
    whole = {str(each.get("name")) for each in tables if each.get("whole")}
    live = frozenset(str(each.get("name")) for each in tables if each.get("live"))
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


def _breaks(run: RunRow) -> tuple[tuple[float, float], ...]:
    """Return the breaks after which a run was resumed, in s from its start."""
    found = json.loads(run.resumed)
    return tuple((each["from_ns"] / 1e9, each["to_ns"] / 1e9) for each in found)
