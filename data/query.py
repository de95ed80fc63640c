"""What is in a database, read without any means to change it."""

import difflib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from data.foreign import asked, guard, refuse_foreign, refuse_odd
from data.identity import identify
from data.lock import lock_path
from data.row import CheckRow, Failure, Row, RunRow, Timing
from data.store import StoreError

LATEST = "latest"
LARGEST_ROW = 64 << 20
"""Bytes of the largest row that is read. Ours are far smaller."""

EVERY_SEQ = (0, 2**63 - 1)

Record = TypeVar("Record", bound=msgspec.Struct)


def open_reader(path: Path | str) -> sqlite3.Connection:
    """Open a database of ours read-only; StoreError says what is wrong and what to do.

    The connection may be used from any one thread at a time.
    """
    path = Path(path)
    if not path.is_file():
        raise StoreError(
            f"{path}: no such database; make one with `h2h run`, or name one with --db"
        )
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
    )
    with ExitStack() as undo:
        undo.callback(db.close)
        guard(db, path)  # the file may be a stranger's
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_ROW)
        db.execute("PRAGMA query_only = ON")
        if not identify(db, path):
            raise StoreError(
                f"{path}: empty or of an older version; `h2h run --db {path}` brings "
                "it up to date"
            )
        refuse_foreign(db, path)
        undo.pop_all()
    return db


def is_written(path: Path) -> bool:
    """Tell whether a living process has this database open for writing."""
    lock = lock_path(path)
    if not lock.exists():
        return False
    uri = f"{lock.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=0)) as conn:
        try:
            conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            return True
    return False


def runs(db: sqlite3.Connection) -> list[RunRow]:
    """Return all runs, last begun first; one whose writer died shows as `crashed`.

    The order is that in which they were stored: a wall clock may have been set back.
    """
    found = _read(db, RunRow, "runs", "ORDER BY rowid DESC")
    return list(_as_seen(db, found))


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """Return the number of stored requests by run id; runs without any are absent."""
    return dict(ask(db, "SELECT run_id, count(*) FROM requests GROUP BY run_id"))


def resolve(db: sqlite3.Connection, text: str) -> str:
    """Return the run id meant by an id, a unique prefix of one, or `latest`.

    StoreError for an unknown or ambiguous one, naming the nearest ids.
    """
    newest = "SELECT run_id FROM runs ORDER BY rowid DESC"
    ids: list[str] = [run_id for (run_id,) in ask(db, newest)]
    if not ids:
        raise StoreError(f"{_path(db)}: holds no run yet; make one with `h2h run`")
    if text == LATEST:
        return ids[0]
    begins = [run_id for run_id in ids if text and run_id.startswith(text)]
    if text in ids or len(begins) == 1:
        return text if text in ids else begins[0]
    if begins:
        raise StoreError(f"run {text}: several begin so: {_some(begins)}; give more")
    near = difflib.get_close_matches(text, ids, n=3, cutoff=0.5) or ids
    raise StoreError(f"run {text}: not in {_path(db)}; there are {_some(near)}")


def run(db: sqlite3.Connection, run_id: str) -> RunRow:
    """Return one run by its id, or by what `resolve` takes; StoreError if none."""
    found = _read(db, RunRow, "runs", "WHERE run_id = ?", run_id)
    for record in _as_seen(db, found):
        return record
    return run(db, resolve(db, run_id))


def timings(
    db: sqlite3.Connection, run_id: str, phase: str | None = "measure"
) -> list[Timing]:
    """Return the derived figures of a run's requests in order of `seq`.

    `phase` None takes every phase, the warm-up too.
    """
    return list(_of_run(db, Timing, "timings", run_id, phase))


def rows(
    db: sqlite3.Connection, run_id: str, phase: str | None = None
) -> Iterator[Row]:
    """Yield a run's requests as stored, in order of `seq`; None takes every phase."""
    return _of_run(db, Row, "requests", run_id, phase)


def row(db: sqlite3.Connection, run_id: str, seq: int) -> Row:
    """Return one request as stored; LookupError if there is none."""
    tail = "WHERE run_id = ? AND seq = ?"
    for found in _read(db, Row, "requests", tail, run_id, seq):
        return found
    raise LookupError(f"run {run_id} has no request {seq}")


