"""Who writes to a database: one process at a time, by a lock beside it."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from data.migrations import StoreError


def lock_path(path: Path) -> Path:
    """Return the empty file beside a database that its writer keeps locked."""
    return path.with_name(path.name + "-lock")


def create(path: Path) -> None:
    """Make an empty file for the owner alone, unless it is there."""
    # Never opened if it is there: closing any descriptor of a database frees the locks
    # that this process holds on it.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def hold(path: Path) -> sqlite3.Connection:
    """Return the lock of a database, held until it is closed or the process ends.

    StoreError when another process has it.
    """
    # An SQLite lock on an empty file beside the database: it ends with the process
    # however that dies, works where SQLite works, and can be tested by readers. Two
    # writers are refused since SQLite before 3.51.3 can lose commits when one resets
    # the log while another starts a checkpoint.
    create(lock_path(path))
    lock = sqlite3.connect(lock_path(path), timeout=1, check_same_thread=False)
    try:
        lock.execute("PRAGMA journal_mode = OFF")  # or one more file lies about
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        lock.close()
        why = "another h2h is writing to it; wait for it, or name another with --db"
        raise StoreError(f"{path}: {why}") from None
    return lock
