"""`h2h run` and `h2h probe`, as typed, against simulated hosts over real HTTP."""

import json
import signal
import sqlite3
from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from data.row import Row
from providers.simulator.spawn import spawn

PRICES = ["--price", "ourtoken=0.84,2.64,0.156", "--price", "zai=1.40,4.40,0.26",
          "--price", "openrouter=0.93,3.00,0.18"]  # fmt: skip


def test_n_is_blocks_so_each_host_gets_as_many_requests(desk, who):
    desk("run", *who, "-s", "ping", "-n", 20, "-c", 4, "--warmup", 3)

    rows = desk.rows("select provider, phase, block, outcome, passed from requests")
    by_host = Counter((row["provider"], row["phase"]) for row in rows)
    assert set(by_host.values()) == {20, 3}
    assert len(rows) == 3 * 23
    assert {row["outcome"] for row in rows} == {"ok"}
    assert {row["passed"] for row in rows} == {1}
    blocks = defaultdict(set)
    for row in rows:
        blocks[row["block"]].add(row["provider"])
    assert {frozenset(hosts) for hosts in blocks.values()} == {
        frozenset({"ourtoken", "openrouter", "zai"})
    }


def test_hosts_of_a_block_are_asked_the_same_bytes_at_the_same_moment(desk, who):
    desk("run", *who, "-s", "chat-1k", "-n", 15, "-c", 3, "--max-tokens", 8)

    rows = desk.rows("select block, prompt_sha256, sent_ns, queued_ns from requests")
    blocks = defaultdict(list)
    for row in rows:
        blocks[row["block"]].append(row)
    assert all(
        len({r["prompt_sha256"] for r in block}) == 1 for block in blocks.values()
    )
    assert len({row["prompt_sha256"] for row in rows}) == 15
    apart = sorted(
        max(r["sent_ns"] for r in block) - min(r["sent_ns"] for r in block)
        for block in blocks.values()
    )
    assert apart[len(apart) // 2] < 20e6


def test_the_turns_of_a_session_are_told_apart(desk, who):
    desk("run", *who, "-s", "cache-pair", "-n", 4, "-c", 2)

    shown = desk("show", "--json").json["summaries"]
    assert {each["scenario"] for each in shown} == {
        "cache-pair turn 1",
        "cache-pair turn 2",
    }
    hit = {(e["scenario"][-1], e["provider"]): e["cache_hit_share"] for e in shown}
    assert all(share == 0 for (turn, _), share in hit.items() if turn == "1")
    assert all(share > 0.9 for (turn, _), share in hit.items() if turn == "2")


def test_several_scenarios_run_one_after_the_other(desk, who):
    desk(
        "run",
        *who,
        "-s",
        "ping",
        "-s",
        "json-object",
        "-s",
        "tool-call",
        "-n",
        4,
        "-c",
        2,
    )

    rows = desk.rows("select scenario, seq, sent_ns, end_ns, passed from requests")
    span = {}
    for name in ("ping", "json-object", "tool-call"):
        times = [row for row in rows if row["scenario"] == name]
        assert len(times) == 12
        assert all(row["passed"] == 1 for row in times)
        span[name] = (min(r["sent_ns"] for r in times), max(r["end_ns"] for r in times))
    assert span["ping"][1] <= span["json-object"][0]
    assert span["json-object"][1] <= span["tool-call"][0]


def test_a_comma_list_makes_one_run_with_a_load_step_each(desk, who):
    desk("run", *who, "-s", "ping", "-n", 6, "-c", "1,3")

    rows = desk.rows("select json_extract(load, '$.concurrency') c, count(*) n"
                     " from requests group by 1 order by 1")  # fmt: skip
    assert [(row["c"], row["n"]) for row in rows] == [(1, 18), (3, 18)]
    assert len(desk.rows("select * from runs")) == 1


def test_an_open_loop_keeps_its_schedule_and_counts_from_it(desk, who):
    desk("run", *who, "-s", "ping", "--rate", 20, "-n", 40, "--arrival", "poisson",
         code={0, 4})  # fmt: skip

    dues = sorted({row["due_ns"] for row in desk.rows("select due_ns from requests")})
    assert len(dues) == 40
    assert 0.5 < (dues[-1] - dues[0]) / 1e9 < 6
    late = desk.rows("select ttft_ms, ttft_due_ms, queue_ms from timings")
    assert all(row["ttft_due_ms"] >= row["ttft_ms"] for row in late)
    assert all(row["queue_ms"] >= 0 for row in late)


def test_what_finds_no_slot_is_a_dropped_row(desk, simulated):
    url = simulated["zai"]
    desk("run", "-p", f"zai={url}", "--model", "m", "-s", "chat-1k", "--rate", 200,
         "-c", 2, "-n", 60, "--ui", "none", code={0, 4})  # fmt: skip

    outcomes = Counter(r["outcome"] for r in desk.rows("select outcome from requests"))
    assert outcomes["dropped"] + outcomes["ok"] == 60
    assert outcomes["dropped"] > 20
    dropped = desk.rows("select * from requests where outcome = 'dropped'")
    assert all(row["due_ns"] is not None for row in dropped)
    assert all(row["sent_ns"] is None and row["blame"] == "client" for row in dropped)


def test_a_duration_ends_the_sending(desk, who):
    desk("run", *who, "-s", "ping", "--duration", "1s", "-c", 2)

    sent = [row["sent_ns"] for row in desk.rows("select sent_ns from requests")]
    assert len(sent) > 12
    assert max(sent) < 1.3e9


def test_unpaired_hosts_each_get_their_own_pace(desk, who):
    desk("run", *who, "-s", "ping", "-n", 10, "--unpaired", "-c", 2)

    counts = desk.rows("select provider, count(*) n from requests group by 1")
    assert {row["n"] for row in counts} == {10}


def test_a_run_ends_with_its_table_and_is_listed(desk, who):
    said = desk("run", *who, "-s", "ping", "-n", 12, "-c", 3, "--tag", "team=search")

    assert "TTFT p50 ms" in said.out
    assert all(name in said.out for name in ("ourtoken", "openrouter", "zai"))
    assert max(map(len, said.out.splitlines())) <= 80
    (run,) = desk("runs", "--json").json
    assert run["status"] == "done"
    assert run["n"] == 36
    assert run["providers"] == ["ourtoken", "openrouter", "zai"]
    shown = desk("show", run["run_id"][:12], "--json").json
    assert shown["run"]["tags"] == {"team": "search"}


def test_json_is_the_summary_and_nothing_else(desk, who):
    said = desk("run", *who, "-s", "ping", "-n", 3, "--json")

    assert len(said.json["summaries"]) == 3


def test_stored_columns_are_the_contract(desk, who):
    desk("run", *who, "-s", "ping", "-n", 1)

    (row, *_) = desk.rows("select * from requests")
    assert set(row) == set(Row.__struct_fields__)
    assert row["usage_source"]
    assert row["completion_tokens"] >= 1
    assert row["body_sha256"] != row["prompt_sha256"]
    assert (
        json.loads(row["usage_json"])["completion_tokens"] == row["completion_tokens"]
    )


def test_a_run_keeps_the_prices_that_it_began_with(desk, simulated):
    host = ["-p", f"x={simulated['zai']}", "--model", "glm-5.2"]
    for price in ("x=1,2", "x=100,200"):
        desk("run", *host, "-s", "ping", "-n", 1, "--no-calibrate", "--price", price)

    first, second = desk.rows("select prices from runs order by run_id")
    assert first != second
    costs = desk.rows("select cost_nusd from requests order by run_id")
    assert 50 < costs[1]["cost_nusd"] / costs[0]["cost_nusd"] < 200


def test_a_users_own_jsonl_runs_with_its_expectations(desk, who):
    path = desk.folder / "mine.jsonl"
    path.write_text(
        '{"messages": [{"role": "user", "content": "Answer with the single word '
        '\\"yes\\"."}], "expected": "yes", "id": "first"}\n'
        '{"prompt": "Answer with the single word \\"no\\".", "expected": "maybe"}\n'
    )
    desk("run", *who, "-s", path, "-n", 4)

    rows = desk.rows("select case_id, passed from requests")
    assert {(row["case_id"], row["passed"]) for row in rows} == {("first", 1), ("2", 0)}


def test_non_streaming_requests_have_no_token_figures(desk, who):
    path = desk.folder / "whole.toml"
    path.write_text(
        'name = "whole"\n[request]\nstream = false\nmax_tokens = 8\n'
        '[prompt]\nuser = "Say something."\n'
    )
    desk("run", *who, "-s", path, "-n", 2)

    rows = desk.rows("select * from timings join requests using (run_id, seq)")
    assert {row["stream_label"] for row in rows} == {"not_streamed"}
    assert {row["tpot_ms"] for row in rows} == {None}
    assert all(row["completion_tokens"] > 0 for row in rows)


def test_a_dry_run_sends_nothing_and_bounds_the_cost(desk, who):
    words = ["run", *who, *PRICES, "-s", "chat-1k", "-n", 10]
    dry = desk(*words, "--dry-run", "--json").json
    assert not desk.db.exists()

    desk(*words)
    for host in dry["hosts"]:
        assert host["requests"] == 10
        (true,) = desk.rows(
            "select sum(cost_nusd) / 1e9 usd from requests where provider = ?",
            host["provider"],
        )
        assert 0 < true["usd"] <= host["most_usd"]


def test_a_budget_is_never_overspent_and_ends_with_5(desk, who):
    said = desk("run", *who, *PRICES, "-s", "chat-1k", "-n", 500, "-c", 4,
                "--budget", "0.05", code=5)  # fmt: skip

    (spent,) = desk.rows("select sum(cost_nusd) / 1e9 usd, count(*) n from requests")
    assert 0.02 < spent["usd"] <= 0.05
    assert spent["n"] < 1500
    assert "budget" in said.err
    assert "TTFT" in said.out
    (run,) = desk("runs", "--json").json
    shown = desk("show", run["run_id"], "--json").json["run"]
    assert "budget_reached" in {reason["code"] for reason in shown["reasons"]}


def test_a_budget_without_a_price_is_refused_before_anything_is_sent(desk, who):
    said = desk("run", *who, "--budget", "1", code=2)

    assert "--price" in said.err
    assert not desk.db.exists()


def test_the_first_ctrl_c_stops_sending_and_keeps_everything(desk, who):
    words = ["run", *who, "-s", "chat-1k", "-n", 100_000, "-c", 4]
    process = running(desk, words)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=40)

    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "TTFT p50 ms" in out
    (run,) = desk("runs", "--json").json
    assert run["status"] == "interrupted"
    outcomes = {row["outcome"] for row in desk.rows("select outcome from requests")}
    assert outcomes == {"ok"}


