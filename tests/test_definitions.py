import json

import pytest

from compare.judge.definitions import COLUMNS, TOOLS, UNLIKE, defined
from data.timeline import pack

MS = 1_000_000
ROW = {
    "provider": "a", "scenario": "s", "turn": None, "load": '{"step":0}',
    "outcome": "ok", "queued_ns": 0, "sent_ns": 40 * MS, "dns_ns": 5 * MS,
    "connect_ns": 10 * MS, "tls_ns": 15 * MS, "first_event_ns": 100 * MS,
    "first_token_ns": 200 * MS, "last_token_ns": 500 * MS, "usage_ns": 530 * MS,
    "end_ns": 560 * MS, "completion_tokens": 4,
    # a role, four tokens, a finish reason, the usage
    "timeline": pack([(t * MS, k) for t, k in (
        (100, 0), (200, 2), (300, 2), (450, 2), (500, 2), (510, 0), (530, 0))], 0),
}  # fmt: skip


def found(tool, *changes):
    rows = [ROW | each for each in changes or ({},)]
    batch = [tuple(row[name] for row in rows) for name in COLUMNS]
    return {each.metric: each for each in defined(tool, [batch])}


def test_other_tools_start_before_the_connection_and_stop_where_they_do():
    aiperf, vllm, guidellm = (
        {name: each.mean for name, each in found(tool).items()} for tool in TOOLS
    )
    start = 40 - 5 - 10 - 15
    assert aiperf["time_to_first_token"] == 200 - start
    assert aiperf["inter_token_latency"] == 100
    assert aiperf["output_token_throughput_per_user"] == pytest.approx(10)
    assert aiperf["request_latency"] == 500 - start
    assert aiperf["e2e_output_token_throughput"] == pytest.approx(4 / 0.49)
    # The role chunk is its first token, the finish reason its end, the usage neither.
    assert vllm["ttft"] == 100 - start
    assert vllm["e2el"] == 510 - start
    assert vllm["tpot"] == pytest.approx((510 - 100) / 3)
    assert vllm["itl"] == pytest.approx((100 + 100 + 150 + 50 + 10) / 5)
    assert guidellm["time_per_output_token_ms"] == pytest.approx((500 - start) / 4)
    assert guidellm["request_latency"] == 560 - start
    assert guidellm["output_tokens_per_second"] == pytest.approx(4 / 0.55)


def test_a_reused_connection_had_nothing_to_open():
    reused = {"dns_ns": None, "connect_ns": None, "tls_ns": None}
    assert found("aiperf", reused)["time_to_first_token"].mean == 160


def test_gaps_are_pooled_over_requests_and_never_across_them():
    other = {"timeline": pack([(10 * MS, 2), (12 * MS, 2)], 0), "usage_ns": None}
    itl = found("vllm", {}, other)["itl"]
    assert itl.n == 6
    assert itl.mean == pytest.approx((410 + 2) / 6)


def test_only_successes_count_and_unknown_stays_unknown():
    failed = {"outcome": "http_error", "first_token_ns": None, "timeline": None}
    each = found("guidellm", {}, failed, {"completion_tokens": None})
    assert each["time_to_first_token_ms"].n == 2
    assert each["inter_token_latency_ms"].n == 1
    one = found("aiperf", {"completion_tokens": 1})["inter_token_latency"]
    assert (one.n, one.mean) == (0, None)
    assert not found("vllm", failed)
    assert set(UNLIKE) == set(TOOLS)


def test_load_steps_and_hosts_stay_apart():
    changes = [{}, {"load": json.dumps({"step": 1})}, {"provider": "b"}]
    rows = [ROW | each for each in changes]
    batch = [tuple(row[name] for row in rows) for name in COLUMNS]
    whole = defined("aiperf", [batch])
    assert len(whole) == 3 * len(TOOLS["aiperf"])
    assert {(d.provider, d.step) for d in whole} == {("a", 0), ("a", 1), ("b", 0)}
