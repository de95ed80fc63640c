"""Run at a low rate for a while and watch memory, descriptors and tasks: `make soak`.

`python -m benchmarks.soak --seconds 600` sends 20 requests a second to a simulated
host in another process, and fails when anything grows after the first fifth.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from compare.run.conduct import conduct
from compare.run.config import Flags, read
from compare.run.prepare import Run, prepare
from data.store import Store
from providers.simulator.spawn import spawn

RATE = 20
GROWTH_MIB = 8.0
MORE = 10
"""How many more descriptors or tasks there may be at the end: some are in flight."""
EVERY_S = 5.0


def resident_mib() -> float:
    """Return this process's resident memory in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors() -> int:
    """Return how many files and sockets are open (Linux)."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def watched(
    run: Run, store: Store, seconds: float
) -> list[tuple[float, int, int]]:
    """Conduct a run and return samples of memory, descriptors and tasks."""
    samples: list[tuple[float, int, int]] = []

    async def look() -> None:
        began = time.monotonic()
        while time.monotonic() - began < seconds - EVERY_S:
            await asyncio.sleep(EVERY_S)
            samples.append((resident_mib(), descriptors(), len(asyncio.all_tasks())))
            memory, files, tasks = samples[-1]
            print(
                f"{memory:8.1f} MiB {files:4} descriptors {tasks:4} tasks", flush=True
            )

    looking = asyncio.create_task(look())
    await conduct(run, store)
    looking.cancel()
    return samples


def main() -> int:
    """Soak, and return 1 when something grew."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600.0)
    seconds = parser.parse_args().seconds
    with spawn(["zai"], ttft_ms=50, gap_ms=5, tokens=20) as urls:
        flags = Flags(
            providers=(f"zai={urls['zai']}",),
            model="m",
            scenarios=("chat-1k",),
            load={"rate": str(RATE), "duration": str(seconds)},
        )
        run = prepare(read(None, flags))
        with (
            tempfile.TemporaryDirectory() as folder,
            Store.open(Path(folder) / "h2h.db") as store,
        ):
            samples = asyncio.run(watched(run, store, seconds))
    settled = samples[len(samples) // 5 :]
    memory, files, tasks = zip(*settled, strict=True)
    grown = memory[-1] - memory[0]
    print(f"grew by {grown:.1f} MiB; descriptors {min(files)}-{max(files)}; "
          f"tasks {min(tasks)}-{max(tasks)}")  # fmt: skip
    more = max(found[-1] - found[0] for found in (files, tasks))
    return int(grown > GROWTH_MIB or more > MORE)


if __name__ == "__main__":
    sys.exit(main())
