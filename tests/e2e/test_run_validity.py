"""Runs that judge themselves: each reason brought about for real."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from compare.cli.trust import Scales
from compare.run.conduct import conduct
from compare.run.config import Job
from compare.run.monitor import Clocks, Monitor
from compare.run.prepare import prepare
from data.store import Store
from providers.provider import Provider
from scenarios.load import Load
from scenarios.scenario import load


def judged(desk):
    (run,) = desk("runs", "--json").json
    return run["validity"], {each["code"]: each for each in run["reasons"]}


def flagged(desk, flag):
    """Return how many rows have a flag, and how many have not."""
    rows = desk.rows("select flags from requests where phase = 'measure'")
    have = sum(flag in json.loads(row["flags"]) for row in rows)
    return have, len(rows) - have


@pytest.fixture
def one(simulated):
    """Return the words that name one quick host."""
    where = ["-p", f"zai={simulated['zai']}", "--dialect", "zai", "--model", "m"]
    return [*where, "-s", "ping", "--ui", "none"]


def carry_out(desk, url, shape, *, watch=None, clocks=None):
    """Run a job in this process, to get at its loop and its clocks."""
    job = Job(
        providers=(Provider(name="zai", dialect="zai", base_url=url, model="m"),),
        prices={},
        scenarios=(load("ping"),),
        load=Load(**shape),
    )
    run = prepare(job)
    scales = Scales(run)

    async def go(store):
        await conduct(
            run,
            store,
            judge=scales.judge,
            watch=scales.watched(watch),
            monitor=Monitor(clocks),
        )

    with Store.open(desk.db) as store:
        asyncio.run(go(store))
    return judged(desk)


def test_a_quiet_run_is_not_invalid_and_says_so_above_its_table(desk, one):
    said = desk("run", *one, "-n", 40, "-c", 2)

    validity, reasons = judged(desk)
    # A loaded machine may well degrade it; with reasons, and only with them.
    assert validity == ("degraded" if reasons else "valid")
    assert f"done, {validity}" in said.out.split("scenario")[0]
    health = json.loads(desk.rows("select health from runs")[0]["health"])
    assert health["ticks"] > 5
    assert 0 < health["cpu_share"] < 2


def test_too_few_samples_degrade_and_the_reason_has_its_figure(desk, one):
    said = desk("run", *one, "-n", 3)

    validity, reasons = judged(desk)
    assert validity == "degraded"
    found = reasons["too_few_samples"]
    assert (found["value"], found["bound"]) == (3, 11)
    assert "because: too few samples" in said.out.split("scenario")[0]
    assert "has 3 ok answers" in said.out


def test_a_loop_that_was_blocked_now_and_then_degrades_a_closed_loop(desk, simulated):
    seen = []

    def block(row):
        seen.append(row)
        if len(seen) == 10:
            time.sleep(0.15)

    validity, reasons = carry_out(
        desk, simulated["zai"], {"concurrencies": (4,), "max_requests": 60}, watch=block
    )
    assert validity == "degraded"
    assert "longest" in reasons["loop_lag"]["text"]
    late, fine = flagged(desk, "loop_lag")
    assert late >= 3  # those that were in flight meanwhile
    assert fine > late


def test_a_process_that_was_stopped_ruins_an_open_loop(desk, one):
    process = desk.start("run", *one, "--rate", 50, "-n", 100)
    while not (desk.db.exists() and rows_so_far(desk)):
        time.sleep(0.02)
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.6)
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 4, err
    assert "invalid" in err
    validity, reasons = judged(desk)
    assert validity == "invalid"
    assert reasons["loop_lag"]["value"] > 0.05
    assert flagged(desk, "loop_lag")[0] > 5
    assert flagged(desk, "late_start")[0] > 5


def rows_so_far(desk):
    try:
        return desk.rows("select 1 from requests limit 1")
    except Exception:  # noqa: BLE001 - being made just now
        return []


def test_a_core_that_is_saturated_degrades(desk, simulated):
    over = threading.Event()

    def spin():
        while not over.is_set():
            pass

    burner = threading.Thread(target=spin)
    burner.start()
    try:
        # On a machine that others use as well one try may not get its whole core.
        for _ in range(5):
            shape = {"concurrencies": (2,), "duration": 1.3}
            validity, reasons = carry_out(desk, simulated["zai"], shape)
            if "cpu" in reasons or "machine_cpu" in reasons:
                break
    finally:
        over.set()
        burner.join()

    assert validity == "degraded"
    assert "cpu" in reasons or "machine_cpu" in reasons


def test_a_rate_that_cannot_be_held_is_invalid_and_says_what_was(desk, one):
    said = desk("run", *one, "--rate", 50_000, "-n", 300, code=4)

    validity, reasons = judged(desk)
    assert validity == "invalid"
    assert reasons["rate"]["value"] < 0.9
    assert "of 50,000.0 blocks a second" in said.out.split("scenario")[0]


def test_dropped_arrivals_have_a_reason(desk, one):
    desk("run", *one, "--rate", 300, "-c", 2, "-n", 60, code={0, 4})

    _, reasons = judged(desk)
    dropped = desk.rows("select count(*) n from requests where outcome = 'dropped'")
    assert reasons["dropped"]["value"] == dropped[0]["n"] > 0


def test_nothing_sent_is_invalid(desk, one):
    said = desk("run", *one, "--rate", 0.01, "--arrival", "poisson",
                "--duration", "50ms", code=4)  # fmt: skip

    assert judged(desk)[0] == "invalid"
    assert list(judged(desk)[1]) == ["nothing_sent"]
    assert "nothing was sent" in said.out
    assert "nothing was sent" in said.err


def test_a_host_that_is_not_reached_is_a_matter_of_set_up_first(desk):
    desk("run", "-p", "a=http://127.0.0.1:9/v1", "--model", "m", "-s", "ping", "-n", 3,
         "--ui", "none", code=3)  # fmt: skip

    assert judged(desk)[0] == "invalid"


@pytest.mark.parametrize(
    ("seconds", "wanted"), [(0.2, "degraded"), (3600.0, "invalid"), (-60, "invalid")]
)
def test_a_wall_clock_that_is_set_during_the_run(desk, simulated, seconds, wanted):
    offset = [0]

    def step(row):
        offset[0] = round(seconds * 1e9)

    clocks = Clocks(wall=lambda: time.time_ns() + offset[0])
    validity, reasons = carry_out(
        desk, simulated["zai"], {"max_requests": 15}, watch=step, clocks=clocks
    )
    assert validity == wanted
    assert reasons["clock_step"]["value"] == pytest.approx(abs(seconds * 1e3), abs=20)
    assert flagged(desk, "clock_step")[0] >= 1


def test_a_machine_that_slept_makes_a_run_invalid(desk, simulated):
    asleep = [0]

    def sleep(row):
        asleep[0] = 20_000_000_000

    clocks = Clocks(boot=lambda: time.perf_counter_ns() + asleep[0])
    validity, reasons = carry_out(
        desk, simulated["zai"], {"max_requests": 15}, watch=sleep, clocks=clocks
    )
    assert validity == "invalid"
    assert reasons["suspend"]["value"] == pytest.approx(20, abs=0.1)


def test_waiting_for_a_hosts_own_ceiling_is_no_lateness(desk, simulated):
    job = desk.folder / "job.toml"
    job.write_text(
        f'[[provider]]\nname = "zai"\nbase_url = "{simulated["zai"]}"\nmodel = "m"\n'
        "rpm = 1200\n"
    )
    words = ["-s", "ping", "--rate", 100, "-n", 20, "--ui", "none"]
    desk("run", job, *words, code={0, 4})

    rows = desk.rows("select sent_ns - due_ns late from requests")
    assert max(row["late"] for row in rows) > 300_000_000
    assert flagged(desk, "late_start")[0] < 20
    _, reasons = judged(desk)
    # Twenty a second were sent; what a busy machine lacks of the hundred is far less.
    assert "rate" not in reasons or reasons["rate"]["value"] > 0.5
    assert "schedule_delay" not in reasons


def test_a_run_is_calibrated_unless_told_not_to_be(desk, one):
    plain = desk("run", *one, "-n", 2)
    assert "not calibrated" in plain.out
    desk.calibrates = True
    said = desk("run", *one, "-n", 2, "-c", 3)

    (floor, none) = (
        row["floor"] for row in desk.rows("select floor from runs order by run_id desc")
    )
    assert none is None
    assert json.loads(floor)["streams"] == 3
    assert "bench error: TTFT" in said.out
    assert {r["phase"] for r in desk.rows("select phase from requests")} == {"measure"}


def test_a_probe_is_judged_but_not_calibrated(desk, one):
    words = [word for word in one if word not in {"--ui", "none"}]
    desk("probe", *words, "--every", "100ms", "--for", "250ms")

    validity, reasons = judged(desk)
    assert validity == "degraded"
    assert "too_few_samples" in reasons
    assert desk.rows("select floor from runs") == [{"floor": None}]


def test_more_streams_than_open_files_are_refused_before_the_run(desk, one):
    h2h = Path(sys.executable).with_name("h2h")
    words = " ".join(map(str, one))
    ended = subprocess.run(
        ["sh", "-c", f"ulimit -n 150; exec {h2h} run {words} -c 100 --no-calibrate"],
        cwd=desk.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 3
    (line,) = ended.stderr.splitlines()
    assert "164 open files" in line
    assert "--concurrency" in line
    assert not desk.db.exists()
