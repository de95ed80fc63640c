"""data.spool: what a database would not take, until it does."""

import errno
import os
import re
from contextlib import closing

import msgspec
import pytest
from test_store import a_row, a_run, locked, read

from compare.cli.main import main
from data import opening
from data.row import CheckRow
from data.spool import save
from data.store import Store, StoreError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "h2h.db"


def spooled(path, *groups):
    """Write groups of (act, table, columns), values into a database's spool file."""
    body = b"".join(
        len(each).to_bytes(4, "big") + each
        for each in map(msgspec.msgpack.encode, groups)
    )
    path.with_name("h2h.db-spool").write_bytes(body)


@pytest.fixture
def kept(path):
    """Return a database with a run, and the values of a row to come, by column."""
    with Store.open(path) as db:
        db.begin_run(a_run())
    return msgspec.structs.asdict(a_row(7))


def test_165_records_of_an_earlier_schema_are_still_stored(path, kept):
    del kept["score"], kept["conn_reused"]
    spooled(path, [(("insert", "requests", [*kept]), [*kept.values()])])
    Store.open(path).close()
    assert read(path, "SELECT seq, score FROM requests") == [(7, None)]


@pytest.mark.parametrize(
    ("statement", "why"),
    [(("insert", "requests", ["run_id", "colour"]), "unknown: colour"),
     (("insert", "sqlite_master", ["run_id"]), "unknown: run_id"),
     (("insert", "requests", ["run_id", "seq) SELECT 1 --"]), "unknown: seq"),
     (("update", "requests", ["seq", "run_id"]), "no one run"),
     (("update", "runs", ["run_id", "status"]), "no one run"),
     (("delete", "runs", ["run_id", "status"]), "Invalid enum value"),
     (("insert", "requests", ["run_id", "seq"]), "NOT NULL"),
     (("insert", "checks", ["run_id", "seq", "name"]), "binding")],
)  # fmt: skip
def test_what_is_none_of_our_records_is_not_stored(path, kept, statement, why):
    spooled(path, [(("insert", "requests", [*kept]), [*kept.values()])],
            [(statement, ["r1", 8])])  # fmt: skip
    before = path.with_name("h2h.db-spool").read_bytes()
    with pytest.raises(StoreError, match=rf"h2h\.db-spool: .*{why}.*move it away"):
        Store.open(path)
    assert read(path, "SELECT count(*) FROM requests") == [(0,)]
    assert path.with_name("h2h.db-spool").read_bytes() == before


