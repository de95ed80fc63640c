"""What a service has seen: counts, roll-ups, latest answers and events, by date.

Moments are ms of 1970 (UTC), hours count from then. A window is from its first moment
to the present: its whole hours come from the roll-ups, what it begins with from rows.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from data.events import EventRow
from data.query import ask
from data.rollup import BLOBS, FIELDS, HOUR_MS

DAY_H = 24
LONG_MS = 2 * DAY_H * HOUR_MS
"""Longer windows begin with a whole hour: their oldest rows may be gone by then."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the probes of a host; the fields are as in `Rollup`."""

    n: int = 0
    ok: int = 0
    at_fault: int = 0
    excused: int = 0
    last_ok_ms: int | None = None

    def __add__(self, other: "Counts") -> "Counts":
        """Return both together."""
        last = [ms for ms in (self.last_ok_ms, other.last_ok_ms) if ms is not None]
        return Counts(
            n=self.n + other.n,
            ok=self.ok + other.ok,
            at_fault=self.at_fault + other.at_fault,
            excused=self.excused + other.excused,
            last_ok_ms=max(last, default=None),
        )


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """The newest row of a host and scenario; `ttft_ms` None where it has none."""

    provider: str
    scenario: str
    run_id: str
    seq: int
    at_ms: int
    outcome: str
    blame: str | None
    ttft_ms: float | None
    model_served: str | None
    error_excerpt: str | None


_SUMS = "sum(n), sum(ok), sum(at_fault), sum(excused), max(last_ok_ms)"
_ROW_SUMS = """count(*), sum(outcome = 'ok'), sum(blame IS 'provider'),
    sum(blame IS 'client' OR blame IS 'account'),
    max(CASE WHEN outcome = 'ok' THEN at_ms END)"""


