import csv
import io
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from made import HOSTS, RUN_ID, run_row, store_run, timings

from compare.cli.main import VERBS, main
from data.store import Store

NEWER = "20261104-100000-bbbb"
CONTRAST = {
    "provider", "reference", "scenario", "metric", "statistic", "estimate", "low",
    "high", "verdict", "need_more", "n_blocks",
}  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    path = tmp_path_factory.mktemp("db") / "h2h.db"
    store_run(path, run_row(), timings(n=30, fail={"zai": 0.2}))
    day = "2026-11-04T10:00:00+00:00"
    newer = run_row(run_id=NEWER, started_at=day, ended_at=day, validity=None)
    store_run(path, newer, timings(n=12))
    return path


@pytest.fixture
def h2h(capsys):
    def call(*args):
        with pytest.raises(SystemExit) as left:
            main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


@pytest.fixture
def read(h2h, filled):
    def call(*args):
        status, out, err = h2h(*args, "--db", filled)
        assert status == 0, err
        return out

    return call


def refusal(answer):
    status, out, err = answer
    assert status == 2
    assert not out
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_runs_are_listed_newest_first(read):
    found = json.loads(read("runs", "--json"))
    assert [run["run_id"] for run in found] == [NEWER, RUN_ID]
    want = {"kind", "started_at", "status", "validity", "providers", "scenarios", "n"}
    assert want <= found[0].keys()
    assert found[0]["n"] == 36
    assert found[0]["validity"] is None
    assert found[0]["providers"] == list(HOSTS)
    assert RUN_ID in read("runs")


def test_show_takes_an_id_a_prefix_or_latest(read):
    assert NEWER in read("show")
    assert NEWER in read("show", "latest")
    assert RUN_ID in read("show", "20261103")
    text = read("show", RUN_ID)
    assert "rate_limited" in text
    assert "2026-11-03" in text


def test_show_as_json_has_every_quantile_with_its_n(read):
    found = json.loads(read("show", RUN_ID, "--json"))
    assert found["run"]["run_id"] == RUN_ID
    first = found["summaries"][0]
    assert first["provider"] == "ourtoken"
    assert first["n_ok"] == 30
    assert first["ttft_p50"]["n"] == 30
    assert first["ttft_p95"].items() >= {"value": None, "n": 30, "floor": 130}.items()


def test_compare_as_json_is_the_promised_object(read):
    found = json.loads(read("compare", RUN_ID, "--json"))
    assert found.keys() >= {"run_id", "reference", "contrasts"}
    assert (found["run_id"], found["reference"]) == (RUN_ID, "ourtoken")
    assert len(found["contrasts"]) == 2 * 9
    assert all(each.keys() >= CONTRAST for each in found["contrasts"])
    said = {each["metric"]: each["verdict"] for each in found["contrasts"]}
    assert said["ttft"] in {"faster", "slower", "no difference shown"}
    assert said["cost"] is said["ok"] is None
    assert said["passed"] == "no difference shown"
    assert [each["passed"]["value"] for each in found["checks"]] == [1.0] * 3
    chosen = json.loads(read("compare", RUN_ID, "--reference", "zai", "--json"))
    assert {each["reference"] for each in chosen["contrasts"]} == {"zai"}
    assert "zai against ourtoken" in read("compare", RUN_ID)


def test_compare_of_two_runs_names_hosts_with_their_run(read):
    found = json.loads(read("compare", "20261103", "20261104", "--json"))
    assert (found["run_id"], found["run_id_b"]) == (RUN_ID, NEWER)
    first = found["contrasts"][0]
    assert first["provider"] == f"ourtoken@{NEWER}"
    assert first["reference"] == f"ourtoken@{RUN_ID}"
    text = read("compare", RUN_ID, NEWER, "--reference", "zai")
    assert "ourtoken (new) against zai (base)" in text
    assert f"base: run {RUN_ID}, started" in text
    assert f"new: run {NEWER}, started" in text
    assert "@2026" not in text


