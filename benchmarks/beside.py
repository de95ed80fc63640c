"""What the store costs its loop: `python -m benchmarks.beside [CORE ...]`.

A loop makes 4,000 rows a second, four each ms at a moment of its own. For half a second
the store takes them, for the next nobody does, and so on. Printed is by how many ms the
moments were late, the median of the windows of either kind, and the difference: on the
given cores, each alone, or on core 0 and then on all.
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
WINDOW_MS = 500
PAIRS = 24
ROWS_A_MS = 4

Spread = dict[str, float]


async def window(alarm: Alarm, first: int, take: Callable[[Row], None]) -> Spread:
    """Return by how much each ms of a window was late, in ms."""
    over, late, start = asyncio.Event(), [], perf_counter_ns()

    def moment() -> None:
        number = len(late) + 1
        late.append((perf_counter_ns() - start) / MS - number)
        for row in range(ROWS_A_MS):
            take(a_row(first + number * ROWS_A_MS + row))
        if number < WINDOW_MS:
            alarm.call_at(start + (number + 1) * MS, moment)
        else:
            over.set()

    alarm.call_at(start + MS, moment)
    await over.wait()
    return spread(late) or {}


async def windows(store: Store) -> tuple[list[Spread], list[Spread]]:
    """Return the windows in which the store took the rows, and the others."""
    kept, thrown = [], []
    alarm = Alarm()
    with calm():
        for number in range(PAIRS):
            first = number * WINDOW_MS * ROWS_A_MS * 2
            kept.append(await window(alarm, first, store.emit))
            await asyncio.to_thread(store.flush)
            thrown.append(await window(alarm, first, lambda _: None))
    alarm.close()
    return kept, thrown


def main() -> None:
    """Measure on each set of cores."""
    given = [{int(core)} for core in sys.argv[1:]]
    for cores in given or [{0}, set(range(os.cpu_count() or 1))]:
        os.sched_setaffinity(0, cores)
        with (
            tempfile.TemporaryDirectory() as folder,
            Store.open(Path(folder) / "h2h.db") as store,
        ):
            both = uvloop.run(windows(store))
        kept, thrown = ([median(w[q] for w in ws) for q in ("p50", "p99")]
                        for ws in both)  # fmt: skip
        print(
            f"cores {sorted(cores)}: late by {kept[0]:.2f} / {kept[1]:.2f} ms "
            f"(p50 / p99), without a store {thrown[0]:.2f} / {thrown[1]:.2f}: "
            f"the store adds {kept[1] - thrown[1]:.2f} ms to the p99",
            flush=True,
        )


if __name__ == "__main__":
    main()
