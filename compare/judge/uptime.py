"""Availability: the share of probes that a host did not fail by its own doing."""

import sqlite3
from collections.abc import Iterable

import msgspec

from data import history
from data.history import Counts
from data.rollup import HOUR_MS

WINDOWS = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24}
"""The windows that availability is stated over, in hours."""


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """A host's availability over a window: `share` of `n` probes that count.

    Those that failed by our own or the account's doing do not count. `share` is None
    where none is left: then nothing is known.
    """

    share: float | None
    n: int


def of(counts: Counts) -> Availability:
    """Return 1 - at_fault / (n - excused)."""
    n = counts.n - counts.excused
    return Availability(share=1 - counts.at_fault / n if n else None, n=n)


def availabilities(
    db: sqlite3.Connection, now_ms: int
) -> dict[str, dict[str, Availability]]:
    """Return each host's availability by window, of all its scenarios together."""
    found: dict[str, dict[str, Availability]] = {}
    for window, hours in WINDOWS.items():
        counts = history.counts(db, now_ms - hours * HOUR_MS, now_ms)
        for host, each in by_host(counts.items()).items():
            found.setdefault(host, {})[window] = of(each)
    unknown = Availability(share=None, n=0)
    return {
        host: {window: known.get(window, unknown) for window in WINDOWS}
        for host, known in sorted(found.items())
    }


def by_host(counts: Iterable[tuple[tuple[str, str], Counts]]) -> dict[str, Counts]:
    """Return the counts of hosts and scenarios added up by host."""
    found: dict[str, Counts] = {}
    for (host, _), each in counts:
        found[host] = found.get(host, Counts()) + each
    return found
