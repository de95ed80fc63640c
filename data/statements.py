"""How records go into the database: one statement for each kind."""

import msgspec

from data.row import CheckRow, Row, RunRow


def _insert(table: str, record: type[msgspec.Struct]) -> str:
    names = record.__struct_fields__
    marks = ", ".join("?" for _ in names)
    return f"INSERT INTO {table} ({', '.join(names)}) " + f"VALUES ({marks})"


INSERT_RUN = _insert("runs", RunRow)
INSERT_REQUEST = _insert("requests", Row)
INSERT_CHECK = _insert("checks", CheckRow)
END_RUN = """UPDATE runs SET status = ?, validity = ?, reasons = ?, ended_at = ?,
    health = ? WHERE run_id = ?"""
RESUME_RUN = """UPDATE runs SET status = 'running', validity = NULL, reasons = '[]',
    ended_at = NULL, resumed = ? WHERE run_id = ?"""
SPOOLED = (INSERT_RUN, INSERT_REQUEST, INSERT_CHECK, END_RUN, RESUME_RUN)
"""What may wait in a spool file, by number: one that was given is never changed."""
DELETE_RUN = [
    f"DELETE FROM {table} WHERE run_id = ?"  # noqa: S608 - names of ours
    for table in ("checks", "requests", "runs")
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
