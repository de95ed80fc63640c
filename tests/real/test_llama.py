"""A real model behind a real server: what is measured is held to what it says."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from data import query

pytestmark = pytest.mark.real

H2H = Path(sys.executable).with_name("h2h")
MAX_TOKENS = 32
AGREES = 0.15
"""By how much a figure may differ from the server's own."""
OF_THE_MACHINE = {"loop_lag", "late_start", "clock_step"}
"""Flags that a busy machine may earn; none may come from the answer."""
STAMPS = ("sent", "headers", "first_event", "first_token", "last_token", "usage",
          "done", "end")  # fmt: skip
SHORT = """
name = "short"
version = 1

[request]
max_tokens = 256
temperature = 0.0
stream = {stream}

[prompt]
tokens = 60
user = "Write a story with these words: {{text}}"
"""


def h2h(*arguments, ok=(0,), timeout=240):
    """Run the command line as a user does; return its standard output."""
    # A proxy or a key in the environment must not have a part in it.
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [H2H, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=env,
        timeout=timeout,
        check=False,
    )
    assert done.returncode in ok, f"{arguments}: {done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def run(db, hosts, *flags, max_tokens=MAX_TOKENS, cold=True, ok=(0,)):
    """Conduct a run against named servers; return its rows and their timings.

    The server offers to keep a connection and ends it all the same after a stream.
    What comes of using it again is the matter of one test; the others are `cold`.
    """
    named = [f"-p{name}={server.base_url}" for name, server in hosts.items()]
    job = db.with_name("job.toml")
    job.write_text(f'[load]\nconnection = "{"cold" if cold else "warm"}"\n')
    flags = ("--model", "smollm2", "--max-tokens", max_tokens, "--ui", "none", *flags)
    for server in hosts.values():
        server.turn_page()
    h2h("run", job, *named, *flags, "--db", db, ok=ok)
    reader = query.open_reader(db)
    try:
        (run_id,) = [each.run_id for each in query.runs(reader)]
        return list(query.rows(reader, run_id)), query.timings(reader, run_id)
    finally:
        reader.close()


@pytest.fixture
def db(tmp_path):
    return tmp_path / "real.db"


def scenario(folder, *, stream):
    path = folder / "short.toml"
    path.write_text(SHORT.format(stream=str(stream).lower()))
    return path


def holds(rows, server):
    """Hold rows to the server: its usage object and its own log of the same requests.

    Return the log's timings, in the order in which the requests ended.
    """
    truth = server.timings(len(rows))
    assert Counter(row.outcome for row in rows) == {"ok": len(rows)}
    for row in rows:
        usage = json.loads(row.usage_json)
        assert row.prompt_tokens == usage["prompt_tokens"]
        assert row.completion_tokens == usage["completion_tokens"]
        assert row.total_tokens == usage["total_tokens"]
        assert row.cached_tokens == usage["prompt_tokens_details"]["cached_tokens"]
        assert row.reasoning_tokens is None  # the server does not say
        assert (row.completion_tokens, row.finish_reason) == (MAX_TOKENS, "length")
        assert (row.http_status, row.model_served) == (200, "smollm2")
        assert row.cost_nusd is None
    counted = [(row.prompt_tokens - row.cached_tokens, row.completion_tokens)
               for row in rows]  # fmt: skip
    assert sorted(counted) == sorted((t.prompt_n, t.predicted_n) for t in truth)
    return truth


def streams(rows):
    """Assert that each row saw a true stream, about a token an event, to its end."""
    for row in rows:
        assert row.stream_label == "true"
        assert row.usage_source == "final_chunk"
        assert set(json.loads(row.flags)) <= OF_THE_MACHINE
        assert row.conn_reused == 0
        assert row.connect_ns > 0
        # A token may end within a character, which then comes with the next.
        assert 0.8 * MAX_TOKENS <= row.n_content_events <= MAX_TOKENS
        moments = [getattr(row, f"{name}_ns") for name in STAMPS]
        assert None not in moments
        assert moments == sorted(moments)
        assert row.first_answer_ns == row.first_token_ns
        assert row.first_reasoning_ns is None