def test_the_second_ctrl_c_ends_what_is_in_flight_as_interrupted(desk):
    with spawn(["zai"], ttft_ms=60_000) as slow, spawn(["generic"], ttft_ms=1) as quick:
        hosts = [f"{name}={url}" for name, url in (slow | quick).items()]
        words = ["run", "-p", hosts[0], "-p", hosts[1], "--model", "m", "-s", "ping",
                 "-n", 50, "-c", 3, "--ui", "none"]  # fmt: skip
        process = running(desk, words)
        process.send_signal(signal.SIGINT)
        assert "stopping" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=40)

    assert process.returncode == 130
    rows = desk.rows("select provider, outcome, sent_ns, first_token_ns from requests")
    assert Counter((row["provider"], row["outcome"]) for row in rows) == {
        ("zai", "interrupted"): 3,
        ("generic", "ok"): 3,
    }
    assert all(r["sent_ns"] for r in rows)


def running(desk, words):
    """Start a command and return once it has stored its first row."""
    process = desk.start(*words)
    while process.poll() is None:
        try:
            if desk.db.exists() and desk.rows("select 1 from requests limit 1"):
                return process
        except sqlite3.OperationalError:
            continue
    raise AssertionError(process.communicate())


def test_when_no_host_is_reached_rows_are_kept_and_one_line_tells_what_to_mend(desk):
    said = desk("run", "-p", "a=http://127.0.0.1:9/v1", "--model", "m", "-s", "ping",
                "-n", 3, "--ui", "none", code=3)  # fmt: skip

    assert "base_url" in said.err.splitlines()[-1]
    rows = desk.rows("select outcome, blame, sent_ns, http_status from requests")
    assert {row["outcome"] for row in rows} == {"connect_error"}
    assert [(r["sent_ns"], r["http_status"]) for r in rows] == [(None, None)] * 3


