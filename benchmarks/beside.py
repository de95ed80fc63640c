"""What the store costs its loop: `python -m benchmarks.beside [CORE ...]`.

A loop makes 4,000 rows a second, four each ms at a moment of its own. Printed is by how
many ms these moments were late where the store takes the rows, where nobody does, and
the difference; in turn, on the given cores (by default core 0 alone, then all).
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter_ns

import uvloop

from benchmarks.__main__ import a_row
from benchmarks.clients import spread
from compare.run.calm import calm
from data.row import Row
from data.store import Store
from providers.alarm import Alarm

MS = 1_000_000
SECONDS = 4
ROWS_A_MS = 4
ROUNDS = 3


async def lags(take: Callable[[Row], None]) -> list[float]:
    """Return how late each ms came, in ms."""
    alarm, over = Alarm(), asyncio.Event()
    found: list[float] = []
    start = perf_counter_ns()

    def moment() -> None:
        number = len(found) + 1
        found.append((perf_counter_ns() - start) / MS - number)
        for row in range(ROWS_A_MS):
            take(a_row(number * ROWS_A_MS + row))
        if number < SECONDS * 1000:
            alarm.call_at(start + (number + 1) * MS, moment)
        else:
            over.set()

    alarm.call_at(start + MS, moment)
    with calm():
        await over.wait()
    alarm.close()
    return found


def with_store() -> dict[str, float]:
    """Return the lags where the store takes the rows."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder) / "h2h.db") as store,
    ):
        return spread(uvloop.run(lags(store.emit))) or {}


def alone() -> dict[str, float]:
    """Return the lags where the rows are thrown away."""
    return spread(uvloop.run(lags(lambda _: None))) or {}


def main() -> None:
    """Compare both in turn."""
    given = [{int(core)} for core in sys.argv[1:]]
    for cores in given or [{0}, set(range(os.cpu_count() or 1))]:
        os.sched_setaffinity(0, cores)
        pairs = [(with_store(), alone()) for _ in range(ROUNDS)]
        added = median(a["p99"] - b["p99"] for a, b in pairs)
        for kept, thrown in pairs:
            print(f"cores {sorted(cores)}: late by ms {kept}, without store {thrown}")
        print(f"cores {sorted(cores)}: the store adds {added:.2f} ms to the p99")


if __name__ == "__main__":
    main()
