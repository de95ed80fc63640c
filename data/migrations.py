"""The steps to the schema: a step that was released is never edited again."""

import sqlite3
from pathlib import Path

from sqlite_utils import Database, Migrations

from data.schema import (
    CHECKS,
    EVENTS,
    EVENTS_AT,
    REQUESTS,
    REQUESTS_AT,
    REQUESTS_DATE,
    ROLLUPS,
    ROLLUPS_COUNTS,
    RUNS,
    TIMINGS,
)

APPLICATION_ID = 0x68326831
"""`h2h1` in the file's header: tells our databases from everybody else's."""

MAGIC = b"SQLite format 3\0"
SMALLEST = 512
"""Bytes of the smallest SQLite page: no database but an empty one is smaller."""

migrations = Migrations("head-to-head")


class StoreError(Exception):
    """A database cannot be used; the message names the file and the remedy."""


@migrations()
def m001(db: Database) -> None:
    """Create the tables, the view and the mark in the file's header."""
    for sql in (RUNS, REQUESTS, CHECKS, TIMINGS):
        db.execute(sql)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")


@migrations()
def m002(db: Database) -> None:
    """Let a run say how exact its bench was, how it fared, and when it was resumed."""
    db.execute("ALTER TABLE runs ADD COLUMN floor TEXT")
    db.execute("ALTER TABLE runs ADD COLUMN health TEXT")
    db.execute("ALTER TABLE runs ADD COLUMN resumed TEXT NOT NULL DEFAULT '[]'")


@migrations()
def m003(db: Database) -> None:
    """Let a check have a score, and keep the answer that it waits to be made of."""
    db.execute("ALTER TABLE checks ADD COLUMN score REAL")
    db.execute("ALTER TABLE checks ADD COLUMN answer TEXT")


@migrations()
def m004(db: Database) -> None:
    """Let rows of a service have dates, roll-ups by hour, and events."""
    db.execute("ALTER TABLE requests ADD COLUMN at_ms INTEGER")
    for sql in (REQUESTS_AT, REQUESTS_DATE, ROLLUPS, ROLLUPS_COUNTS, EVENTS, EVENTS_AT):
        db.execute(sql)


def upgrade(conn: sqlite3.Connection, path: Path) -> None:
    """Bring an empty database or one of ours to the newest schema, or change nothing.

    StoreError for somebody else's database and for one from a newer version.
    """
    if identify(conn, path):
        return
    db = Database(conn, execute_plugins=False)
    # One transaction for all steps: no half-made database can be left behind.
    with db.atomic():
        migrations.apply(db)


def _unreadable(path: Path) -> str:
    """Return what to say of a file that SQLite does not read.

    Only for such a file: closing any descriptor of a database frees the locks that
    this process holds on it.
    """
    with path.open("rb") as file:
        is_sqlite = file.read(len(MAGIC)) == MAGIC
    if is_sqlite:
        return (
            f"{path}: a damaged SQLite database; restore it, or name another with --db"
        )
    return f"{path}: not an SQLite database; name another file with --db"


def identify(conn: sqlite3.Connection, path: Path) -> bool:
    """Tell whether a database has our newest schema; False if it can be brought to it.

    StoreError when it cannot: not SQLite, another program's, or a newer version's.
    """
    # SQLite takes a file of a few bytes for an empty database and writes over it.
    if 0 < path.stat().st_size < SMALLEST:
        raise StoreError(_unreadable(path))
    try:
        mark = conn.execute("PRAGMA application_id").fetchone()[0]
        tables = conn.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.OperationalError as why:
        raise StoreError(f"{path}: cannot be read ({why})") from None
    except sqlite3.DatabaseError:
        raise StoreError(_unreadable(path)) from None
    if mark == APPLICATION_ID:
        return _is_newest(conn, path)
    if mark or tables:
        raise StoreError(
            f"{path}: a database of another program; name another file with --db"
        )
    return False


def _is_newest(conn: sqlite3.Connection, path: Path) -> bool:
    db = Database(conn, execute_plugins=False, recursive_triggers=False)
    applied = {step.name for step in migrations.applied(db)}
    empty = Database(memory=True, execute_plugins=False)
    known = {step.name for step in migrations.pending(empty)}
    empty.close()
    if applied - known:
        raise StoreError(
            f"{path}: written by a newer head-to-head (schema {max(applied)}); "
            "upgrade head-to-head, or name another file with --db"
        )
    return applied == known
