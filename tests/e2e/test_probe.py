"""`h2h probe` as typed: its grid, its end, and its exit codes."""

import signal
import sqlite3
import time
from contextlib import suppress

import pytest


def words(who):
    return [word for word in who if word not in {"--ui", "none"}]


def until(desk, n):
    """Wait until so many rows are stored."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with suppress(sqlite3.OperationalError):  # it is not there yet
            if len(desk.rows("select 1 from requests")) >= n:
                return
        time.sleep(0.05)
    pytest.fail(f"no {n} rows")


def test_sigterm_is_the_usual_end_of_a_service(desk, who):
    process = desk.start("probe", *words(who), "--every", "200ms")
    until(desk, 6)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    (run,) = desk("runs", "--json").json
    assert (run["kind"], run["status"]) == ("probe", "done")
    dates = desk.rows("select distinct at_ms, due_ns from requests order by due_ns")
    assert all(row["at_ms"] % 200 == 0 for row in dates)  # on the wall clock's grid


def test_once_probes_every_host_now(desk, who):
    desk("probe", *words(who), "--once")
    rows = desk.rows("select provider, outcome from requests")
    assert sorted((row["provider"], row["outcome"]) for row in rows) == [
        ("openrouter", "ok"), ("ourtoken", "ok"), ("zai", "ok"),
    ]  # fmt: skip


def test_once_leaves_with_the_code_of_what_came_of_it(desk):
    dead = ["-p", "dead=http://127.0.0.1:9/v1", "--model", "m"]
    assert "dead" in desk("probe", *dead, "--once", code=3).err
    assert "--once" in desk("probe", *dead, "--once", "--for", "1m", code=2).err


def test_cold_and_warm_probes_side_by_side(desk, who):
    (path, *_) = who
    job = desk.folder / "job.toml"
    job.write_text(
        path.read_text()
        + '\n[[scenario]]\nname = "ping"\n[[scenario]]\nname = "chat-1k"\n'
        '[[probe]]\nscenarios = ["ping"]\nevery = "400ms"\n'
        '[[probe]]\nscenarios = ["chat-1k"]\nevery = "400ms"\nconnection = "cold"\n'
    )
    desk("probe", job, "--for", "1300ms")
    found = desk.rows("select scenario, max(conn_reused) r from requests group by 1")
    assert {row["scenario"]: row["r"] for row in found} == {"chat-1k": 0, "ping": 1}
