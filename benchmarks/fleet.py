"""What a second worker brings: `python -m benchmarks.fleet [ROUNDS]`.

64 unpaced streams of 64 tokens, by one process that has core 0 and by two workers and
their parent that have two cores, in turn. The mock runs where there is room beside
them. A rate is that of the rows: from the first request to the end of the last answer,
so that starting the processes is no part of it.
"""

import os
import sys
import tempfile
from pathlib import Path
from statistics import median

import uvloop

from benchmarks.clients import cpu
from benchmarks.mock import mock

REQUESTS = 6000
STREAMS = 64
ROUNDS = 3


async def rate(url: str, workers: int) -> tuple[float, float]:
    """Return the requests a second, and CPU ms a request, of all processes."""
    from compare.run.conduct import conduct
    from compare.run.config import Flags, read
    from compare.run.prepare import prepare
    from data import query
    from data.store import Store

    scenario = Path(tempfile.mkdtemp()) / "load.toml"
    scenario.write_text(
        'name = "load"\n[request]\nmax_tokens = 4096\n[prompt]\nuser = "hi"\n'
    )
    flags = Flags(
        providers=(f"mock={url}",),
        model="mock",
        scenarios=(str(scenario),),
        load={
            "concurrency": str(STREAMS),
            "max_requests": REQUESTS,
            "ramp": "0",
            "workers": workers,
        },
    )
    run = prepare(read(None, flags))
    db = scenario.with_name("h2h.db")
    before = cpu()
    with Store.open(db) as store:
        await conduct(run, store)
    used = cpu() - before
    rows = list(query.rows(query.open_reader(db), run.run_id))
    assert [row.outcome for row in rows] == ["ok"] * REQUESTS
    span = max(row.end_ns or 0 for row in rows) - min(
        row.queued_ns or 0 for row in rows
    )
    return REQUESTS / span * 1e9, used / REQUESTS * 1e3


def main() -> None:
    """Compare both in turn."""
    ratios = []
    with mock("--tokens", 64, "--plain-deltas") as url:
        for _ in range(int(sys.argv[1]) if sys.argv[1:] else ROUNDS):
            found = []
            for workers, cores in ((1, {0}), (2, {0, 1})):
                os.sched_setaffinity(0, cores)
                found.append(uvloop.run(rate(url, workers)))
                print(f"{workers}: {found[-1][0]:.0f} requests/s, "
                      f"{found[-1][1]:.2f} CPU ms each", flush=True)  # fmt: skip
            ratios.append(found[1][0] / found[0][0])
    print(f"two workers do {median(ratios):.2f} x the requests of one process")


if __name__ == "__main__":
    main()
