"""data.store: what was handed over is soon on disk, and nothing is lost quietly."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from pathlib import Path

import pytest

from data import opening, query, store
from data.row import CheckRow, Row, RunRow
from data.statements import AT_ONCE
from data.store import Store, StoreError

ROOT = Path(__file__).parent.parent


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
        "load": '{"step": 0}',
        "outcome": "ok",
    }
    return Row(**(given | fields))


def a_run(run_id="r1", **fields):
    given = {
        "run_id": run_id,
        "kind": "run",
        "started_at": "2026-11-20T12:00:00Z",
        "status": "running",
        "plan_hash": "p",
        "job": "{}",
        "versions": "{}",
        "machine": "{}",
        "providers": '["one"]',
        "scenarios": '["chat"]',
        "seed": 1,
    }
    return RunRow(**(given | fields))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "h2h.db"


def read(path, sql):
    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return conn.execute(sql).fetchall()
    finally:
        conn.close()


def test_what_is_emitted_comes_back_as_it_was(path):
    row = a_row(7, timeline=b"\x00\xff", zero_gap_share=0.25, cost_nusd=2**62)
    check = CheckRow(run_id="r1", seq=7, name="json", passed=None, detail="no json")
    with Store.open(path) as db:
        db.begin_run(a_run())
        db.emit(row, [check])
        db.end_run("r1", "done", "valid", "[]", "2026-11-20T12:01:00Z")
        reader = query.open_reader(path)
        assert list(query.rows(reader, "r1")) == [row]
        assert query.checks(reader, "r1") == [check]
        run = query.run(reader, "r1")
        assert (run.status, run.validity) == ("done", "valid")
        assert run.ended_at == "2026-11-20T12:01:00Z"
        reader.close()


@pytest.mark.parametrize("n", [1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE])
def test_every_row_comes_back_once_however_many_go_in_at_once(path, n):
    rows = [a_row(seq, cost_nusd=seq, timeline=bytes([seq])) for seq in range(n)]
    with Store.open(path) as db:
        db.begin_run(a_run())
        for row in rows:
            db.emit(row)
        db.flush()
        reader = query.open_reader(path)
        assert sorted(query.rows(reader, "r1"), key=lambda row: row.seq) == rows
        reader.close()


def test_a_full_batch_is_committed_without_anybody_asking(path):
    with Store.open(path) as db:
        db.begin_run(a_run())
        written = threading.Event()
        drain = db._drain
        db._drain = lambda: (drain(), written.set())
        for seq in range(store.BATCH_ROWS):
            db.emit(a_row(seq))
        assert written.wait(5)
        db.flush()
        assert read(path, "SELECT count(*) FROM requests") == [(store.BATCH_ROWS,)]


def test_a_lone_row_is_committed_by_the_clock(path):
    with Store.open(path) as db:
        db.emit(a_row(1))
        while not read(path, "SELECT count(*) FROM requests")[0][0]:
            assert db.failed is None


@pytest.mark.skipif(sys.platform != "linux", reason="one priority for all threads")
def test_the_writer_lets_whoever_measures_go_first(path):
    with Store.open(path) as db:
        db.flush()  # it is at work
        ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        its = os.getpriority(os.PRIO_PROCESS, db._thread.native_id)
    assert its == min(ours + store.NICE, 19)


def test_many_threads_may_emit_at_once(path):
    def emit(first):
        for seq in range(first, first + 250):
            db.emit(a_row(seq), [CheckRow(run_id="r1", seq=seq, name="c", passed=1)])

    with Store.open(path) as db:
        threads = [threading.Thread(target=emit, args=(n * 250,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert read(path, "SELECT count(*), count(DISTINCT seq) FROM requests") == [
        (1000, 1000)
    ]
    assert read(path, "SELECT count(*) FROM checks") == [(1000,)]


def test_a_row_and_its_checks_are_never_parted_by_a_batch(path):
    with Store.open(path) as db:
        rows = [CheckRow(run_id="r1", seq=0, name=str(n), passed=1) for n in range(500)]
        db._closing = True  # the thread stands still: the queue is looked at, not read
        db._wake.set()
        db._thread.join()
        db._queue.extend([(store.INSERT_REQUEST, a_row(n)) for n in range(199)])
        db._queue.append((store.INSERT_REQUEST, a_row(199)))
        db._queue.extend([(store.INSERT_CHECK, row) for row in rows])
        db._queue.append((store.INSERT_REQUEST, a_row(200)))
        assert len(db._take()) == 700
        assert len(db._take()) == 1
        db._lock.close()


def test_half_characters_and_huge_numbers_are_scrubbed_and_the_rest_kept(path):
    hostile = a_row(
        1, finish_reason="a\ud83db", total_tokens=2**63, seed=-(2**63), n_events=5
    )
    detail = CheckRow(run_id="r1", seq=1, name="c", passed=0, detail="\udc00")
    with Store.open(path) as db:
        db.emit(a_row(0, finish_reason="fine \U0001f600"))
        db.emit(hostile, [detail])
        db.emit(a_row(2))
    found = read(path, "SELECT finish_reason, total_tokens, seed FROM requests")
    assert found[:2] == [
        ("fine \U0001f600", None, None),
        ("a\ufffdb", None, -(2**63)),
    ]
    assert len(found) == 3
    assert read(path, "SELECT detail FROM checks") == [("\ufffd",)]


def test_not_a_number_is_unknown(path):
    with Store.open(path) as db:
        db.emit(a_row(0, score=float("nan")))
    assert read(path, "SELECT score FROM requests") == [(None,)]


@pytest.mark.parametrize("bad", [a_row(1), a_row(5, block="x"), a_row(5, seed={})])
def test_one_impossible_record_does_not_cost_the_others(path, bad):
    db = Store.open(path)
    db.emit(a_row(1))
    db.emit(bad)
    db.emit(a_row(2))
    with pytest.raises(StoreError, match=r"h2h\.db: 1 records refused: .*r1"):
        db.flush()
    with pytest.raises(StoreError):
        db.close()
    assert read(path, "SELECT seq FROM requests") == [(1,), (2,)]


def test_a_full_disk_keeps_rows_in_memory_until_there_is_room(path):
    db = Store.open(path)
    db.begin_run(a_run())
    pages = db._db.execute("PRAGMA page_count").fetchone()[0]
    db._db.execute(f"PRAGMA max_page_count = {pages}")
    for seq in range(300):
        db.emit(a_row(seq))
    with pytest.raises(StoreError, match=r"h2h\.db: cannot be written .*full.*memory"):
        db.flush()
    assert isinstance(db.failed, StoreError)
    db._db.execute("PRAGMA max_page_count = 100000")
    db.flush()
    assert db.failed is None
    db.close()
    assert read(path, "SELECT count(*) FROM requests") == [(300,)]


def test_what_the_memory_cannot_hold_is_counted_and_said(path, monkeypatch):
    monkeypatch.setattr(store, "SPOOL_ROWS", 10)
    db = Store.open(path)
    pages = db._db.execute("PRAGMA page_count").fetchone()[0]
    db._db.execute(f"PRAGMA max_page_count = {pages}")
    for seq in range(30):
        db.emit(a_row(seq, usage_json="x" * 4000))
    with pytest.raises(StoreError, match="20 records were lost"):
        db.close()


def test_a_begun_run_is_on_disk_when_the_call_returns(path):
    with Store.open(path) as db:
        db.begin_run(a_run())
        assert read(path, "SELECT status FROM runs") == [("running",)]


def test_a_run_of_the_same_id_is_refused(path):
    db = Store.open(path)
    db.begin_run(a_run())
    with pytest.raises(StoreError, match=r"UNIQUE.*runs\.run_id"):
        db.begin_run(a_run())
    with pytest.raises(StoreError):
        db.close()


def test_delete_takes_a_run_with_all_it_has_and_no_other(path):
    check = CheckRow(run_id="r1", seq=0, name="c", passed=1)
    with Store.open(path) as db:
        db.begin_run(a_run())
        db.begin_run(a_run("r2"))
        db.emit(a_row(0), [check])
        db.emit(a_row(0, run_id="r2"))
        db.delete_run("r1")
        db.delete_run("never was")
    assert read(path, "SELECT run_id FROM runs") == [("r2",)]
    assert read(path, "SELECT run_id FROM requests") == [("r2",)]
    assert read(path, "SELECT * FROM checks") == []


def test_a_second_writer_is_refused_with_the_remedy(path):
    with Store.open(path), pytest.raises(StoreError, match=r"another h2h.*--db"):
        Store.open(path)
    Store.open(path).close()


def test_files_are_for_the_owner_alone(path):
    before = os.umask(0)
    try:
        with Store.open(path) as db:
            db.begin_run(a_run())
            modes = {
                p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()
            }
    finally:
        os.umask(before)
    assert len(modes) == 4
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("name", ["no/such/folder/h2h.db", "."])
def test_a_place_that_cannot_hold_a_database_is_named(tmp_path, name):
    with pytest.raises(StoreError, match=r"--db"):
        Store.open(tmp_path / name)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_that_ends_the_writer_is_not_passed_over(path):
    db = Store.open(path)
    db.emit("no row at all")
    with pytest.raises(StoreError, match="1 records wait"):
        db.flush()
    with pytest.raises(StoreError, match="1 records wait"):
        db.close()


def test_nothing_is_taken_after_the_end(path):
    db = Store.open(path)
    db.close()
    db.close()
    with pytest.raises(RuntimeError, match="closed"):
        db.emit(a_row(0))
    with pytest.raises(StoreError, match="stopped"):
        db.flush()


KILLED = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
from test_store import Store, a_row, a_run

db = Store.open({path!r})
db.begin_run(a_run())
seq = 0
while True:
    db.emit(a_row(seq, usage_json="x" * 500))
    seq += 1
    if seq % 500 == 0:
        db.flush()
        print(seq, flush=True)
"""


