import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import timing, timings

from compare.judge import stats
from compare.judge.stats import FLOORS_99, interval, percentile, quantile, summarise


def test_percentile_interpolates_linearly():
    assert percentile([1, 2, 3, 4], 0.5) == 2.5
    assert percentile([10, 20], 0.25) == 12.5


@pytest.mark.parametrize(("q", "floor"), FLOORS_99.items())
def test_a_quantile_exists_from_its_floor_on(q, floor):
    short = quantile(range(floor - 1), q)
    assert short.value is None
    assert short.text() == f"n/a (n={floor - 1} < {floor})"
    enough = quantile(range(floor), q)
    assert enough.value == pytest.approx((floor - 1) * q)
    assert enough.text("{:.1f}".format) == f"{(floor - 1) * q:.1f}"


def test_floors_between_and_below_the_listed_ones():
    assert stats.floor_of(0.05) == FLOORS_99[0.95]
    assert stats.floor_of(0.98) == FLOORS_99[0.99]
    with pytest.raises(ValueError, match=r"0\.9999"):
        stats.floor_of(0.9999)


def test_the_interval_of_a_median_has_the_known_ranks():
    # n = 20: the ranks 6 and 15 leave P(B <= 5) = 0.0207 on each side.
    assert interval(range(1, 21), 0.5) == (6, 15)
    # Five values cannot bound a median at 95 %: P(all on one side) = 1/32 > 2.5 %.
    assert interval(range(5), 0.5) == (None, None)
    assert interval(range(6), 0.5) == (0, 5)
    assert interval([], 0.5) == (None, None)


def test_the_interval_of_many_values_neither_overflows_nor_widens():
    low, high = interval(range(100_000), 0.99)
    assert 98_900 < low < 99_000 < high < 99_100


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(7)
    hits = 0
    for values in rng.exponential(size=(400, 60)):
        low, high = interval(values, 0.5)
        hits += low <= np.log(2) <= high
    assert hits / 400 > 0.93


@given(st.lists(st.floats(0, 1e6), min_size=11, max_size=200), st.floats(0.3, 0.5))
def test_an_interval_holds_its_quantile(values, q):
    low, high = interval(values, q)
    middle = percentile(values, q)
    assert low is None or low <= middle
    assert high is None or middle <= high


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
    counts = stats.tally(rows)
    assert (counts.n, counts.n_attempted) == (7, 4)
    assert (counts.n_ok, counts.n_failed) == (1, 2)
    assert (counts.n_interrupted, counts.n_set_aside) == (1, 3)
    assert counts.success_share == pytest.approx(1 / 3)
    assert counts.outcomes["ok"] == 1
    assert stats.tally([rows[2]]).success_share is None


def test_only_ok_rows_with_a_figure_are_values():
    rows = [
        timing(0, ttft_ms=100.0, e2e_ms=500.0),
        timing(1, ttft_ms=1.0, outcome="truncated"),
        timing(2, ttft_ms=500.0, e2e_ms=500.0, stream_label="not_streamed"),
        timing(3),
    ]
    assert stats.values(rows, "ttft") == [100.0]
    assert stats.values(rows, "e2e") == [500.0, 500.0]
    sample = stats.sample(rows, "ttft")
    assert (sample.values, sample.n_ok, sample.n_failed) == ((100.0,), 3, 1)


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
