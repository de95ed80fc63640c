"""What accepted answers cost, the cache's worth, the knee, and spans of time."""

import datetime as dt
import random

import msgspec
import numpy as np
import pytest
from made import timing, timings

from compare.judge import frame
from compare.judge.accepted import accepted
from compare.judge.economy import cache_line, crossing, efficient, needed
from compare.judge.knee import knee
from compare.judge.periods import began, by_period, hours_of_week, moments, periods_of
from compare.judge.stats import quantile
from data.prices import Price, cost


def of_all(found):
    made = frame.of(found)
    return made, np.arange(len(made))


def test_failures_are_paid_for_and_waited_for_by_the_accepted():
    answer = {"e2e_ms": 1000.0, "cost_usd": 0.002}
    found = [timing(n, **answer, passed=int(n < 20)) for n in range(30)]
    found += [timing(30 + n, outcome="timeout_first_token", blame="provider",
                     sent_s=1.0, end_s=4.0) for n in range(10)]  # fmt: skip
    found += [timing(99, outcome="interrupted", blame="client")]
    each = accepted(*of_all(found))
    assert (each.n, each.n_accepted, each.checked) == (40, 20, True)
    assert each.seconds.value == pytest.approx((30 * 1 + 10 * 3) / 20)
    assert each.usd.value == pytest.approx(30 * 0.002 / 20)
    assert each.usd.n_unknown == 10  # a failure's cost is unknown, not nothing
    assert each.usd.low < each.usd.value < each.usd.high
    assert accepted(*of_all(found[:23])).usd.low is None  # too few for an interval


def test_unchecked_answers_are_accepted_and_unpriced_ones_have_no_cost():
    found = [timing(n, e2e_ms=500.0, cost_usd=0.001) for n in range(11)]
    each = accepted(*of_all(found))
    assert (each.checked, each.n_accepted) == (False, 11)
    assert each.usd.value == pytest.approx(0.001)
    each = accepted(*of_all([*found, timing(50, e2e_ms=500.0)]))
    assert each.usd.value is None
    nothing = accepted(*of_all([timing(0, passed=0, e2e_ms=1.0, cost_usd=1.0)]))
    assert (nothing.n_accepted, nothing.usd.value) == (0, None)


def test_answers_whose_checks_are_not_made_yet_are_in_no_figure():
    answer = {"e2e_ms": 1000.0, "cost_usd": 0.002}
    found = [timing(n, **answer, passed=int(n < 15)) for n in range(20)]
    waiting = [timing(n, **answer, passed=None) for n in range(20, 60)]
    each = accepted(*of_all([*found, *waiting]))
    assert (each.n, each.n_accepted, each.n_unchecked) == (20, 15, 40)
    assert each.usd == accepted(*of_all(found)).usd


def test_the_interval_of_a_cost_per_accepted_answer_covers_the_truth():
    draw = random.Random(3)
    truth, inside = 0.002 / 0.8, 0
    for _ in range(200):
        found = [
            timing(
                n,
                e2e_ms=1.0,
                cost_usd=0.002 * draw.uniform(0.5, 1.5),
                passed=int(draw.random() < 0.8),
            )
            for n in range(100)
        ]
        usd = accepted(*of_all(found)).usd
        inside += usd.low <= truth <= usd.high
    assert 180 <= inside <= 199


def price(**pusd):
    listed = {f"{name}_pusd": each for name, each in pusd.items()}
    return Price(id="p", host="h", source="x", **listed)


def test_a_cache_line_is_what_the_price_list_charges():
    found = [timing(n, prompt_tokens=1000, completion_tokens=50) for n in range(5)]
    listed = price(input=840_000, cache_read=156_000, output=2_640_000)
    line = cache_line(*of_all(found), listed)
    for cached in (0, 250, 1000):
        exact = cost(listed, 1000, cached, None, 50).total_nusd
        assert line.at(cached / 1000) == pytest.approx(1000 * exact / 1e9)
    assert cache_line(*of_all(found), price(input=1, output=1)) is None
    assert cache_line(*of_all([timing(0)]), listed) is None


