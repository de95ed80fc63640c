"""How records go into the database: one statement for each kind."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from data.events import EventRow
from data.row import CheckRow, Row, RunRow

RECORDS: dict[str, type[msgspec.Struct]] = {
    "runs": RunRow,
    "requests": Row,
    "checks": CheckRow,
    "events": EventRow,
}
"""The records of each table; their fields are its columns."""

Act = Literal["insert", "update"]

AT_ONCE = 8
"""Rows of one statement. SQLite of any age takes as many values (999)."""


class Statement(msgspec.Struct, frozen=True, array_like=True):
    """What is done with some values: each stands for a column of a table.

    An update is of the one run that the last of them, `run_id`, names.
    """

    act: Act
    table: str
    columns: tuple[str, ...]

    @property
    def sql(self) -> str:
        """Return it in SQL; ValueError for what is no table or column of ours."""
        known = RECORDS[self.table].__struct_fields__ if self.table in RECORDS else ()
        unknown = sorted({*self.columns} - {*known}) or ([] if known else [self.table])
        if unknown:
            raise ValueError(f"unknown: {', '.join(unknown)[:80]}")
        names = ", ".join(self.columns)
        if self.act == "insert":
            marks = ", ".join("?" for _ in self.columns)
            return f"INSERT INTO {self.table} ({names}) " + f"VALUES ({marks})"
        if self.table != "runs" or self.columns[-1:] != ("run_id",):
            raise ValueError("an update of no one run")
        changes = ", ".join(f"{name} = ?" for name in self.columns[:-1])
        return f"UPDATE runs SET {changes} WHERE run_id = ?"  # noqa: S608 - as known


def _insert(table: str) -> Statement:
    return Statement("insert", table, RECORDS[table].__struct_fields__)


def _update(*columns: str) -> Statement:
    return Statement("update", "runs", (*columns, "run_id"))


_END = ("status", "validity", "reasons", "ended_at")
_KEPT: Sequence[Statement] = (
    _insert("runs"),
    _insert("requests"),
    _insert("checks"),
    _update(*_END, "health"),
    _update(*_END, "resumed"),
    _insert("events"),
)
(
    INSERT_RUN, INSERT_REQUEST, INSERT_CHECK, END_RUN, RESUME_RUN, INSERT_EVENT
) = (s.sql for s in _KEPT)  # fmt: skip
_MARKS = INSERT_REQUEST.partition("VALUES ")[2]
INSERT_REQUESTS = INSERT_REQUEST + f", {_MARKS}" * (AT_ONCE - 1)
"""As INSERT_REQUEST, with the values of `AT_ONCE` rows one after the other."""
KEPT = {statement.sql: statement for statement in _KEPT}
"""The statements whose values are kept when the database does not take them."""
DELETE_RUN = [
    f"DELETE FROM {table} WHERE run_id = ?"  # noqa: S608 - names of ours
    for table in ("checks", "requests", "runs")
]
# A few at a time, oldest first: whoever has rows to store waits for no more than these.
OLD = """SELECT run_id, seq FROM requests
    WHERE at_ms < ? ORDER BY at_ms LIMIT ?"""
DELETE_OLD = [
    f"DELETE FROM {table} WHERE (run_id, seq) IN ({OLD})"  # noqa: S608 - names of ours
    for table in ("checks", "requests")
]
JUDGE_CHECK = """UPDATE checks SET passed = ?, detail = ?, score = ?, answer = ?
    WHERE run_id = ? AND seq = ? AND name = ?"""
# An answer that fails a check is not accepted; while one waits it is not known.
JUDGE_REQUEST = """UPDATE requests SET (passed, score) = (
        SELECT CASE WHEN min(passed) = 0 THEN 0
                WHEN count(passed) = count(*) THEN 1 END,
            avg(coalesce(score, passed))
        FROM checks WHERE run_id = requests.run_id AND seq = requests.seq
    ) WHERE run_id = ? AND seq = ?"""
