"""How punctual an open loop is: `python -m benchmarks.schedule [RATE ...]`.

Requests fall due at the given rates (a second) for six seconds each; h2h has core 0,
the mock core 1. Printed is by how many ms the bytes were handed over late.
"""

import os
import sys
import tempfile
from pathlib import Path

import uvloop

from benchmarks.clients import spread
from benchmarks.mock import mock

SECONDS = 6
RATES = (200, 1000, 2000)


async def lags(url: str, rate: int) -> list[float]:
    """Return how late each request was handed over, in ms."""
    from compare.run.conduct import conduct
    from compare.run.config import Flags, read
    from compare.run.prepare import prepare
    from data import query
    from data.store import Store

    scenario = Path(tempfile.mkdtemp()) / "load.toml"
    scenario.write_text(
        'name = "load"\n[request]\nmax_tokens = 64\n[prompt]\nuser = "hi"\n'
    )
    flags = Flags(
        providers=(f"mock={url}",),
        model="mock",
        scenarios=(str(scenario),),
        load={
            "rate": str(rate),
            "max_requests": rate * SECONDS,
            "concurrency": "2000",
        },
    )
    run = prepare(read(None, flags))
    db = scenario.with_name("h2h.db")
    with Store.open(db) as store:
        await conduct(run, store)
    rows = query.rows(query.open_reader(db), run.run_id)
    return [
        (row.sent_ns - row.due_ns) / 1e6
        for row in rows
        if row.sent_ns is not None and row.due_ns is not None
    ]


def main() -> None:
    """Measure each rate in a loop of its own."""
    os.sched_setaffinity(0, {0})
    with mock("--ttft-ms", 50, "--itl-ms", 5, "--tokens", 8, core=1) as url:
        for rate in map(int, sys.argv[1:] or RATES):
            late = uvloop.run(lags(url, rate))
            print(f"{rate}/s: {len(late)} sent, late by ms {spread(late)}", flush=True)


if __name__ == "__main__":
    main()
