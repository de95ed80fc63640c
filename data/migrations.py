"""The steps to the schema: a step that was released is never edited again."""

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
    """Let a row tell equal answers, and how its tool calls were made."""
    db.execute("ALTER TABLE requests ADD COLUMN answer_sha256 TEXT")
    db.execute("ALTER TABLE requests ADD COLUMN n_tool_calls INTEGER")
    db.execute("ALTER TABLE requests ADD COLUMN n_tool_calls_fit INTEGER")


@migrations()
def m005(db: Database) -> None:
    """Let rows of a service have dates, roll-ups by hour, and events."""
    db.execute("ALTER TABLE requests ADD COLUMN at_ms INTEGER")
    for sql in (REQUESTS_AT, REQUESTS_DATE, ROLLUPS, ROLLUPS_COUNTS, EVENTS, EVENTS_AT):
        db.execute(sql)
