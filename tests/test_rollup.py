"""data.rollup: what roll-ups hold, that they merge, and that each row is in once."""

import math
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import run_row

from data import histogram, rollup, spool
from data.query import open_reader
from data.row import CheckRow, Row
from data.statements import _insert
from data.store import Store

HOUR = rollup.HOUR_MS
NOON = 470_000 * HOUR


def row(seq=0, at_ms=NOON, **changes):
    fields = {
        "run_id": run_row().run_id, "seq": seq, "block": seq, "scenario": "ping",
        "scenario_version": "1", "case_id": "1", "phase": "measure", "provider": "a",
        "dialect": "generic", "model_requested": "m", "model_served": "m-1",
        "prompt_sha256": "", "params": "{}", "max_tokens": 9, "load": "{}",
        "sent_ns": 10**9, "first_token_ns": 10**9 + 200_000_000,
        "last_token_ns": 2 * 10**9, "stream_label": "true", "prompt_tokens": 100,
        "cached_tokens": 25, "completion_tokens": 9, "cost_nusd": 700,
        "outcome": "ok", "at_ms": at_ms,
    }  # fmt: skip
    return Row(**{**fields, **changes})


def failed(seq, blame, at_ms=NOON):
    gone = dict.fromkeys(("first_token_ns", "last_token_ns", "cost_nusd"))
    return row(seq, at_ms, outcome="http_error", blame=blame, **gone)


def stored(path):
    with closing(open_reader(path)) as db:
        found = [rollup.decoded(line) for line in db.execute(rollup.SELECT)]
    return {one.key: one for one in found}


# --- histograms ---

TIMES = st.floats(0.002, 4e6)


