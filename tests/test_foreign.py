"""A database from elsewhere: what its maker put in has no effect, and is told."""

import sqlite3
import time
from contextlib import closing

import pytest
from made import RUN_ID, run_row, store_run, timings

from data import foreign, query
from data.migrations import APPLICATION_ID
from data.store import Store, StoreError

EVERY_VERB = [
    ["runs"], ["show"], ["compare"], ["export"], ["usage"], ["export", "--summary"],
    ["chart", "errors"],
]  # fmt: skip


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "theirs.db"
    store_run(file, run_row(), timings(n=3))
    return file


def change(path, *sql):
    """Change a database as its maker might, without a log of ours beside it."""
    with closing(sqlite3.connect(path)) as db:
        for each in sql:
            db.execute(each)
        db.commit()
        db.execute("PRAGMA journal_mode = DELETE")


def refused(path):
    """Return what both the reader and the writer say."""
    with pytest.raises(StoreError) as read:
        query.open_reader(path).close()
    with pytest.raises(StoreError) as written:
        Store.open(path).close()
    assert str(read.value) == str(written.value)
    return str(read.value)


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
ATTACKS = {
    "view that lies": (
        "DROP VIEW timings",
        "CREATE VIEW timings AS SELECT 1 AS ttft_ms",
    ),
    "view that never ends": (
        "DROP VIEW timings",
        f"CREATE VIEW timings AS {ENDLESS} SELECT x AS seq FROM n",
    ),
    "view for a table": (
        "ALTER TABLE runs RENAME TO hidden",
        "CREATE VIEW runs AS SELECT * FROM hidden",
    ),
    "steps that never end": (
        "ALTER TABLE _sqlite_migrations RENAME TO hidden",
        (
            f"CREATE VIEW _sqlite_migrations AS {ENDLESS} "
            "SELECT 'head-to-head' AS migration_set, x AS name, '' AS applied_at FROM n"
        ),
    ),
    "trigger that deletes": (
        "CREATE TRIGGER t AFTER INSERT ON requests BEGIN DELETE FROM runs; END",
    ),
    "trigger that falsifies": (
        (
            "CREATE TRIGGER t AFTER INSERT ON requests "
            "BEGIN UPDATE requests SET sent_ns = sent_ns + 1000000000; END"
        ),
    ),
    "column of its own": (
        (
            "ALTER TABLE runs ADD COLUMN x TEXT "
            "GENERATED ALWAYS AS (replace(hex(zeroblob(9)), '00', run_id)) VIRTUAL"
        ),
    ),
    "missing table": ("DROP TABLE checks",),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_changed_schema_is_refused_at_once(path, name):
    change(path, *ATTACKS[name])
    before = path.read_bytes()
    begun = time.process_time()

    said = refused(path)

    assert said.startswith(f"{path}: ")
    assert "--db" in said
    assert time.process_time() - begun < 2
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert path.read_bytes() == before


def test_a_trigger_that_waits_for_an_upgrade_is_refused(path):
    change(
        path,
        "DELETE FROM _sqlite_migrations WHERE name = 'm002'",
        "CREATE TRIGGER t AFTER INSERT ON _sqlite_migrations BEGIN SELECT 1; END",
    )
    assert "trigger 't'" in refused(path)


def test_the_attacks_work_without_the_guard(path, monkeypatch):
    """Or the test above would show nothing."""
    change(path, *ATTACKS["trigger that falsifies"])
    for module in ("opening", "query"):
        monkeypatch.setattr(f"data.{module}.refuse_foreign", lambda *_: None)
        monkeypatch.setattr(f"data.{module}.guard", lambda *_: None)
    with closing(query.open_reader(path)) as db:
        before = next(query.rows(db, RUN_ID)).sent_ns

    store_run(path, run_row(run_id="second"), timings(n=1))

    with closing(query.open_reader(path)) as db:
        assert next(query.rows(db, RUN_ID)).sent_ns > before


def test_what_does_nothing_to_us_is_left_alone(path):
    change(
        path,
        "CREATE TABLE notes (x)",
        "CREATE INDEX mine ON requests (provider)",
        "CREATE VIEW slow AS SELECT * FROM timings WHERE e2e_ms > 1000",
    )
    with closing(query.open_reader(path)) as db:
        assert query.counts(db) == {RUN_ID: 9}


def test_a_database_of_another_program_or_of_tomorrow_is_refused(path):
    change(path, f"PRAGMA application_id = {APPLICATION_ID + 1}")
    assert "another program" in refused(path)
    change(path, f"PRAGMA application_id = {APPLICATION_ID}")
    change(
        path,
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
        "VALUES ('head-to-head', 'm999', '')",
    )
    assert "newer head-to-head" in refused(path)


def test_rows_left_half_read_may_outlive_their_database(path):
    with closing(query.open_reader(path)) as db:
        rows = query.rows(db, RUN_ID)
        next(rows)
    rows.close()


def test_a_huge_cell_is_refused_before_it_fills_the_memory(path, monkeypatch):
    monkeypatch.setattr(query, "LARGEST_ROW", 100_000)
    change(path, "UPDATE requests SET error_excerpt = replace(hex(zeroblob(50001)), "
           "'00', 'xx') WHERE seq = 1")  # fmt: skip
    with closing(query.open_reader(path)) as db:
        with pytest.raises(StoreError, match=r"cannot be read.*too big.*--db"):
            list(query.rows(db, RUN_ID))
        assert len(query.timings(db, RUN_ID)) == 9


@pytest.mark.parametrize("column", foreign._SHAPES)
@pytest.mark.parametrize("text", ["{", "7", '"x"', "[" * 100_000, '[{"x":}]'])
def test_json_that_is_not_ours_names_run_and_column(path, column, text):
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"UPDATE runs SET {column} = ?", (text,))
        db.commit()
    with (
        closing(query.open_reader(path)) as db,
        pytest.raises(StoreError, match=rf"{RUN_ID}: its {column} .*--db"),
    ):
        query.runs(db)


def test_an_objective_of_tomorrow_is_refused_where_it_would_count(path, h2h):
    change(path, """UPDATE runs SET job = '{"slo": {"joy": 5}}'""")
    code, _, err = h2h("compare", RUN_ID, "--db", path)
    assert code == 2
    assert "objective 'joy' is none of ttft" in err


@pytest.mark.parametrize("verb", EVERY_VERB, ids=" ".join)
def test_every_verb_tells_of_a_damaged_database_in_one_line(path, verb, h2h, tmp_path):
    damage(path)
    options = ["--db", path, *(["-o", tmp_path] if verb[0] == "chart" else [])]

    code, _, err = h2h(*verb, *options)

    assert code == 2
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith(f"error: {path}: ")


def damage(path):
    """Overwrite the middle of the pages that hold rows; the schema stays whole."""
    with path.open("r+b") as file:
        size = path.stat().st_size
        for page in range(3 * 4096, size, 4096):
            file.seek(page)
            file.write(b"\xff" * 300)


@pytest.fixture
def h2h(capfd):
    def call(*words):
        from compare.cli.main import main

        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        out, err = capfd.readouterr()
        return left.value.code, out, err

    return call
