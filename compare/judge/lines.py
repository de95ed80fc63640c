"""A summary as one flat line a host, scenario and step, for spreadsheets."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from compare.judge.sample import LOWER_IS_BETTER, Goodput
from compare.judge.stats import Quantile
from compare.judge.summary import Summary
from compare.judge.tally import Tally
from data.row import RunRow

RUN = ("run_id", "started_at", "status", "validity")
"""What of its run stands in each line."""

Value = Callable[[Any], Any]


def lines(run: RunRow, summaries: Iterable[Summary]) -> Iterator[msgspec.Struct]:
    """Yield a run's summaries as records of the type `Line`."""
    for each in summaries:
        values = [getattr(run, name) for name in RUN]
        yield Line(*values, *(value(each) for _, _, value in COLUMNS))


def _columns() -> Iterator[tuple[str, Any, Value]]:
    """Yield each column of a Summary: its name, its type, and how it is found."""
    counted = set()
    for name, kind in _fields(Summary):
        if kind is Tally:
            for part, of_part in _fields(Tally):
                yield _plain(part, of_part, _inner(name, part))
        elif kind is Quantile:
            metric = name.partition("_p")[0]
            if metric not in counted:
                counted.add(metric)
                yield f"{metric}_n", int, _inner(name, "n")
            yield from _quantile(name, metric)
        elif kind == Goodput | None:
            for part, of_part in _fields(Goodput):
                yield f"goodput_{part}", of_part | None, _inner(name, part)
        else:
            yield _plain(name, kind, _inner(name))


def _quantile(name: str, metric: str) -> Iterator[tuple[str, Any, Value]]:
    unit = "_ms" if metric in LOWER_IS_BETTER else ""
    yield f"{name}{unit}", float | None, _inner(name, "value")
    yield f"{name}_low{unit}", float | None, _inner(name, "low")
    yield f"{name}_high{unit}", float | None, _inner(name, "high")
    if name.endswith("_adjusted"):
        # Nothing is known of one below its floor; that it is never reached is known.
        yield f"{name}_never", int, lambda each: int(getattr(each, name).never)


def _plain(name: str, kind: Any, value: Value) -> tuple[str, Any, Value]:
    if kind != dict[str, int]:
        return name, kind, value
    return name, str, lambda each: msgspec.json.encode(value(each)).decode()


def _inner(*names: str) -> Value:
    """Return what looks up a field, or a field of a field; None of None."""

    def found(each: Any) -> Any:
        for name in names:
            each = None if each is None else getattr(each, name)
        return each

    return found


def _fields(record: type[msgspec.Struct]) -> list[tuple[str, Any]]:
    return [(each.name, each.type) for each in msgspec.structs.fields(record)]


COLUMNS = tuple(_columns())

Line = msgspec.defstruct(
    "Line",
    [
        *((name, dict(_fields(RunRow))[name]) for name in RUN),
        *((name, kind) for name, kind, _ in COLUMNS),
    ],
    frozen=True,
)
"""One Summary with its run, and a column for each figure in it.

Quantiles below their floors are None, and so is one that is never reached (`_never` is
1 then). `_low` and `_high` are the ends of their order-statistic intervals, `_n` of a
metric the number of its values. Counts by name are JSON objects. Times in ms, money in
USD.
"""
