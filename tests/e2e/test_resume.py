"""`h2h run --resume`, as typed: what a run planned and has no row for is sent, once."""

import json
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest

from compare.run.resume import again
from data import query
from scenarios.plan import lanes, plan_hash, segments, units

QUIET = ["--ui", "none"]
KEYS = ("seq", "block", "scenario", "scenario_version", "case_id", "session_id", "turn",
        "phase", "provider", "prompt_sha256", "nonce", "max_tokens")  # fmt: skip


def planned(desk):
    """Return the keys of all that the one stored run plans, made from its plan."""
    with closing(query.open_reader(desk.db)) as reader:
        record = query.run(reader, query.resolve(reader, "latest"))
    plan = again(record, None).plan
    assert plan_hash(plan) == record.plan_hash
    return Counter(
        (a.seq, a.block, a.scenario, a.scenario_version, a.case, a.session, a.turn,
         a.phase, a.provider, a.request.digest, a.request.nonce, a.request.max_tokens)
        for segment in segments(plan)
        for lane in lanes(plan)
        for unit in units(plan, segment, lane)
        for block in unit.blocks
        for a in block
    )  # fmt: skip


def stored(desk):
    rows = desk.rows("select * from requests")
    return Counter(tuple(row[key] for key in KEYS) for row in rows)


def lose(desk, where, status="crashed"):
    """Take rows out of a finished run as if it had died before it stored them."""
    with closing(sqlite3.connect(desk.db)) as db, db:
        gone = f"select seq from requests where {where}"
        for table in ("checks", "requests"):
            db.execute(f"delete from {table} where seq in ({gone})")
        db.execute("update runs set status = ?, validity = null, reasons = '[]', "
                   "health = null, ended_at = null", (status,))  # fmt: skip


def carried(desk, *words):
    """Run, whatever a loaded machine makes of the run's validity."""
    process = desk.start("run", *words)
    _, err = process.communicate(timeout=60)
    assert process.returncode in {0, 4}, err
    assert "Traceback" not in err
    return err


def the_run(desk):
    (run,) = desk.rows("select * from runs")
    return run


def reasons(desk):
    return {each["code"]: each for each in json.loads(the_run(desk)["reasons"])}