def test_a_spool_that_is_a_link_or_no_file_is_not_followed(path, kept):
    spool, other = path.with_name("h2h.db-spool"), path.with_name("of somebody else")
    spooled(path, [(("insert", "requests", [*kept]), [*kept.values()])])
    spool.rename(other)
    spool.symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        save(path, [])
    with pytest.raises(StoreError, match=r"h2h\.db-spool: .*symbolic links.*move it"):
        Store.open(path)
    spool.unlink()
    os.mkfifo(spool)  # would be waited for
    with pytest.raises(StoreError, match="no plain file"):
        Store.open(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_spool_that_somebody_else_put_there_is_not_stored(path, kept):
    spooled(path, [(("insert", "requests", [*kept]), [*kept.values()])])
    os.chown(path.with_name("h2h.db-spool"), 12_345, -1)
    with pytest.raises(StoreError, match=r"not the database's owner's.*move it"):
        Store.open(path)
    assert read(path, "SELECT count(*) FROM requests") == [(0,)]


def test_164_what_no_disk_takes_is_taken_out_again_and_counted(path, monkeypatch):
    monkeypatch.setattr(opening, "BUSY_S", 0.05)
    write, room = os.write, 4_000

    def full(file, data):
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        n = write(file, data[:room])
        room -= n
        return n

    check = CheckRow(run_id="r1", seq=2, name="c", passed=1)
    db = Store.open(path)
    db.begin_run(a_run())
    with closing(locked(path)), monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        for seq in range(9):
            db.emit(a_row(seq), [msgspec.structs.replace(check, seq=seq)])
        with pytest.raises(StoreError) as told:
            db.close()
    taken, lost = re.findall(
        r"(\d+) records (?:wait in h2h.db-spool|were lost)", str(told.value)
    )
    assert int(taken) + int(lost) == 18
    Store.open(
        path
    ).close()  # it holds no half of a record, nor a row without its checks
    rows, checks = (
        read(path, f"SELECT seq FROM {table}") for table in ("requests", "checks")
    )
    assert rows == checks
    assert 0 < len(rows) < 9
    assert 2 * len(rows) == int(taken)


@pytest.mark.parametrize(
    "rest",
    [b"\x00\x00\x01\x00torn", b"\x00\x00", b"\xff\xff\xff\xffx", b"\x00\x00\x00\x01"],
    ids=["cut", "cut in its length", "too long", "no body"],
)
def test_a_damaged_spool_is_kept_and_told_and_what_is_whole_is_stored(path, kept, rest):
    spool = path.with_name("h2h.db-spool")
    spooled(path, [(("insert", "requests", [*kept]), [*kept.values()])])
    for name in ("h2h.db-spool-torn", "h2h.db-spool-torn-2"):
        before = spool.read_bytes() + rest
        spool.write_bytes(before)
        with Store.open(path) as db:
            told = db.remark
        assert told.startswith(f"{path.with_name(name)}: was damaged")
        assert "1 records out of it are now in h2h.db" in told
        assert "--resume RUN" in told
        assert read(path, "SELECT seq FROM requests") == [(7,)]
        assert path.with_name(name).read_bytes() == before
        assert not spool.exists()  # the next records would stand behind what is torn
        spooled(path, [(("insert", "requests", [*kept]), [*kept.values()])])
    with Store.open(path) as db:
        assert db.remark is None


def test_a_group_larger_than_any_of_ours_is_not_even_read(path, kept, monkeypatch):
    spooled(path, [(("insert", "requests", [*kept]), [*kept.values()])])
    monkeypatch.setattr("data.spool.LARGEST_GROUP", 10)
    with Store.open(path) as db:
        assert "0 records" in db.remark
    assert path.with_name("h2h.db-spool-torn").exists()


def test_a_verb_that_writes_tells_what_was_damaged(path, kept, capfd):
    spooled(path)
    path.with_name("h2h.db-spool").write_bytes(b"\x00\x00\x01\x00torn")
    with pytest.raises(SystemExit):
        main(["runs", "rm", "r1", "--db", str(path)])
    assert f"{path}-spool-torn: was damaged" in capfd.readouterr().err


VERBS = [["runs"], ["show"], ["compare", "latest"], ["export"], ["usage"]]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_a_reader_says_in_one_line_that_records_wait(path, kept, verb, capfd):
    spooled(path, [(("insert", "requests", [*kept]), [*kept.values()])])
    for waiting in (True, False):
        with pytest.raises(SystemExit):
            main([*verb, "--db", str(path)])
        lines = [
            line for line in capfd.readouterr().err.splitlines() if "spool" in line
        ]
        if waiting:
            (line,) = lines
            assert line.startswith(f"{path}-spool: holds records that h2h.db did not")
            assert "next h2h run" in line
            Store.open(path).close()
        else:
            assert not lines


def test_doctor_says_that_records_wait(path, kept, capfd):
    spooled(path, [(("insert", "requests", [*kept]), [*kept.values()])])
    with pytest.raises(SystemExit):
        main(["doctor", "--db", str(path)])
    assert re.search(r"warn +database.*spool", capfd.readouterr().out)


def test_doctor_names_what_was_damaged_until_it_is_removed(path, kept, capfd):
    path.with_name("h2h.db-spool").write_bytes(b"torn")
    Store.open(path).close()
    with pytest.raises(SystemExit):
        main(["doctor", "--db", str(path)])
    assert "spool-torn" in "".join(capfd.readouterr().out.split())
