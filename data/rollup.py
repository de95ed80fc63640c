"""Roll-ups: an hour of one host and scenario in a record; records merge.

Of scheduled probes alone, whose rows have a date: a load test is no look at how a host
is on an ordinary day.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from data import histogram
from data.histogram import Buckets
from data.row import Row

HOUR_MS = 3_600_000
EXCUSED = ("client", "account")
"""Whose doing says nothing of a host: not counted where its availability is."""

Key = tuple[str, str, int]


class Rollup(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the probes of one host and scenario that were due in one hour.

    `hour` counts from 1970 (UTC). `n` rows; `ok` of them answered, `at_fault` failed by
    the host's doing, `excused` by ours or the account's. `last_ok_ms` is the date of
    the last answer, None without any. Tokens and money are sums over the rows that
    state them: `n_usage` state completion tokens, `cacheable_tokens` are the prompt
    tokens of those that state cached ones, `n_priced` and `n_reported` rows have a
    computed cost and one that the host stated. Histograms are of answers alone.
    """

    provider: str
    scenario: str
    hour: int
    n: int
    ok: int
    at_fault: int
    excused: int
    last_ok_ms: int | None
    outcomes: Counter[str]
    blames: Counter[str]
    models: Counter[str]
    prompt_tokens: int
    cached_tokens: int
    cacheable_tokens: int
    completion_tokens: int
    n_usage: int
    cost_nusd: int
    n_priced: int
    cost_reported_nusd: int
    n_reported: int
    ttft: Buckets
    e2e: Buckets
    tpot: Buckets

    @property
    def key(self) -> Key:
        """Return what it is of."""
        return self.provider, self.scenario, self.hour


FIELDS = Rollup.__struct_fields__
KEYS = ("provider", "scenario", "hour")
TEXTS = ("outcomes", "blames", "models")
BLOBS = ("ttft", "e2e", "tpot")
SELECT = f"SELECT {', '.join(FIELDS)} FROM rollups"  # noqa: S608 - names of ours
ONE = f"{SELECT} WHERE provider = ? AND scenario = ? AND hour = ?"
PUT = (
    f"INSERT OR REPLACE INTO rollups ({', '.join(FIELDS)}) "  # noqa: S608 - as above
    f"VALUES ({', '.join('?' for _ in FIELDS)})"
)


def of_row(row: Row) -> Rollup | None:
    """Return the roll-up of one row; None of one that has no date or is no measure."""
    if row.at_ms is None or row.phase != "measure":
        return None
    ok = row.outcome == "ok"
    return Rollup(
        provider=row.provider,
        scenario=row.scenario,
        hour=row.at_ms // HOUR_MS,
        n=1,
        ok=int(ok),
        at_fault=int(row.blame == "provider"),
        excused=int(row.blame in EXCUSED),
        last_ok_ms=row.at_ms if ok else None,
        outcomes=Counter({row.outcome: 1}),
        blames=Counter({row.blame: 1} if row.blame else {}),
        models=Counter({row.model_served: 1} if row.model_served else {}),
        prompt_tokens=row.prompt_tokens or 0,
        cached_tokens=row.cached_tokens or 0,
        cacheable_tokens=(row.prompt_tokens or 0) * (row.cached_tokens is not None),
        completion_tokens=row.completion_tokens or 0,
        n_usage=int(row.completion_tokens is not None),
        cost_nusd=row.cost_nusd or 0,
        n_priced=int(row.cost_nusd is not None),
        cost_reported_nusd=row.cost_reported_nusd or 0,
        n_reported=int(row.cost_reported_nusd is not None),
        ttft=histogram.of([_span(row.sent_ns, row.first_token_ns) if ok else None]),
        e2e=histogram.of([_span(row.sent_ns, row.last_token_ns) if ok else None]),
        tpot=histogram.of([_tpot(row) if ok else None]),
    )


def merge(one: Rollup, other: Rollup) -> Rollup:
    """Return two roll-ups of one key as one: associative and commutative."""
    made: dict[str, Any] = {}
    for name in FIELDS:
        ours, theirs = getattr(one, name), getattr(other, name)
        if name in KEYS:
            made[name] = ours
        elif name == "last_ok_ms":
            made[name] = max(
                (ms for ms in (ours, theirs) if ms is not None), default=None
            )
        else:
            made[name] = ours + theirs
    return Rollup(**made)


