"""Scenarios that look like real work, end to end against a real model.

It is far too small to do well: what is held to the truth is what is said of it.
"""

import json

import pytest
from test_llama import MAX_TOKENS, db, h2h, run

from data import query

__all__ = ["db"]  # a fixture

pytestmark = pytest.mark.real

SCHEMA = """
name = "shaped"

[request]
max_tokens = 200
temperature = 0.0

[request.response_format]
type = "json_schema"

[request.response_format.json_schema]
name = "town"
strict = true
schema = {table}

[[check]]
kind = "json_schema"
schema = {table}

[[case]]
id = "a"
user = "Describe a harbour town as JSON: its name, its boats, and whether it rains."

[[case]]
id = "b"
user = "Describe a mountain village as JSON: its name, its boats, whether it rains."
"""
TABLE = (
    '{ type = "object", required = ["name", "boats", "rain"], '
    "additionalProperties = false, properties = { "
    'name = { type = "string", maxLength = 20 }, '
    'boats = { type = "integer", minimum = 0, maximum = 99 }, '
    'rain = { type = "boolean" } } }'
)


def compared(db):
    return json.loads(h2h("compare", "latest", "--db", db, "--json"))


def test_json_keeps_a_schema_that_the_server_enforces(llama_8k, db, tmp_path):
    path = tmp_path / "shaped.toml"
    path.write_text(SCHEMA.replace("{table}", TABLE))
    flags = ("-s", path, "-c", 1, "-n", 8)
    rows, _ = run(db, {"llama": llama_8k}, *flags, max_tokens=200, ok=(0, 4))
    assert {row.outcome for row in rows} == {"ok"}
    assert {row.finish_reason for row in rows} == {"stop"}
    assert {row.passed for row in rows} == {1}
    (host,) = compared(db)["checks"]
    assert (host["passed"]["value"], host["passed"]["n"]) == (1.0, 8)
    assert host["pass_at_1"] == 1.0
    assert host["flips"] == {"value": 0.0, "low": 0.0, "n": 2,
                             "high": pytest.approx(0.66, abs=0.01)}  # fmt: skip


def test_the_second_turn_of_a_cache_pair_has_what_the_server_kept(llama_equal_8k, db):
    flags = ("-s", "cache-pair", "-c", 1, "-n", 4)
    rows, _ = run(db, {"llama": llama_equal_8k}, *flags, ok=(0, 4))
    truth = llama_equal_8k.timings(4)
    assert {row.outcome for row in rows} == {"ok"}
    for row, told in zip(rows, truth, strict=True):
        # prompt_n leaves out what was kept (cache_n): the rest is what the host states.
        assert row.prompt_tokens - row.cached_tokens == told.prompt_n
        assert row.turn in {1, 2}
        share = row.cached_tokens / row.prompt_tokens
        assert share > 0.95 if row.turn == 2 else share < 0.05
    cold, warm = (
        [told.prompt_ms for row, told in zip(rows, truth, strict=True) if row.turn == n]
        for n in (1, 2)
    )
    assert max(warm) < min(cold)


def test_a_live_loop_goes_to_its_end(llama_8k, db):
    flags = ("-s", "tool-loop", "-c", 1, "-n", 24)
    rows, _ = run(db, {"llama": llama_8k}, *flags, max_tokens=120, ok=(0, 4))
    sessions = {}
    for row in rows:
        sessions.setdefault(row.session_id, []).append(row)
    assert len(sessions) == 2
    with_verdict = 0
    reader = query.open_reader(db)
    try:
        checks = {}
        for each in query.checks(reader, rows[0].run_id):
            checks.setdefault(each.seq, {})[each.name] = each.passed
    finally:
        reader.close()
    for session in sessions.values():
        assert [row.turn for row in session] == list(range(1, len(session) + 1))
        assert len(session) <= 12
        assert all(row.prompt_tokens for row in session if row.outcome == "ok")
        sizes = [row.prompt_tokens for row in session if row.outcome == "ok"]
        assert sizes == sorted(sizes)  # the history grows by what the host said itself
        for row in session[:-1]:
            assert row.outcome == "ok"
            assert row.passed is None
        if session[-1].outcome == "ok":
            told = checks[session[-1].seq]
            assert set(told) == {"solved", "finished", "no-loop"}
            assert session[-1].passed == min(told.values())
            with_verdict += 1
    (host,) = compared(db)["checks"]
    assert host["accepted"]["n"] == 2
    assert host["passed"]["n"] == with_verdict
    calls = sum(row.n_tool_calls or 0 for row in rows)
    assert host["steps"]["invalid"]["n"] == calls


def test_the_same_prompt_at_temperature_0_has_the_same_answer(llama_8k, db):
    flags = ("-s", "repeat", "-c", 1, "-n", 4)
    rows, _ = run(db, {"llama": llama_8k}, *flags, ok=(0, 4))
    pairs = [(rows[0], rows[1]), (rows[2], rows[3])]
    same = sum(a.answer_sha256 == b.answer_sha256 for a, b in pairs)
    assert all(a.prompt_sha256 == b.prompt_sha256 for a, b in pairs)
    assert max(row.completion_tokens for row in rows) <= MAX_TOKENS
    for host in compared(db)["checks"]:
        assert host["same"]["value"] == same / 2
        assert host["same"]["n"] == 2
