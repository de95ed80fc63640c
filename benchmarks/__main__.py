"""Run every benchmark and print its ratio: `make bench`.

Each compares a part of head-to-head with the least that could do its job, in the same
process, in turn, and prints the median of the ratios. Absolute times stand beside them
for scale only: machines are noisy.
"""

import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec

from data.row import Row
from data.store import Store
from providers.reader import Reader
from providers.registry import dialect

ROUNDS = 9
TOKENS = 64


def stream() -> list[bytes]:
    """Return a stream of 64 tokens as its server-sent events."""
    head = (
        '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",'
    )
    deltas = [
        f'data: {head}"choices":[{{"index":0,"delta":{{"content":" word"}},'
        f'"finish_reason":null}}]}}\n\n'.encode()
        for _ in range(TOKENS)
    ]
    last = (
        f'data: {head}"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}]}}'
    )
    usage = (
        f'data: {head}"choices":[],"usage":{{"prompt_tokens":9,'
        f'"completion_tokens":{TOKENS},"total_tokens":{TOKENS + 9}}}}}'
    )
    return [*deltas, f"{last}\n\n{usage}\n\ndata: [DONE]\n\n".encode()]


def timed(work: Callable[[], None]) -> float:
    """Return the CPU seconds that some work takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def ratio(ours: Callable[[], None], floor: Callable[[], None]) -> tuple[float, float]:
    """Return the median ratio of ours to the floor, and our median seconds."""
    ours(), floor()
    pairs = [(timed(ours), timed(floor)) for _ in range(ROUNDS)]
    return median(a / b for a, b in pairs), median(a for a, _ in pairs)


def decode() -> str:
    """Reader, from bytes to Reply, against json.loads of the same events."""
    chunks, generic, n = stream(), dialect("generic"), 200
    stamps = range(2, len(chunks) + 2)

    def ours() -> None:
        for _ in range(n):
            reader = Reader(generic, stream=True, max_tokens=TOKENS, model="m")
            reader.head(1, 200, {"Content-Type": "text/event-stream"})
            reader.feed_all(stamps, chunks)
            reader.close(99)

    def floor() -> None:
        for _ in range(n):
            for chunk in chunks:
                for line in chunk.split(b"\n\n"):
                    if line[6:] not in {b"", b"[DONE]"}:
                        json.loads(line[6:])

    found, seconds = ratio(ours, floor)
    each = seconds / n / (TOKENS + 3) * 1e6
    return f"{found:6.2f} x json.loads of each event        ({each:.2f} us an event)"


def a_row(seq: int) -> Row:
    """Return a row of a good request of 64 tokens."""
    return Row(
        run_id="RUN", seq=seq, block=seq, scenario="chat-1k", scenario_version="1-abc",
        case_id="1", phase="measure", provider="host", dialect="generic",
        model_requested="glm-5.2", prompt_sha256="0" * 64, body_sha256="0" * 64,
        params='{"stream":true}', max_tokens=256, load='{"step":0}', sent_ns=seq,
        first_token_ns=seq + 10, last_token_ns=seq + 100, end_ns=seq + 101,
        n_events=66, timeline=b"\x01\x02\x03" * 66, prompt_tokens=1000,
        completion_tokens=64, cost_nusd=1, outcome="ok", usage_json="{}",
    )  # fmt: skip


def store() -> str:
    """The store, every column and its thread, against a bare executemany."""
    n = 20_000
    rows = [a_row(seq) for seq in range(n)]
    values = [msgspec.structs.astuple(row) for row in rows]
    marks = ",".join("?" * len(Row.__struct_fields__))

    def ours() -> None:
        with (
            tempfile.TemporaryDirectory() as folder,
            Store.open(Path(folder) / "h2h.db") as kept,
        ):
            for row in rows:
                kept.emit(row)

    def floor() -> None:
        with tempfile.TemporaryDirectory() as folder:
            bare = sqlite3.connect(Path(folder) / "bare.db")
            bare.execute(f"create table t ({','.join(Row.__struct_fields__)})")
            with bare:
                bare.executemany(f"insert into t values ({marks})", values)
            bare.close()

    found, seconds = ratio(ours, floor)
    return f"{found:6.2f} x a bare executemany              ({n / seconds:,.0f} rows/s)"


def main() -> None:
    """Print one line a benchmark."""
    for name, bench in {"decode": decode, "store": store}.items():
        print(f"{name:<8}{bench()}")


if __name__ == "__main__":
    main()
