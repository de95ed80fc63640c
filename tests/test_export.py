"""data.export: every row and column out, nothing that runs, nothing half written."""

import csv
import io
import json
import os
import sqlite3
import stat
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.export import FORMS, export, guarded
from data.store import StoreError


class Line(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    n: int | None = None
    share: float | None = None
    blob: bytes | None = None


STEERING = "".join(
    map(chr, [*range(9), *range(11, 32), *range(127, 160), 0x61C, 0x200E,
              0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)])
)  # fmt: skip
HOSTILE = Line(name='=HYPERLINK("http://x")', n=-5, share=-0.5, blob=b"\x00\xff")
LINES = [HOSTILE, Line(name='plain, with "quotes"\nand a line'), Line(name="")]


def written(form, lines=LINES, **options):
    out = io.BytesIO()
    n = export(iter(lines), Line, form, out, **options)
    assert n == len(lines)
    return out.getvalue().decode()


def test_csv_holds_every_row_and_column():
    header, first, second, third = csv.reader(io.StringIO(written("csv", raw=True)))
    assert header == ["name", "n", "share", "blob"]
    assert first == [HOSTILE.name, "-5", "-0.5", "00ff"]
    assert second == [LINES[1].name, "", "", ""]
    assert third == ["", "", "", ""]


def test_csv_disarms_formulas_and_leaves_numbers():
    _, first, *_ = csv.reader(io.StringIO(written("csv")))
    assert first == [f"'{HOSTILE.name}", "-5", "-0.5", "00ff"]


def test_csv_disarms_the_header_too(monkeypatch):
    monkeypatch.setattr(
        "data.export._names", lambda _: ["=cmd()", "n", "share", "blob"]
    )
    assert written("csv", []) == "'=cmd(),n,share,blob\n"
    assert written("csv", [], raw=True) == "=cmd(),n,share,blob\n"


@pytest.mark.parametrize(
    "first", [*"=+-@\t\n", "\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_each_start_of_a_formula_is_disarmed(first):
    assert guarded(f"{first}1+cmd") == f"'{first[-1]}1+cmd"


@pytest.mark.parametrize(
    "cell", ["-5", "+5", "-1.5e-3", "+2.", "a=b", "", -5, None, 0.5, " -5"]
)
def test_numbers_and_harmless_text_stay(cell):
    assert guarded(cell) == cell


@given(st.text(max_size=20))
def test_no_cell_of_text_starts_a_formula(text):
    cell = guarded(text)
    assert isinstance(cell, str)
    lines = text.replace("\r\n", "\n")
    shown = "".join("\ufffd" if c in STEERING else c for c in lines)
    assert cell.removeprefix("'") == shown or cell == shown
    bare = cell.lstrip()
    if bare[:1] and bare[0] in "=@\t\r\n＝＋－＠":  # noqa: RUF001 - full width is meant
        pytest.fail(f"{cell!r} would run")
    if bare[:1] in ("+", "-"):
        float(bare)


def test_no_text_form_can_steer_a_terminal_that_shows_it():
    nasty = Line(name=f"a{''.join(STEERING)}b")
    for form in ("csv", "jsonl", "markdown"):
        assert not set(STEERING) & set(written(form, [nasty]))
    assert json.loads(written("jsonl", [nasty])) == msgspec.to_builtins(nasty)
    assert set(STEERING) < set(written("csv", [nasty], raw=True))


def test_jsonl_keeps_types_and_tells_unknown_from_empty():
    first, second, third = map(json.loads, written("jsonl").splitlines())
    assert first == {"name": HOSTILE.name, "n": -5, "share": -0.5, "blob": "AP8="}
    assert (second["n"], third["name"]) == (None, "")
    assert list(first) == ["name", "n", "share", "blob"]


def test_markdown_cells_cannot_break_out_of_the_table():
    nasty = "a|b\n| c | ![x](http://x/y.png) <b> `code` \x1b[31m \u202e *z*"
    head, rule, row = written("markdown", [Line(name=nasty)]).splitlines()
    assert head == "| name | n | share | blob |"
    assert rule == "| --- | --- | --- | --- |"
    assert row.replace("\\|", "").count("|") == 5
    assert "![" not in row
    assert "\\<b\\>" in row
    assert not set("\x1b\u202e") & set(row)


@pytest.mark.parametrize("form", ["csv", "jsonl", "markdown"])
def test_no_rows_still_make_a_file(form):
    text = written(form, [])
    assert text == "" if form == "jsonl" else text.count("name") == 1


def test_a_text_stream_such_as_standard_output_is_left_open(capfdbinary):
    print("before")
    export(LINES[2:], Line, "jsonl", sys.stdout)
    print("after")
    sys.stdout.flush()
    lines = capfdbinary.readouterr().out.splitlines()
    assert lines[0] == b"before"
    assert json.loads(lines[1])["name"] == ""
    assert lines[2] == b"after"


def test_a_file_is_for_the_owner_alone(tmp_path):
    out = tmp_path / "rows.csv"
    before = os.umask(0)
    try:
        assert export(LINES, Line, "csv", out) == 3
    finally:
        os.umask(before)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["rows.csv"]


def test_a_file_that_is_there_stays_unless_forced(tmp_path):
    out = tmp_path / "rows.jsonl"
    out.write_text("mine")
    with pytest.raises(StoreError, match=r"rows\.jsonl: is there already.*--force"):
        export(LINES, Line, "jsonl", out)
    assert out.read_text() == "mine"
    export(LINES, Line, "jsonl", out, force=True)
    assert len(out.read_text().splitlines()) == 3


def test_a_link_is_replaced_and_not_followed(tmp_path):
    target, out = tmp_path / "target", tmp_path / "rows.csv"
    target.write_text("precious")
    out.symlink_to(target)
    with pytest.raises(StoreError, match="is there already"):
        export(LINES, Line, "csv", out)
    export(LINES, Line, "csv", out, force=True)
    assert target.read_text() == "precious"
    assert not out.is_symlink()


def test_a_source_that_fails_leaves_nothing_and_what_was_there(tmp_path):
    def failing():
        yield LINES[0]
        raise sqlite3.OperationalError("the database went away")

    out = tmp_path / "rows.csv"
    out.write_text("old")
    with pytest.raises(sqlite3.OperationalError, match="went away"):
        export(failing(), Line, "csv", out, force=True)
    assert out.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["rows.csv"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"no/rows\.csv: cannot be made"):
        export(LINES, Line, "csv", tmp_path / "no" / "rows.csv")


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(StoreError, match="xlsx: unknown; choose one of csv, jsonl"):
        export(LINES, Line, "xlsx", io.BytesIO())


def test_parquet_without_its_extra_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(StoreError, match=r"head-to-head\[parquet\]"):
        export(LINES, Line, "parquet", tmp_path / "rows.parquet")
    assert list(tmp_path.iterdir()) == []


def test_parquet_keeps_types_and_rows(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "rows.parquet"
    assert export(LINES, Line, "parquet", out) == 3
    table = parquet.read_table(out)
    assert [str(field.type) for field in table.schema] == [
        "string",
        "int64",
        "double",
        "binary",
    ]
    assert table.to_pylist() == [msgspec.structs.asdict(line) for line in LINES]


def test_the_forms_are_the_four_that_are_promised():
    assert list(FORMS) == ["csv", "jsonl", "markdown", "parquet"]


def test_what_is_no_plain_file_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(StoreError, match="no plain file"):
        export(LINES, Line, "csv", pipe, force=True)
    assert pipe.is_fifo()
