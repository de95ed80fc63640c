"""Kill runs with no warning, at random moments, and go on with them: `make soak`.

`python -m benchmarks.crash --times 200` kills `h2h run` and `h2h run --resume` while
they send about 500 requests a second to a simulated host. After each kill the database
must be sound, the run crashed, its rows whole, and every answer stored that is older
than the last batch; at the end its rows must be its plan, each once.
"""

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from time import perf_counter_ns

import msgspec

from compare.run.resume import again
from data import query
from data.row import Row, RunRow
from data.store import BATCH_ROWS
from providers.simulator.spawn import spawn
from providers.simulator.truth import TruthRow
from scenarios.plan import lanes, segments, units

BLOCKS = 750
RATE = 250
"""Blocks a second, each of two requests."""
SETTLED_NS = 1_000_000_000
"""Batches are committed every 250 ms; a commit itself may take a while."""
ANY_TIME = 0.2
"""The share of kills that may come before a request is sent; the others come after."""
LONGEST_S = 1.8
START_S = 1.2
MAIN = "from compare.cli.main import main; main()"


class Truth:
    """The host's log: what it answered, by id, and when, since the last `start`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def start(self) -> None:
        """Leave out all that was answered until now."""
        self._read = self._size()

    def grown(self) -> bool:
        """Return whether anything was answered since then."""
        return self._size() > self._read

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def since_start(self) -> dict[str | None, int]:
        """Return when each answer since then ended, by its id."""
        data = self._path.read_bytes()[self._read :] if self._path.exists() else b""
        lines = data[: data.rfind(b"\n") + 1].splitlines()
        rows = (msgspec.json.decode(line, type=TruthRow) for line in lines)
        return {row.response_id: row.end_ns for row in rows}


class Storm:
    """One run after the other, each killed again and again until it is whole.

    `missing` holds, for each kill, how many answers were not stored yet.
    """

    def __init__(self, folder: Path, url: str, truth: Path, seed: int) -> None:
        self._db = folder / f"crash-{seed}.db"
        self._url = url
        self._truth = Truth(truth)
        self._random = random.Random(seed)
        self._run_id: str | None = None
        self.missing: list[int] = []
        self.kills = self.runs = 0

    def blow(self, times: int) -> None:
        """Kill so many times, then let the last run end; AssertionError for a loss."""
        while self.kills < times:
            self._strike()
        if self._run_id is not None:
            process = self._start()
            assert process.wait(60) in {0, 4}, "a resumed run did not end"
            self._whole()

    def _strike(self) -> None:
        process = self._start()
        if self._random.random() < ANY_TIME:
            delay = self._random.uniform(0.0, START_S)
        else:
            delay = self._random.uniform(0.0, LONGEST_S)
            self._answered(process)
        try:
            code = process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
            killed = perf_counter_ns()
            process.wait()
            self.kills += 1
            self._survived(killed)
        else:
            # An open loop on a busy machine may well be judged invalid (4).
            assert code in {0, 4}, f"h2h left with {code}"
            self._whole()

    def _start(self) -> "subprocess.Popen[bytes]":
        self._truth.start()
        words = ["run", "--db", str(self._db), "--ui", "none"]
        if self._run_id is None:
            words += ["-p", f"a={self._url}", "-p", f"b={self._url}", "--model", "m"]
            words += ["-s", "ping", "-n", str(BLOCKS), "--rate", str(RATE)]
            words += ["--no-calibrate"]
        else:
            words += ["--resume", self._run_id]
        return subprocess.Popen(
            [sys.executable, "-P", "-c", MAIN, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _answered(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait until the host has answered something, or the process has ended."""
        while process.poll() is None and not self._truth.grown():
            time.sleep(0.01)

    def _survived(self, killed: int) -> None:
        """Look at what a killed process left."""
        found = self._stored()
        answered = self._truth.since_start()
        if found is None:
            assert not answered, "answered before there was a run"
            return
        run, rows = found
        self._run_id = run.run_id
        if run.status == "done":  # it had ended, and was only about to say so
            self._whole()
        else:
            assert run.status == "crashed", run.status
        kept = {row.response_id for row in rows}
        gone = [at for name, at in answered.items() if name not in kept and at < killed]
        assert all(at > killed - SETTLED_NS for at in gone), "an old answer was lost"
        self.missing.append(len(gone))

    def _stored(self) -> tuple[RunRow, list[Row]] | None:
        """Return the run under way and its rows; None before there is one."""
        if not self._db.exists() or not self._db.stat().st_size:
            return None
        with closing(sqlite3.connect(f"file:{self._db}?mode=ro", uri=True)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not tables:
            return None
        with closing(query.open_reader(self._db)) as reader:
            runs = query.runs(reader)
            if not runs or (self._run_id is None and len(runs) == self.runs):
                return None
            rows = list(query.rows(reader, runs[0].run_id))
            checked = {check.seq for check in query.checks(reader, runs[0].run_id)}
        assert all(json.loads(row.load) and row.outcome for row in rows)
        assert checked == {row.seq for row in rows}, "a row without its checks"
        return runs[0], rows

    def _whole(self) -> None:
        """Hold a run that has ended to its plan."""
        found = self._stored()
        assert found is not None, "a run that ended left nothing"
        run, rows = found
        assert run.status == "done", run.status
        plan = again(run, None).plan
        planned = Counter(
            (each.seq, each.provider, each.request.digest)
            for segment in segments(plan)
            for lane in lanes(plan)
            for unit in units(plan, segment, lane)
            for block in unit.blocks
            for each in block
        )
        stored = Counter((row.seq, row.provider, row.prompt_sha256) for row in rows)
        assert stored == planned, "the rows are not the plan"
        self.runs += 1
        self._run_id = None


def main() -> int:
    """Let it storm, and say what was lost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    os.environ.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = folder / "truth.jsonl"
        with spawn(["exact"], truth=truth, ttft_ms=5, gap_ms=1, tokens=2) as urls:
            storm = Storm(folder, urls["exact"], truth, given.seed)
            began = time.monotonic()
            storm.blow(given.times)
    took = time.monotonic() - began
    print(
        f"{storm.kills} kills of {storm.runs} runs in {took:.0f} s: every database "
        f"sound, every run whole; at most {max(storm.missing, default=0)} answers not "
        f"yet stored (a batch has {BATCH_ROWS})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
