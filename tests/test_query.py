"""data.query: readers see what is stored, with each figure by its formula."""

import datetime as dt
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import ledger, query
from data.row import CheckRow, Row, RunRow, Timing
from data.store import Store, StoreError

MS = 1_000_000
S = 1_000_000_000


def a_row(seq=0, **fields):
    given = {
        "run_id": "r1",
        "seq": seq,
        "block": seq,
        "scenario": "chat",
        "scenario_version": "1",
        "case_id": "c",
        "phase": "measure",
        "provider": "one",
        "dialect": "generic",
        "model_requested": "m",
        "prompt_sha256": "00",
        "params": "{}",
        "max_tokens": 16,
        "load": '{"step": 2}',
        "outcome": "ok",
    }
    return Row(**(given | fields))


def a_run(run_id="r1", **fields):
    given = {
        "run_id": run_id,
        "kind": "run",
        "started_at": "2026-11-20T12:00:00Z",
        "status": "done",
        "plan_hash": "p",
        "job": "{}",
        "versions": "{}",
        "machine": "{}",
        "providers": '["one"]',
        "scenarios": '["chat"]',
        "seed": 1,
    }
    return RunRow(**(given | fields))


STREAMED = {
    "due_ns": 1 * S,
    "queued_ns": 1 * S + 2 * MS,
    "sent_ns": 1 * S + 10 * MS,
    "first_token_ns": 1 * S + 210 * MS,
    "first_answer_ns": 1 * S + 510 * MS,
    "last_token_ns": 3 * S + 10 * MS,
    "end_ns": 3 * S + 20 * MS,
    "completion_tokens": 91,
    "stream_label": "true",
    "output_chars": 300,
    "reasoning_chars": 60,
    "output_bytes": 450,
    "gap_p50_ns": 20 * MS,
    "gap_p99_ns": 30 * MS,
    "gap_max_ns": 1_500_000,
    "prompt_tokens": 12,
    "cached_tokens": 0,
    "cost_nusd": 1_500_000_000,
    "cost_reported_nusd": 250,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "h2h.db"


@pytest.fixture
def ask(path):
    """Store runs and rows, then read them."""
    readers = []

    def store(*records):
        with Store.open(path) as db:
            for record in records:
                db.begin_run(record) if isinstance(record, RunRow) else db.emit(record)
        readers.append(query.open_reader(path))
        return readers[-1]

    yield store
    for reader in readers:
        reader.close()


def timing(ask, **fields):
    (line,) = query.timings(ask(a_run(), a_row(**(STREAMED | fields))), "r1")
    return line


# --- the view


def test_every_figure_of_a_streamed_request_by_hand(ask):
    line = timing(ask)
    expected = {
        "step": 2,
        "sent_s": 1.01,
        "end_s": 3.02,
        "ttft_ms": 200,
        "ttfa_ms": 500,
        "ttft_due_ms": 210,
        "e2e_due_ms": 2_010,
        "e2e_ms": 2_000,
        "tpot_ms": 20,
        "decode_tps": 50,
        "output_tps": 45.5,
        "chunk_gap_p50_ms": 20,
        "chunk_gap_p99_ms": 30,
        "chunk_gap_max_ms": 1.5,
        "chars_per_s": 200,
        "bytes_per_s": 250,
        "queue_ms": 10,
        "prompt_tokens": 12,
        "cached_tokens": 0,
        "completion_tokens": 91,
        "cost_usd": 1.5,
        "cost_reported_usd": 2.5e-7,
    }
    found = {name: getattr(line, name) for name in expected}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("fields", "blank"),
    [
        ({"stream_label": "coalesced"}, {"tpot_ms", "decode_tps"}),
        (
            {"stream_label": "buffered"},
            {"tpot_ms", "decode_tps", "chars_per_s", "bytes_per_s"},
        ),
        (
            {"stream_label": None},
            {"tpot_ms", "decode_tps", "chars_per_s", "bytes_per_s"},
        ),
        (
            {"last_token_ns": STREAMED["first_token_ns"]},
            {"tpot_ms", "decode_tps", "chars_per_s", "bytes_per_s"},
        ),
        ({"completion_tokens": 1}, {"tpot_ms", "decode_tps"}),
        ({"completion_tokens": 0}, {"tpot_ms", "decode_tps", "output_tps"}),
        ({"completion_tokens": None}, {"tpot_ms", "decode_tps", "output_tps"}),
        (
            {"last_token_ns": STREAMED["sent_ns"]},
            {"output_tps", "tpot_ms", "decode_tps", "chars_per_s", "bytes_per_s"},
        ),
        ({"due_ns": None}, {"ttft_due_ms", "e2e_due_ms"}),
        ({"first_answer_ns": None}, {"ttfa_ms"}),
        (
            {"sent_ns": None},
            {"ttft_ms", "ttfa_ms", "e2e_ms", "output_tps", "queue_ms", "sent_s"},
        ),
        ({"reasoning_chars": None}, {"chars_per_s"}),
        ({"cost_nusd": None}, {"cost_usd"}),
        ({"load": "no json"}, {"step"}),
        ({"load": '{"step": "one"}'}, {"step"}),
        ({"load": '{"step":null}'}, {"step"}),
        ({"load": "{}"}, {"step"}),
    ],
)
def test_a_figure_that_cannot_be_had_is_unknown(ask, fields, blank):
    line = timing(ask, **fields)
    figures = Timing.__struct_fields__
    unknown = {name for name in figures if getattr(line, name) is None}
    never_known_here = {"blame", "zero_gap_share", "conn_reused", "passed", "turn"}
    assert unknown - never_known_here - fields.keys() == blank


