import random
from contextlib import closing

import msgspec
import numpy as np
import pytest
from made import run_row, store_run, timing, timings

from compare.judge import frame
from compare.judge.frame import COLUMNS, DERIVED, Segment
from compare.judge.tally import tally, values
from data import query
from data.row import Row
from data.store import Store

LABELS = ["true", "coalesced", "single_block", "not_streamed", "buffered", None]


def some_rows(n=300):
    """Rows in which every stamp and count may be missing."""
    draw = random.Random(1)

    def perhaps(value):
        return value if draw.random() < 0.8 else None

    for seq in range(n):
        sent = seq * 10**9
        first = sent + draw.randrange(10**8, 10**9)
        last = first + draw.choice([0, 10**6, 3 * 10**9])
        yield Row(
            run_id="r", seq=seq, block=seq // 3, scenario="s", scenario_version="1-a",
            case_id="1", turn=draw.choice([None, 1, 2]), phase="measure",
            provider="abc"[seq % 3], dialect="generic", model_requested="m",
            prompt_sha256=str(seq // 3), params="{}", max_tokens=9,
            load=draw.choice(['{"step":0,"rate":2.5}', '{"step":1}', "{}"]),
            due_ns=perhaps(sent - 5), sent_ns=perhaps(sent),
            first_token_ns=perhaps(first), first_answer_ns=perhaps(first + 7),
            last_token_ns=perhaps(last), end_ns=perhaps(last + 9),
            stream_label=draw.choice(LABELS), prompt_tokens=perhaps(10),
            cached_tokens=perhaps(5), completion_tokens=perhaps(draw.randrange(5)),
            cost_nusd=perhaps(7), cost_reported_nusd=perhaps(8), passed=perhaps(1),
            outcome=draw.choice(["ok", "ok", "http_error", "interrupted", "lost"]),
            blame=perhaps("client"), conn_reused=perhaps(1),
        )  # fmt: skip


def test_columns_have_the_figures_of_the_view(tmp_path):
    path = tmp_path / "h2h.db"
    with Store.open(path) as store:
        store.begin_run(run_row(("a", "b", "c"), run_id="r"))
        shuffled = list(some_rows())
        random.Random(2).shuffle(shuffled)  # rows are stored as they end
        for row in shuffled:
            store.emit(row)
    with closing(query.open_reader(path)) as db:
        found = frame.read(query.columns(db, "r", COLUMNS, batch=64))
        slow = frame.of(query.timings(db, "r"))
    assert len(found) == len(slow) == 300
    assert list(found.block) == list(slow.block)
    for name in DERIVED:
        np.testing.assert_allclose(found.figures[name], slow.figures[name])
    assert found.segments == slow.segments
    assert {each.step for each in found.segments} == {0, 1, None}
    assert Segment("s turn 2", 1) in found.segments
    for segment in found.segments:
        assert found.hosts_of(segment) == slow.hosts_of(segment)
        for host in found.hosts:
            np.testing.assert_array_equal(
                found.rows(segment, host), slow.rows(segment, host)
            )
    assert len(set(found.prompt)) == 100


def test_unknown_columns_are_refused(tmp_path):
    path = tmp_path / "h2h.db"
    store_run(path, run_row(), [])
    with closing(query.open_reader(path)) as db:
        with pytest.raises(ValueError, match="drop table"):
            next(query.columns(db, "r", ["seq", "1; drop table requests"]))
        empty = frame.read(query.columns(db, run_row().run_id, COLUMNS))
    assert (len(empty), empty.segments, empty.hosts) == (0, (), ())


def test_rows_of_one_kind_share_it_and_only_ok_ones_have_values():
    rows = timings(n=30, fail={"zai": 0.3})
    found = frame.of(reversed(rows))
    assert len(found.kinds) == 4
    segment = found.segments[0]
    for host in found.hosts:
        own = [row for row in rows if row.provider == host]
        numbers = found.rows(segment, host)
        assert found.tally(numbers) == tally(own)
        assert list(found.values("ttft", numbers)) == values(own, "ttft")
    failed = msgspec.structs.replace(timing(0, ttft_ms=1.0), outcome="truncated")
    assert not len(frame.of([failed]).values("ttft", np.array([0])))


def test_an_answer_that_was_not_streamed_has_no_first_token():
    rows = [timing(0, ttft_ms=5.0, e2e_ms=5.0, stream_label="not_streamed")]
    found = frame.of(rows)
    assert not len(found.values("ttft", np.array([0])))
    assert list(found.values("e2e", np.array([0]))) == [5.0]


def test_steps_and_turns_are_never_in_one_segment():
    rows = [timing(0, turn=1), timing(1, turn=2), timing(2, turn=1, step=1)]
    assert frame.of(rows).segments == (
        Segment("chat-1k turn 1", 0),
        Segment("chat-1k turn 2", 0),
        Segment("chat-1k turn 1", 1),
    )
