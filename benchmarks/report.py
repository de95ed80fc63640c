"""Write the page of a run of a million generated rows: seconds of CPU, memory, bytes.

`python -m benchmarks.report [--rows N]` writes the run into a temporary database first,
which takes longer. The aim on one core: 10 s for what `h2h compare` says, 10 s for ten
charts, 1 GiB, and a page under 2 MB.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.judge import generate

LIMIT_S, LIMIT_MIB, LIMIT_MB = 20.0, 1024.0, 2.0


def main() -> int:
    """Print what a page costs, and return 1 when it is more than the aim."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    n = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        path, page = Path(folder) / "h2h.db", Path(folder) / "report.html"
        generate(path, n, unequal=False)
        h2h = Path(sys.executable).with_name("h2h")
        one_core = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        start = time.perf_counter()
        subprocess.run([h2h, "report", "--db", path, "-o", page], check=True,
                       env=one_core, stdout=subprocess.DEVNULL)  # fmt: skip
        wall = time.perf_counter() - start
        written = page.read_text(encoding="utf-8")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, mib = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    mb, charts = len(written.encode()) / 1e6, written.count("<figure")
    print(f"report     {cpu:5.2f} s CPU, {wall:5.2f} s, peak {mib:,.0f} MiB, "
          f"{mb:.2f} MB with {charts} charts ({n:,} rows)")  # fmt: skip
    return int(cpu > LIMIT_S or mib > LIMIT_MIB or mb > LIMIT_MB)


if __name__ == "__main__":
    sys.exit(main())