def test_a_wrong_key_is_rows_and_exit_3(desk):
    with spawn(["zai"], fault="http_401") as urls:
        said = desk("run", "-p", f"zai={urls['zai']}", "--model", "m", "-s", "ping",
                    "-n", 3, "--ui", "none", code=3)  # fmt: skip

    assert "key" in said.err.splitlines()[-1]
    rows = desk.rows("select outcome, blame from requests")
    assert [(row["outcome"], row["blame"]) for row in rows] == [
        ("auth_error", "account")
    ] * 3


def test_a_key_reaches_the_host_and_nothing_else(desk, simulated):
    key = "sk-CANARY-0123456789abcdef"
    words = ["-p", f"zai={simulated['zai']}", "--model", "m", "-s", "ping", "-n", 3]
    said = desk("run", *words, "--api-key-env", "MY_KEY", "-v", env={"MY_KEY": key})
    exported = desk("export", "latest", "--format", "jsonl")

    stored = b"".join(path.read_bytes() for path in desk.folder.glob("h2h.db*"))
    assert b"CANARY" not in stored
    assert "CANARY" not in said.out + said.err + exported.out


def test_a_key_in_argv_is_refused_without_being_repeated(desk):
    for words in (["--api-key", "sk-CANARY-1234"], ["--api-key-env", "sk-CANARY-1234"]):
        said = desk(
            "run", "-p", "a=http://127.0.0.1:9/v1", "--model", "m", *words, code=2
        )

        assert "CANARY" not in said.out + said.err
        assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-p", "ourtokn"], "'ourtoken'"),
        (["-p", "zai", "-s", "chat-1"], "chat-1k"),
        (["-p", "zai", "--concurency", "3"], "--concurrency"),
        (["-p", "zai", "--rate", "fast"], "rate"),
        (["-p", "zai", "--duration", "soon"], "soon"),
        (["-p", "zai", "--price", "zia=1,2"], "'zai'"),
        (["-p", "zai", "--budget", "none"], "--budget"),
        (["no-such-job.toml"], "h2h init"),
        (["-p", "zai", "-s", "no/such.toml"], "no/such.toml"),
    ],
)
def test_a_mistake_is_one_line_with_a_remedy_and_exit_2(desk, words, told):
    said = desk("run", *words, code=2)

    (line,) = said.err.splitlines()
    assert told in line
    assert not desk.db.exists()


