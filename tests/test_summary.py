import random

import msgspec
import pytest
from made import timing, timings

from compare.judge.frame import Segment, of
from compare.judge.sample import goodput, sample
from compare.judge.summary import summarise
from compare.judge.tally import tally


def test_whose_doing_a_failure_was_decides_how_it_counts():
    rows = [
        timing(0),
        timing(1, outcome="rate_limited", blame="account"),
        timing(2, outcome="interrupted", blame="client"),
        timing(3, outcome="dropped", blame="client"),
        timing(4, outcome="lost", blame="client"),
        timing(5, outcome="client_error", blame="client"),
        timing(6, outcome="timeout_total", blame="provider"),
    ]
    counts = tally(rows)
    assert (counts.n, counts.n_attempted) == (7, 4)
    assert (counts.n_ok, counts.n_failed) == (1, 2)
    assert (counts.n_interrupted, counts.n_set_aside) == (1, 3)
    assert counts.success_share == pytest.approx(1 / 3)
    assert counts.outcomes["ok"] == 1
    assert tally([rows[2]]).success_share is None


def test_a_sample_keeps_what_is_missing_from_it_in_view():
    rows = [
        timing(0, ttft_ms=100.0, e2e_ms=500.0),
        timing(1, ttft_ms=1.0, outcome="truncated"),
        timing(2, ttft_ms=500.0, e2e_ms=500.0, stream_label="not_streamed"),
        timing(3),
        timing(4, outcome="interrupted", blame="client"),
        timing(5, outcome="dropped", blame="client"),
    ]
    found = sample(of(rows), Segment("chat-1k", 0), "ourtoken", "ttft")
    assert list(found.values) == [100.0]
    assert (found.n_attempted, found.n_ok, found.n_failed) == (5, 3, 1)
    assert (found.n_censored, found.n_blank, found.mean) == (1, 2, 100.0)
    with pytest.raises(ValueError, match="decode_tps"):
        sample(of(rows), Segment("chat-1k", 0), "ourtoken", "decode_tps").adjusted(0.5)


def test_failures_count_in_an_adjusted_percentile_and_in_no_other():
    rows = [timing(n, ttft_ms=float(n)) for n in range(100)]
    rows += [timing(100 + n, outcome="http_error", ttft_ms=1.0) for n in range(50)]
    found = sample(of(rows), Segment("chat-1k", 0), "ourtoken", "ttft")
    assert found.quantile(0.5).value == 49.5
    assert found.adjusted(0.5).value == 74.5
    assert found.adjusted(0.95).never


def test_what_waited_longer_than_an_adjusted_percentile_counts_in_it_for_ever():
    rows = [timing(n, ttft_ms=float(n)) for n in range(140)]
    cut = {"outcome": "interrupted", "blame": "client", "sent_s": 0.0}
    early = [timing(200 + n, **cut, end_s=0.01) for n in range(20)]
    hung = [timing(300 + n, **cut, end_s=30.0) for n in range(20)]
    begun = [timing(400 + n, **cut, ttft_ms=5.0, end_s=30.0) for n in range(20)]
    segment = Segment("chat-1k", 0)
    plain, short, long, known = (
        sample(of(rows + more), segment, "ourtoken", "ttft").adjusted(0.95)
        for more in ([], early, hung, begun)
    )
    assert plain == short == known
    assert (long.never, long.n) == (True, 160)
    only = sample(of(hung * 7), segment, "ourtoken", "ttft").adjusted(0.95)
    assert only.never  # a host that never answers is no unknown


def test_goodput_is_of_all_that_was_attempted():
    rows = [timing(n, ttft_ms=100.0 * n, tpot_ms=10.0, sent_s=n, end_s=n + 1.0)
            for n in range(10)]  # fmt: skip
    rows += [
        timing(10, outcome="timeout_total", blame="provider", ttft_ms=1.0, tpot_ms=1.0),
        timing(11, ttft_ms=1.0, tpot_ms=None),
        timing(12, outcome="interrupted", blame="client", ttft_ms=1.0, tpot_ms=1.0),
        timing(13, outcome="dropped", blame="client"),
    ]
    frame = of(rows)
    every = frame.rows(frame.segments[0], "ourtoken")
    found = goodput(frame, every, {"ttft": 400.0, "tpot": 10.0})
    assert (found.n_good, found.n, found.n_unknown, found.n_censored) == (5, 12, 1, 1)
    assert found.share == pytest.approx(5 / 12)
    assert found.low < 5 / 12 < found.high
    assert found.per_s == pytest.approx(5 / 10)
    assert goodput(frame, every[:0], {"ttft": 1.0}).share is None