SHAPES = {
    "closed": ["-s", "ping", "-n", 20, "-c", 3],
    "open": ["-s", "ping", "-n", 20, "--rate", 50, "--arrival", "poisson"],
    "open for a time": ["-s", "ping", "--duration", "400ms", "--rate", 50],
    "scenarios and steps": ["-s", "ping", "-s", "tool-call", "-n", 4, "-c", "1,3",
                            "--warmup", 2, "--seed", 7],
    "sessions": ["-s", "cache-pair", "-n", 9, "-c", 4, "--max-tokens", 9],
    "unpaired": ["-s", "ping", "-n", 20, "-c", 2, "--unpaired"],
    "workers": ["-s", "ping", "-n", 24, "-c", 4, "--warmup", 3, "--workers", 2],
    "open, workers": ["-s", "ping", "-n", 24, "--rate", 50, "--workers", 2],
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_the_union_of_rows_is_the_plan_of_a_run_that_was_not_interrupted(
    desk, who, shape
):
    carried(desk, *who, *SHAPES[shape])
    whole = stored(desk)
    assert whole == planned(desk)
    lose(desk, "seq % 7 in (1, 4) or seq > 40")
    kept = {row["seq"]: row for row in desk.rows("select * from requests")}
    before = the_run(desk)

    err = carried(desk, "--resume", "latest", *QUIET)

    assert stored(desk) == whole == planned(desk)
    rows = {row["seq"]: row for row in desk.rows("select * from requests")}
    assert {seq: rows[seq] for seq in kept} == kept
    n = len(whole) - len(kept)
    assert f"{n} requests without a row" in err
    run = the_run(desk)
    assert run["status"] == "done"
    same = ("run_id", "started_at", "plan_hash", "job", "prices", "seed", "floor")
    assert [run[key] for key in same] == [before[key] for key in same]
    (told,) = json.loads(run["resumed"])
    assert told["missing"] == n
    # Stamps go on after the last one stored: they are of one clock, from one start.
    last = max(row["end_ns"] or 0 for row in kept.values())
    new = [row for seq, row in rows.items() if seq not in kept]
    assert min(row["queued_ns"] for row in new if row["queued_ns"]) > last
    assert told["from_ns"] == last < told["to_ns"]
    assert reasons(desk)["resumed"]["value"] == told["parted"]
    assert (told["parted"] > 0) == (shape != "unpaired")


def test_a_killed_run_of_two_workers_is_finished(desk, who):
    words = ["-s", "ping", "-n", 300, "-c", 6, "--workers", 2, "--no-calibrate"]
    process = desk.start("run", *who, *words)
    while not (desk.db.exists() and len(rows_so_far(desk)) > 100):
        assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()

    assert desk("runs", "--json").json[0]["status"] == "crashed"
    desk("run", "--resume", "latest", *QUIET)
    assert stored(desk) == planned(desk)
    assert sum(stored(desk).values()) == 900


def rows_so_far(desk):
    try:
        return desk.rows("select 1 from requests")
    except sqlite3.OperationalError:
        return []


def test_an_interrupted_run_says_how_to_go_on_and_does(desk, who):
    process = desk.start("run", *who, "-s", "ping", "-n", 2000, "-c", 2)
    while not (desk.db.exists() and rows_so_far(desk)):
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=40)
    run = the_run(desk)
    assert f"h2h run --resume {run['run_id']}" in err
    assert (process.returncode, run["status"]) == (130, "interrupted")

    again_ = desk.start("run", "--resume", run["run_id"][:14], *QUIET)
    n = len(rows_so_far(desk))
    while len(rows_so_far(desk)) < n + 30:
        assert again_.poll() is None, again_.communicate()
    again_.send_signal(signal.SIGINT)
    again_.communicate(timeout=40)

    assert again_.returncode == 130
    rows = desk.rows("select seq, outcome from requests")
    assert Counter(row["outcome"] for row in rows).keys() == {"ok"}
    blocks = Counter(row["seq"] // 3 for row in rows)
    assert set(blocks.values()) == {3}  # what was in flight was let end, twice
    assert max(blocks) == len(blocks) - 1  # and nothing was left out on the way


def test_a_closed_loop_for_a_time_has_the_rest_of_its_time(desk, who):
    desk("run", *who, "-s", "ping", "--duration", "1200ms", "-c", 2, "--ramp", "0")
    lose(desk, "queued_ns > 400000000 or seq = 5")
    kept = {row["seq"] for row in desk.rows("select seq from requests")}
    (begun,) = desk.rows("select max(queued_ns) - min(queued_ns) n from requests")

    began = time.monotonic()
    said = desk("run", "--resume", "latest", *QUIET)

    assert time.monotonic() - began < 8
    assert "the rest of its time" in said.err
    rows = desk.rows("select seq, queued_ns from requests")
    new = [row["queued_ns"] for row in rows if row["seq"] not in kept]
    assert 5 in {row["seq"] for row in rows}
    left = 1200 - begun["n"] / 1e6
    assert left - 200 < (max(new) - min(new)) / 1e6 <= left
    assert Counter(row["seq"] for row in rows) == Counter({r["seq"] for r in rows})
    assert "complete" in desk("run", "--resume", "latest", code=2).err


def refused(desk, *words):
    said = desk("run", "--resume", *words, code=2)
    (line,) = said.err.splitlines()
    return line


def test_what_cannot_be_resumed_is_refused_in_one_line(desk, who):
    assert "no such database" in refused(desk, "latest")
    desk("run", *who, "-s", "ping", "-n", 4)
    before = the_run(desk)
    assert "complete" in refused(desk, "latest")
    assert "not in" in refused(desk, "01NOSUCHRUN")
    assert "drop --resume" in refused(desk, "latest", "--dry-run")
    assert "only --budget may change" in refused(desk, "latest", "--workers", 2)
    assert the_run(desk) == before
    desk("probe", *who[:1], "--every", "100ms", "--for", "150ms")
    assert "a probe cannot be resumed" in refused(desk, "latest")


def test_a_run_that_died_between_its_last_row_and_its_end_is_only_judged(desk, who):
    desk("run", *who, "-s", "ping", "-n", 12)
    whole = stored(desk)
    lose(desk, "0")

    said = desk("run", "--resume", "latest", *QUIET)

    assert "0 requests without a row" in said.err
    run = the_run(desk)
    assert (run["status"], stored(desk)) == ("done", whole)
    assert run["validity"] in {"valid", "degraded"}
    assert "complete" in refused(desk, "latest")


def test_of_several_who_resume_a_run_only_who_sends_something_is_told_of(desk, who):
    desk("run", *who, "-s", "ping", "-n", 40, "-c", 2)
    lose(desk, "seq % 10 = 3")
    several = [desk.start("run", "--resume", "latest", *QUIET) for _ in range(3)]
    ended = [(each.communicate()[1], each.returncode) for each in several]

    for err, code in ended:
        refused = ("complete", "another h2h", "still going")  # as early as each came
        assert code == 0 or any(each in err for each in refused), err
    assert [code for _, code in ended].count(0) == 1
    assert stored(desk) == planned(desk)
    (told,) = json.loads(the_run(desk)["resumed"])
    assert told["missing"] == 12


def test_a_run_that_is_still_going_is_not_resumed(desk, who):
    process = desk.start("run", *who, "-s", "ping", "-n", 5000)
    while not (desk.db.exists() and rows_so_far(desk)):
        assert process.poll() is None, process.communicate()
    line = refused(desk, "latest")
    process.kill()
    process.communicate()

    assert "still going" in line


@pytest.fixture
def mine(desk, simulated):
    """Return a job file whose host has a header and whose scenario is a file."""
    scene = desk.folder / "scene.toml"
    scene.write_text('[prompt]\nuser = "Say pong."\n[request]\nmax_tokens = 9\n')
    job = desk.folder / "job.toml"
    job.write_text(
        f"""
        [[provider]]
        name = "zai"
        dialect = "zai"
        base_url = "{simulated["zai"]}"
        model = "glm-5.2"
        headers = {{ x-team = "search" }}
        price = {{ input = "1", output = "2" }}
        [[scenario]]
        name = "scene.toml"
        max_tokens = 4
        deadlines = {{ total = "20s" }}
        [load]
        max_requests = 6
        """
    )
    desk("run", "job.toml", *QUIET)
    lose(desk, "seq > 2")
    return job


def test_174_a_scenario_that_changed_since_is_refused_and_named(desk, mine):
    scene = desk.folder / "scene.toml"
    text = scene.read_text()
    scene.write_text(text.replace("pong", "ping"))

    line = refused(desk, "latest", "job.toml")
    assert "scene.toml" in line
    assert "has changed since it began" in line
    assert len(rows_so_far(desk)) == 3

    scene.write_text(text)
    desk("run", "job.toml", "--resume", "latest", *QUIET)
    assert len(rows_so_far(desk)) == 6
    versions = desk.rows("select distinct scenario_version, max_tokens from requests")
    assert [row["max_tokens"] for row in versions] == [4]


def test_a_job_that_changed_since_is_refused_key_by_key(desk, mine):
    text = mine.read_text()
    mine.write_text(text.replace("glm-5.2", "glm-6").replace("= 6", "= 7"))

    line = refused(desk, "latest", "job.toml")
    assert "load.max_requests, providers.zai.model" in line
    assert len(rows_so_far(desk)) == 3


def test_what_is_not_stored_has_to_be_named_again(desk, mine):
    line = refused(desk, "latest")

    assert "headers.x-team" in line
    assert "h2h run JOB.toml --resume RUN" in line
    assert "search" not in line


def test_prices_are_those_of_the_run_not_of_today(desk, mine):
    mine.write_text(mine.read_text().replace('input = "1"', 'input = "100"'))

    desk("run", "job.toml", "--resume", "latest", *QUIET)

    costs = desk.rows("select cost_input_nusd, prompt_tokens from requests")
    assert len(costs) == 6
    assert all(r["cost_input_nusd"] == r["prompt_tokens"] * 1000 for r in costs)


def test_a_budget_counts_what_the_run_has_cost_already(desk, simulated):
    words = ["-p", f"zai={simulated['zai']}", "--dialect", "zai", "--model", "m",
             "-s", "ping", "-n", 60, "--price", "zai=10,40,1"]  # fmt: skip
    desk("run", *words, "--budget", "0.01", *QUIET, code=5)
    spent = spent_nusd(desk)
    n = len(rows_so_far(desk))
    assert 0 < spent <= 10_000_000
    assert n < 60

    said = desk("run", "--resume", "latest", *QUIET, code=5)
    assert "--budget" in said.err
    assert len(rows_so_far(desk)) == n
    desk("run", "--resume", "latest", "--budget", "0.013", *QUIET, code=5)
    assert spent < spent_nusd(desk) <= 13_000_000
    desk("run", "--resume", "latest", "--budget", "5", *QUIET)
    assert len(rows_so_far(desk)) == 60


def spent_nusd(desk):
    return desk.rows("select sum(cost_nusd) n from requests")[0]["n"]


def test_a_resumed_run_is_judged_by_its_own_thresholds_over_all_its_rows(desk, who):
    asked = ["--threshold", "zai.errors<1%", "--threshold", "zai.ttft:p50<1ms"]
    desk("run", *who, "-s", "ping", "-n", 20, *asked, code=99)
    lose(desk, "seq >= 45")

    said = desk("run", "--resume", "latest", "--junit", "out.xml", *QUIET, code=99)

    assert (said.out.count("✓"), said.out.count("✗")) == (1, 1)
    junit = (desk.folder / "out.xml").read_text()
    assert "zai.ttft:p50&lt;1ms" in junit
    # A second time its rows are complete; thresholds of another are refused at once.
    lose(desk, "seq = 5")
    line = refused(desk, "latest", "--threshold", "errors<1%")
    assert "h2h compare RUN --threshold" in line
    assert "--force" in refused(desk, "latest", "--junit", "out.xml")


def test_a_run_that_a_threshold_stopped_goes_on_and_can_be_stopped_again(desk, who):
    asked = ["--threshold", "ttft:max<1ms", "--abort-on-fail"]
    words = ["-s", "ping", "--duration", "60s", "-c", 2, *asked]
    said = desk("run", *who, *words, code=99)
    assert "surely failed" in said.err
    n = len(rows_so_far(desk))

    said = desk("run", "--resume", "latest", "--abort-on-fail", *QUIET, code=99)

    assert "surely failed" in said.err
    assert len(rows_so_far(desk)) > n
    told = reasons(desk)
    assert {"resumed", "threshold_failed"} <= told.keys()
    (run,) = desk.rows("select resumed from runs")
    (gap,) = json.loads(run["resumed"])
    assert gap["from_ns"] < gap["to_ns"]