def test_a_missing_key_is_exit_3_before_anything_is_sent(desk):
    said = desk("run", "-p", "zai", code=3)

    assert "ZAI_API_KEY" in said.err
    assert len(said.err.splitlines()) == 1
    assert not desk.db.exists()


def test_a_database_that_is_not_ours_is_left_alone(desk, who):
    other = sqlite3.connect(desk.db)
    other.execute("create table theirs (x)")
    other.commit()
    other.close()
    before = desk.db.read_bytes()

    said = desk("run", *who, "-s", "ping", "-n", 1, code=2)

    assert "h2h.db" in said.err
    assert len(said.err.splitlines()) == 1
    assert desk.db.read_bytes() == before


def test_faults_are_rows_with_their_outcomes(desk):
    wanted = {
        "http_429_rate": "rate_limited",
        "http_429_overloaded": "overloaded",
        "http_429_quota": "quota",
        "http_502_html": "http_error",
        "cut": "truncated",
        "mid_stream_error": "provider_error",
        "html_200": "wrong_answer_type",
        "empty": "empty",
    }
    for fault, outcome in wanted.items():
        with spawn(["zai"], fault=fault, ttft_ms=5, gap_ms=1) as urls:
            desk("run", "-p", f"zai={urls['zai']}", "--dialect", "zai", "--model", "m",
                 "-s", "chat-1k", "-n", 2, "--ui", "none")  # fmt: skip
        rows = desk.rows("select outcome from requests order by rowid desc limit 2")
        assert [row["outcome"] for row in rows] == [outcome] * 2, fault


def test_a_job_file_runs_with_its_own_headers_deadlines_and_body_fields(
    desk, simulated
):
    job = desk.folder / "job.toml"
    job.write_text(
        f"""
        [[provider]]
        name = "zai"
        dialect = "zai"
        base_url = "{simulated["zai"]}"
        model = "glm-5.2"
        headers = {{ x-team = "search" }}
        extra_body = {{ user = "me" }}
        price = {{ input = "1.40", output = "4.40" }}
        rpm = 6000
        [[scenario]]
        name = "ping"
        max_tokens = 5
        [load]
        concurrency = 2
        max_requests = 5
        [deadlines]
        total = "20s"
        """
    )
    desk("run", job, "--ui", "none")

    rows = desk.rows("select max_tokens, cost_nusd, outcome from requests")
    assert [(row["max_tokens"], row["outcome"]) for row in rows] == [(5, "ok")] * 5
    assert all(row["cost_nusd"] > 0 for row in rows)


def test_deadlines_end_a_silent_host(desk):
    job = desk.folder / "job.toml"
    with spawn(["zai"], fault="stall", ttft_ms=5, gap_ms=1) as urls:
        job.write_text(
            f"""
            [[provider]]
            name = "zai"
            base_url = "{urls["zai"]}"
            model = "m"
            [deadlines]
            token_gap = "200ms"
            """
        )
        desk("run", job, "-s", "chat-1k", "-n", 2, "--ui", "none")

    rows = desk.rows("select outcome, first_token_ns, n_content_events from requests")
    assert [row["outcome"] for row in rows] == ["timeout_token_gap"] * 2
    assert all(row["first_token_ns"] and row["n_content_events"] for row in rows)


