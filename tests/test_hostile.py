"""What hosts, models and strangers' databases call themselves: never more than text.

Each attack is shown to work on its own before it is shown to fail.
"""

import io
import re
import sqlite3
import unicodedata
import xml.etree.ElementTree as ET
from contextlib import closing

import pytest
from made import RUN_ID, run_row, store_run, subject_of, timings
from rich.console import Console

from compare.cli.main import main
from compare.show import pictures
from compare.show.charts import FORMATS, KINDS, ChartError, draw, write
from compare.show.words import plain

ATTACKS = {
    "colour": "\x1b[31mred\x1b[0m",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "answerback": "\x1b[6n\x1b[c\x05",
    "screen": "\x1b[2J\x1b[H\x1bc",
    "c1": "\x9b31m\x9d0;owned\x9c\x90q\x9c",
    "backspace": "bad\x08\x08\x08good\x7f",
    "return": "failed\rok     ",
    "line": "x\nerror: forged line\n2026-11-23 INFO all is well",
    "bidi": "\u202egnp.exe\u2066\u200e\u061c",
    "separators": "a\u2028b\u2029c\x85d\x0be",
    "unseen": "a\u200bb\ufeffc\u00add",
    "half": "\ud83d",
    "markup": "[red]x[/red][link=http://evil]y[/] :skull: [bold",
    "html": "<script>alert(1)</script><img src=x onerror=y>&amp;",
    "mathtext": r"$\frac{}$ a$b$c $^$ \foo",
    "format": "%s %n {0} {x.__class__} ${HOME} `id`",
    "formula": "=HYPERLINK(\"http://evil\")",
    "sql": "x'; DROP TABLE runs; --",
    "long": "x" * 100_000,
    "blank": "  \t ",
    "path": "../../../etc/passwd",
    "combining": "a" + "\u0301" * 500,
}  # fmt: skip
EVERYTHING = "".join(each[:200] for each in ATTACKS.values())


HARMLESS = "\n\t\xad\u200b\ufeff"
"""What is no plain character and yet moves nothing: exports keep it."""


def steers(text, but="\n"):
    """Return what in a text is no plain character, line ends apart."""
    bad = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    return {c for c in text if c not in but and unicodedata.category(c) in bad}


def storable(text):
    """Return a text as a database would hold it: without half a character."""
    return text.encode("utf-8", "replace").decode()


# --------------------------------------------------------------------- one text


@pytest.mark.parametrize("name", ATTACKS)
def test_plain_text_is_one_short_line_that_steers_nothing(name):
    for limit in (20, 200):
        shown = plain(ATTACKS[name], limit)
        assert len(shown) <= limit
        assert "\n" not in shown
        assert not steers(shown)
        shown.encode()


def test_markup_works_where_it_is_allowed():
    """Or the tests of tables would show nothing."""
    out = io.StringIO()
    Console(file=out, force_terminal=True).print(ATTACKS["markup"].replace("[/]", ""))
    assert "\x1b[31mx" in out.getvalue()
    assert "evil" in out.getvalue()


# ----------------------------------------------------- every verb that reads


@pytest.fixture
def stranger(tmp_path):
    """A database with our schema whose every text is an attack, every number wild."""
    path = tmp_path / "theirs.db"
    store_run(path, run_row(), timings(n=4))
    texts = [storable(each) for each in ATTACKS.values()]
    with closing(sqlite3.connect(path)) as db:
        spoil(db, texts)
        db.commit()
    return path


def spoil(db, texts):
    json_columns = "reasons job versions machine tags prices providers scenarios floor "
    kept = {*json_columns.split(), "health", "seq", "load"}
    columns = db.execute("PRAGMA table_info(requests)").fetchall()
    wild = [0, -1, 2**63 - 1, -(2**63), 1, 10**15, None]
    for n, (rowid,) in enumerate(db.execute("SELECT rowid FROM requests").fetchall()):
        for m, (_, name, kind, needed, *_) in enumerate(columns):
            if name in kept | {"phase", "run_id"} or (n < 6 and name == "outcome"):
                continue
            value = {"TEXT": texts, "INTEGER": wild, "REAL": [*wild, 9e999, -9e999],
                     "BLOB": [b"\xff" * 99, b""]}[kind]  # fmt: skip
            chosen = value[(n + m) % len(value)]
            if chosen is None and needed:
                chosen = 0
            db.execute(
                f"UPDATE requests SET {name} = ? WHERE rowid = ?", (chosen, rowid)
            )
    everything = storable(EVERYTHING)
    db.execute("UPDATE runs SET run_id = ?, kind = ?, started_at = ?, status = ?, "
               "validity = ?", (everything,) * 5)  # fmt: skip
    db.execute("UPDATE requests SET run_id = ?", (everything,))
    quoted = db.execute("SELECT json_array(?)", (everything,)).fetchone()[0]
    for column in ("reasons", "providers", "scenarios"):
        db.execute(f"UPDATE runs SET {column} = ?", (quoted,))