def test_in_a_closed_loop_the_queue_begins_when_the_slot_was_asked_for(ask):
    assert timing(ask, due_ns=None).queue_ms == pytest.approx(8)


def test_without_due_and_queued_the_wait_is_unknown(ask):
    assert timing(ask, due_ns=None, queued_ns=None).queue_ms is None


@pytest.mark.parametrize(
    ("load", "step"),
    [
        ('{"step":0}', 0),
        ('{"rate": 2.5, "step": 12, "burstiness": 1}', 12),
        ('{"kind":"\\"step\\": 7","step":3}', 3),
    ],
)
def test_the_step_is_that_of_the_load(ask, load, step):
    assert timing(ask, load=load).step == step


def test_a_cost_of_nothing_is_nought_and_not_unknown(ask):
    assert timing(ask, cost_nusd=0).cost_usd == 0


stamps = st.none() | st.integers(0, 5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    sent=stamps,
    first=stamps,
    last=stamps,
    n=st.none() | st.integers(0, 3),
    label=st.sampled_from([None, "true", "coalesced", "single_block"]),
)
def test_no_figure_is_ever_infinite_or_negative(memory, sent, first, last, n, label):
    memory.execute("DELETE FROM requests")
    row = a_row(
        sent_ns=sent,
        first_token_ns=first if first is None or sent is None else first + sent,
        last_token_ns=None if None in (first, last, sent) else first + last + sent,
        completion_tokens=n,
        stream_label=label,
        output_chars=n,
        reasoning_chars=0,
        output_bytes=n,
    )
    names = ", ".join(Row.__struct_fields__)
    values = [getattr(row, name) for name in Row.__struct_fields__]
    marks = ", ".join("?" for _ in values)
    memory.execute(f"INSERT INTO requests ({names}) VALUES ({marks})", values)
    (line,) = query.timings(memory, "r1")
    rates = ("decode_tps", "output_tps", "chars_per_s", "bytes_per_s", "tpot_ms")
    figures = [getattr(line, name) for name in rates]
    assert all(f is None or 0 <= f < float("inf") for f in figures)
    assert label == "true" or line.decode_tps is None


