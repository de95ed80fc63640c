"""What the checks of a run say, counted, and which of them wait to be made."""

import sqlite3
from collections.abc import Iterator

import msgspec

from data.query import ask
from data.row import CheckRow


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """How often a check of one name came out one way, over some of a run's answers.

    `load` and `turn` are those of the rows, `passed` is that of the checks; `called`
    tells whether the answers called a tool, None where that was not noted.
    """

    provider: str
    scenario: str
    turn: int | None
    load: str
    name: str
    passed: int | None
    called: int | None
    n: int


def verdicts(db: sqlite3.Connection, run_id: str) -> list[Verdicts]:
    """Return what came of the checks of a run's measured answers, counted."""
    sql = """SELECT r.provider, r.scenario, r.turn, r.load, c.name, c.passed,
            r.n_tool_calls > 0, count(*)
        FROM checks c JOIN requests r ON r.run_id = c.run_id AND r.seq = c.seq
        WHERE c.run_id = ? AND r.phase = 'measure' AND r.outcome = 'ok'
        GROUP BY 1, 2, 3, 4, 5, 6, 7"""
    names = Verdicts.__struct_fields__
    return [
        Verdicts(**dict(zip(names, line, strict=True)))
        for line in ask(db, sql, (run_id,))
    ]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A check that waits to be made, of an answer as JSON."""

    check: CheckRow
    scenario: str
    case_id: str
    answer: str


def waiting(db: sqlite3.Connection, run_id: str) -> Iterator[Waiting]:
    """Yield the checks of a run that wait, in order of `seq` and name."""
    sql = """SELECT c.seq, c.name, r.scenario, r.case_id, c.answer
        FROM checks c JOIN requests r ON r.run_id = c.run_id AND r.seq = c.seq
        WHERE c.run_id = ? AND c.passed IS NULL AND c.answer IS NOT NULL
        ORDER BY c.seq, c.name"""
    for seq, name, scenario, case_id, answer in ask(db, sql, (run_id,)):
        yield Waiting(
            check=CheckRow(run_id=run_id, seq=seq, name=name, passed=None),
            scenario=scenario,
            case_id=case_id,
            answer=answer,
        )