VERBS = [
    ["runs"], ["runs", "--json"], ["show"], ["show", "--json"], ["compare"],
    ["compare", "--json"], ["usage"], ["usage", "--json"], ["export"],
    ["export", "--format", "jsonl"], ["export", "--format", "markdown"],
    ["export", "--summary"], ["show", "no-such-run"], ["chart"], ["doctor"],
    ["chart", "latest", "errors"], ["compare", "latest", "--reference", "nobody"],
    ["runs", "rm", "\x1b"], ["report"],
]  # fmt: skip


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_no_verb_lets_a_strangers_text_steer_the_terminal(
    stranger, verb, terminal, capfd, monkeypatch, tmp_path
):
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    # Nothing of a page is printed, and all its charts would take a quarter of a minute:
    # they are drawn below.
    monkeypatch.setattr(pictures, "drawable", lambda _: (["errors", "contrasts"], {}))
    files = {"chart": "charts", "report": "report.html"}
    options = ["-o", str(tmp_path / files[verb[0]])] if verb[0] in files else []
    with pytest.raises(SystemExit) as left:
        main([*verb, *options, "--db", str(stranger)])
    out, err = capfd.readouterr()

    assert left.value.code in {0, 2, 3}
    assert "Traceback" not in err
    # Under FORCE_COLOR tables are styled, by us; a hostile text has no such codes.
    styled = re.compile(r"\x1b\[[0-9;]*m") if terminal else re.compile(r"(?!)")
    assert not steers(styled.sub("", out), HARMLESS if verb[0] == "export" else "\n")
    assert not steers(err)
    assert "\x1b[31mred" not in out
    forged = [line for line in (out + err).splitlines() if line.startswith("2026-11")]
    assert not forged or verb[0] == "export"  # in CSV a cell may have lines


def test_the_texts_steer_a_terminal_when_they_are_just_printed(stranger):
    """Or the test above would show nothing."""
    with closing(sqlite3.connect(stranger)) as db:
        (told,) = db.execute("SELECT group_concat(provider) FROM requests").fetchone()
        (run_id,) = db.execute("SELECT run_id FROM runs").fetchone()
    assert {"\x1b", "\x9b", "\u202e", "\x07", "\r"} <= steers(told + run_id)


# ------------------------------------------------------------------------ charts


@pytest.mark.parametrize(
    ("kind", "file_format"),
    [*((kind, "svg") for kind in KINDS), *(("errors", form) for form in FORMATS)],
)
def test_every_chart_draws_every_attack_as_text(kind, file_format):
    hosts = [storable(each) for each in ATTACKS.values()]
    rows = timings(hosts, n=2, scenario=storable(EVERYTHING), fail={hosts[0]: 1.0})
    run = run_row(hosts[:1], run_id=EVERYTHING, kind=EVERYTHING, status=EVERYTHING)

    picture = draw(
        kind, subject_of(rows, run, compared=kind == "contrasts"), file_format
    )

    assert picture[:5] in {b"\x89PNG\r", b"<?xml", b"%PDF-"}
    if file_format == "svg":
        root = ET.fromstring(picture)
        names = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert not names & {"script", "foreignObject", "a", "image", "iframe"}
        assert not steers(picture.decode())
        links = [value for e in root.iter() for name, value in e.attrib.items()
                 if name.endswith("href") or name.startswith("on")]  # fmt: skip
        assert all(link.startswith("#") for link in links)


def test_mathtext_breaks_a_chart_where_it_is_parsed(monkeypatch):
    """Or the test above would show nothing of it."""
    from compare.show import charts, theme

    lax = theme.rc(theme.LIGHT) | {"text.parse_math": True}
    monkeypatch.setattr(charts, "rc", lambda colours: lax)
    hosts = [ATTACKS["mathtext"]]
    with pytest.raises(ValueError, match=r"[Pp]arse|Expected|Unknown"):
        draw("errors", subject_of(timings(hosts, n=2), run_row(hosts)), "svg")


@pytest.mark.parametrize(
    "run_id",
    ["../x", "..", ".hidden", "a/b", "/etc/x", "", "x" * 81, "a b", "a\nb", "a\x00b",
     "-\u202e", "é", "a\\b", "CON:", "~"],
)  # fmt: skip
def test_no_name_of_a_run_leads_out_of_the_folder(tmp_path, run_id):
    inside = tmp_path / "charts"
    with pytest.raises(ChartError, match="cannot name a file"):
        write(
            ["errors"], subject_of(timings(n=1), run_row(run_id=run_id)), inside, "svg"
        )
    assert not list(tmp_path.rglob("*"))


def test_such_a_name_would_lead_out_of_the_folder(tmp_path, monkeypatch):
    """Or the test above would show nothing."""
    monkeypatch.setattr("compare.show.charts._SAFE", re.compile(".*"))
    inside = tmp_path / "charts"
    write(["errors"], subject_of(timings(n=1), run_row(run_id="../x")), inside, "svg")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [
        "x-errors.svg"
    ]


# --------------------------------------------------------------------------- SQL


@pytest.mark.parametrize(
    "text", [ATTACKS["sql"], "' OR 1=1 --", "%", "_", "x' UNION SELECT 1 --", "\x00"]
)
def test_what_names_a_run_is_never_part_of_a_statement(tmp_path, text, capfd):
    path = tmp_path / "h2h.db"
    store_run(path, run_row(), timings(n=1))
    for verb in (["show"], ["runs", "rm"], ["export"], ["chart"], ["compare"]):
        with pytest.raises(SystemExit) as left:
            main([*verb, text, "--db", str(path)])
        assert left.value.code == 2
    assert "Traceback" not in capfd.readouterr().err
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT run_id FROM runs").fetchall() == [(RUN_ID,)]


def test_every_identifier_in_a_statement_is_a_field_of_a_record():
    from data.row import CheckRow, Row, RunRow, Timing

    for record in (CheckRow, Row, RunRow, Timing):
        assert all(name.isidentifier() for name in record.__struct_fields__)