def test_a_killed_writer_leaves_a_sound_database_and_a_crashed_run(path):
    script = KILLED.format(root=str(ROOT), tests=str(ROOT / "tests"), path=str(path))
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "500\n"
    reader = query.open_reader(path)
    assert query.run(reader, "r1").status == "running"
    with pytest.raises(StoreError, match="another h2h"):
        Store.open(path)
    assert child.stdout.readline() == "1000\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()

    # Not yet touched by anybody: the reader itself can tell.
    assert query.run(reader, "r1").status == "crashed"
    assert query.runs(reader)[0].status == "crashed"
    assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    stored = query.seqs(reader, "r1")
    assert stored == set(range(len(stored)))
    assert len(stored) >= 1000
    reader.close()

    with Store.open(path) as db:
        assert read(path, "SELECT status FROM runs") == [("crashed",)]
        (more,) = read(path, "SELECT max(seq) + 1 FROM requests")[0]
        assert more >= len(stored)
        db.resume_run("r1", '[{"missing": 1}]')
        db.emit(a_row(more))
        db.end_run("r1", "done", "valid", "[]", "2026-11-20T13:00:00Z")
    assert read(path, "SELECT status FROM runs") == [("done",)]


def locked(path):
    """Return a stranger's connection that holds the database's write lock."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_165_a_database_that_is_locked_for_a_while_is_waited_for(path):
    with Store.open(path) as db:
        db.begin_run(a_run())
        with closing(locked(path)) as other:
            db.emit(a_row(1))
            release = threading.Timer(0.4, other.execute, ("COMMIT",))
            release.start()
            db.flush()
            release.join()
        assert db.failed is None
    assert read(path, "SELECT seq FROM requests") == [(1,)]


def test_165_what_held_the_file_for_long_is_not_waited_for_as_long_again(
    path, monkeypatch
):
    def patience():
        return db._db.conn.execute("PRAGMA busy_timeout").fetchone()[0]

    monkeypatch.setattr(opening, "BUSY_S", 0.4)
    with Store.open(path) as db:
        db.begin_run(a_run())
        with closing(locked(path)):
            db.emit(a_row(1))
            for _ in range(2):
                with pytest.raises(StoreError, match="is locked"):
                    db.flush()
            assert patience() == 250
        db.flush()
        db.emit(a_row(2))
        db.flush()
        assert patience() == 400
    assert read(path, "SELECT seq FROM requests") == [(1,), (2,)]


def test_165_what_a_locked_database_never_took_waits_in_a_file_and_is_stored_next_time(
    path, monkeypatch
):
    monkeypatch.setattr(opening, "BUSY_S", 0.05)
    spool = path.with_name("h2h.db-spool")
    check = CheckRow(run_id="r1", seq=2, name="c", passed=1)
    db = Store.open(path)
    db.begin_run(a_run())
    db.emit(a_row(1))
    db.flush()
    with closing(locked(path)):
        db.emit(a_row(2, timeline=b"\x00\xff", finish_reason="a\ud83d"), [check])
        with pytest.raises(StoreError, match=r"is locked.*2 records wait in memory"):
            db.flush()
        with pytest.raises(StoreError, match=r"is locked.*3 records wait in memory"):
            db.end_run("r1", "interrupted", None, "[]", "2026-11-20T12:01:00Z")
        with pytest.raises(StoreError, match=r"3 records wait in h2h\.db-spool"):
            db.close()
    assert stat.S_IMODE(spool.stat().st_mode) == 0o600
    assert read(path, "SELECT seq FROM requests") == [(1,)]

    copy = spool.read_bytes()
    for _ in range(2):  # as if it had died before it could remove the file
        Store.open(path).close()
        found = read(path, "SELECT seq, timeline, finish_reason FROM requests")
        assert found == [(1, None, None), (2, b"\x00\xff", "a\ufffd")]
        assert read(path, "SELECT status FROM runs") == [("interrupted",)]
        assert read(path, "SELECT seq FROM checks") == [(2,)]
        assert not spool.exists()
        spool.write_bytes(copy)


def test_166_what_is_no_database_of_ours_is_never_written_to(path):
    newer, good = path.with_name("newer.db"), path.with_name("good.db")
    Store.open(newer).close()
    with closing(sqlite3.connect(newer)) as db, db:
        db.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
                   "VALUES ('head-to-head', 'm999', '2027')")  # fmt: skip
    with Store.open(good) as db:
        db.begin_run(a_run())
    whole = good.read_bytes()
    for content, told in (
        (b"not a database at all, but long enough to be one" * 30, "not an SQLite"),
        (whole[:100] + b"\xff" * (len(whole) - 100), "damaged"),
        (newer.read_bytes(), "newer head-to-head"),
    ):
        path.write_bytes(content)
        with pytest.raises(StoreError, match=told):
            Store.open(path)
        assert path.read_bytes() == content, told
        assert {each.name for each in path.parent.glob("h2h.db*")} == {"h2h.db"}, told


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_167_a_folder_that_cannot_be_written_is_one_clear_error():
    with pytest.raises(StoreError, match=r"/proc/h2h\.db: cannot be written.*--db"):
        Store.open("/proc/h2h.db")
