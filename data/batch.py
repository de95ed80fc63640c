"""A batch of records goes into the database in one transaction, or one by one."""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

import msgspec
from sqlite_utils import Database

from data import rollup
from data.cells import clean, values_of
from data.opening import REFUSALS
from data.row import Row
from data.spool import Kept
from data.statements import (
    AT_ONCE,
    INSERT_CHECK,
    INSERT_REQUEST,
    INSERT_REQUESTS,
    KEPT,
)

Op = tuple[str, msgspec.Struct | tuple[Any, ...]]
"""A statement, and what it stores."""


def write(db: Database, batch: Sequence[Op]) -> list[str]:
    """Store a batch, and fold its rows into the roll-ups; return what was refused.

    One impossible record does not cost the others. sqlite3.Error when nothing of it
    could be stored: a full disk, a locked file.
    """
    try:
        with db.atomic():
            for sql, ops in groupby(batch, key=itemgetter(0)):
                _execute(db.conn, sql, [values_of(what) for _, what in ops])
            rows = [what for _, what in batch if isinstance(what, Row)]
            rollup.fold(db.conn, rows)
    except (UnicodeEncodeError, OverflowError, *REFUSALS):
        return _write_singly(db, batch)
    return []


def kept(waiting: Iterable[Op]) -> list[list[Kept]]:
    """Return what a spool file is to keep of records: each row with its checks."""
    groups: list[list[Kept]] = []
    for sql, what in waiting:
        if sql in KEPT:
            if sql != INSERT_CHECK or not groups:
                groups.append([])
            groups[-1].append((KEPT[sql], tuple(map(clean, values_of(what)))))
    return groups


def _execute(conn: sqlite3.Connection, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """Execute a statement for each row; several rows are inserted at once.

    After each execution this thread asks for the interpreter, which a busy loop has to
    give up for it: once for each row cost the loop a tenth of its time. All rows at
    once would hold the loop up instead.
    """
    whole = len(rows) - len(rows) % AT_ONCE if sql is INSERT_REQUEST else 0
    groups = (rows[at : at + AT_ONCE] for at in range(0, whole, AT_ONCE))
    flat = (tuple(chain.from_iterable(group)) for group in groups)
    conn.executemany(INSERT_REQUESTS, flat)
    conn.executemany(sql, rows[whole:])


def _write_singly(db: Database, batch: Sequence[Op]) -> list[str]:
    refused = []  # told only once the others are committed
    with db.atomic():
        for sql, what in batch:
            values = [clean(value) for value in values_of(what)]
            try:
                db.conn.execute(sql, values)
            except REFUSALS as why:
                refused.append(f"{why} in {str(values_of(what))[:80]}")
                continue
            if isinstance(what, Row):
                whole = dict(zip(Row.__struct_fields__, values, strict=True))
                rollup.fold(db.conn, [Row(**whole)])
    return refused
