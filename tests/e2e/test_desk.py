"""`h2h init`, `doctor`, `simulate` and `demo`, as typed."""

import json
import signal
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from compare.show.charts import KINDS


def test_init_writes_a_job_that_reads_back(desk):
    desk("init")
    dry = desk("run", "job.toml", "--dry-run", "--json").json

    assert [host["provider"] for host in dry["hosts"]] == ["ourtoken", "zai"]
    assert dry["budget_usd"] == 1.0
    said = desk("init", code=2)
    assert "--force" in said.err
    desk("init", "--force")


def test_every_commented_key_of_init_is_one_that_is_read(desk):
    """Uncommenting any of the settings gives a job that is still accepted."""
    text = desk("init", "-o", "-").out
    wanted = [
        line.removeprefix("# ")
        if line.startswith("# ") and (" = " in line or line.startswith("# ["))
        else line
        for line in text.splitlines()
        if not line.startswith(("# rate", "# arrival", "# burst", "# sweep"))
    ]
    (desk.folder / "all.toml").write_text("\n".join(wanted).replace("/etc/ssl/my", "x"))

    dry = desk("run", "all.toml", "--dry-run", "--json").json

    assert len(dry["hosts"]) == 4


def test_doctor_tells_which_keys_a_job_lacks_and_never_shows_one(desk):
    desk("init")
    lacking = desk("doctor", "job.toml", code=3)
    assert "OURTOKEN_API_KEY" in lacking.out
    keys = {"OURTOKEN_API_KEY": "sk-CANARY-123456", "ZAI_API_KEY": "sk-CANARY-654321"}

    found = desk("doctor", "job.toml", "--json", env=keys)

    assert "CANARY" not in found.out + found.err
    assert {each["status"] for each in found.json} <= {"ok", "warn"}


def test_doctor_connects_when_asked(desk, simulated):
    job = desk.folder / "job.toml"
    job.write_text(
        "".join(
            f'[[provider]]\nname = "{name}"\nbase_url = "{url}"\nmodel = "m"\n'
            for name, url in [
                ("up", simulated["zai"]),
                ("down", "http://127.0.0.1:9/v1"),
            ]
        )
    )
    found = desk("doctor", job, "--connect", code=3)

    lines = {
        line.split()[3]: line for line in found.out.splitlines() if "connection" in line
    }
    assert lines["up"].startswith("ok")
    assert lines["down"].startswith("fail")


def test_simulate_serves_until_ctrl_c(desk):
    process = desk.start("simulate", "zai", "--fault", "http_429_overloaded")
    url = process.stdout.readline().split()[-1]
    request = urllib.request.Request(
        f"{url}/chat/completions",
        data=json.dumps(
            {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        ).encode(),
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    error = json.loads(caught.value.read())["error"]
    caught.value.close()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)

    assert error["code"] == "1305"
    assert process.returncode == 0
    assert err == ""


@pytest.mark.parametrize("words", ["export latest --format jsonl", "prices", "runs"])
def test_a_reader_that_leaves_is_no_error(desk, who, words):
    if not desk.db.exists():
        desk("run", *who, "-s", "ping", "-n", 40)
    with desk.start(*words.split()) as process:
        process.stdout.close()
        err = process.stderr.read()

    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("form", ["", "--json", "--markdown -"])
def test_a_reader_that_leaves_lets_no_failed_threshold_pass(desk, who, form):
    desk("run", *who, "-s", "ping", "-n", 12)
    for threshold, code in (("errors<1%", 0), ("ttft:max<0.001ms", 99)):
        words = ["compare", "--threshold", threshold, *form.split()]
        with desk.start(*words) as process:
            process.stdout.close()
            err = process.stderr.read()

        assert (process.returncode, err) == (code, "")


def test_a_reader_that_leaves_a_run_lets_no_failed_threshold_pass(desk, who):
    words = ["run", *who, "-s", "ping", "-n", 12, "--threshold", "ttft:max<0.001ms"]
    with desk.start(*words) as process:
        process.stdout.close()
        process.stderr.read()

    assert process.returncode == 99


@pytest.mark.parametrize("words", ["show", "export latest --format jsonl"])
def test_output_that_cannot_be_written_is_one_line(desk, who, words):
    desk("run", *who, "-s", "ping", "-n", 2)
    with Path("/dev/full").open("w") as full:
        process = desk.start(*words.split(), stdout=full)
        _, err = process.communicate(timeout=20)

    assert process.returncode == 3
    assert len(err.splitlines()) == 1


def test_a_port_in_use_is_one_line(desk, simulated):
    port = simulated["zai"].split(":")[2].partition("/")[0]
    said = desk("simulate", "zai", "--port", port, code=3)

    assert port in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["-c", "1000000000"],
        ["--max-tokens", "9" * 20],
        ["--seed", "9" * 20],
        ["--rate", "1e9"],
        ["--arrival", "poisson"],
    ],
)
def test_impossible_figures_are_refused_before_anything_is_sent(desk, who, words):
    said = desk("run", *who, "-s", "ping", "-n", 1, *words, code=2)

    assert len(said.err.splitlines()) == 1
    assert not desk.db.exists()


def test_simulate_lists_its_faults(desk):
    lines = desk("simulate", "--list-faults").out.splitlines()
    found = {line.split()[0]: line for line in lines}

    assert found["31"].split()[1] == "no_done"
    assert found["31"].endswith("-> ok: no_done")
    assert any(line.split()[:2] == ["-", "slow"] for line in lines)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [("zai --fault stal", "'stall'"), ("--fault crfl", "'crlf'"),
     ("zai --fault 60", "leave PROFILE out"),
     ("--fault crlf --ttft-ms 5", "leave --ttft-ms out")],
)  # fmt: skip
def test_simulate_refuses_what_it_cannot_play(desk, words, remedy):
    said = desk("simulate", *words.split(), code=2)

    assert remedy in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("fault", "outcome", "flag"),
    [
        ("60-nan", "rate_limited", None),
        ("crlf", "ok", "crlf"),
        ("31", "ok", "no_done"),
    ],
)
def test_simulate_plays_a_fault_to_anybody(desk, fault, outcome, flag):
    process = desk.start("simulate", "--fault", fault)
    url = process.stdout.readline().split()[-1]
    shape = ["--model", "m", "-s", "ping", "-n", 3]
    desk("run", "-p", f"faulty={url}", *shape)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)

    rows = desk.rows("select outcome, flags from requests")
    assert [row["outcome"] for row in rows] == [outcome] * 3
    assert all(flag in [None, *json.loads(row["flags"])] for row in rows)
    assert (process.returncode, err) == (0, "")


def test_demo_compares_three_priced_hosts_and_draws(desk):
    said = desk("demo", "-n", 20, "--ui", "none")

    rows = desk.rows(
        "select provider, outcome, cost_nusd from requests where phase = 'measure'"
    )
    assert Counter(row["provider"] for row in rows) == {
        "ourtoken": 20, "openrouter": 20, "zai": 20
    }  # fmt: skip
    assert all(row["cost_nusd"] for row in rows if row["outcome"] == "ok")
    drawn = {p.stem.split("-", 1)[1] for p in (desk.folder / "charts").glob("*.png")}
    left_out = {"prompt-length", "turns", "ctx-grid", "hour-of-week", "calendar"}
    assert drawn == set(KINDS) - left_out
    assert "not drawn: prompt-length: all prompts are about as long" in said.err
    assert [path.name for path in desk.folder.glob("*.db")] == ["h2h.db"]
    assert "SIMULATED" in said.out
    assert max(map(len, said.out.splitlines())) <= 80
