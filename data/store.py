"""The one writer: rows go in without waiting and are on disk a quarter second later."""

import contextlib
import os
import sqlite3
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from sqlite_utils import Database

from data import opening, rollup, spool
from data.batch import Op, kept, write
from data.events import EventRow
from data.lock import create
from data.migrations import StoreError
from data.opening import open_for_writing
from data.row import CheckRow, Row, RunRow
from data.statements import (
    DELETE_OLD,
    DELETE_RUN,
    END_RUN,
    INSERT_CHECK,
    INSERT_EVENT,
    INSERT_REQUEST,
    INSERT_RUN,
    JUDGE_CHECK,
    JUDGE_REQUEST,
    RESUME_RUN,
)

__all__ = ["Store", "StoreError"]

BATCH_ROWS = 200
BATCH_S = 0.25
AGAIN_S = 0.25  # for what kept us from writing for all of BUSY_S the last time
NICE = 10
"""How far the writer stands back: without it the loop waits for 3 ms of a lone core."""
SLICE_ROWS = 500
"""How many old rows go at once."""
SPOOL_ROWS = 100_000  # kept in memory while the disk refuses them; more are lost


class Store:
    """The only writer of a database, with a thread and a connection of its own.

    `emit` may be called from any thread and returns at once. A failing disk does not
    stop a run: records wait in memory and are tried again every quarter second;
    `failed` says so, and `flush` and `close` raise it. What cannot be stored until the
    end waits in a file beside the database, for the next time that it is opened.
    `remark` tells of such a file that was damaged, None if none was.
    """

    def __init__(
        self, path: Path, db: Database, lock: sqlite3.Connection, remark: str | None
    ) -> None:
        self.remark = remark
        self._path = path
        self._db = db
        self._lock = lock
        self._queue: deque[Op] = deque()
        self._flushes: deque[threading.Event] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._trouble: str | None = None
        self._refused: list[str] = []
        self._lost = 0
        self._old: int | None = None
        self._spooled: int | None = None
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path | str, *, rebuild: bool = False) -> Self:
        """Open a database for writing; make it (mode 0600) if there is none.

        Runs that a dead process left `running` become `crashed`. With `rebuild` the
        roll-ups are made anew from the rows that are there. StoreError when it is not
        ours, has another writer, or cannot be written.
        """
        path = Path(path)
        try:
            create(path)
            db, lock, remark = open_for_writing(path)
            if rebuild:
                with db.atomic():
                    rollup.rebuild(db.conn)
            return cls(path, db, lock, remark)
        except (OSError, sqlite3.Error) as why:
            raise StoreError(
                f"{path}: cannot be written ({why}); name another file with --db"
            ) from None

    @property
    def path(self) -> Path:
        """Return the database's file."""
        return self._path

    @property
    def failed(self) -> StoreError | None:
        """Return what keeps records from being stored; None while all is well."""
        facts = []
        if self._trouble:
            n, where = len(self._queue), "in memory"
            if self._spooled is not None:
                n, where = self._spooled, f"in {spool.spool_path(self._path).name}"
            facts.append(
                f"cannot be written ({self._trouble}); {n} records wait "
                f"{where}: free disk space or make the file writable"
            )
        if self._lost:
            facts.append(f"{self._lost} records were lost")
        if self._refused:
            facts.append(f"{len(self._refused)} records refused: {self._refused[0]}")
        return StoreError(f"{self._path}: {'; '.join(facts)}") if facts else None

    def emit(self, row: Row, checks: Sequence[CheckRow] = ()) -> None:
        """Hand over one request and its checks; they are stored within 250 ms."""
        if self._closing:
            raise RuntimeError("the store is closed")
        if len(self._queue) >= SPOOL_ROWS:
            self._lost += 1 + len(checks)
            return
        # One extend: a row is never queued, nor committed, without its checks.
        facts = ((INSERT_CHECK, check) for check in checks)
        self._queue.extend([(INSERT_REQUEST, row), *facts])
        if len(self._queue) >= BATCH_ROWS:
            self._wake.set()

    def note(self, event: EventRow) -> None:
        """Hand over an event; it is stored within 250 ms."""
        self._queue.append((INSERT_EVENT, event))

    def forget(self, before_ms: int) -> None:
        """Have the dated rows from before a date deleted, in slices, when none wait.

        Roll-ups stay, and so do the rows of load tests, which have no date.
        """
        self._old = before_ms

    @property
    def forgetting(self) -> bool:
        """Return whether old rows are still to be deleted."""
        return self._old is not None

    def begin_run(self, run: RunRow) -> None:
        """Store a new run and wait until it is on disk: before money is spent."""
        self._do((INSERT_RUN, run))

    def resume_run(self, run_id: str, resumed: str) -> None:
        """Mark a run as running again and wait until that is on disk.

        `resumed` is a JSON list of each time that it was, this one included.
        """
        going = ("running", None, "[]", None)
        self._do((RESUME_RUN, (*going, resumed, run_id)))

    def judged(self, checks: Sequence[CheckRow]) -> None:
        """Store what came of checks that waited, and what their requests are worth."""
        ops: list[Op] = []
        for check in checks:
            key = (check.run_id, check.seq)
            told = (check.passed, check.detail, check.score, check.answer)
            ops.append((JUDGE_CHECK, (*told, *key, check.name)))
            ops.append((JUDGE_REQUEST, key))
        self._do(*ops)

    def end_run(
        self,
        run_id: str,
        status: str,
        validity: str | None,
        reasons: str,
        ended_at: str,
        health: str | None = None,
    ) -> None:
        """Store how a run ended and wait until it and all its rows are on disk.

        `reasons` is a JSON list, `ended_at` UTC in ISO 8601, `health` a JSON object.
        """
        self._do((END_RUN, (status, validity, reasons, ended_at, health, run_id)))

    def delete_run(self, run_id: str) -> None:
        """Delete a run with its rows and checks; an unknown id is no error."""
        self._do(*((sql, (run_id,)) for sql in DELETE_RUN))

    def flush(self) -> None:
        """Wait until all that was handed over is on disk; StoreError if it is not."""
        done = threading.Event()
        self._flushes.append(done)
        self._wake.set()
        while not done.wait(BATCH_S):
            if not self._thread.is_alive():
                raise self.failed or StoreError(f"{self._path}: the writer has stopped")
        if failed := self.failed:
            raise failed

    def close(self) -> None:
        """Store what is left and free the database; StoreError if that failed."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        self._thread.join()
        self._lock.close()
        if failed := self.failed:
            raise failed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _do(self, *ops: Op) -> None:
        self._queue.extend(ops)
        self.flush()

    def _work(self) -> None:
        _step_back()
        try:
            while not self._closing:
                self._wake.wait(BATCH_S)
                self._wake.clear()
                self._drain()
                self._forget()
            self._drain()
            self._spool()
        finally:
            self._db.close()

    def _spool(self) -> None:
        """Put what could not be stored into a file, as far as there is room for it."""
        groups = kept(self._queue)
        if not groups:
            return
        n = 0
        with suppress(OSError):
            n = spool.save(self._path, groups)
        self._spooled = sum(map(len, groups[:n]))
        self._lost += sum(map(len, groups[n:]))

    def _drain(self) -> None:
        # Taken first: whoever asked for a flush queued its records before it asked.
        waiting = [self._flushes.popleft() for _ in range(len(self._flushes))]
        while batch := self._take():
            try:
                self._write(batch)
            except Exception as why:
                self._queue.extendleft(reversed(batch))
                self._trouble = str(why)
                if not isinstance(why, sqlite3.Error):
                    raise  # a bug of ours: the thread ends, and flush and close say so
                break
            self._trouble = None
        for done in waiting:
            done.set()

    def _forget(self) -> None:
        """Delete a slice of what is too old; the next waits for the next look."""
        if self._old is None or self._queue:
            return
        try:
            with self._db.atomic():
                found = [
                    self._db.conn.execute(sql, (self._old, SLICE_ROWS)).rowcount
                    for sql in DELETE_OLD
                ]
        except sqlite3.Error:
            return  # a full disk, say: rows that wait will tell of it
        if found[-1] < SLICE_ROWS:
            self._old = None

    def _take(self) -> list[Op]:
        queue = self._queue
        batch = [queue.popleft() for _ in range(min(len(queue), BATCH_ROWS))]
        while queue and queue[0][0] is INSERT_CHECK:
            batch.append(queue.popleft())
        return batch

    def _write(self, batch: list[Op]) -> None:
        patience = round(1e3 * (AGAIN_S if self._trouble else opening.BUSY_S))
        self._db.conn.execute(f"PRAGMA busy_timeout = {patience}")
        self._refused += write(self._db, batch)


def _step_back() -> None:
    """Let the thread that measures go first where this one wants the same core.

    A thread has a priority of its own on Linux alone.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # a sandbox may forbid even that
            mine = os.PRIO_PROCESS, threading.get_native_id()
            os.setpriority(*mine, os.getpriority(*mine) + NICE)
