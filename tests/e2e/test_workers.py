"""`h2h run --workers`, as typed: several processes, one run."""

import json
import os
import signal
import sqlite3
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from providers.simulator.spawn import spawn

QUICK = ["--no-calibrate", "-s", "ping"]


def children(pid):
    """Return the ids of the workers that a command has started (Linux)."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if b"spawn_main" in command(child)]


def command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def patiently(holds, seconds=20):
    """Return what becomes true of other processes, or fail."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.01)
    raise AssertionError("it never came to hold")


def rows_of(desk, sql="select worker, outcome, blame, block, seq from requests"):
    try:
        return desk.rows(sql) if desk.db.exists() else []
    except sqlite3.OperationalError:
        return []


def started(desk, *words):
    """Start a run and return it with its workers, once each has a row stored."""
    process = desk.start("run", *words)
    workers = patiently(
        lambda: len(children(process.pid)) == 2 and children(process.pid)
    )
    patiently(lambda: len({row["worker"] for row in rows_of(desk)}) == 2)
    return process, workers


def test_two_workers_send_one_plan_with_its_blocks_whole(desk, who):
    desk("run", *who, *QUICK, "-s", "chat-1k", "-n", 24, "-c", 5, "--warmup", 3,
         "--max-tokens", 8, "--workers", 2)  # fmt: skip

    rows = desk.rows("select * from requests")
    assert Counter(row["seq"] for row in rows) == Counter(range(2 * 27 * 3))
    assert {row["outcome"] for row in rows} == {"ok"}
    blocks = defaultdict(list)
    for row in rows:
        blocks[row["block"]].append(row)
    for block in blocks.values():
        assert len({row["provider"] for row in block}) == 3
        assert len({row["worker"] for row in block}) == 1
        assert len({row["prompt_sha256"] for row in block}) == 1
    assert {row["worker"] for row in rows} == {0, 1}
    (run,) = desk.rows("select job, status from runs")
    assert json.loads(run["job"])["workers"] == 2
    assert run["status"] == "done"


def test_workers_of_a_job_file_are_for_runs_and_not_for_probes(desk, simulated):
    job = desk.folder / "job.toml"
    job.write_text(
        f'[[provider]]\nname = "zai"\nbase_url = "{simulated["zai"]}"\nmodel = "m"\n'
        "[load]\nconcurrency = 4\nmax_requests = 8\nworkers = 2\n"
    )
    desk("run", job, *QUICK, "--ui", "none")
    desk("probe", job, "--every", "200ms", "--for", "300ms")

    found = desk.rows("select kind, group_concat(distinct worker) w from requests"
                      " join runs using (run_id) group by 1 order by 1")  # fmt: skip
    assert [(row["kind"], set(row["w"].split(","))) for row in found] == [
        ("probe", {"0"}),
        ("run", {"0", "1"}),
    ]


def test_a_killed_workers_requests_are_lost_and_the_run_degraded(desk, who):
    # A closed loop: an open one may be invalid for the lag of a busy machine.
    process, workers = started(desk, *who, *QUICK, "-n", 600, "-c", 6,
                               "--workers", 2)  # fmt: skip
    os.kill(workers[1], signal.SIGKILL)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    rows = rows_of(desk)
    assert Counter(row["seq"] for row in rows) == Counter(range(1800))
    outcomes = Counter((row["outcome"], row["blame"]) for row in rows)
    assert outcomes["lost", "client"] > 0
    assert set(outcomes) == {("ok", None), ("lost", "client")}
    (gone,) = {row["worker"] for row in rows if row["outcome"] == "lost"}
    assert sum(row["worker"] != gone for row in rows) == 900
    (run,) = desk.rows("select status, validity, reasons from runs")
    assert (run["status"], run["validity"]) == ("done", "degraded")
    assert "lost" in {reason["code"] for reason in json.loads(run["reasons"])}
    assert "worker" in out


def test_ctrl_c_for_all_processes_stops_the_run_and_loses_nothing(desk, who):
    """A terminal sends it to the whole group; the second ends what is in flight."""
    with spawn(["zai"], ttft_ms=60_000) as slow, spawn(["generic"], ttft_ms=1) as quick:
        hosts = [f"{name}={url}" for name, url in (slow | quick).items()]
        process, workers = started_together(desk, hosts)
        for pid in (process.pid, *workers):
            os.kill(pid, signal.SIGINT)
        assert "stopping" in patiently(process.stderr.readline)
        for pid in (process.pid, *workers):
            os.kill(pid, signal.SIGTERM)
        _, err = process.communicate(timeout=40)

    assert process.returncode == 130, err
    assert "Traceback" not in err
    outcomes = Counter((row["worker"], row["outcome"]) for row in rows_of(desk))
    assert outcomes == {(0, "ok"): 2, (1, "ok"): 1, (0, "interrupted"): 2,
                        (1, "interrupted"): 1}  # fmt: skip


def started_together(desk, hosts):
    return started(desk, "-p", hosts[0], "-p", hosts[1], "--model", "m", *QUICK,
                   "-n", 50, "-c", 3, "--workers", 2, "--ui", "none")  # fmt: skip


def test_workers_end_with_the_process_that_started_them(desk, who):
    process, workers = started(desk, *who, *QUICK, "-n", 100_000, "-c", 4,
                               "--workers", 2)  # fmt: skip
    process.kill()
    process.communicate()

    patiently(lambda: not any(b"spawn_main" in command(pid) for pid in workers))


def test_more_workers_than_cores_is_said(desk, who):
    cores = len(os.sched_getaffinity(0))
    said = desk("run", *who, *QUICK, "-n", 6, "-c", cores + 1, "--workers", cores + 1)

    assert f"{cores + 1} workers share {cores} core" in said.err


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_without_work_are_refused_in_one_line(desk, who, workers):
    said = desk("run", *who, "--workers", workers, code=2)

    (line,) = said.err.splitlines()
    assert "workers" in line
    assert not desk.db.exists()