def test_the_log_is_the_timings_object_of_the_same_request(llama):
    # A stream's last chunk carries `timings`, which no row keeps. The other tests
    # read the log instead, since it tells of the very requests that were measured;
    # here a bare client shows that both tell the same.
    body = {
        "model": "smollm2",
        "messages": [{"role": "user", "content": "Who are you?"}],
        "max_tokens": 8,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    llama.turn_page()
    said = llama.post("/v1/chat/completions", body)
    lines = [line[6:] for line in said.splitlines() if line.startswith("data: {")]
    last = json.loads(lines[-1])
    (logged,) = llama.timings(1)
    stated = last["timings"]
    for name in logged.__struct_fields__:
        assert getattr(logged, name) == pytest.approx(stated[name], abs=0.01), name
    usage = last["usage"]
    assert stated["prompt_n"] + stated["cache_n"] == usage["prompt_tokens"]
    assert stated["predicted_n"] == usage["completion_tokens"] == 8


def test_a_built_in_scenario_runs_against_a_real_model(llama, db):
    flags = ("-s", "chat-1k", "-c", 1, "-n", 3)
    rows, timings = run(db, {"llama": llama}, *flags)
    assert [row.provider for row in rows] == ["llama"] * 3
    truth = holds(rows, llama)
    streams(rows)
    for ours, theirs in zip(timings, truth, strict=True):
        assert ours.ttft_ms == pytest.approx(theirs.prompt_ms, rel=AGREES)
    # Its size is stated for the large tokenizers; a small one makes a little more.
    assert all(900 <= row.prompt_tokens <= 1200 for row in rows)
    assert len({row.prompt_sha256 for row in rows}) == 3


def test_ttft_and_decode_speed_agree_with_the_servers_own(llama, db, tmp_path):
    # Beyond `prompt_ms`, TTFT holds: the request on its way, its parsing, the chat
    # template, the tokenizer and the wait for a slot before the prompt is begun;
    # then the first token's detokenizing and its event on the way back.
    path = scenario(tmp_path, stream=True)
    rows, timings = run(db, {"llama": llama}, "-s", path, "-c", 1, "-n", 12)
    truth = holds(rows, llama)
    streams(rows)
    # One at a time, so they ended in the order they were sent in.
    pairs = list(zip(timings, truth, strict=True))
    for ours, theirs in pairs:
        assert ours.ttft_ms > theirs.prompt_ms  # what came first cannot come later
        assert ours.e2e_ms > theirs.prompt_ms
    ttft = median(ours.ttft_ms for ours, _ in pairs)
    assert ttft == pytest.approx(median(t.prompt_ms for t in truth), rel=AGREES)
    tpot = median(ours.tpot_ms for ours, _ in pairs)
    per_token = median(t.predicted_per_token_ms for t in truth)
    assert tpot == pytest.approx(per_token, rel=AGREES)
    tps = median(ours.decode_tps for ours, _ in pairs)
    assert tps == pytest.approx(1000 / per_token, rel=AGREES)
    whole = median(ours.e2e_ms for ours, _ in pairs)
    expected = median(t.prompt_ms + t.predicted_ms for t in truth)
    assert whole == pytest.approx(expected, rel=AGREES)


def test_an_answer_in_one_piece_has_its_tokens_and_no_token_times(llama, db, tmp_path):
    path = scenario(tmp_path, stream=False)
    flags = ("-s", path, "-c", 1, "-n", 4)
    rows, timings = run(db, {"llama": llama}, *flags, cold=False)
    truth = holds(rows, llama)
    assert [row.conn_reused for row in rows] == [0, 1, 1, 1]
    for row, ours, theirs in zip(rows, timings, truth, strict=True):
        assert (row.stream_label, row.usage_source) == ("not_streamed", "body")
        assert (row.done_ns, ours.tpot_ms, ours.decode_tps) == (None, None, None)
        assert row.output_chars > 0
        assert (row.end_ns - row.sent_ns) / 1e6 > theirs.prompt_ms + theirs.predicted_ms


def test_a_connection_that_the_server_has_ended_is_no_failure_of_the_host(llama, db):
    # A race: on a quiet machine all is well, on a busy one a request in four may be
    # sent on a connection whose end is still on its way.
    flags = ("-s", "ping", "-c", 2, "-n", 40)
    rows, _ = run(db, {"llama": llama}, *flags, max_tokens=1, cold=False)
    fine = [row for row in rows if row.outcome == "ok"]
    llama.timings(len(fine))  # what was not answered had not been begun either
    assert len(rows) == 40
    assert len(fine) >= 20
    for row in rows:
        if row.outcome != "ok":
            assert (row.outcome, row.blame) == ("disconnected", "unknown")
            assert (row.conn_reused, row.headers_ns, row.usage_json) == (1, None, None)


def test_an_open_loop_keeps_its_schedule_while_answers_overlap(llama, db, tmp_path):
    path = scenario(tmp_path, stream=True)
    flags = ("-s", path, "--rate", 1, "-n", 8)
    # The model may hold up our own loop on a small machine, and the run then says
    # so by exit code 4. Its rows must be right all the same.
    rows, timings = run(db, {"llama": llama}, *flags, ok=(0, 4))
    holds(rows, llama)
    streams(rows)
    due = sorted(row.due_ns for row in rows)
    assert [round((at - due[0]) / 1e9, 3) for at in due] == list(range(8))
    for row, ours in zip(rows, timings, strict=True):
        assert row.sent_ns >= row.due_ns
        assert ours.ttft_due_ms >= ours.ttft_ms


def test_two_hosts_are_compared_in_the_same_blocks(llama, llama_2, db, tmp_path):
    path = scenario(tmp_path, stream=True)
    hosts = {"one": llama, "two": llama_2}
    rows, _ = run(db, hosts, "-s", path, "-c", 1, "-n", 12)
    truth = {}
    for name, server in hosts.items():
        mine = [row for row in rows if row.provider == name]
        truth[name] = holds(mine, server)
        streams(mine)
    # Nonces are other words of the same length: equal work in every block.
    assert len({row.prompt_tokens for row in rows}) == 1
    blocks = {}
    for row in rows:
        blocks.setdefault(row.block, []).append(row)
    assert len(blocks) == 12
    for members in blocks.values():
        assert sorted(row.provider for row in members) == ["one", "two"]
        assert len({row.prompt_sha256 for row in members}) == 1
    said = json.loads(h2h("compare", "latest", "--db", db, "--json"))
    assert said["reference"] == "one"
    for each in said["contrasts"]:
        assert (each["provider"], each["reference"]) == ("two", "one")
        assert each["scenario"] == "short"
    ratios = {each["metric"].removesuffix("_ms"): each for each in said["contrasts"]}
    assert ratios["cost"]["n_blocks"] == 0  # nobody gave a price
    # Which host is ahead depends on what else the machine does. By how much it was
    # ahead, the servers know.
    for metric, field in {
        "ttft": "prompt_ms",
        "tpot": "predicted_per_token_ms",
    }.items():
        each = ratios[metric]
        one, two = (median(getattr(t, field) for t in truth[name]) for name in hosts)
        assert each["n_blocks"] == 12
        assert each["low"] <= each["estimate"] <= each["high"]
        assert each["estimate"] == pytest.approx(two / one, rel=AGREES)