def rolled(rows: Iterable[Row]) -> dict[Key, Rollup]:
    """Return the roll-ups of some rows by host, scenario and hour."""
    found: dict[Key, Rollup] = {}
    for row in rows:
        if (one := of_row(row)) is not None:
            found[one.key] = merge(found[one.key], one) if one.key in found else one
    return found


def fold(conn: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Add rows to the stored roll-ups: in the transaction that stores the rows."""
    made = []
    for key, one in rolled(rows).items():
        before = conn.execute(ONE, key).fetchone()
        made.append(one if before is None else merge(decoded(before), one))
    put(conn, made)


def put(conn: sqlite3.Connection, made: Iterable[Rollup]) -> None:
    """Store roll-ups; each takes the place of what was there of its key."""
    conn.executemany(PUT, map(_cells, made))


def fold_values(
    conn: sqlite3.Connection, columns: Sequence[str], values: Sequence[Any]
) -> None:
    """Add one row, given by its columns, to the stored roll-ups."""
    cells = dict(zip(columns, values, strict=True))
    if cells.get("at_ms") is not None:
        fold(conn, [Row(**cells)])


def rebuild(conn: sqlite3.Connection) -> None:
    """Make the roll-ups anew from the rows that are there; what is older stays.

    Rows of probes from before there were dates get theirs from their run's start.
    """
    conn.execute(
        """UPDATE requests SET at_ms = (
            SELECT CAST((julianday(started_at) - 2440587.5) * 86400000 AS INTEGER)
            FROM runs WHERE runs.run_id = requests.run_id
        ) + coalesce(due_ns, sent_ns, queued_ns, end_ns) / 1000000
        WHERE at_ms IS NULL AND run_id IN (SELECT run_id FROM runs WHERE kind = 'probe')
        """
    )
    (first,) = conn.execute(
        "SELECT min(at_ms) FROM requests WHERE at_ms IS NOT NULL"
    ).fetchone()
    if first is None:
        return
    conn.execute("DELETE FROM rollups WHERE hour >= ?", (first // HOUR_MS,))
    names = Row.__struct_fields__
    sql = f"SELECT {', '.join(names)} FROM requests WHERE at_ms >= ? ORDER BY at_ms"  # noqa: S608 - names of ours
    found = conn.execute(sql, (first,))
    while lines := found.fetchmany(1000):
        fold(conn, (Row(**dict(zip(names, line, strict=True))) for line in lines))


def decoded(line: tuple[Any, ...]) -> Rollup:
    """Return a roll-up from a line of `SELECT`; ValueError where it is none of ours."""
    cells = dict(zip(FIELDS, line, strict=True))
    for name in TEXTS:
        cells[name] = Counter(msgspec.json.decode(cells[name], type=dict[str, int]))
    for name in BLOBS:
        cells[name] = histogram.unpack(cells[name])
    return Rollup(**cells)


def _cells(one: Rollup) -> tuple[Any, ...]:
    cells: Mapping[str, Any] = {name: _held(getattr(one, name)) for name in FIELDS}
    texts = {
        name: msgspec.json.encode(cells[name], order="sorted").decode()
        for name in TEXTS
    }
    blobs = {name: histogram.pack(cells[name]) for name in BLOBS}
    return tuple({**cells, **texts, **blobs}.values())


def _held(value: Any) -> Any:
    """Return a sum that SQLite can hold: what hosts state knows no bounds."""
    return min(value, 2**63 - 1) if isinstance(value, int) else value


def _span(begin: int | None, end: int | None) -> float | None:
    return None if begin is None or end is None else (end - begin) / 1e6


def _tpot(row: Row) -> float | None:
    """Return ms a token after the first, as the view `timings` has it."""
    span, n = _span(row.first_token_ns, row.last_token_ns), row.completion_tokens
    if row.stream_label != "true" or span is None or span <= 0 or not n or n < 2:
        return None
    return span / (n - 1)