@pytest.fixture
def memory(path):
    Store.open(path).close()
    conn = sqlite3.connect(path)
    yield conn
    conn.close()


# --- opening


def test_a_missing_file_is_not_made(path):
    with pytest.raises(StoreError, match=r"h2h\.db: no such database.*h2h run.*--db"):
        query.open_reader(path)
    assert not path.exists()


def test_an_empty_file_and_a_strangers_are_refused(path):
    path.touch()
    with pytest.raises(StoreError, match="empty or of an older version"):
        query.open_reader(path)
    path.write_text("not a database " * 100)
    with pytest.raises(StoreError, match="not an SQLite database"):
        query.open_reader(path)


def test_a_reader_cannot_write(ask):
    reader = ask(a_run())
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM runs")


def test_a_name_with_uri_characters_is_only_a_name(tmp_path):
    path = tmp_path / "a?mode=rwc#%41.db"
    with Store.open(path) as db:
        db.begin_run(a_run())
    reader = query.open_reader(path)
    assert [run.run_id for run in query.runs(reader)] == ["r1"]
    reader.close()


# --- runs


def three(ask):
    return ask(
        a_run("20261120-abc", started_at="2026-11-20T12:00:00Z"),
        a_run("20261121-xyz", started_at="2026-11-21T12:00:00Z"),
        a_run("20261122-abd", started_at="2026-11-19T12:00:00Z"),  # the clock was set
        a_row(0, run_id="20261121-xyz"),
        a_row(1, run_id="20261121-xyz", phase="warmup"),
    )


def test_runs_are_newest_first_and_counted(ask):
    reader = three(ask)
    ids = ["20261122-abd", "20261121-xyz", "20261120-abc"]
    assert [run.run_id for run in query.runs(reader)] == ids
    assert query.counts(reader) == {"20261121-xyz": 2}


@pytest.mark.parametrize(
    ("text", "run_id"),
    [
        ("latest", "20261122-abd"),
        ("20261120-abc", "20261120-abc"),
        ("20261121", "20261121-xyz"),
    ],
)
def test_a_run_is_found_by_id_prefix_or_latest(ask, text, run_id):
    reader = three(ask)
    assert query.resolve(reader, text) == run_id
    assert query.run(reader, text).run_id == run_id


def test_an_id_that_begins_another_is_still_itself(ask):
    reader = ask(a_run("r"), a_run("r1"))
    assert query.resolve(reader, "r") == "r"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026112", "several begin so: 20261122-abd, 20261121-xyz, 20261120-abc"),
        ("20261121-xyy", "there are 20261121-xyz"),
        ("%", "there are 20261122-abd"),
        ("", "there are"),
    ],
)
def test_an_unclear_run_is_refused_with_the_nearest(ask, text, said):
    with pytest.raises(StoreError, match=said):
        query.resolve(three(ask), text)


def test_an_empty_database_says_how_to_fill_it(ask):
    with pytest.raises(StoreError, match="no run yet"):
        query.resolve(ask(), "latest")


def test_a_run_left_running_by_nobody_shows_as_crashed(ask, path):
    with Store.open(path) as db:
        db.begin_run(a_run(status="running"))
        reader = query.open_reader(path)
        assert query.run(reader, "r1").status == "running"
    assert query.run(reader, "r1").status == "crashed"
    assert query.runs(reader)[0].status == "crashed"
    reader.close()


# --- rows


def test_rows_come_in_order_by_phase(ask):
    rows = [a_row(2), a_row(0, phase="warmup"), a_row(1, flags='["crlf"]')]
    reader = ask(a_run(), *rows)
    assert list(query.rows(reader, "r1")) == sorted(rows, key=lambda row: row.seq)
    assert [t.seq for t in query.timings(reader, "r1")] == [1, 2]
    assert [t.seq for t in query.timings(reader, "r1", phase=None)] == [0, 1, 2]
    assert [r.seq for r in query.rows(reader, "r1", "warmup")] == [0]
    assert query.seqs(reader, "r1") == {0, 1, 2}
    assert query.seqs(reader, "r2") == set()