def test_what_was_cut_off_after_it_missed_an_objective_is_not_good():
    rows = [timing(n, ttft_ms=100.0, e2e_ms=300.0) for n in range(10)]
    cut = {"outcome": "interrupted", "blame": "client", "e2e_ms": None, "sent_s": 1.0}
    rows += [
        timing(10, **cut, ttft_ms=None, end_s=31.0),  # 30 s without a token
        timing(11, **cut, ttft_ms=None, end_s=1.2),  # it might have come in time
        timing(12, **cut, ttft_ms=100.0, end_s=31.0),  # its first token did
    ]
    frame = of(rows)
    every = frame.rows(frame.segments[0], "ourtoken")
    assert goodput(frame, every, {"ttft": 400.0}).n == 11
    assert goodput(frame, every, {"e2e": 1000.0}).n == 12
    assert goodput(frame, every, {"e2e": 1000.0}).n_good == 10


def test_a_summary_states_what_it_can_and_nothing_else():
    each = summarise([timing(n, ttft_ms=float(n)) for n in range(20)])[0]
    assert each.ttft_p50.value == 9.5
    assert each.ttft_p95.text() == "n/a (n=20 < 130)"
    assert each.e2e_p50.n == 0
    assert each.cost_per_1k_usd is None
    assert each.n_unpriced == 20
    assert each.cache_hit_share is None
    assert each.passed_share is None
    assert each.system_tps is None


def test_a_summary_adds_up():
    rows = [
        timing(
            n,
            cost_usd=0.001 * n,
            cost_reported_usd=0.002,
            prompt_tokens=100,
            cached_tokens=25,
            completion_tokens=10,
            passed=n % 2,
            sent_s=n,
            end_s=n + 1,
        )
        for n in range(4)
    ]
    each = summarise([*rows, timing(4, outcome="http_error", sent_s=4, end_s=10)])[0]
    assert each.cost_per_1k_usd == pytest.approx(1.5)
    assert each.reported_per_1k_usd == pytest.approx(2.0)
    assert each.cache_hit_share == pytest.approx(0.25)
    assert each.passed_share == pytest.approx(0.5)
    assert each.n_checked == 4
    assert each.span_s == 10
    assert each.achieved_rps == pytest.approx(1.0)
    assert each.system_tps == pytest.approx(4.0)


def test_no_rate_counts_the_time_before_a_run_was_resumed():
    rows = [
        timing(n, ttft_ms=1.0, completion_tokens=10, sent_s=at, end_s=at + 1)
        for n, at in enumerate([0, 1, 101, 102])
    ]
    # One break within, one before it all and one after.
    breaks = ((-50.0, 0.0), (2.0, 101.0), (103.0, 200.0))
    frame = msgspec.structs.replace(of(rows), breaks=breaks)
    (each,) = summarise(frame, {"ttft": 5.0})
    assert each.span_s == 4
    assert each.achieved_rps == pytest.approx(1.0)
    assert each.system_tps == pytest.approx(10.0)
    assert each.goodput.per_s == pytest.approx(1.0)
    (whole,) = summarise(rows)
    assert whole.span_s == 103


def test_one_unpriced_answer_leaves_the_cost_unknown():
    rows = [timing(0, cost_usd=1.0), timing(1)]
    each = summarise(rows)[0]
    assert (each.cost_per_1k_usd, each.n_unpriced) == (None, 1)
    failed = timing(1, outcome="http_error", blame="provider")
    assert summarise([rows[0], failed])[0].cost_per_1k_usd == 1000


def test_summaries_stand_in_the_order_of_the_run():
    rows = timings(n=3) + timings(n=3, step=1, first=100)
    random.Random(1).shuffle(rows)
    keys = [(each.step, each.provider) for each in summarise(rows)]
    hosts = ["ourtoken", "openrouter-auto", "zai"]
    assert keys == [(step, host) for step in (0, 1) for host in hosts]
    assert summarise([]) == []
