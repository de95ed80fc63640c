import json

import msgspec
import numpy as np
import pytest
from made import timing, timings

from compare.judge.contrast import between, contrasts
from compare.judge.frame import Segment, of

FIELDS = {
    "provider", "reference", "scenario", "metric", "statistic", "estimate", "low",
    "high", "verdict", "need_more", "n_blocks", "step", "p", "paired", "method",
    "below_floor", "also",
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


def only(found, metric="ttft", statistic="ratio_of_medians", provider=None):
    (each,) = [
        each
        for each in found
        if each.metric == metric and provider in (None, each.provider)
    ]
    if each.statistic == statistic:
        return each
    return next(also for also in each.also if also.statistic == statistic)


def test_a_contrast_has_exactly_the_promised_fields():
    found = contrasts(pairs(20))
    assert list(dict.fromkeys(each.metric for each in found)) == [
        "ttft", "ttfa", "e2e", "tpot", "decode_tps", "tokens", "cost", "ok",
    ]  # fmt: skip
    assert set(msgspec.to_builtins(found[0])) == FIELDS
    assert only(found).statistic == "ratio_of_medians"
    assert [each.statistic for each in only(found).also] == [
        "ratio_of_p90", "ratio_of_p95", "ratio_of_means",
        "win_rate",
    ]  # fmt: skip


def test_a_known_ratio_is_found_exactly():
    each = only(contrasts(pairs(50)))
    assert (each.provider, each.reference) == ("b", "a")
    assert (each.statistic, each.n_blocks) == ("ratio_of_medians", 50)
    assert (each.estimate, each.low, each.high) == (2.0, 2.0, 2.0)
    assert (each.verdict, each.need_more) == ("slower", None)


def test_only_the_ratio_of_medians_gets_a_verdict():
    rows = [msgspec.structs.replace(r, decode_tps=r.ttft_ms) for r in pairs(200)]
    found = contrasts(rows)
    assert only(found).verdict == "slower"
    assert only(found, "decode_tps").verdict == "faster"  # more of it is better
    assert only(found, "tokens").verdict is None
    assert only(found, statistic="ratio_of_p95").estimate == 2.0
    wins = only(found, statistic="win_rate")
    assert (wins.estimate, wins.low) == (0.0, 0.0)
    assert 0 < wins.high < 0.03
    assert only(found, "decode_tps", "win_rate").estimate == 1.0


def test_each_statistic_has_a_floor_of_its_own():
    found = contrasts(pairs(100))
    assert only(found, statistic="ratio_of_p90").estimate == 2.0
    tail = only(found, statistic="ratio_of_p95")
    assert (tail.estimate, tail.low, tail.need_more) == (None, None, 30)
    assert only(contrasts(pairs(20)), statistic="ratio_of_means").need_more == 4


def test_a_difference_by_chance_is_none():
    rng = np.random.default_rng(1)
    rows = [
        msgspec.structs.replace(row, ttft_ms=rng.lognormal(5, 0.3)) for row in pairs(60)
    ]
    each = only(contrasts(rows))
    assert each.verdict == "no difference shown"
    assert each.low < 1 < each.high
    assert each.p > 0.05


def test_many_hosts_need_more_than_one():
    """A gap that one pair alone would show is none among nine looks for one."""
    rng = np.random.default_rng(4)
    hosts = [f"h{n}" for n in range(10)]
    rows = [
        timing(10 * b + n, block=b, provider=host,
               ttft_ms=rng.lognormal(5 + 0.04 * (n == 1), 0.3))
        for b in range(60) for n, host in enumerate(hosts)
    ]  # fmt: skip
    alone = only(contrasts([r for r in rows if r.provider in {"h0", "h1"}]))
    among = only(contrasts(rows), provider="h1")
    assert (alone.estimate, alone.low) == (among.estimate, among.low)
    assert alone.p < 0.05 < among.p
    assert (alone.verdict, among.verdict) == ("slower", "no difference shown")


def test_load_steps_are_never_pooled():
    rows = pairs(30) + [
        msgspec.structs.replace(row, step=1, seq=row.seq + 60, block=row.block + 30)
        for row in pairs(30, ratio=3.0)
    ]
    found = contrasts(rows)
    ttft = [(e.step, e.estimate, e.n_blocks) for e in found if e.metric == "ttft"]
    assert ttft == [(0, 2.0, 30), (1, 3.0, 30)]


def test_a_new_connection_is_never_compared_with_a_reused_one():
    rows = pairs(30)
    for n, row in enumerate(rows):
        cold = row.block < 5 or (row.provider == "b" and row.block < 9)
        rows[n] = msgspec.structs.replace(row, conn_reused=int(not cold))
    assert only(contrasts(rows)).n_blocks == 26
    # A host that keeps no connection would leave nothing: then all blocks count.
    rows = [
        msgspec.structs.replace(row, conn_reused=int(row.provider == "a"))
        for row in rows
    ]
    assert only(contrasts(rows)).n_blocks == 30


def test_success_and_cost_are_also_differences():
    rows = [msgspec.structs.replace(r, cost_usd=r.ttft_ms / 1e5) for r in pairs(200)]
    for n in range(1, 81, 2):
        rows[n] = timing(n, provider="b", block=n // 2, outcome="overloaded",
                         blame="provider")  # fmt: skip
    found = contrasts(rows)
    share = only(found, "ok", "difference_of_shares")
    assert (share.estimate, share.n_blocks) == (pytest.approx(-0.2), 200)
    assert share.low < -0.2 < share.high < 0
    money = only(found, "cost", "difference_of_means")
    assert 0 < money.low < money.estimate < money.high
    every = only(contrasts(pairs(200)), "ok", "difference_of_shares")
    assert every.estimate == 0.0
    assert every.low < 0 < every.high  # 200 of 200 is not certainty


def test_the_time_to_so_many_tokens_is_contrasted_where_it_is_given():
    frame = of(pairs(30))
    frame.figures["ttn"] = frame.figures["ttft"] * 2
    (found,) = contrasts(frame, depths={Segment("chat-1k", 0): 48})
    assert (found.metric, found.verdict) == ("ttn(48)", "slower")
    assert not contrasts(frame, depths={Segment("chat-1k", 1): 48})
    assert not [e for e in contrasts(frame) if e.metric.startswith("ttn")]


def test_the_reference_can_be_chosen():
    each = only(contrasts(pairs(50), "b"))
    assert (each.provider, each.reference, each.estimate) == ("a", "b", 0.5)


def test_below_the_floor_there_is_no_estimate_but_how_many_more():
    each = only(contrasts(pairs(7)))
    assert (each.estimate, each.low, each.high) == (None, None, None)
    assert (each.n_blocks, each.need_more) == (7, 4)
    assert each.verdict == "too few samples"


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
    assert [(e.low, e.high) for e in without] == [
        (e.low, e.high) for e in once if e.provider != "zai"
    ]
    assert only(once, provider="zai") != only(contrasts(rows, seed=1), provider="zai")


def test_pairing_cancels_what_a_block_does_to_both():
    rng = np.random.default_rng(3)
    rows = pairs(200)
    for block, effect in enumerate(rng.lognormal(0, 1.0, 200)):
        for n, factor in ((0, 1.0), (1, 1.1)):
            figure = 100 * effect * factor * rng.lognormal(0, 0.02)
            rows[2 * block + n] = timing(
                2 * block + n, provider="ab"[n], block=block, ttft_ms=figure
            )
    paired = only(contrasts(rows))
    apart = only(between(rows, rows, ("r1", "r2"), "a"), provider="b@r2")
    assert paired.high - paired.low < (apart.high - apart.low) / 3
    assert 1.05 < paired.low < paired.high < 1.15
    assert (paired.paired, apart.paired) == (True, False)


def test_no_rows_and_one_host_have_no_contrasts():
    assert contrasts([]) == []
    assert contrasts(timings(hosts=("a",))) == []


def test_two_runs_set_each_host_against_itself():
    found = between(pairs(26), pairs(39, ratio=3.0), ("r1", "r2"))
    a, b = (only(found, provider=f"{host}@r2") for host in "ab")
    assert (a.provider, a.reference, a.estimate) == ("a@r2", "a@r1", 1.0)
    assert (b.provider, b.reference, b.estimate) == ("b@r2", "b@r1", 1.5)
    assert b.n_blocks == 26
    assert b.low < 1.5 < b.high


def test_two_runs_with_a_reference_or_without_a_shared_host():
    found = between(pairs(30), pairs(30), ("r1", "r2"), "a")
    assert {each.reference for each in found} == {"a@r1"}
    assert list(dict.fromkeys(e.provider for e in found)) == ["a@r2", "b@r2"]
    other = [msgspec.structs.replace(row, provider="c") for row in pairs(30)]
    strangers = between(pairs(30), other, ("r1", "r2"))
    assert {(e.provider, e.reference) for e in strangers} == {("c@r2", "a@r1")}
    elsewhere = [msgspec.structs.replace(row, scenario="other") for row in pairs(30)]
    assert between(pairs(30), elsewhere, ("r1", "r2")) == []


def test_contrasts_are_json():
    found = [msgspec.to_builtins(each) for each in contrasts(timings(n=12))]
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again[0]["also"] == list(found[0]["also"])
