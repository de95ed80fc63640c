"""Hand-made databases of known truth, judged from file to verdict."""

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import run_row, store_run, timing

from compare.judge import stored
from compare.judge.caveats import Caveat
from compare.judge.comparison import Comparison, Judged, compared
from compare.judge.frame import of
from compare.judge.gates import judge_gates
from compare.judge.grammar import parse
from compare.judge.stats import adjusted
from compare.show.headline import headline
from compare.show.verdicts import ratio_cells

HOSTS = ("a", "b")
FLOOR = {"streams": 8, "ttft_p50_ms": 0.1, "ttft_p99_ms": 1.0, "gap_p99_ms": 0.1,
         "tpot_p99_ms": 0.01}  # fmt: skip


def blocks(n, faster_ms, **changes):
    """Blocks in which `b` is faster by so many ms, with `changes` to its rows."""
    made = []
    for block in range(n):
        for place, host in enumerate(HOSTS):
            ttft = 200.0 + block % 7 - place * faster_ms
            seq, e2e = 2 * block + place, ttft + 300
            row = timing(seq, provider=host, block=block, ttft_ms=ttft, ttfa_ms=ttft,
                         e2e_ms=e2e, completion_tokens=50)  # fmt: skip
            made.append(msgspec.structs.replace(row, **changes) if place else row)
    return made


@pytest.fixture
def stored_run(tmp_path):
    def make(rows, name="h2h.db", **changes):
        path = tmp_path / name
        store_run(path, run_row(HOSTS, **changes), rows)
        return stored.load(path, "latest")

    return make


def of_ttft(found: Comparison):
    return next(each for each in found.contrasts if each.metric == "ttft")


@pytest.mark.parametrize(
    ("floor_ms", "verdict", "shown"),
    [(0.5, "faster", "faster"), (4, "no difference shown", "below the bench's floor")],
)
def test_a_difference_below_the_benchs_own_floor_is_none(
    stored_run, floor_ms, verdict, shown
):
    floor = json.dumps({**FLOOR, "ttft_p99_ms": floor_ms})
    found = compared([stored_run(blocks(60, 3.0), floor=floor)], HOSTS)
    each = of_ttft(found)
    assert (each.verdict, ratio_cells(each)[-1]) == (verdict, shown)
    assert each.high < 1  # sure as it is
    below = [
        n for n in found.notes if n.caveat is Caveat.BELOW_FLOOR and n.spoils(each)
    ]
    assert bool(below) == each.below_floor == (floor_ms == 4)


def test_what_we_cut_off_is_no_failure_of_a_host(stored_run):
    rows = blocks(60, 3.0)
    cut = {"outcome": "interrupted", "blame": "client", "ttft_ms": None,
           "ttfa_ms": None, "e2e_ms": None, "completion_tokens": None}  # fmt: skip
    rows[61::4] = [msgspec.structs.replace(row, **cut) for row in rows[61::4]]
    found = stored_run(rows)
    judged = compared([found], HOSTS, objectives={"ttft": 1_000.0})
    _, b = judged.summaries
    assert (b.tally.n_interrupted, b.tally.n_failed, b.tally.success_share) == (
        15,
        0,
        1,
    )
    assert (b.goodput.share, b.goodput.n, b.goodput.n_censored) == (1, 45, 15)
    (ok,) = (each for each in judged.contrasts if each.metric == "ok")
    assert (ok.estimate, ok.n_blocks) == (0, 45)
    (gate,) = judge_gates([found], HOSTS, [parse("b.errors==0%")], {})
    assert gate.passed
    assert of_ttft(judged).n_blocks == 45
    notes = [note for note in judged.notes if note.caveat is Caveat.INTERRUPTED]
    assert [note.hosts for note in notes] == [("b",)]


def test_no_threshold_holds_where_nothing_was_measured(stored_run):
    texts = ("errors<100%", "ok>=0%", "ttft:p95<9s", "cost<9", "checks>=0%",
             "tokens>=0", "goodput>=0%", "ratio(a/b, ttft, p50)<9",
             "ttft:max<9s")  # fmt: skip
    empty = stored_run([])
    thresholds = [parse(text) for text in texts]
    gates = judge_gates([empty], HOSTS, thresholds, {"ttft": 1.0})
    assert len(gates) == len(texts)
    assert not any(gate.passed for gate in gates)
    assert headline(compared([empty], HOSTS)) == [
        "Nothing was measured: there is nothing to compare."
    ]


def test_a_block_without_one_of_its_members_says_nothing(stored_run):
    rows = blocks(60, 50.0)
    # The reference fails where it would be slow, and is not asked at all in others.
    bad = {"outcome": "overloaded", "blame": "provider"}
    rows[0:20:2] = [msgspec.structs.replace(row, **bad) for row in rows[0:20:2]]
    del rows[40:80:2]
    found = compared([stored_run(rows)], HOSTS)
    assert of_ttft(found).n_blocks == 60 - 10 - 20
    (ok,) = (each for each in found.contrasts if each.metric == "ok")
    assert ok.n_blocks == 60 - 20
    assert ok.estimate == pytest.approx(10 / 40)


def test_two_runs_on_unlike_connections_are_said(stored_run):
    rows = [msgspec.structs.replace(r, conn_reused=1) for r in blocks(30, 3.0)]
    cold = [msgspec.structs.replace(r, conn_reused=0) for r in rows]
    runs = [
        Judged(run_row(HOSTS, run_id=name), of(frame), list)
        for name, frame in (("r1", rows), ("r2", cold))
    ]
    found = compared(runs, HOSTS)
    told = [n.hosts for n in found.notes if n.caveat is Caveat.CONNECTIONS_DIFFER]
    assert told == [("a@r2",), ("b@r2",)]
    alike = compared(
        [runs[0], msgspec.structs.replace(runs[1], frame=runs[0].frame)], HOSTS
    )
    assert Caveat.CONNECTIONS_DIFFER not in {note.caveat for note in alike.notes}


@given(
    st.lists(st.floats(1, 1e6), min_size=1, max_size=400),
    st.integers(0, 200),
    st.sampled_from([0.5, 0.9, 0.95]),
)
def test_a_failure_is_longer_than_any_answer(values, n_failed, q):
    found = adjusted(values, n_failed, q)
    ranked = [*sorted(values), *[math.inf] * n_failed]
    if len(ranked) < found.floor:
        assert (found.value, found.never) == (None, False)
        return
    rank = (len(ranked) - 1) * q
    above = ranked[math.ceil(rank)]
    assert found.never == math.isinf(above)
    if not found.never:
        lower = ranked[math.floor(rank)]
        assert found.value == pytest.approx(np.interp(rank % 1, [0, 1], [lower, above]))