def test_break_even_is_where_the_lines_meet():
    found = [timing(n, prompt_tokens=1000, completion_tokens=0) for n in range(5)]
    ours, theirs = (
        cache_line(*of_all(found), price(input=a, cache_read=b, output=0))
        for a, b in ((840_000, 156_000), (700_000, 260_000))
    )
    at = crossing(ours, theirs)
    assert ours.at(at) == pytest.approx(theirs.at(at))
    assert crossing(ours, ours) is None
    cheaper = msgspec.structs.replace(ours, none=0.1, full=0.05)
    assert crossing(ours, cheaper) is None
    # 60 % of the official price: gone below 78 % of cacheable tokens from cache.
    official = cache_line(
        *of_all(found), price(input=1_400_000, cache_read=260_000, output=0)
    )
    share = needed(ours, official.full)
    assert ours.at(share) == pytest.approx(official.full)
    assert needed(ours, 0.01) is None
    assert needed(ours, 5.0) == 0


def test_efficient_points_are_beaten_by_none():
    points = [(3.0, 1.0), (1.0, 3.0), (2.0, 2.0), (3.0, 3.0), (2.0, 2.0), (3.0, 1.5)]
    assert efficient(points) == [1, 2, 4, 0]
    assert efficient([]) == []


def test_the_knee_is_where_rate_over_time_is_most():
    rates = [1.0, 2.0, 4.0, 7.5, 8.0, 8.0]
    times = [100.0, 100.0, 101.0, 110.0, 250.0, 500.0]
    assert knee(rates, times) == 3
    assert knee(rates[:4], times[:4]) is None  # still rising
    assert knee(rates[3:], times[3:]) is None  # past it from the start
    assert knee([None, *rates[1:4], None, 8.0], times) == 3
    assert knee([1.0, 2.0], [1.0, 1.0]) is None


def test_a_sweep_in_which_nothing_bends_has_no_knee():
    assert knee([5.0, 5.1, 5.0, 4.9], [1.0, 1.0, 1.0, 1.0]) is None
    assert knee([5.0, 5.0, 5.0, 5.0], [1.0, 0.5, 1.0, 1.1]) is None  # no more answers
    assert knee([1.0, 4.0, 5.0], [1.0, 3.8, 5.0]) is None  # as much dearer as more
    assert knee([1.0, 2.0, 2.1], [1.0, 1.1, 2.5]) == 1


def test_periods_count_and_pool_what_was_sent_in_them():
    found = timings(n=60, fail={"zai": 0.3})
    made = frame.of(found)
    rows = made.rows(made.segments[0], "zai")
    period = periods_of(moments(made, rows), 0.0, 6.0)
    spans = by_period(made, rows, period, 4, "ttft")
    for k in range(4):
        mine = [
            r for r in found if r.provider == "zai" and 6 * k <= r.sent_s < 6 * k + 6
        ]
        ok = [r.ttft_ms for r in mine if r.outcome == "ok"]
        assert (spans.n_ok[k], spans.n[k]) == (len(ok), len(mine))
        assert spans.success[k] == pytest.approx(len(ok) / len(mine))
        assert spans.medians[k] == quantile(ok, 0.5)
    assert np.isnan(by_period(made, rows, period, 9, "ttft").success[8])


def test_hours_of_the_week_are_those_of_the_clock():
    begun = began("2026-11-03T09:30:00+01:00")  # a Tuesday, 08:30 UTC
    found = hours_of_week(np.array([0.0, 1799.0, 1800.0, 7 * 86400.0, np.nan]), begun)
    assert list(found) == [24 + 8, 24 + 8, 24 + 9, 24 + 8, -1]
    assert began("2026-11-03T09:30:00") == dt.datetime(
        2026, 11, 3, 9, 30, tzinfo=dt.UTC
    )
    assert began("long ago") is None