def columns(
    db: sqlite3.Connection,
    run_id: str,
    names: Sequence[str],
    phase: str | None = "measure",
    *,
    batch: int = 200,
    span: tuple[int, int] | None = None,
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield some columns of a run's requests in order of `seq`, many rows at a time.

    `span` is the first and last `seq` to look at; None is all.

    For what looks at a million of them: nothing but the named columns is made. Each
    batch is a list of columns; small ones stay in the cache and are twice as quick.
    ValueError for a name that `Row` does not have.
    """
    sql = (
        f"SELECT {_named(names)} FROM requests "  # noqa: S608 - names of ours
        "WHERE run_id = ? AND (? IS NULL OR phase = ?) AND seq BETWEEN ? AND ? "
        "ORDER BY seq"
    )
    found = ask(db, sql, (run_id, phase, phase, *(span or EVERY_SEQ)))
    while lines := list(islice(found, batch)):
        yield list(zip(*lines, strict=True))


def distinct(
    db: sqlite3.Connection, run_id: str, names: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """Yield each unlike line of some columns over a run's measured requests.

    ValueError for a name that `Row` does not have.
    """
    sql = (
        f"SELECT DISTINCT {_named(names)} FROM requests "  # noqa: S608 - names of ours
        "WHERE run_id = ? AND phase = 'measure'"
    )
    yield from ask(db, sql, (run_id,))


def failures(db: sqlite3.Connection, run_id: str, most: int) -> list[Failure]:
    """Return what became of a run's measured requests that were no answers.

    The most frequent first, at most so many kinds.
    """
    alike = "provider, scenario, outcome, blame, http_status, error_code"
    # SQLite takes the bare excerpt from the line that has the least seq.
    sql = (
        f"SELECT {alike}, count(*), min(seq), error_excerpt FROM requests "  # noqa: S608 - names of ours
        "WHERE run_id = ? AND phase = 'measure' AND outcome != 'ok' "
        f"GROUP BY {alike} ORDER BY count(*) DESC, min(seq) LIMIT ?"
    )
    names = Failure.__struct_fields__
    return [
        Failure(**dict(zip(names, line, strict=True)))
        for line in ask(db, sql, (run_id, most))
    ]


def checks(db: sqlite3.Connection, run_id: str) -> list[CheckRow]:
    """Return the checks of a run's requests in order of `seq` and name."""
    tail = "WHERE run_id = ? ORDER BY seq, name"
    return list(_read(db, CheckRow, "checks", tail, run_id))


def seqs(db: sqlite3.Connection, run_id: str) -> set[int]:
    """Return the `seq` of every stored request: what a resumed run need not send.

    Ask once the store is open: opening it may bring back a killed writer's last batch.
    """
    found = ask(db, "SELECT seq FROM requests WHERE run_id = ?", (run_id,))
    return {seq for (seq,) in found}


def _of_run(
    db: sqlite3.Connection,
    record: type[Record],
    table: str,
    run_id: str,
    phase: str | None,
) -> Iterator[Record]:
    tail = "WHERE run_id = ? AND (? IS NULL OR phase = ?) ORDER BY seq"
    return _read(db, record, table, tail, run_id, phase, phase)


def _read(
    db: sqlite3.Connection, record: type[Record], table: str, tail: str, *given: Any
) -> Iterator[Record]:
    names = record.__struct_fields__
    sql = f"SELECT {', '.join(names)} FROM {table} {tail}"  # noqa: S608 - names of ours
    for line in ask(db, sql, given):
        yield record(**dict(zip(names, line, strict=True)))


def ask(db: sqlite3.Connection, sql: str, given: Any = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the lines of an answer; StoreError where the database is damaged."""
    return asked(db, _path(db), sql, given)


def _named(names: Sequence[str]) -> str:
    """Return columns as SQL; ValueError for a name that `Row` does not have."""
    unknown = set(names) - set(Row.__struct_fields__)
    if unknown:
        raise ValueError(f"no such columns: {', '.join(sorted(unknown))}")
    return ", ".join(names)


def _as_seen(db: sqlite3.Connection, found: Iterator[RunRow]) -> Iterator[RunRow]:
    alive = is_written(_path(db))
    for record in found:
        refuse_odd(record, _path(db))
        dead = record.status == "running" and not alive
        yield msgspec.structs.replace(record, status="crashed") if dead else record


def _path(db: sqlite3.Connection) -> Path:
    return Path(db.execute("PRAGMA database_list").fetchone()[2])


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
