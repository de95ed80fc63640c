"""`h2h run --sweep` on the real command line."""

import signal

import pytest


@pytest.fixture
def words(simulated):
    one = ["-p", f"a={simulated['ourtoken']}", "--model", "m", "-s", "burst"]
    return ["run", *one, "--ui", "none"]


def test_a_sweep_is_one_run_with_its_verdict_and_its_steps(desk, words):
    said = desk(*words, "--sweep", "-c", "1,4", "-n", 12, "--goodput", "ttft:5000")
    assert "not found, even the highest load is kept up with" in said.out
    (run,) = desk("runs", "--json").json
    assert run["kind"] == "sweep"
    assert run["n"] == 12 + 12 + 20, "1, 2 and 4 in flight: doubled, nothing halved"
    (found,) = desk("show", "--json").json["sweep"]
    assert [each["load"] for each in found["tried"]] == [1, 2, 4]
    assert (found["found"], found["unit"]) == (None, "in flight")
    assert "even the highest" in desk("show").out
    assert "even the highest" in desk("compare").out
    (folder,) = {p.parent for p in charts(desk)}
    assert folder.name == "charts"


def test_a_sweep_that_was_interrupted_is_not_said_to_go_on(desk, words):
    more = ["--ui", "plain", "--sweep", "-c", "1,64", "--goodput", "ttft:5000"]
    process = desk.start(*words, *more)
    for line in process.stderr:  # the first load was tried, and there are many more
        if "load 1:" in line:
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "keeps its rows" in err
    assert "--resume" not in err


def charts(desk):
    desk("chart", "latest", "throughput", "--format", "svg")
    return list(desk.folder.glob("charts/*throughput.svg"))


def test_too_strict_an_objective_ends_the_search_at_once(desk, words):
    said = desk(*words, "--sweep", "-c", "2,64", "-n", 5, "--goodput", "ttft:0.001")
    assert "not found, even the lowest load is too much" in said.out
    assert len(desk.rows("select seq from requests")) == 10


def test_a_sweep_cannot_be_resumed(desk, words):
    desk(*words, "--sweep", "-c", "1,2", "-n", 2, "--goodput", "ttft:5000")
    said = desk("run", "--resume", "latest", code=2)
    assert "a sweep cannot be resumed" in said.err


@pytest.mark.parametrize(
    ("more", "words_said"),
    [
        (["-c", "1,4"], "what a good request keeps"),
        (["-c", "1,4", "--goodput", "ttft:5", "-s", "cache-pair"], "one turn"),
        (["-c", "2,4", "--goodput", "ttft:5", "--workers", "2"], "one process"),
        (["-c", "4", "--goodput", "ttft:5"], "two ends of concurrency"),
    ],
)
def test_a_sweep_that_could_say_nothing_is_refused(desk, words, more, words_said):
    said = desk(*words, "--sweep", *more, code=2)
    assert words_said in " ".join(said.err.split())


def test_what_a_sweep_can_cost_is_told_before(desk, words):
    said = desk(*words, "--sweep", "-c", "1,64", "--goodput", "ttft:500", "--price",
                "a=1,2,0.1", "--dry-run", "--json")  # fmt: skip
    (host,) = said.json["hosts"]
    assert 1000 < host["requests"] < 4000
    assert host["most_usd"] > 0
