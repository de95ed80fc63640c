import json

import msgspec
import numpy as np
from made import timing, timings

from compare.judge.contrast import between, contrasts, ratio_interval

FIELDS = {
    "provider", "reference", "scenario", "metric", "statistic", "estimate", "low",
    "high", "verdict", "need_more", "n_blocks",
}  # fmt: skip


def pairs(n, ratio=2.0, **changes):
    found = []
    for block in range(n):
        figure = 100.0 + 7 * (block % 13)
        what = {"block": block, **changes}
        found.append(timing(2 * block, provider="a", ttft_ms=figure, **what))
        found.append(
            timing(2 * block + 1, provider="b", ttft_ms=ratio * figure, **what)
        )
    return found


def only(found, metric="ttft"):
    (each,) = [each for each in found if each.metric == metric]
    return each


def test_a_contrast_has_exactly_the_promised_fields():
    found = contrasts(pairs(20))
    assert [each.metric for each in found] == [
        "ttft", "ttfa", "e2e", "tpot", "decode_tps", "cost",
    ]  # fmt: skip
    assert set(msgspec.to_builtins(found[0])) == FIELDS


def test_a_known_ratio_is_found_exactly():
    each = only(contrasts(pairs(50)))
    assert (each.provider, each.reference) == ("b", "a")
    assert (each.statistic, each.n_blocks) == ("ratio_of_medians", 50)
    assert (each.estimate, each.low, each.high) == (2.0, 2.0, 2.0)
    assert each.verdict is None
    assert each.need_more is None


def test_the_reference_can_be_chosen():
    each = only(contrasts(pairs(50), "b"))
    assert (each.provider, each.reference, each.estimate) == ("a", "b", 0.5)


def test_below_the_floor_there_is_no_estimate_but_how_many_more():
    each = only(contrasts(pairs(7)))
    assert (each.estimate, each.low, each.high) == (None, None, None)
    assert (each.n_blocks, each.need_more) == (7, 4)


def test_only_blocks_in_which_both_are_ok_count():
    rows = pairs(20)
    rows[0] = timing(0, provider="a", block=0, outcome="http_error", ttft_ms=1.0)
    rows[3] = timing(3, provider="b", block=1, ttft_ms=None)
    each = only(contrasts(rows))
    assert (each.n_blocks, each.estimate) == (18, 2.0)


def test_a_median_of_zero_gives_no_ratio():
    rows = [msgspec.structs.replace(row, cost_usd=0.0) for row in pairs(20)]
    each = only(contrasts(rows), "cost")
    assert (each.estimate, each.low, each.need_more, each.n_blocks) == (
        None, None, None, 20,
    )  # fmt: skip


def test_the_same_rows_give_the_same_intervals_whoever_else_is_there():
    rows = timings()
    once = contrasts(rows)
    assert once == contrasts(list(reversed(rows)))
    without = contrasts([row for row in rows if row.provider != "zai"])
    assert without == [each for each in once if each.provider != "zai"]
    assert only(once[:6]) != only(contrasts(rows, seed=1)[:6])


def test_pairing_cancels_what_a_block_does_to_both():
    rng = np.random.default_rng(3)
    block = rng.lognormal(0, 1.0, 200)
    ours, theirs = block * 1.1, block * rng.lognormal(0, 0.02, 200)
    paired = ratio_interval(ours, theirs, np.random.default_rng(0))
    apart = ratio_interval(ours, theirs, np.random.default_rng(0), paired=False)
    assert paired[1] - paired[0] < (apart[1] - apart[0]) / 3
    assert 1.05 < paired[0] < paired[1] < 1.15


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(11)
    hits = 0
    for trial in range(120):
        block = rng.lognormal(0, 0.4, 60)
        ours = 1.2 * block * rng.lognormal(0, 0.2, 60)
        theirs = block * rng.lognormal(0, 0.2, 60)
        low, high = ratio_interval(ours, theirs, np.random.default_rng(trial))
        hits += low <= 1.2 <= high
    assert 0.88 <= hits / 120 <= 1.0


def test_no_rows_and_one_host_have_no_contrasts():
    assert contrasts([]) == []
    assert contrasts(timings(hosts=("a",))) == []


def test_two_runs_set_each_host_against_itself():
    found = between(pairs(26), pairs(39, ratio=3.0), ("r1", "r2"))
    a, b = only(found[:6]), only(found[6:])
    assert (a.provider, a.reference, a.estimate) == ("a@r2", "a@r1", 1.0)
    assert (b.provider, b.reference, b.estimate) == ("b@r2", "b@r1", 1.5)
    assert b.n_blocks == 26
    assert b.low < 1.5 < b.high


def test_two_runs_with_a_reference_or_without_a_shared_host():
    found = between(pairs(30), pairs(30), ("r1", "r2"), "a")
    assert {each.reference for each in found} == {"a@r1"}
    assert [each.provider for each in found[::6]] == ["a@r2", "b@r2"]
    other = [msgspec.structs.replace(row, provider="c") for row in pairs(30)]
    strangers = between(pairs(30), other, ("r1", "r2"))
    assert {(e.provider, e.reference) for e in strangers} == {("c@r2", "a@r1")}
    elsewhere = [msgspec.structs.replace(row, scenario="other") for row in pairs(30)]
    assert between(pairs(30), elsewhere, ("r1", "r2")) == []


def test_contrasts_are_json():
    found = [msgspec.to_builtins(each) for each in contrasts(timings(n=12))]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