@given(st.lists(TIMES, min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_quantile_is_within_the_stated_error_of_the_exact_one(times, q):
    found = histogram.quantile(histogram.of(times), q)
    exact = np.quantile(times, q, method="inverted_cdf")
    assert abs(found / exact - 1) <= histogram.ERROR + 1e-9


@given(st.lists(st.lists(TIMES, max_size=20), max_size=5))
def test_histograms_merge_to_that_of_all_and_come_back_as_stored(lots):
    whole = histogram.of(time for lot in lots for time in lot)
    merged = sum((histogram.of(lot) for lot in lots), histogram.Buckets())
    assert merged == whole
    assert histogram.unpack(histogram.pack(whole)) == whole


def test_no_times_have_no_quantile_and_an_odd_blob_is_refused():
    assert histogram.quantile(histogram.Buckets(), 0.5) is None
    assert histogram.of([None]) == {}
    with pytest.raises(ValueError, match="cut short"):
        histogram.unpack(b"12345")
    assert histogram.bucket(0) == histogram.bucket(-1) == 0
    assert histogram.bucket(math.inf if False else 1e300) <= histogram.LAST


# --- roll-ups ---

ROWS = st.builds(
    row,
    seq=st.just(0),
    at_ms=st.integers(NOON, NOON + HOUR - 1),
    outcome=st.sampled_from(["ok", "timeout_total", "dropped"]),
    blame=st.sampled_from([None, "provider", "client", "network"]),
    cached_tokens=st.none() | st.integers(0, 100),
    cost_nusd=st.none() | st.integers(0, 1000),
    first_token_ns=st.none() | st.integers(10**9, 2 * 10**9),
    model_served=st.none() | st.sampled_from(["m-1", "m-2"]),
)
ONES = ROWS.map(rollup.of_row)


@given(ONES, ONES, ONES)
def test_merging_is_associative_and_commutative(a, b, c):
    merge = rollup.merge
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, b) == merge(b, a)


def test_a_rollup_counts_what_it_says():
    rows = [
        row(0),
        row(1, NOON + 5, cached_tokens=None, cost_nusd=None, model_served="m-2"),
        failed(2, "provider"), failed(3, "account"), failed(4, "client"),
        failed(5, "unknown"), row(6, None), row(7, phase="warmup"),
    ]  # fmt: skip
    (one,) = rollup.rolled(rows).values()
    assert one.key == ("a", "ping", 470_000)
    assert (one.n, one.ok, one.at_fault, one.excused) == (6, 2, 1, 2)
    assert one.last_ok_ms == NOON + 5
    assert one.outcomes == {"ok": 2, "http_error": 4}
    assert one.blames == {"provider": 1, "account": 1, "client": 1, "unknown": 1}
    assert one.models == {"m-1": 5, "m-2": 1}
    assert (one.cost_nusd, one.n_priced) == (700, 1)
    assert one.cacheable_tokens == 500  # of those that state what was cached
    assert one.prompt_tokens == 600
    assert one.ttft == histogram.of([200.0, 200.0])
    assert one.tpot == histogram.of([100.0, 100.0])


def test_rows_are_rolled_up_as_they_are_stored(tmp_path):
    path = tmp_path / "h2h.db"
    rows = [row(n, NOON + n * 60_000, provider="ab"[n % 2]) for n in range(450)]
    with Store.open(path) as store:
        store.begin_run(run_row(kind="probe"))
        for each in rows:
            store.emit(each)
    assert stored(path) == rollup.rolled(rows)


def test_a_row_that_is_refused_is_in_no_rollup_and_the_others_are_once(tmp_path):
    path = tmp_path / "h2h.db"
    store = Store.open(path)
    store.begin_run(run_row(kind="probe"))
    rows = [row(0), row(0, cost_nusd=5), row(1, model_served="\ud83d"), row(2)]
    for each in rows:
        store.emit(each)
    with pytest.raises(Exception, match="refused"):
        store.close()
    (one,) = stored(path).values()
    assert one.n == 3
    assert one.cost_nusd == 2100
    assert one.models == {"m-1": 2, "\ufffd": 1}


def test_what_waited_in_a_spool_file_is_rolled_up_once(tmp_path):
    path = tmp_path / "h2h.db"
    with Store.open(path) as store:
        store.begin_run(run_row(kind="probe"))
        store.emit(row(0))
    statement = _insert("requests")
    values = [
        tuple(getattr(each, name) for name in Row.__struct_fields__)
        for each in (row(0), row(1))
    ]
    spool.save(path, [[(statement, each)] for each in values])
    Store.open(path).close()
    (one,) = stored(path).values()
    assert one.n == 2  # the first was stored before its writer died


def test_rollups_are_made_anew_from_rows_and_old_probes_get_their_dates(tmp_path):
    path = tmp_path / "h2h.db"
    rows = [row(n, NOON + n * 600_000) for n in range(20)]
    with Store.open(path) as store:
        store.begin_run(run_row(kind="probe"))
        for each in rows:
            store.emit(each)
    conn = sqlite3.connect(path)
    with conn:
        conn.execute("UPDATE rollups SET n = 99, hour = hour - 50 WHERE hour = 470000")
        conn.execute("UPDATE rollups SET n = 99 WHERE hour > 470000")
    conn.close()
    Store.open(path, rebuild=True).close()
    found = stored(path)
    assert found.pop(("a", "ping", 469_950)).n == 99  # of rows that are gone
    assert found == rollup.rolled(rows)
    conn = sqlite3.connect(path)
    with conn:
        conn.execute("UPDATE requests SET at_ms = NULL, due_ns = seq * 1000000000")
        conn.execute("DELETE FROM rollups")
    conn.close()
    Store.open(path, rebuild=True).close()
    (one,) = stored(path).values()
    assert one.n == 20
    assert one.last_ok_ms == 1_793_696_412_345 + 19_000  # 2026-11-03T09:00:12.345Z


def test_old_rows_go_in_slices_and_their_rollups_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("data.store.SLICE_ROWS", 7)
    path = tmp_path / "h2h.db"
    rows = [row(n, NOON + n * 60_000) for n in range(40)]
    with Store.open(path) as store:
        store.begin_run(run_row(kind="probe"))
        for each in [*rows, row(99, None)]:
            check = CheckRow(run_id=each.run_id, seq=each.seq, name="c", passed=1)
            store.emit(each, [check])
        store.flush()
        store.forget(NOON + 30 * 60_000)
        while store.forgetting:
            store.flush()
    conn = sqlite3.connect(path)
    left = [seq for (seq,) in conn.execute("SELECT seq FROM requests ORDER BY seq")]
    checks = conn.execute("SELECT count(*) FROM checks").fetchone()
    conn.close()
    assert left == [*range(30, 40), 99]  # a load test's row has no date
    assert checks == (11,)
    assert sum(one.n for one in stored(path).values()) == 40


def test_a_backup_is_made_while_probes_are_stored(tmp_path):
    path, copy = tmp_path / "h2h.db", tmp_path / "backup.db"
    with Store.open(path) as store:
        store.begin_run(run_row(kind="probe"))
        for n in range(300):
            store.emit(row(n))
        store.flush()
        with closing(sqlite3.connect(path)) as conn:
            conn.execute(f"VACUUM INTO '{copy}'")
        store.emit(row(300))
    with closing(sqlite3.connect(copy)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert conn.execute("SELECT count(*) FROM requests").fetchone() == (300,)
    (one,) = stored(copy).values()
    assert one.n == 300
    (one,) = stored(path).values()
    assert one.n == 301