def test_each_row_has_the_deadlines_that_were_in_force_for_its_scenario(
    desk, simulated
):
    own = desk.folder / "own.toml"
    own.write_text(
        'name = "own"\n[prompt]\nuser = "Say pong."\n[request]\nmax_tokens = 4\n'
        '[deadlines]\nconnect = "3s"\nheaders = "4s"\n'
    )
    job = desk.folder / "job.toml"
    job.write_text(
        f"""
        [[provider]]
        name = "zai"
        base_url = "{simulated["zai"]}"
        model = "m"
        [[scenario]]
        name = "{own}"
        deadlines = {{ headers = "5s", token_gap = "250ms" }}
        [[scenario]]
        name = "ping"
        [load]
        max_requests = 1
        workers = 1
        [deadlines]
        connect = "7s"
        total = "70s"
        """
    )
    desk("run", job, "--ui", "none")

    found = {
        row["scenario"]: json.loads(row["deadlines"])
        for row in desk.rows("select scenario, deadlines from requests")
    }
    assert found == {
        "own": {"connect": 7, "headers": 5, "first_token": 300, "token_gap": 0.25,
                "total": 70},
        "ping": {"connect": 7, "headers": 60, "first_token": 30, "token_gap": 60,
                 "total": 70},
    }  # fmt: skip


def test_a_probe_keeps_its_grid_and_is_one_run(desk, who):
    words = [word for word in who if word not in {"--ui", "none"}]
    desk("probe", *words, "--every", "500ms", "--for", "2s")

    (run,) = desk("runs", "--json").json
    assert (run["kind"], run["status"], run["n"]) == ("probe", "done", 12)
    rows = desk.rows("select distinct due_ns from requests order by 1")
    gaps = [later["due_ns"] - sooner["due_ns"] for sooner, later in pairwise(rows)]
    assert gaps == [500_000_000] * 3
    assert {r["phase"] for r in desk.rows("select phase from requests")} == {"measure"}


def test_a_cold_probe_opens_a_connection_each_time(desk, who):
    words = [word for word in who if word not in {"--ui", "none"}]
    desk("probe", *words, "--every", "300ms", "--for", "900ms", "--cold")

    rows = desk.rows("select conn_reused, connect_ns from requests")
    assert {row["conn_reused"] for row in rows} == {0}
    assert all(row["connect_ns"] > 0 for row in rows)


def test_plain_progress_has_no_carriage_return(desk, simulated):
    said = desk("run", "-p", f"zai={simulated['zai']}", "--model", "m", "-s", "ping",
                "-n", 2000, "-c", 4, "--duration", "6s", "--ui", "plain")  # fmt: skip

    assert "\r" not in said.err
    assert "\x1b" not in said.err + said.out
    (line, *_) = [line for line in said.err.splitlines() if " open" in line]
    assert len(line) <= 80


def test_a_threshold_that_fails_leaves_with_99_after_the_table(desk, who):
    asked = ["--threshold", "errors<1%", "--threshold", "ttft:p50<1ms"]
    said = desk("run", *who, "-s", "ping", "-n", "12", *asked, code=99)
    assert said.out.count("✓") == 3
    assert said.out.count("✗") == 3
    assert "slower" in said.out or "faster" in said.out or "no difference" in said.out
    again = desk("compare", "latest", "--json", code=99)  # the run keeps them
    assert len(again.json["thresholds"]) == 6


def test_a_surely_failed_threshold_stops_the_run(desk, who):
    asked = ["--threshold", "ttft:max<1ms", "--abort-on-fail"]
    said = desk("run", *who, "-s", "ping", "-n", "5000", "-c", "2", *asked, code=99)
    assert "surely failed" in said.err
    (run,) = desk("runs", "--json").json
    assert run["n"] < 15_000
    assert [each["code"] for each in run["reasons"]][-1] == "threshold_failed"


def test_a_wrong_threshold_is_found_before_anything_is_sent(desk, who):
    said = desk("run", *who, "--threshold", "zia.errors<1%", code=2)
    assert "no such host" in said.err
    assert not desk.db.exists()
    (desk.folder / "out.xml").write_text("")
    said = desk("run", *who, "--junit", "out.xml", code=2)
    assert "--force" in said.err
    assert not desk.db.exists()
