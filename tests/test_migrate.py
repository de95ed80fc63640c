"""data.migrations, data.identity: the schema fits, and no other file is touched."""

import sqlite3
import types
import typing

import pytest
from sqlite_utils import Database

from data.identity import identify, upgrade
from data.migrations import APPLICATION_ID, StoreError, migrations
from data.row import CheckRow, Row, RunRow, Timing
from data.store import Store

TYPES = {str: "TEXT", int: "INTEGER", float: "REAL", bytes: "BLOB"}


@pytest.fixture
def conn(tmp_path):
    connection = sqlite3.connect(tmp_path / "h2h.db")
    yield connection
    connection.close()


@pytest.fixture
def ours(conn, tmp_path):
    upgrade(conn, tmp_path / "h2h.db")
    return conn


def expected(record):
    hints = typing.get_type_hints(record)
    columns = []
    for name in record.__struct_fields__:
        options = typing.get_args(hints[name]) or (hints[name],)
        base = next(o for o in options if o is not types.NoneType)
        columns.append((name, TYPES[base], types.NoneType not in options))
    return columns


@pytest.mark.parametrize(
    ("table", "record"), [("runs", RunRow), ("requests", Row), ("checks", CheckRow)]
)
def test_a_table_holds_exactly_the_fields_of_its_record(ours, table, record):
    info = ours.execute(f"PRAGMA table_info({table})").fetchall()
    assert [(name, kind, bool(n)) for _, name, kind, n, _, _ in info] == expected(
        record
    )
    sql = ours.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,))
    assert "STRICT" in sql.fetchone()[0]


def test_the_view_has_exactly_the_fields_of_timing(ours):
    view = ours.execute("SELECT * FROM timings")
    names = tuple(column[0] for column in view.description)
    assert names == Timing.__struct_fields__


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("runs", ["run_id"]),
        ("requests", ["run_id", "seq"]),
        ("checks", ["run_id", "seq", "name"]),
    ],
)
def test_keys(ours, table, key):
    info = ours.execute(f"PRAGMA table_info({table})").fetchall()
    assert [row[1] for row in sorted(info, key=lambda r: r[5]) if row[5]] == key


def test_a_strict_table_refuses_text_in_a_number(ours):
    with pytest.raises(sqlite3.IntegrityError, match="TEXT value in INTEGER"):
        ours.execute("INSERT INTO checks (run_id, seq, name) VALUES ('r', 'many', 'n')")


def test_the_file_is_marked_as_ours(ours, tmp_path):
    assert ours.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    assert identify(ours, tmp_path / "h2h.db")


def test_an_upgrade_twice_changes_nothing(ours, tmp_path):
    before = ours.execute("SELECT * FROM sqlite_master").fetchall()
    upgrade(ours, tmp_path / "h2h.db")
    assert ours.execute("SELECT * FROM sqlite_master").fetchall() == before


def test_the_oldest_schema_keeps_its_rows(tmp_path):
    # The first release's file as it stands on disk: made by the first step alone.
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    later = [step.name for step in migrations.pending(Database(old))][1:]
    migrations.apply(Database(old), stop_before=later)
    old.execute(
        "INSERT INTO runs VALUES ('r1', 'run', '2026-11-01T00:00:00Z', NULL, 'done',"
        " 'valid', '[]', 'p', '{}', '{}', '{}', '{}', '{}', '[]', '[]', 7)"
    )
    old.commit()
    old.close()
    with Store.open(path):
        pass
    conn = sqlite3.connect(path)
    assert conn.execute("SELECT run_id, seed FROM runs").fetchall() == [("r1", 7)]
    assert identify(conn, path)
    conn.close()


def test_a_failing_step_leaves_an_empty_file(conn, tmp_path, monkeypatch):
    def broken(db):
        db.execute("CREATE TABLE runs (x) STRICT")

    monkeypatch.setattr(migrations._migrations[0], "fn", broken)
    with pytest.raises(sqlite3.OperationalError):
        upgrade(conn, tmp_path / "h2h.db")
    assert conn.execute("SELECT * FROM sqlite_master").fetchall() == []


def test_a_newer_schema_is_refused_by_name(ours, tmp_path):
    ours.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
        " VALUES ('head-to-head', 'm999', 'later')"
    )
    ours.commit()
    with pytest.raises(StoreError, match=r"h2h\.db: written by a newer.*m999.*upgrade"):
        Store.open(tmp_path / "h2h.db")


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE notes (text)", "PRAGMA application_id = 252006673"]
)
def test_another_programs_database_is_refused_and_untouched(tmp_path, sql):
    path = tmp_path / "theirs.db"
    theirs = sqlite3.connect(path)
    theirs.execute(sql)
    theirs.commit()
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"theirs\.db: a database of another.*--db"):
        Store.open(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["theirs.db"]


@pytest.mark.parametrize("content", [b"x", b"y" * 511, b'[load]\nrate = "1"\n' * 400])
def test_a_file_that_is_no_database_is_refused_and_untouched(tmp_path, content):
    path = tmp_path / "job.toml"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"job\.toml: not an SQLite database.*--db"):
        Store.open(path)
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["job.toml"]


def test_a_damaged_database_is_not_called_something_else(tmp_path):
    path = tmp_path / "h2h.db"
    with Store.open(path):
        pass
    path.write_bytes(path.read_bytes()[:30_000])

    with pytest.raises(StoreError, match="damaged"):
        Store.open(path)