def test_compare_judges_thresholds_and_leaves_with_99(h2h, filled, tmp_path):
    held = ["compare", RUN_ID, "--db", filled, "--threshold", "errors<50%"]
    status, out, _ = h2h(*held)
    assert (status, out.count("✓")) == (0, 3)
    broken = [*held, "--threshold", "zai.errors<1%", "--json"]
    status, out, _ = h2h(*broken)
    assert status == 99
    gates = json.loads(out)["thresholds"]
    assert [gate["passed"] for gate in gates] == [True, True, True, False]
    papers = [tmp_path / "gates.xml", tmp_path / "gates.md"]
    write = ["--junit", papers[0], "--markdown", papers[1]]
    assert h2h(*broken, *write)[0] == 99
    assert "<failure" in papers[0].read_text()
    assert "**FAILED**" in papers[1].read_text()
    assert "--force" in refusal(h2h(*held, *write))
    assert h2h(*held, *write, "--force")[0] == 0
    assert "<failure" not in papers[0].read_text()
    out = h2h(*held, "--markdown", "-")[1]
    assert out.startswith("### head-to-head")


def test_of_an_invalid_run_no_threshold_counts(h2h, tmp_path):
    path = tmp_path / "invalid.db"
    store_run(path, run_row(validity="invalid"), timings(n=12))
    for text in ("errors<50%", "errors>50%"):
        status, out, err = h2h("compare", "--db", path, "--threshold", text)
        assert (status, "No verdict: the run is invalid." in out) == (4, True)
        assert "invalid" in err
    assert h2h("compare", "--db", path)[0] == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--junit", "nowhere/x.xml"], "there is no folder nowhere"),
        (["--junit", "-", "--markdown", "-"], "only one"),
        (["--json", "--markdown", "-"], "only one"),
        ([RUN_ID], "the same run"),
    ],
)
def test_what_could_not_be_written_or_said_is_refused_first(h2h, filled, flags, words):
    assert words in refusal(h2h("compare", RUN_ID, *flags, "--db", filled))


@pytest.mark.parametrize(
    ("flags", "caret"),
    [
        (["--threshold", "ttft:q(95)<1500ms"], 5),
        (["--threshold", "zia.errors<1%"], 0),
        (["--goodput", "ttff:500"], 0),
    ],
)
def test_a_wrong_threshold_has_a_caret_and_is_no_failure(h2h, filled, flags, caret):
    status, out, err = h2h("compare", RUN_ID, *flags, "--db", filled)
    assert (status, out) == (2, "")
    assert err.splitlines()[2] == "  " + " " * caret + "^"


def test_goodput_is_shown_where_it_is_asked_for(h2h, filled):
    out = h2h("compare", RUN_ID, "--goodput", "ttft:200", "--db", filled)[1]
    assert "goodput" in out
    assert "goodput" not in h2h("compare", RUN_ID, "--db", filled)[1]


def test_two_runs_are_gated_as_new_and_base(h2h, filled):
    text = "ratio(new/base, ttft, p50)<9 with 95%"
    both = ["compare", RUN_ID, NEWER, "--db", filled, "--threshold", text]
    assert h2h(*both)[0] == 0
    assert h2h(*both, "--threshold", "ratio(new/base, ttft, p50)<0.1")[0] == 99


@pytest.mark.parametrize("tool", ["aiperf", "vllm", "guidellm"])
def test_other_tools_definitions_are_one_command_away(read, tool):
    assert f"as {tool} defines them" in read("compare", RUN_ID, "--definitions", tool)
    found = json.loads(read("compare", RUN_ID, "--definitions", tool, "--json"))
    assert found["tool"] == tool
    assert found["metrics"][0]["formula"]


@pytest.mark.parametrize(
    "flags",
    [
        ["--threshold", "errors<1%"],
        ["--junit", "x.xml"],
        ["--markdown", "-"],
        ["--goodput", "ttft:500"],
        ["--reference", "zai"],
        ["--force"],
    ],
)
def test_what_definitions_would_ignore_is_refused(h2h, filled, flags):
    asked = ["compare", RUN_ID, "--definitions", "vllm", *flags, "--db", filled]
    assert f"{flags[0]} means nothing beside --definitions" in refusal(h2h(*asked))


