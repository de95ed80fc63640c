"""Load against the C mock: `python -m benchmarks.load [capacity|accuracy]`.

The mock has one core and each client in turn another. `capacity` is 64 unpaced streams
of 64 tokens; `accuracy` is 500 streams, 200 ms to the first token and 20 ms between
tokens, 100 tokens, started all at once. No chunk says when it was sent: hosts' do not.
"""

import json
import os
import subprocess
import sys
from statistics import median
from typing import Any

from benchmarks.mock import mock

CASES: dict[str, tuple[list[object], int, int]] = {
    "capacity": (["--tokens", 64, "--plain-deltas"], 6000, 64),
    "accuracy": (
        ["--ttft-ms", 200, "--itl-ms", 20, "--tokens", 100, "--plain-deltas"], 2000, 500
    ),
}  # fmt: skip
ROUNDS = int(os.environ.get("ROUNDS", "3"))


def client(name: str, url: str, requests: int, streams: int) -> dict[str, Any]:
    """Run one client on core 0 and return what it printed."""
    command = [
        sys.executable, "-m", "benchmarks.clients", name, "--url", url,
        "--requests", str(requests), "--streams", str(streams),
    ]  # fmt: skip
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {0}),
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def case(name: str, rounds: int = ROUNDS) -> dict[str, list[dict[str, Any]]]:
    """Run every client some rounds in turn; return what each said each time."""
    flags, requests, streams = CASES[name]
    said: dict[str, list[dict[str, Any]]] = {}
    with mock(*flags, core=1) as url:
        for _ in range(rounds):
            for each in ("floor", "plain", "h2h"):
                said.setdefault(each, []).append(client(each, url, requests, streams))
                print(json.dumps(said[each][-1]), flush=True)
    return said


def ratio(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], key: str) -> float:
    """Return the median of the ratios, round by round."""
    return median(a[key] / b[key] for a, b in zip(ours, theirs, strict=True))


def main() -> None:
    """Run the named cases, or all."""
    for name in sys.argv[1:] or CASES:
        said = case(name)
        speed = ratio(said["h2h"], said["plain"], "requests_per_s")
        cpu = ratio(said["h2h"], said["floor"], "cpu_s_per_1000")
        print(f"{name}: {speed:.2f} x the requests/s of plain aiohttp; "
              f"{cpu:.2f} x the CPU of the floor")  # fmt: skip


if __name__ == "__main__":
    main()
