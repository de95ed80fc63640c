import numpy as np
import pytest
import scipy.stats

from compare.judge import resample
from compare.judge.resample import MEAN, drawn, percentiles, shares_difference


def test_each_resample_is_what_it_would_be_written_out():
    rng = np.random.default_rng(5)
    columns = [rng.lognormal(size=37) for _ in range(2)]
    columns[0][[3, 10]] = np.nan
    got = drawn(columns, [0.5, 0.9, MEAN], np.random.default_rng(1), 300)
    counts = next(resample._draws(37, 300, np.random.default_rng(1)))
    assert counts.sum(axis=0).tolist() == [37] * 300
    for column, found in zip(columns, got, strict=True):
        known = ~np.isnan(column)
        for n in range(300):
            values = np.repeat(column[known], counts[known, n])
            wanted = [np.median(values), np.quantile(values, 0.9), values.mean()]
            np.testing.assert_allclose(found[:, n], wanted)


def test_draws_come_batch_wise_and_each_block_alike(monkeypatch):
    monkeypatch.setattr(resample, "WIDTH", 64)
    monkeypatch.setattr(resample, "CELLS", 200)
    parts = list(resample._draws(40, 1000, np.random.default_rng(2)))
    whole = np.concatenate(parts, axis=1)
    assert whole.shape == (40, 1000)
    assert scipy.stats.chisquare(whole.sum(axis=1)).pvalue > 0.001


def test_a_resample_without_a_value_is_left_out():
    column = np.full(40, np.nan)
    column[0] = 7.0
    (found,) = drawn([column], [0.5, MEAN], np.random.default_rng(3), 500)
    empty = np.isnan(found[0])
    assert 100 < empty.sum() < 300  # (1 - 1/40)^40 = 0.36
    assert set(found[:, ~empty].ravel()) == {7.0}
    each = percentiles(7.0, found[0], 1.0, 0.95)
    assert (each.low, each.high) == (7.0, 7.0)
    nothing = drawn([np.full(40, np.nan)], [0.5], np.random.default_rng(3), 50)
    assert percentiles(1.0, nothing[0, 0], 1.0, 0.95).low is None


@pytest.mark.parametrize("paired", [True, False])
def test_the_bootstrap_is_scipys(paired):
    rng = np.random.default_rng(6)
    shared = rng.normal(0, 0.3, 80)
    ours, theirs = (np.exp(shared + rng.normal(0, 0.2, 80)) for _ in range(2))

    def ratio(x, y, axis=-1):
        return np.median(x, axis=axis) / np.median(y, axis=axis)

    wanted = scipy.stats.bootstrap(
        (ours, theirs), ratio, paired=paired, method="percentile", rng=1,
        n_resamples=20_000, vectorized=True,
    ).confidence_interval  # fmt: skip
    if paired:
        x, y = drawn([ours, theirs], [0.5], np.random.default_rng(7), 20_000)
    else:
        x, y = (
            drawn([each], [0.5], np.random.default_rng(seed), 20_000)[0]
            for seed, each in enumerate((ours, theirs))
        )
    found = percentiles(1.0, x[0] / y[0], 1.0, 0.95)
    assert (found.low, found.high) == pytest.approx(tuple(wanted), abs=0.01)


def test_p_is_never_0_and_never_above_1():
    far = percentiles(3.0, np.full(9_999, 3.0), 1.0, 0.95)
    assert far.p == pytest.approx(2 / 10_000)
    assert percentiles(1.0, np.full(9_999, 1.0), 1.0, 0.95).p == 1.0
    assert percentiles(1.0, np.array([1.0, np.inf]), 1.0, 0.95).high is None


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize(("ours", "theirs"), [(1.0, 1.0), (0.98, 0.9), (0.5, 0.6)])
def test_the_difference_of_shares_covers_even_where_all_are_ok(ours, theirs, paired):
    rng, held = np.random.default_rng(8), 0
    for _ in range(400):
        found = shares_difference(
            rng.random(60) < ours, rng.random(60) < theirs, 0.95, paired=paired
        )
        assert -1 <= found.low < found.high <= 1
        held += found.low <= ours - theirs <= found.high
    assert held / 400 > 0.93


def test_large_samples_without_a_ratio_have_none():
    zeros, ones = np.zeros(30), np.ones(30)
    assert resample.large_ratio(zeros, ones, 0.5, 0.95, paired=True) is None
    assert resample.large_ratio(ones, zeros, MEAN, 0.95, paired=True) is None
    same = resample.large_difference(ones, ones, 0.95, True)
    assert (same.value, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)


def test_the_next_rank_is_found_from_the_one_before():
    rng = np.random.default_rng(1)
    (counts,) = resample._draws(60, 500, rng)
    counts[:, 0] = 0  # a resample that holds no value
    running = np.cumsum(counts, axis=0).astype(np.uint16)
    last = np.maximum(running[-1].astype(np.int64) - 1, 0)
    for q in (0.0, 0.5, 0.95, 1.0):
        below = np.floor(last * q).astype(np.int64)
        following = np.minimum(below + 1, last)
        found = resample._onward(running, resample._place(running, below), following)
        assert (found == resample._place(running, following)).all()