def test_definitions_judge_no_second_run_and_no_stored_threshold(h2h, filled, tmp_path):
    two = ["compare", RUN_ID, NEWER, "--definitions", "vllm", "--db", filled]
    assert "RUN_B means nothing" in refusal(h2h(*two))
    path, job = tmp_path / "job.db", json.dumps({"thresholds": ["errors<1%"]})
    store_run(path, run_row(job=job), timings(n=12))
    err = h2h("compare", "--definitions", "vllm", "--db", path)[2]
    assert "thresholds are not judged" in err


def test_definitions_set_no_unlike_hosts_side_by_side_unasked(h2h, tmp_path):
    path = tmp_path / "unlike.db"
    store_run(path, run_row(), timings(n=12), lengths={"zai": 64})
    asked = ["compare", "--definitions", "vllm", "--db", path]
    assert "max_tokens differs" in refusal(h2h(*asked))
    status, out, _ = h2h(*asked, "--anyway")
    assert status == 0
    first = out.index("Compared anyway, though chat-1k: max_tokens")
    assert first < out.index("as vllm defines them")
    (note,) = json.loads(h2h(*asked, "--anyway", "--json")[1])["caveats"]
    assert note["caveat"] == "compared_anyway"


def test_charts_are_files_named_for_run_and_kind(read, h2h, filled, tmp_path):
    out = read(
        "chart", RUN_ID, "errors", "over-time", "-o", tmp_path, "--format", "svg"
    )
    names = [f"{RUN_ID}-errors.svg", f"{RUN_ID}-over-time.svg"]
    assert [line.rpartition("/")[2] for line in out.splitlines()] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    again = ["chart", RUN_ID, "errors", "-o", tmp_path, "--format", "svg"]
    assert "--force" in refusal(h2h(*again, "--db", filled))
    read(*again, "--force")
    assert NEWER in read("chart", "errors", "-o", tmp_path)


def test_charts_that_a_run_has_no_data_for_are_left_out_and_named(
    h2h, filled, tmp_path
):
    status, out, err = h2h("chart", RUN_ID, "-o", tmp_path, "--db", filled)
    drawn = {line.rpartition("/")[2] for line in out.splitlines()}
    assert status == 0
    assert f"{RUN_ID}-contrasts.png" in drawn
    assert f"{RUN_ID}-calendar.png" not in drawn
    (left,) = [line for line in err.splitlines() if line.startswith("not drawn: ")]
    assert "calendar: the run lasted less than two hours" in left
    named = ["chart", RUN_ID, "calendar", "-o", tmp_path, "--db", filled]
    assert h2h(*named)[1].strip().endswith(f"{RUN_ID}-calendar.png")
    dark = [*named, "--theme", "dark", "--format", "svg"]
    assert "#15181c" in Path(h2h(*dark)[1].strip()).read_text()
    assert h2h(*named, "--theme", "blue")[0] == 2


def test_chart_names_its_kinds_in_its_help(h2h):
    from compare.show.charts import KINDS

    text = h2h("chart", "--help")[1]
    assert all(kind in text for kind in KINDS)


def test_export_writes_rows_to_stdout_or_a_private_file(read, h2h, filled, tmp_path):
    lines = list(csv.DictReader(io.StringIO(read("export", RUN_ID, "--format", "csv"))))
    assert len(lines) == 90
    assert lines[0]["run_id"] == RUN_ID
    path = tmp_path / "rows.jsonl"
    read("export", RUN_ID, "--format", "jsonl", "-o", path)
    assert len(path.read_text().splitlines()) == 90
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    refused = h2h("export", RUN_ID, "--format", "jsonl", "-o", path, "--db", filled)
    assert "--force" in refusal(refused)


