"""Opening a database for writing: ours, up to date, on a local disk, and alone."""

import sqlite3
import time
from contextlib import ExitStack
from pathlib import Path

from sqlite_utils import Database

from data import rollup, spool
from data.foreign import guard, refuse_foreign
from data.identity import identify, upgrade
from data.lock import hold
from data.migrations import StoreError

REFUSALS = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
"""How SQLite says that it takes a value or a statement on no account."""

BUSY_S = 5.0  # how long a shell or a backup may hold the file before we complain


def open_for_writing(path: Path) -> tuple[Database, sqlite3.Connection, str | None]:
    """Return a database of ours, brought up to date, and the lock of its writer.

    Also what the user must be told of records that were damaged, None if none were.
    Raises StoreError, OSError or sqlite3.Error; nothing is left open then.
    """
    with ExitStack() as undo:
        conn = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
        undo.callback(conn.close)
        guard(conn, path)
        # Before anything, the lock file too, is put beside it.
        if identify(conn, path):
            refuse_foreign(conn, path)
        lock = hold(path)
        undo.callback(lock.close)
        db, remark = _prepare(conn, path)
        undo.pop_all()
    return db, lock, remark


def _prepare(conn: sqlite3.Connection, path: Path) -> tuple[Database, str | None]:
    if _logged_ahead(conn) != "wal":
        raise StoreError(
            f"{path}: no write-ahead log here; name a file on a local disk with --db"
        )
    # Rows were paid for and cannot be had again: a commit outlives a loss of power.
    conn.execute("PRAGMA synchronous = FULL")
    upgrade(conn, path)
    refuse_foreign(conn, path)
    db = Database(conn, execute_plugins=False)
    remark = _take_in(db, path)
    with db.atomic():
        # The lock is ours, so nobody else's run is alive.
        conn.execute("UPDATE runs SET status = 'crashed' WHERE status = 'running'")
    return db, remark


def _take_in(db: Database, path: Path) -> str | None:
    """Store what an earlier writer had to leave in a file, then remove the file.

    One that was not wholly read is kept under another name, and that is told: the
    next records would be added behind its torn end.
    """
    n, torn = 0, False
    with db.atomic():
        try:
            for group in spool.load(path):
                _store(db, path, group)
                n += len(group)
        except spool.TornError:
            torn = True
    if not torn:
        spool.spool_path(path).unlink(missing_ok=True)
        return None
    kept = spool.put_aside(path)
    return (
        f"{kept}: was damaged or cut off, and is kept; {n} records out of it are now "
        f"in {path.name}, the rest cannot be read: send what is missing again with "
        "h2h run --resume RUN, then remove the file"
    )


def _store(db: Database, path: Path, group: list[spool.Kept]) -> None:
    for statement, values in group:
        try:
            # One that is there was stored before the file could be removed.
            again = " ON CONFLICT DO NOTHING" * (statement.act == "insert")
            stored = db.conn.execute(statement.sql + again, values).rowcount
            if stored == 1 and statement.table == "requests":
                rollup.fold_values(db.conn, statement.columns, values)
        except (ValueError, OverflowError, *REFUSALS) as why:
            raise spool.refusal(path, why) from None


def _logged_ahead(conn: sqlite3.Connection) -> str:
    """Switch to the write-ahead log and return the journal mode that came of it.

    SQLite does not wait for readers here, as it does elsewhere: one that is just
    looking at a new file would end the run.
    """
    until = time.monotonic() + BUSY_S
    while True:
        try:
            return str(conn.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
