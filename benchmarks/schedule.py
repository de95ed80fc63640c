"""How punctual an open loop is: `python -m benchmarks.schedule [RATE ...] [--hosts N]`.

Requests fall due at the given rates (a second) for six seconds each; h2h has core 0,
the mock core 1. With several hosts, all of them the mock, a block has a request for
each, and the rate is that of the blocks.
"""

import argparse
import json
import os
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.clients import cpu, spread
from benchmarks.mock import mock

SECONDS = 6
RATES = (200, 1000, 2000)
TOLD = {"gc_pauses", "gc_max_ms", "lag_max_ms"}
"""What is told of how the bench fared."""


async def run_at(
    url: str, rate: int, hosts: int, workers: int
) -> tuple[list[Any], str]:
    """Return the rows of a run at a rate, and what it cost."""
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
        providers=tuple(f"mock{n}={url}" for n in range(hosts)),
        model="mock",
        scenarios=(str(scenario),),
        load={
            "rate": str(rate),
            "max_requests": rate * SECONDS,
            "concurrency": "2000",
            "workers": workers,
        },
    )
    run = prepare(read(None, flags))
    db = scenario.with_name("h2h.db")
    with Store.open(db) as store:
        before = cpu()
        await conduct(run, store)
        each = (cpu() - before) / (rate * SECONDS * hosts) * 1e3
    reader = query.open_reader(db)
    (health,) = reader.execute("select health from runs").fetchone()
    told = {k: round(v, 1) for k, v in json.loads(health).items() if k in TOLD}
    return list(query.rows(reader, run.run_id)), f"{each:.2f} CPU ms a request; {told}"


def told(rows: list[Any]) -> str:
    """Return how late requests were handed over, and how far apart within a block."""
    sent = [row for row in rows if row.sent_ns is not None]
    late = [(row.sent_ns - row.due_ns) / 1e6 for row in sent]
    warm = [each for each, row in zip(late, sent, strict=True) if row.conn_reused]
    blocks = defaultdict(list)
    for row in sent:
        blocks[row.block].append(row.sent_ns)
    apart = [(max(times) - min(times)) / 1e6 for times in blocks.values()]
    found = f"{len(sent)} of {len(rows)} sent, late by ms {spread(late)}"
    found += f", on a used connection {spread(warm)}"
    if len(blocks) < len(sent):
        found += f"; apart within a block {spread(apart)}"
    return found


def main() -> None:
    """Measure each rate in a loop of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rates", nargs="*", type=int, default=RATES)
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    os.sched_setaffinity(0, {0} if given.workers == 1 else {0, 1})
    pace = ("--ttft-ms", 50, "--itl-ms", 5, "--tokens", 8, "--plain-deltas")
    with mock(*pace, core=1) as url:
        for rate in given.rates:
            rows, cost = uvloop.run(run_at(url, rate, given.hosts, given.workers))
            print(f"{rate}/s: {told(rows)}; {cost}", flush=True)


if __name__ == "__main__":
    main()