def test_export_of_a_summary_is_a_line_a_host(read, tmp_path):
    text = read("export", RUN_ID, "--summary", "--format", "csv", "-o", "-")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["provider"] for line in lines] == list(HOSTS)
    assert lines[0]["ttft_p95_ms"] == ""
    assert float(lines[0]["ttft_p50_ms"]) > 0
    assert lines[0]["started_at"].startswith("2026-11-03")
    assert json.loads(lines[0]["outcomes"]) == {"ok": 30}
    low, high = (float(lines[0][f"ttft_p50_{end}_ms"]) for end in ("low", "high"))
    assert low < float(lines[0]["ttft_p50_ms"]) < high
    assert (lines[0]["ttft_n"], lines[0]["goodput_n"]) == ("30", "")
    parquet = tmp_path / "s.parquet"
    read("export", RUN_ID, "--summary", "--format", "parquet", "-o", parquet)
    assert parquet.read_bytes().startswith(b"PAR1")


def test_show_and_export_judge_by_objectives(h2h, read, tmp_path):
    asked = read("show", RUN_ID, "--goodput", "ttft:1ms", "--json")
    assert [s["goodput"]["n_good"] for s in json.loads(asked)["summaries"]] == [0] * 3
    assert "goodput" in read("show", RUN_ID, "--goodput", "ttft:1s")
    path, slo = tmp_path / "slo.db", json.dumps({"slo": {"ttft": 1}})
    store_run(path, run_row(job=slo), timings(n=12))
    _, text, _ = h2h("export", "--summary", "--format", "jsonl", "--db", path)
    line = json.loads(text.splitlines()[0])
    assert (line["goodput_share"], line["goodput_n"]) == (0, 12)


def test_a_wrong_objective_is_one_clear_error_with_a_caret(h2h, filled):
    status, out, err = h2h("show", "--goodput", "tttf:1", "--db", filled)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == "  ^"


def test_parquet_needs_a_file(h2h, filled):
    refused = h2h("export", "--format", "parquet", "--db", filled)
    assert "-o" in refusal(refused)


def test_usage_adds_up_by_day_host_and_model(read):
    found = json.loads(read("usage", "--json"))
    assert {each["day"] for each in found} == {"2026-11-03", "2026-11-04"}
    assert sum(each["requests"] for each in found) == 90 + 36
    text = read("usage", "--since", "2026-11-04")
    assert "2026-11-03" not in text
    assert "glm-5.2" in text
    assert "nothing was sent" in read("usage", "--since", "2126-01-01")


@pytest.mark.parametrize("since", ["soon", "7x", "2026-13-01", "99999999999d", "-1d"])
def test_a_wrong_time_is_one_clear_error(h2h, filled, since):
    assert "--since" in refusal(h2h("usage", f"--since={since}", "--db", filled))


def test_prices_are_exact_decimals_and_unlisted_ones_unknown(h2h):
    status, out, _ = h2h("prices", "--host", "ourtoken", "--json")
    (price,) = json.loads(out)
    assert status == 0
    assert (price["input"], price["output"]) == ("0.84", "2.64")
    assert price["source"]
    assert price["date"]
    everything = json.loads(h2h("prices", "--json")[1])
    assert None in {each["cache_read"] for each in everything}
    assert "0" in {each["cache_write"] for each in everything}
    assert "not listed" in h2h("prices", "--family", "glm-5.2")[1]


def test_scenarios_are_listed_and_shown(h2h):
    found = json.loads(h2h("scenarios", "--json")[1])
    assert {"ping", "chat-1k"} <= {each["name"] for each in found}
    assert "ping" in h2h("scenarios")[1]
    assert "pong" in h2h("scenarios", "show", "ping")[1]
    shown = json.loads(h2h("scenarios", "show", "ping", "--json")[1])
    assert shown["name"] == "ping"