def probed(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the hosts and scenarios that were ever probed, in order."""
    # From one to the next in the key: the hours between them are not looked at.
    more = """SELECT provider, scenario FROM rollups
        WHERE provider = ? AND scenario > ? ORDER BY scenario LIMIT 1"""
    other = """SELECT provider, scenario FROM rollups
        WHERE provider > ? ORDER BY provider, scenario LIMIT 1"""
    found: list[tuple[str, str]] = []
    pair = "", ""
    while line := next(ask(db, more, pair), None) or next(
        ask(db, other, pair[:1]), None
    ):
        pair = line[0], line[1]
        found.append(pair)
    return found


def counts(
    db: sqlite3.Connection, since_ms: int, now_ms: int
) -> dict[tuple[str, str], Counts]:
    """Return what became of the probes of a window, by host and scenario.

    A window of more than two days begins with the whole hour that it begins in. Those
    that were never probed in it are absent.
    """
    found: dict[tuple[str, str], Counts] = {}
    hour = since_ms // HOUR_MS
    if since_ms % HOUR_MS and now_ms - since_ms <= LONG_MS:
        hour += 1
        for pair in probed(db):
            sql = f"""SELECT {_ROW_SUMS} FROM requests WHERE provider = ?
                AND scenario = ? AND at_ms >= ? AND at_ms < ? AND phase = 'measure'"""  # noqa: S608 - ours
            (line,) = ask(db, sql, (*pair, since_ms, hour * HOUR_MS))
            if line[0]:
                found[pair] = _counts(line)
    sql = f"""SELECT provider, scenario, {_SUMS} FROM rollups INDEXED BY rollups_counts
        WHERE hour >= ? GROUP BY provider, scenario"""  # noqa: S608 - ours
    for provider, scenario, *sums in ask(db, sql, (hour,)):
        pair = provider, scenario
        found[pair] = found.get(pair, Counts()) + _counts(sums)
    return found


def strip(
    db: sqlite3.Connection, days: int, now_ms: int
) -> dict[str, dict[int, Counts]]:
    """Return what became of each host's probes by UTC day (from 1970), of some days.

    The last is today. Days without a probe are absent.
    """
    today = now_ms // (DAY_H * HOUR_MS)
    # A day at a time: few enough lines that SQLite sorts them where they are.
    sql = f"""SELECT provider, {_SUMS} FROM rollups INDEXED BY rollups_counts
        WHERE hour >= ? AND hour < ? GROUP BY provider"""  # noqa: S608 - ours
    found: dict[str, dict[int, Counts]] = {}
    for day in range(today - days + 1, today + 1):
        for provider, *line in ask(db, sql, (day * DAY_H, (day + 1) * DAY_H)):
            found.setdefault(provider, {})[day] = _counts(line)
    return found


def last_ok(db: sqlite3.Connection) -> dict[str, int | None]:
    """Return when each host last answered: a dead man's gauge; None: never."""
    sql = """SELECT last_ok_ms FROM rollups WHERE provider = ? AND scenario = ?
        AND last_ok_ms IS NOT NULL ORDER BY hour DESC LIMIT 1"""
    found: dict[str, int | None] = {}
    for provider, scenario in probed(db):
        (ms,) = next(ask(db, sql, (provider, scenario)), (None,))
        known = [each for each in (found.get(provider), ms) if each is not None]
        found[provider] = max(known, default=None)
    return found


def latest(db: sqlite3.Connection) -> list[Latest]:
    """Return the newest row of each host and scenario whose rows are still there."""
    sql = """SELECT provider, scenario, run_id, seq, at_ms, outcome, blame,
        (first_token_ns - sent_ns) / 1e6, model_served, error_excerpt
        FROM requests WHERE provider = ? AND scenario = ? AND at_ms IS NOT NULL
        ORDER BY at_ms DESC LIMIT 1"""
    names = Latest.__struct_fields__
    return [
        Latest(**dict(zip(names, line, strict=True)))
        for pair in probed(db)
        for line in ask(db, sql, pair)
    ]


def lines(
    db: sqlite3.Connection,
    names: Sequence[str],
    provider: str,
    scenario: str | None,
    hours: tuple[int, int],
) -> Iterator[tuple[Any, ...]]:
    """Yield some columns of a host's roll-ups, from one hour up to another, in order.

    `scenario` None is all of them. ValueError for a column that roll-ups do not have.
    """
    if unknown := set(names) - set(FIELDS):
        raise ValueError(f"no such columns: {', '.join(sorted(unknown))}")
    sql = f"""SELECT {", ".join(names)} FROM rollups
        WHERE provider = ? AND scenario = ? AND hour >= ? AND hour < ?
        ORDER BY hour"""  # noqa: S608 - checked
    pairs = [(provider, scenario)] if scenario else probed(db)
    for host, each in pairs:
        if host == provider:
            yield from ask(db, sql, (host, each, *hours))


def spread(
    db: sqlite3.Connection, what: str, pair: tuple[str, str], since_ms: int, now_ms: int
) -> tuple[list[float], list[bytes]]:
    """Return the times of a window: those of rows in ms, and of hours as histograms.

    `what` is one of the histograms of a roll-up. A window begins as in `counts`.
    """
    if what not in BLOBS:
        raise ValueError(f"no such times: {what}")
    hour, found = since_ms // HOUR_MS, []
    if since_ms % HOUR_MS and now_ms - since_ms <= LONG_MS:
        hour += 1
        sql = f"""SELECT {what}_ms FROM timings JOIN requests USING (run_id, seq)
            WHERE requests.provider = ? AND requests.scenario = ? AND at_ms >= ?
            AND at_ms < ? AND requests.outcome = 'ok'
            AND requests.phase = 'measure'"""  # noqa: S608 - one of three
        given = (*pair, since_ms, hour * HOUR_MS)
        found = [ms for (ms,) in ask(db, sql, given) if ms is not None]
    sql = f"""SELECT {what} FROM rollups
        WHERE provider = ? AND scenario = ? AND hour >= ?"""  # noqa: S608 - as above
    return found, [blob for (blob,) in ask(db, sql, (*pair, hour))]


def events(
    db: sqlite3.Connection, most: int, provider: str | None = None
) -> list[EventRow]:
    """Return the newest events, of one host or of all, newest first."""
    names = EventRow.__struct_fields__
    sql = f"""SELECT {", ".join(names)} FROM events WHERE ? IS NULL OR provider = ?
        ORDER BY at_ms DESC, event_id DESC LIMIT ?"""  # noqa: S608 - names of ours
    return [
        EventRow(**dict(zip(names, line, strict=True)))
        for line in ask(db, sql, (provider, provider, most))
    ]


def _counts(line: Sequence[int | None]) -> Counts:
    n, ok, at_fault, excused, last = line
    return Counts(
        n=n or 0, ok=ok or 0, at_fault=at_fault or 0, excused=excused or 0,
        last_ok_ms=last,
    )  # fmt: skip
