"""Judge a run of a million generated rows: seconds of CPU and peak memory.

`python -m benchmarks.judge [--rows N] [--unequal]` writes the run into a temporary
database first, which takes longer than judging it. The aim is under 10 s and 1 GiB on
one core. `--unequal` makes one host's answers shorter, so that timelines are read too.
"""

import argparse
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from compare.judge.contrast import contrasts
from compare.judge.frame import of
from data.row import Row, RunRow, Timing
from data.store import Store
from data.timeline import pack

HOSTS = ("ourtoken", "openrouter", "zai", "deepinfra")
MS = 1_000_000
LIMIT_S, LIMIT_MIB = 10.0, 1024.0


def a_run() -> RunRow:
    """Return the line of the generated run."""
    names = '["' + '","'.join(HOSTS) + '"]'
    return RunRow(
        run_id="BENCH", kind="run", started_at="2026-11-23T09:00:00+00:00",
        status="done", validity="valid", plan_hash="p", job="{}", versions="{}",
        machine="{}", providers=names, scenarios='["chat-1k"]', seed=0,
    )  # fmt: skip


def some_rows(n: int, *, unequal: bool) -> Iterator[tuple[object, ...]]:
    """Yield rows of plausible answers; one in a hundred failed."""
    draw = random.Random(1)
    for seq in range(n):
        block, place = divmod(seq, len(HOSTS))
        sent = block * MS
        ttft = int((200 + 10 * place) * MS * draw.lognormvariate(0, 0.3))
        tokens = draw.randrange(30, 35) if unequal and place else draw.randrange(60, 68)
        last = sent + ttft + 7 * MS * tokens
        ok = draw.random() > 0.01
        blob = pack([(sent + ttft + 7 * MS * k, 2) for k in range(tokens)], 0)
        yield msgspec.structs.astuple(Row(
            run_id="BENCH", seq=seq, block=block, scenario="chat-1k",
            scenario_version="1-abc", case_id="1", phase="measure",
            provider=HOSTS[place], dialect="generic", model_requested="glm-5.2",
            prompt_sha256=f"{block:064x}", body_sha256=f"{block:064x}",
            params='{"stream":true,"temperature":0.0}', max_tokens=256,
            load='{"step":0,"rate":null,"concurrency":8,"ramp":0.0}',
            queued_ns=sent, sent_ns=sent, first_event_ns=sent + ttft,
            first_token_ns=sent + ttft, first_answer_ns=sent + ttft, last_token_ns=last,
            end_ns=last, n_events=tokens, n_content_events=tokens, stream_label="true",
            timeline=blob, prompt_tokens=1000, cached_tokens=0,
            completion_tokens=tokens, cost_nusd=10**6 + tokens,
            outcome="ok" if ok else "overloaded", blame=None if ok else "provider",
            conn_reused=1, usage_json='{"prompt_tokens":1000}', output_chars=300,
            reasoning_chars=0,
        ))  # fmt: skip


def generate(path: Path, n: int, *, unequal: bool) -> None:
    """Write the run, past the store: it is not what is measured."""
    with Store.open(path) as store:
        store.begin_run(a_run())
    names = Row.__struct_fields__
    db = sqlite3.connect(path)
    with db:
        db.executemany(
            f"insert into requests ({','.join(names)}) "
            f"values ({','.join('?' * len(names))})",
            some_rows(n, unequal=unequal),
        )
    db.close()


def block_bootstrap() -> float:
    """Return the CPU seconds of every contrast of 1,000 blocks of four hosts."""
    draw = random.Random(2)
    empty = dict.fromkeys(Timing.__struct_fields__)
    rows = []
    for seq in range(4 * 1_000):
        ttft, tokens = 200 * draw.lognormvariate(0, 0.3), draw.randrange(50, 70)
        known = {
            "run_id": "r", "seq": seq, "block": seq // 4, "step": 0,
            "provider": HOSTS[seq % 4], "scenario": "s", "phase": "measure",
            "outcome": "ok", "stream_label": "true", "ttft_ms": ttft, "ttfa_ms": ttft,
            "e2e_ms": ttft + 7 * tokens, "tpot_ms": ttft / 30, "decode_tps": 6e3 / ttft,
            "completion_tokens": tokens, "cost_usd": tokens / 1e6,
        }  # fmt: skip
        rows.append(Timing(**{**empty, **known}))
    frame = of(rows)
    start = time.process_time()
    contrasts(frame)
    return time.process_time() - start


def main() -> int:
    """Print what judging costs, and return 1 when it is more than the aim."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--unequal", action="store_true")
    wanted = parser.parse_args()
    print(f"bootstrap  {block_bootstrap():5.2f} s CPU (contrasts of 1,000 blocks of "
          "4 hosts, 10,000 resamples)", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "h2h.db"
        generate(path, wanted.rows, unequal=wanted.unequal)
        h2h = Path(sys.executable).with_name("h2h")
        one_core = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        start = time.perf_counter()
        subprocess.run([h2h, "compare", "--db", path], check=True, env=one_core,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, mib = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    print(f"compare    {cpu:5.2f} s CPU, {wall:5.2f} s, peak {mib:,.0f} MiB "
          f"({wanted.rows:,} rows)")  # fmt: skip
    return int(cpu > LIMIT_S or mib > LIMIT_MIB)


if __name__ == "__main__":
    sys.exit(main())