def test_checks_come_with_their_run_only(path):
    mine = CheckRow(run_id="r1", seq=0, name="c", passed=0, detail="why")
    with Store.open(path) as db:
        db.emit(a_row(0), [mine])
        db.emit(
            a_row(0, run_id="r2"), [CheckRow(run_id="r2", seq=0, name="c", passed=1)]
        )
    reader = query.open_reader(path)
    assert query.checks(reader, "r1") == [mine]
    reader.close()


# --- usage


def spending(ask):
    late = "2026-11-20T23:59:59.5+00:00"
    return ask(
        a_run("r1", started_at=late),
        a_row(0, sent_ns=0, prompt_tokens=10, cost_nusd=5, cost_reported_nusd=9),
        a_row(1, sent_ns=S, prompt_tokens=None, cached_tokens=3, cost_nusd=None),
        a_row(2, sent_ns=S, prompt_tokens=7, cost_nusd=2_000, phase="warmup"),
        a_row(3, sent_ns=None, outcome="dropped"),
        a_row(4, sent_ns=S, provider="two", cost_reported_nusd=100),
    )


def test_usage_is_by_the_utc_day_it_was_sent_host_and_model(ask):
    first, second, third = ledger.usage(spending(ask))
    assert (first.day, first.provider, first.model) == ("2026-11-20", "one", "m")
    assert (first.requests, first.prompt_tokens, first.cached_tokens) == (1, 10, None)
    assert first.cost_usd == pytest.approx(5e-9)
    assert first.cost_reported_usd == pytest.approx(9e-9)
    assert (second.day, second.requests, second.n_unpriced) == ("2026-11-21", 2, 1)
    assert (second.prompt_tokens, second.cached_tokens) == (7, 3)
    assert (third.provider, third.cost_usd, third.n_unpriced) == ("two", None, 1)


def test_usage_since_leaves_out_what_was_sent_before(ask):
    reader = spending(ask)
    since = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    assert [u.day for u in ledger.usage(reader, since)] == ["2026-11-21"] * 2


def test_spent_takes_the_larger_of_computed_and_stated(ask):
    reader = spending(ask)
    assert ledger.spent_nusd(reader) == 9 + 2_000 + 100
    since = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    assert ledger.spent_nusd(reader, since) == 2_000 + 100
    assert ledger.spent_nusd(reader, since + dt.timedelta(days=1)) == 0


def test_a_run_that_ended_long_before_counts_for_nothing(ask):
    ended = a_run(
        started_at="2026-11-20T12:00:00Z", ended_at="2026-11-20T12:10:00+00:00"
    )
    reader = ask(ended, a_row(0, sent_ns=S, cost_nusd=5))
    before = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    assert ledger.spent_nusd(reader, before) == 5
    assert ledger.spent_nusd(reader, before + dt.timedelta(hours=1)) == 0


def test_failures_are_counted_by_what_they_have_in_common(tmp_path):
    path = tmp_path / "h2h.db"
    with Store.open(path) as store:
        store.begin_run(a_run())
        for seq, (outcome, text, phase) in enumerate(
            [
                ("ok", None, "measure"),
                ("overloaded", "first", "measure"),
                ("overloaded", "second", "measure"),
                ("dns_error", "once", "measure"),
                ("overloaded", "warm", "warmup"),
            ]
        ):
            store.emit(a_row(seq, outcome=outcome, error_excerpt=text, phase=phase))
    with closing(query.open_reader(path)) as reader:
        found = query.failures(reader, "r1", 9)
        (most,) = query.failures(reader, "r1", 1)

    assert [(f.outcome, f.n, f.seq, f.error_excerpt) for f in found] == [
        ("overloaded", 2, 1, "first"),
        ("dns_error", 1, 3, "once"),
    ]
    assert most == found[0]
