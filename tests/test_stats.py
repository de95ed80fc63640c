import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from compare.judge import stats
from compare.judge.stats import FLOORS_99, interval, percentile, quantile


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


@pytest.mark.parametrize("n", [11, 60, 700, 20_000])
@pytest.mark.parametrize("q", [0.05, 0.5, 0.9, 0.95])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_interval_of_a_quantile_is_scipys(n, q, confidence):
    values = np.random.default_rng(n).lognormal(size=n)
    tested = scipy.stats.quantile_test(values, p=q).confidence_interval(confidence)
    low, high = interval(values, q, confidence)
    assert (low is None) == math.isnan(tested.low)
    assert (high is None) == math.isnan(tested.high)
    assert low is None or low == tested.low
    assert high is None or high == tested.high


@pytest.mark.parametrize(("part", "whole"), [(0, 20), (20, 20), (3, 40), (999, 1000)])
def test_the_interval_of_a_share_is_scipys(part, whole):
    wanted = scipy.stats.binomtest(part, whole).proportion_ci(method="wilson")
    assert stats.share_interval(part, whole) == pytest.approx(tuple(wanted), abs=1e-12)
    assert stats.share_interval(0, 0) == (None, None)


def test_holm_multiplies_the_smallest_most_and_keeps_the_order():
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm([0.5, 0.9]) == [1.0, 1.0]
    assert stats.holm([0.02]) == [0.02]
    assert stats.holm([]) == []


def test_a_failure_lasts_for_ever_in_an_adjusted_quantile():
    values = np.arange(1.0, 96.0)
    assert stats.adjusted(values, 0, 0.5).value == 48
    assert stats.adjusted(values, 5, 0.5).value == 50.5
    tail = stats.adjusted(np.arange(1.0, 191.0), 10, 0.95)
    assert (tail.value, tail.never, tail.text()) == (None, True, "never")
    assert tail.low is not None
    assert tail.high is None
    assert not stats.adjusted(np.arange(1.0, 195.0), 6, 0.95).never
    few = stats.adjusted(values[:5], 5, 0.5)
    assert (few.value, few.never, few.text()) == (None, False, "n/a (n=10 < 11)")


def test_a_quantile_has_its_interval():
    found = quantile(range(1, 21), 0.5)
    assert (found.low, found.value, found.high) == (6, 10.5, 15)


def test_an_interval_for_every_look_is_where_the_mixture_says():
    for k, n in ((0, 10), (3, 40), (40, 40), (500, 5_000)):
        low, high = stats.always_interval(k, n, 0.99)
        marginal = scipy.special.betaln(k + 1, n - k + 1)
        for end in {low, high} - {0.0, 1.0}:
            logs = k * np.log(end) + (n - k) * np.log(1 - end)
            assert marginal - logs == pytest.approx(np.log(100), abs=0.01)
        assert low <= k / n <= high
    assert stats.always_interval(0, 0) == (0.0, 1.0)


def test_however_often_it_is_looked_at_an_interval_seldom_misses():
    rng = np.random.default_rng(5)
    missed = wrong = 0
    for _ in range(400):
        failed = np.cumsum(rng.random(600) < 0.05)
        ends = [stats.always_interval(int(failed[n - 1]), n) for n in range(5, 601, 5)]
        missed += any(not low <= 0.05 <= high for low, high in ends)
        values = rng.lognormal(0, 0.5, 600)
        truth = np.exp(0.125)
        means = [stats.always_mean(values[:n]) for n in range(64, 601, 8)]
        wrong += any(not low <= truth <= high for low, high in means)
    assert missed <= 20
    assert wrong <= 20
