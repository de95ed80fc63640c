"""A comparison in a notebook: the same as the verb says, and nothing but text."""

import html
import json
from html.parser import HTMLParser

import pytest
from made import HOSTS, RUN_ID, run_row, store_run, timings

from compare.cli.main import main
from compare.judge.caveats import Caveat
from compare.show import papers
from compare.show.notebook import load
from compare.show.verdicts import letter, marked
from data.store import StoreError

HOSTILE = (
    "<script>alert(1)</script>",
    "$\\href{javascript:alert(1)}{x}$",
    "\x1b[31m</td><img src=x onerror=alert(1)> & \"'",
)
TAGS = {"div", "p", "strong", "br", "table", "thead", "tbody", "tr", "th", "td", "ul",
        "li", "span"}  # fmt: skip


class Seen(HTMLParser):
    """Collects tags with their attributes, and texts."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = set(), [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def seen(sheet):
    parser = Seen()
    parser.feed(sheet._repr_html_())
    parser.close()
    assert not parser.open
    return parser


@pytest.fixture
def stored(tmp_path):
    def make(hosts=HOSTS, **changes):
        path = tmp_path / "h2h.db"
        store_run(path, run_row(hosts, **changes), timings(hosts, n=30))
        return path

    return make


def test_it_says_what_compare_says(stored, capsys):
    path = stored()
    sheet = load(path)
    with pytest.raises(SystemExit):
        main(["compare", "--json", "--db", str(path)])
    told = json.loads(capsys.readouterr().out)
    assert sheet.comparison.reference == told["reference"] == HOSTS[0]
    found = [each.verdict for each in sheet.comparison.contrasts]
    assert found == [each["verdict"] for each in told["contrasts"]]
    text = html.unescape("".join(seen(sheet).texts))
    assert repr(sheet) in text
    for words in (*HOSTS, "slower", "n/a (n=30 < 130)", RUN_ID, "not calibrated"):
        assert words in text


def test_what_spoils_a_verdict_is_marked_beside_it_in_every_form(tmp_path):
    path = tmp_path / "h2h.db"
    store_run(path, run_row(), timings(n=30, fail={"zai": 0.3}))
    sheet = load(path)
    marks = marked(sheet.comparison.notes, sheet.comparison.contrasts)
    cells = [part.removesuffix("]").partition(" [")
             for part in html.unescape("\0".join(seen(sheet).texts)).split("\0")
             if part.endswith("]")]  # fmt: skip
    wanted = [mark.strip() for mark in marks.values() if mark]
    assert wanted
    assert [mark for _, _, mark in cells] == wanted
    text = papers.markdown(sheet.comparison, []).replace("\\", "")
    for mark in set(wanted):
        assert f"[{mark}] |" in text
    failed = next(n for n, note in enumerate(sheet.comparison.notes)
                  if note.caveat is Caveat.ERRORS)  # fmt: skip
    assert f"- {letter(failed).strip()}: zai: " in text
    assert any(letter(failed).strip() in mark for mark in wanted)


def test_no_name_becomes_markup_or_a_formula(stored):
    found = seen(load(stored(HOSTILE), reference=HOSTILE[1]))
    assert found.tags <= TAGS
    assert found.attributes == [("class", "tex2jax_ignore mathjax_ignore")]
    assert "\x1b" not in "".join(found.texts)
    for text in found.texts:
        assert text == "$" or "$" not in text
        assert text == "\\" or "\\" not in text


def test_an_empty_run_and_a_wrong_name_are_said(stored):
    path = stored(("alone",))
    assert "One host only" in repr(load(path))
    with pytest.raises(ValueError, match="known are alone"):
        load(path, reference="nobody")
    with pytest.raises(StoreError, match="there are"):
        load(path, "2099")
