"""Draw charts of a run of a million generated rows: seconds of CPU and peak memory.

`python -m benchmarks.charts [--rows N]` writes the run into a temporary database first,
which takes longer than drawing it. The aim is ten charts in under 10 s on one core, in
under 1 GiB with the rows. Reading and comparing them is measured by `benchmarks.judge`;
what it takes here is printed beside it.
"""

import argparse
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.judge import generate

LIMIT_S, LIMIT_MIB = 10.0, 1024.0
TEN = (
    "ttft-ecdf", "e2e-ecdf", "contrasts", "percentiles", "latency-box", "throughput",
    "gaps", "raster", "errors", "over-time",
)  # fmt: skip
"""The ten that look at every row, or at all of what is said of them."""


def draw(path: Path) -> int:
    """Draw the ten charts, print what each costs, and return 1 if it is too much."""
    from compare.cli.reading import drawn_from
    from compare.show import charts

    start = time.process_time()
    subject = drawn_from(path, "latest")
    read = time.process_time()
    print(f"reading and comparing {read - start:5.2f} s CPU", flush=True)
    for kind in TEN:
        begun = time.process_time()
        size = len(charts.draw(kind, subject, "svg"))
        print(
            f"{kind:14}{time.process_time() - begun:5.2f} s CPU, {size / 1e3:,.0f} kB"
        )
    cpu = time.process_time() - read
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"ten charts {cpu:5.2f} s CPU, peak {mib:,.0f} MiB ({len(subject.frame):,} "
          "rows)")  # fmt: skip
    return int(cpu > LIMIT_S or mib > LIMIT_MIB)


def give_gaps(path: Path) -> None:
    """Give the generated rows gaps, which judging does not need."""
    db = sqlite3.connect(path)
    with db:
        db.execute(
            "update requests set gap_p50_ns = 7000000 + seq % 977 * 1000, "
            "gap_max_ns = 20000000 + seq * 7919 % 100003 * 20000"
        )
    db.close()


def main() -> int:
    """Make the run, and draw it in a process of its own on one core."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--db", type=Path, help="a database that is there already")
    wanted = parser.parse_args()
    if wanted.db is not None:
        return draw(wanted.db)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "h2h.db"
        generate(path, wanted.rows, unequal=False)
        give_gaps(path)
        command = [sys.executable, "-m", "benchmarks.charts", "--db", str(path)]
        one_core = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        return subprocess.run(command, check=False, env=one_core).returncode


if __name__ == "__main__":
    sys.exit(main())
