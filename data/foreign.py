"""A file from elsewhere: neither its schema nor what is in its cells is trusted."""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from sqlite_utils import Database

from data.migrations import APPLICATION_ID, StoreError, migrations
from data.row import RunRow

_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master"
_STEPS = "_sqlite_migrations"
_ODD = """
SELECT type, name FROM sqlite_master
WHERE type = 'trigger' OR (name = ? AND type != 'table')
"""

Thing = tuple[str, str, str, str]


class _Floor(msgspec.Struct):
    """What is read of a bench's error; it may hold more."""

    streams: int
    ttft_p50_ms: float
    ttft_p99_ms: float
    gap_p99_ms: float
    tpot_p99_ms: float


class _Price(msgspec.Struct):
    """What is read of what a host's tokens cost; it holds more."""

    date: dt.date | None = None


class _Break(msgspec.Struct):
    """What is read of a break before a run was resumed; it holds more."""

    from_ns: int
    to_ns: int
    parted: int


class _Job(msgspec.Struct):
    """What is read of a job to judge its run; it holds more."""

    load: dict[str, Any] = {}
    providers: list[Any] | dict[str, Any] = []
    thresholds: list[str] = []
    slo: dict[str, float] = {}


_SHAPES: dict[str, msgspec.json.Decoder[Any]] = {
    "reasons": msgspec.json.Decoder(list[Any]),
    "job": msgspec.json.Decoder(_Job),
    "tags": msgspec.json.Decoder(dict[str, Any]),
    "providers": msgspec.json.Decoder(list[Any] | dict[str, Any]),
    "scenarios": msgspec.json.Decoder(list[Any] | dict[str, Any]),
    "prices": msgspec.json.Decoder(dict[str, _Price]),
    "resumed": msgspec.json.Decoder(list[_Break]),
    "floor": msgspec.json.Decoder(_Floor | None),
}
"""What the JSON columns of a run hold that others rely on."""


def guard(conn: sqlite3.Connection, path: Path) -> None:
    """Let nothing in a database's schema have an effect.

    To be called first of all: `identify` reads the table of migrations, and `upgrade`
    writes to it. StoreError for a trigger in a file that says that it is ours.
    """
    conn.execute("PRAGMA trusted_schema = OFF")
    conn.execute("PRAGMA cell_size_check = ON")
    try:
        (mark,) = conn.execute("PRAGMA application_id").fetchone()
        odd = conn.execute(_ODD, (_STEPS,)).fetchone()
    except sqlite3.DatabaseError:
        return  # `identify` says what is wrong
    if odd and mark == APPLICATION_ID:
        raise StoreError(_changed(path, *odd))


def refuse_foreign(conn: sqlite3.Connection, path: Path) -> None:
    """Refuse a database of the newest schema that is not quite the one we make.

    A view under our name could show anything, or never end; a trigger could change
    what is stored. Tables, views and indexes under other names do nothing to us and
    are left alone. StoreError names what is odd.
    """
    made = _made()
    for kind, name, table, sql in _things(conn):
        ours = made.get(name)
        if ours is None and kind != "trigger":
            continue
        if ours != (kind, name, table, sql):
            raise StoreError(_changed(path, kind, name))
    missing = made.keys() - {name for _, name, _, _ in _things(conn)}
    if missing:
        raise StoreError(
            f"{path}: a database without its {min(missing)!r}; restore it, or "
            "name another with --db"
        )


def refuse_odd(run: RunRow, path: Path) -> None:
    """Refuse a run whose JSON is not what we write; StoreError names the column."""
    for name, shape in _SHAPES.items():
        try:
            shape.decode(getattr(run, name) or "null")
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            raise StoreError(
                f"{path}: run {run.run_id}: its {name} is not what head-to-head "
                "writes; restore the file, or name another with --db"
            ) from None


def asked(
    conn: sqlite3.Connection, path: Path, sql: str, given: Any = ()
) -> Iterator[tuple[Any, ...]]:
    """Yield the lines of a query; StoreError where the file cannot be read."""
    try:
        # Not `yield from`: left half read, that closes the cursor, which a connection
        # that is closed by then does not allow.
        for line in conn.execute(sql, given):  # noqa: UP028 - see above
            yield line
    except sqlite3.DatabaseError as why:
        raise StoreError(
            f"{path}: cannot be read ({why}); if it is damaged restore it, or name "
            "another with --db"
        ) from None


def _changed(path: Path, kind: str, name: str) -> str:
    return (
        f"{path}: its {kind} {name!r} is not one of head-to-head's; the file was made "
        "or changed elsewhere: do not use it, and name another with --db"
    )


def _things(conn: sqlite3.Connection) -> list[Thing]:
    return [
        (kind, name, table, " ".join((sql or "").split()))
        for kind, name, table, sql in conn.execute(_SCHEMA)
    ]


@cache
def _made() -> dict[str, Thing]:
    """Return all that stands in the schema of a database of ours, by name.

    But for the table of migrations: its makers may word it differently one day.
    """
    db = Database(memory=True, execute_plugins=False)
    migrations.apply(db)
    made = {thing[1]: thing for thing in _things(db.conn) if thing[2] != _STEPS}
    db.close()
    return made
