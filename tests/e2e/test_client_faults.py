"""Faults of this machine and its user, by their numbers: nothing is lost quietly."""

import fcntl
import json
import os
import pty
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
from collections import Counter
from pathlib import Path

import pytest

from data.store import Store
from providers.simulator.spawn import spawn

H2H = Path(sys.executable).with_name("h2h")


@pytest.fixture
def one(simulated):
    """Return the words that name one quick host."""
    where = ["-p", f"zai={simulated['zai']}", "--dialect", "zai", "--model", "m"]
    return [*where, "-s", "ping", "--ui", "none"]


def shell(desk, line, *words, env=None):
    """Run h2h behind a line of shell; return its exit code, output and errors."""
    ended = subprocess.run(
        ["sh", "-c", f'{line} exec "$0" "$@"', str(H2H), *map(str, words)],
        cwd=desk.folder,
        env=os.environ | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert b"Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, ended.stdout, ended.stderr


def going(desk, *words):
    """Start a run and return it once a row of it is stored."""
    process = desk.start("run", *words)
    while not rows(desk):
        assert process.poll() is None, process.communicate()
    return process


def rows(desk, sql="select * from requests"):
    try:
        return desk.rows(sql) if desk.db.exists() else []
    except sqlite3.OperationalError:  # being made just now
        return []


def test_164_a_full_disk_stops_the_run_and_it_can_be_resumed(desk, one):
    # Blocks of 512 bytes: the log of the database may grow to 200 KiB.
    code, _, err = shell(
        desk, "ulimit -f 400;", "run", *one, "-n", 800, "-c", 12, "--no-calibrate"
    )

    (line,) = err.decode().splitlines()
    assert code == 2
    assert "h2h.db: cannot be written" in line
    assert "free disk space" in line
    n = len(rows(desk))
    assert 10 < n < 600
    (run,) = desk("runs", "--json").json
    assert run["status"] == "crashed"

    desk("run", "--resume", "latest", "--ui", "none")
    seqs = Counter(row["seq"] for row in rows(desk))
    assert seqs == Counter(range(800))
    assert rows(desk, "pragma integrity_check") == [{"integrity_check": "ok"}]
    assert not desk.db.with_name("h2h.db-spool").exists()


def test_164_what_a_full_disk_does_not_take_is_named_and_no_half_of_it_stays(desk, one):
    desk("run", *one, "-n", 300, "-c", 20, "--no-calibrate")
    for words in (
        ["report", "-o", "out"],
        ["export", "latest", "-o", "out"],
    ):
        # Of 512 bytes: as much as the reader's share of the database takes.
        code, _, err = shell(desk, "ulimit -f 64;", *words)
        assert code == 2
        assert err.decode().startswith("error: out: cannot be written (File too large)")
        assert not list(desk.folder.glob("*out*"))
    code, _, err = shell(desk, "ulimit -f 2;", "init", "-o", "job.toml")
    assert (code, "File too large" in err.decode()) == (2, True)
    assert not (desk.folder / "job.toml").exists()


def test_165_a_database_that_stays_locked_stops_the_run_and_loses_no_row(desk, one):
    process = going(desk, *one, "-n", 100_000, "-c", 2)
    other = sqlite3.connect(desk.db, isolation_level=None)
    other.execute("begin immediate")
    try:
        _, err = process.communicate(timeout=60)
    finally:
        other.execute("rollback")
        other.close()

    assert process.returncode == 2
    assert "Traceback" not in err
    (line,) = err.splitlines()
    assert "database is locked" in line
    assert "h2h.db-spool" in line
    before = len(rows(desk))
    Store.open(desk.db).close()  # any writer takes in what waits
    assert len(rows(desk)) > before
    seqs = sorted(row["seq"] for row in rows(desk))
    assert seqs == list(range(len(seqs)))
    (run,) = rows(desk, "select status from runs")
    assert run["status"] == "interrupted"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_167_a_folder_that_cannot_be_written_is_told_before_anything_is_sent(desk, one):
    said = desk("run", *one, "--db", "/proc/h2h.db", code=2)

    (line,) = said.err.splitlines()
    assert "/proc/h2h.db: cannot be written" in line
    assert "--db" in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_168_169_a_first_signal_stops_sending_and_ends_with_a_summary(
    desk, one, number
):
    process = going(desk, *one, "-n", 100_000, "-c", 3)
    process.send_signal(number)
    out, err = process.communicate(timeout=40)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert "TTFT p50 ms" in out
    assert {row["outcome"] for row in rows(desk)} == {"ok"}
    assert rows(desk, "select status from runs") == [{"status": "interrupted"}]


POOR = {"TERM": "dumb", "LANG": "C", "LC_ALL": "C", "COLUMNS": "40", "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0"}  # fmt: skip


ALL_OF = """
import sys
from compare.cli.main import main
for words in sys.argv[1:]:
    try:
        main(words.split())
    except SystemExit as left:
        assert not left.code, (words, left.code)
"""


def test_172_a_poor_terminal_is_no_reason_to_fail(desk, one):
    env = os.environ | POOR
    ended = subprocess.run(
        [
            sys.executable, "-c", ALL_OF,
            " ".join(["run", "--no-calibrate", *one, "-n", "20", "-v"]),
            "show", "runs", "compare", "usage", "prices", "providers", "scenarios",
            "scenarios show ping", "export --summary", "show --json", "run --help",
            "chart latest errors -o charts",
        ],
        cwd=desk.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip

    assert ended.returncode == 0, (ended.stdout, ended.stderr)
    assert "Traceback" not in ended.stderr
    assert ended.stdout.isascii()
    assert ended.stdout.strip().endswith(".png")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_172_streams_that_are_closed_cost_no_row(desk, one, closed):
    line = f"exec {closed};"
    code, _, _ = shell(desk, line, "run", *one[:-2], "-n", 30, "--no-calibrate")

    assert code == 0
    assert Counter(row["outcome"] for row in rows(desk)) == {"ok": 30}
    assert rows(desk, "pragma integrity_check") == [{"integrity_check": "ok"}]


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize("fault", ["http_500", "http_401"])
def test_172_what_nobody_hears_costs_no_row(desk, fault):
    with spawn(["zai"], fault=fault) as urls:
        where = ("-p", f"zai={urls['zai']}", "--dialect", "zai", "--model", "m")
        code, _, _ = shell(
            desk, "exec 2>/dev/full;", "run", *where, "-s", "ping", "-n", 30, "-v",
            "--no-calibrate",
        )  # fmt: skip

    assert code in {0, 3}
    assert len(rows(desk)) == 30
    assert rows(desk, "select status from runs") == [{"status": "done"}]


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_169_a_signal_is_minded_though_nobody_hears_what_is_said(desk, one):
    words = ["run", *one, "-n", "100000", "-c", "2", "--no-calibrate"]
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            [H2H, *words], cwd=desk.folder, stdout=subprocess.DEVNULL, stderr=full
        )
        try:
            while not rows(desk):
                assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 130
        finally:
            process.kill()
            process.wait()
    assert rows(desk, "select status from runs") == [{"status": "interrupted"}]


@pytest.mark.parametrize("ui", ["none", "plain"])
def test_172_a_reader_that_leaves_during_a_run_costs_no_row(desk, one, ui):
    process = going(desk, *one[:-1], ui, "-n", 300, "-c", 2)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()

    assert (process.wait(40), err) == (0, "")
    assert len(rows(desk)) == 300
    assert rows(desk, "select status from runs") == [{"status": "done"}]


@pytest.mark.parametrize("term", ["xterm", "dumb", ""])
def test_172_a_narrow_terminal_shows_progress_without_a_traceback(desk, one, term):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 40, 0, 0))
    kept = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES"}}
    process = subprocess.Popen(
        [H2H, "run", *one[:-2], "-n", "60", "--no-calibrate"],
        cwd=desk.folder, env=kept | {"TERM": term},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # Linux says so when the other side has ended
            break
        if not data:
            break
        shown += data
    os.close(ours)

    assert process.wait(40) == 0
    assert b"Traceback" not in shown
    assert b"TTFT" in shown
    assert len(rows(desk)) == 60


def test_172_an_argument_that_is_no_text_in_this_locale_is_refused(desk, one):
    narrow = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for env, word in ((narrow, "m\u00f6del"), ({"LC_ALL": "C.UTF-8"}, b"m\xff")):
        words = [os.fsdecode(word), "--tag", "k=v"]
        code, _, err = shell(desk, "", "run", *one, "--model", *words, env=env)
        (line,) = err.decode().splitlines()
        assert code == 2
        assert "is no text in this locale" in line
        assert "LANG=C.UTF-8" in line
    assert not desk.db.exists()


def test_173_a_second_run_on_one_database_is_refused_and_the_first_goes_on(desk, one):
    process = going(desk, *one, "-n", 400, "-c", 2)
    said = desk("run", *one, "-n", 5, code=2)
    _, err = process.communicate(timeout=40)

    (line,) = said.err.splitlines()
    assert "another h2h is writing to it" in line
    assert "--db" in line
    assert process.returncode == 0, err
    assert len(rows(desk)) == 400
    assert len(rows(desk, "select * from runs")) == 1


def test_174_a_scenario_that_changes_during_a_run_is_asked_as_it_was_at_its_start(
    desk, one
):
    scene = desk.folder / "scene.toml"
    scene.write_text('[prompt]\nuser = "Say pong."\nnonce = false\n')
    words = [*one[:-4], "-s", scene, "--ui", "none"]
    process = going(desk, *words, "-n", 300, "-c", 2)
    scene.write_text('[prompt]\nuser = "Say ping."\nnonce = false\n')
    _, err = process.communicate(timeout=40)

    assert process.returncode == 0, err
    what = "distinct scenario_version, prompt_sha256"
    (was,) = rows(desk, f"select {what} from requests")
    desk("run", *words, "-n", 1)
    assert len(rows(desk, f"select {what} from requests")) == 2
    (run, after) = rows(desk, "select plan_hash, job from runs order by rowid")
    assert run["plan_hash"] != after["plan_hash"]
    (stored,) = json.loads(run["job"])["scenarios"]
    assert stored["version"] == was["scenario_version"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_host_that_refuses_the_key_is_stopped_and_that_is_said_aloud(
    desk, simulated, workers
):
    with spawn(["zai"], fault="http_401") as urls:
        hosts = [f"shut={urls['zai']}", f"open={simulated['zai']}"]
        said = desk(
            "run", "-p", hosts[0], "-p", hosts[1], "--dialect", "zai", "--model", "m",
            "-s", "ping", "-n", 60, "-c", 2, "--workers", workers, "--ui", "none",
        )  # fmt: skip

    found = Counter(
        (row["provider"], row["outcome"], row["blame"]) for row in rows(desk)
    )
    refused = found["shut", "auth_error", "account"]
    assert 5 <= refused <= 5 * workers + 4
    assert found["shut", "policy_refused", "account"] == 60 - refused
    assert found["open", "ok", None] == 60
    assert "shut keeps refusing the key" in said.err
    (run,) = desk("runs", "--json").json
    told = {each["code"]: each for each in run["reasons"]}
    assert told["host_stopped"]["value"] == 60 - refused
    assert f"shut refused the key again and again: {60 - refused}" in said.out
    unsent = rows(desk, "select sent_ns from requests where outcome = 'policy_refused'")
    assert {row["sent_ns"] for row in unsent} == {None}


def test_when_every_key_is_refused_that_is_a_matter_of_set_up(desk):
    with spawn(["zai"], fault="http_401") as urls:
        said = desk("run", "-p", f"shut={urls['zai']}", "--model", "m", "-s", "ping",
                    "-n", 40, "--ui", "none", code=3)  # fmt: skip

    assert "shut" in said.err.splitlines()[-1]
    assert "the key was refused" in said.err.splitlines()[-1]