def test_providers_say_whether_a_key_is_set_but_never_the_key(h2h, monkeypatch):
    monkeypatch.setenv("OURTOKEN_API_KEY", "sk-secret")
    monkeypatch.delenv("ZAI_API_KEY", raising=False)
    for flags in ([], ["--json"]):
        out = h2h("providers", *flags)[1]
        assert "ourtoken" in out
        assert "sk-secret" not in out
    found = {each["name"]: each for each in json.loads(out)}
    assert found["ourtoken"]["key_set"] is True
    assert found["zai"]["key_set"] is False


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["show", "nope"], RUN_ID),
        (["show", "2026"], "give more"),
        (["compare", "--reference", "zia"], "did you mean 'zai'?"),
        (["chart", "latest", "eror"], "did you mean 'errors'?"),
    ],
)
def test_a_wrong_name_offers_the_nearest(h2h, filled, args, hint):
    assert hint in refusal(h2h(*args, "--db", filled))


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["prices", "--host", "ourtokn"], "did you mean 'ourtoken'?"),
        (["prices", "--family", "glm5.2"], "did you mean 'glm-5.2'?"),
        (["scenarios", "show", "pign"], "ping"),
    ],
)
def test_a_wrong_name_in_a_list_offers_the_nearest(h2h, args, hint):
    assert hint in refusal(h2h(*args))


@pytest.mark.parametrize(
    "verb", ["runs", "show", "compare", "chart", "export", "usage"]
)
def test_a_reader_never_makes_a_database(h2h, tmp_path, verb):
    path = tmp_path / "none.db"
    assert "no such database" in refusal(h2h(verb, "--db", path))
    assert not list(tmp_path.iterdir())
    (tmp_path / "text").write_text("not a database, but long enough to be read as one")
    refusal(h2h(verb, "--db", tmp_path / "text"))


def test_an_empty_database_and_an_empty_run_say_so(h2h, tmp_path):
    path = tmp_path / "h2h.db"
    Store.open(path).close()
    assert "no run yet" in h2h("runs", "--db", path)[1]
    assert json.loads(h2h("runs", "--json", "--db", path)[1]) == []
    assert "no run yet" in refusal(h2h("show", "--db", path))
    store_run(path, run_row(status="running"), [])
    for verb in ("show", "compare"):
        status, _, err = h2h(verb, "--db", path)
        assert status == 0
        assert "no measured request" in err
    status, out, _ = h2h("compare", "--json", "--db", path)
    assert json.loads(out)["contrasts"] == []


def test_a_run_still_going_is_said_and_shown_and_not_removed(h2h, tmp_path):
    path = tmp_path / "h2h.db"
    with Store.open(path) as store:
        store.begin_run(run_row(status="running"))
        status, out, err = h2h("show", "--db", path)
        assert status == 0
        assert "still going" in err
        assert "still running" in out
        assert "still going" in refusal(h2h("runs", "rm", RUN_ID, "--db", path))


def test_a_run_is_removed_by_its_id_only(h2h, tmp_path):
    path = tmp_path / "h2h.db"
    store_run(path, run_row(), timings(n=2))
    store_run(path, run_row(run_id=NEWER), timings(n=2))
    assert "by its id" in refusal(h2h("runs", "rm", "latest", "--db", path))
    status, out, _ = h2h("runs", "--db", path, "rm", "20261103")
    assert (status, out) == (0, f"removed {RUN_ID}\n")
    left = json.loads(h2h("runs", "--json", "--db", path)[1])
    assert [(run["run_id"], run["n"]) for run in left] == [(NEWER, 6)]
    refusal(h2h("runs", "rm", RUN_ID, "--db", path))


def test_help_is_fast_because_nothing_heavy_is_loaded():
    verbs = sorted(
        VERBS.keys() - {"run", "demo", "probe", "simulate", "init", "doctor"}
    )
    code = (
        "import sys\n"
        f"for verb in {verbs!r}: __import__('compare.cli.' + verb)\n"
        "print(sorted({'numpy', 'matplotlib', 'sqlite_utils', 'rich', 'aiohttp'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_line_of_a_wrong_threshold_cannot_steer_the_terminal(h2h, filled):
    flags = ["--threshold", "\x1b[31mred.errors<1%\nerror: forged"]
    status, _, err = h2h("compare", RUN_ID, *flags, "--db", filled)
    assert status == 2
    assert "\x1b" not in err
    assert len(err.splitlines()) == 3
