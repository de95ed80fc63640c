"""The page of a report: what it says, where, and what it says of odd runs."""

import json
import re
from functools import cache
from html.parser import HTMLParser

import pytest
from made import HOSTS, run_row, timings

from compare.judge.comparison import Judged, across, within
from compare.judge.frame import of
from compare.judge.gates import judge_gates
from compare.judge.grammar import parse
from compare.judge.pair import CONTRASTED
from compare.show import pictures, sheets
from compare.show.cells import METRICS
from compare.show.charts import draw
from compare.show.facts import DEFINITIONS
from compare.show.headline import headline
from compare.show.pictures import Gallery, gallery
from compare.show.report import Source, report
from compare.show.subject import subject
from compare.show.verdicts import terms
from data.row import Failure

NO_CHARTS = Gallery(charts=[], glyphs={}, left_out={})


class Read(HTMLParser):
    """What a page holds: its words in order, and its tables as rows of cells."""

    def __init__(self, html):
        super().__init__()
        self.words, self.tables, self.links, self.ids = [], [], [], []
        self._hidden = self._cell = None
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.links += [given["href"]] if "href" in given else []
        self.ids += [given["id"]] if "id" in given else []
        if tag in {"style", "script"}:
            self._hidden = tag
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"th", "td"}:
            self._cell = []

    def handle_endtag(self, tag):
        if tag == self._hidden:
            self._hidden = None
        elif tag in {"th", "td"}:
            self.tables[-1][-1].append("".join(self._cell).strip())
            self._cell = None

    def handle_data(self, text):
        if self._hidden is None:
            self.words.append(text)
            if self._cell is not None:
                self._cell.append(text)


@cache
def judged(rows=None, hosts=HOSTS, **changes):
    rows = timings(hosts, n=140, fail={"zai": 0.1}) if rows is None else rows
    return Judged(run_row(hosts, **changes), of(rows), lambda: iter(()))


MADE = {}


def compared(*found):
    """Return a comparison, made once of the same runs."""
    key = tuple(map(id, found))  # `judged` keeps them
    if key not in MADE:
        MADE[key] = within(found[0]) if len(found) == 1 else across(*found)
    return MADE[key]


def source(*found, made=None, **changes):
    made = made or compared(*found)
    fields = {"gallery": NO_CHARTS, "gates": [], "failures": [[]] * len(found),
              "counts": [len(each.frame) for each in found]}  # fmt: skip
    return Source(comparison=made, **{**fields, **changes})


def page(*found, **changes):
    return Read(report(source(*found, **changes)))


def test_the_verdict_stands_before_every_table_in_the_terminals_words():
    found = judged()
    html = report(source(found))
    (sentence,) = headline(compared(found))
    assert html.index(sentence) < html.index("<table")
    assert terms(within(found).contrasts) in Read(html).text


def test_every_figure_of_the_summary_and_every_contrast_stands_in_a_table():
    found = judged(job=json.dumps({"slo": {"ttft": 300}}))
    made = within(found, objectives={"ttft": 300.0})
    read = page(found, made=made)
    columns = [column for table in read.tables for column in table[0]]
    unsaid = {"streamed", "USD as stated by host"}
    assert set(METRICS) - unsaid <= set(columns)
    assert not unsaid & set(columns)
    contrasts = next(table for table in read.tables if "verdict" in table[0])
    assert len(contrasts) - 1 == len(made.contrasts)
    first = made.contrasts[0]
    assert contrasts[1][:3] == [first.provider, first.reference, first.metric]
    assert f"{first.estimate:.3f}" in contrasts[1]
    assert first.verdict in contrasts[1]


def test_no_line_of_the_summary_stands_in_two_tables_of_a_kind():
    assert not set(sheets.SPEED) & set(sheets.COSTS)
    assert {*sheets.SPEED, *sheets.COSTS} <= set(METRICS)


def test_times_have_their_intervals_and_unknown_figures_say_why():
    table = page(judged()).tables[0]
    by_host = {row[0]: dict(zip(table[0], row, strict=True)) for row in table[1:]}
    assert re.fullmatch(r"\d+\n\(\d+ to \d+\)", by_host["ourtoken"]["TTFT p50 ms"])
    assert by_host["zai"]["TTFT p95 ms"].startswith("n/a (n=")
    assert by_host["zai"]["TTFT p95 with failures"] == "never"


def test_caveats_are_marked_where_they_spoil_and_told_with_advice():
    found = judged()
    made = compared(found)
    read = page(found, made=made)
    for note in made.notes:
        assert f"{note.text}: {note.advice}" in read.text
    marked = [link for link in read.links if link.startswith("#caveat-")]
    assert marked
    assert {link[1:] for link in read.links} <= set(read.ids)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "running", "validity": None}, "still going"),
        ({"status": "crashed", "validity": None}, "crashed"),
        ({"status": "interrupted"}, "was interrupted"),
        ({"validity": "degraded", "reasons": '[{"text": "much lag"}]'}, "much lag"),
        ({"validity": "invalid", "reasons": '[{"text": "it slept"}]'}, "it slept"),
        ({"kind": "demo"}, "simulated"),
    ],
    ids=["running", "crashed", "interrupted", "degraded", "invalid", "demo"],
)
def test_what_a_run_suffered_stands_at_the_top(changes, words):
    html = report(source(judged(**changes)))
    assert words in html[: html.index("<h2")]


def test_a_good_run_needs_no_banner_and_an_invalid_one_gets_no_verdict():
    html = report(source(judged()))
    assert 'class="banner' not in html
    text = page(judged(validity="invalid")).text
    assert "No verdict: the run is invalid." in text
    assert "is slower than" not in text


def test_an_empty_run_gives_a_page_that_says_so():
    found = judged(rows=(), status="crashed", validity=None)
    read = page(found, gallery=gallery([subject(found, compared(found))]))
    assert read.text.count("no measured request") >= 1
    assert "Not drawn" in read.text
    assert "How it was measured" in read.text
    assert not read.tables


def test_one_host_alone_gives_its_figures():
    rows = tuple(timings(("zai",), n=20))
    read = page(judged(rows, hosts=("zai",)))
    assert "One host only" in read.text
    assert len(read.tables[0]) == 2
    assert "#contrasts" not in read.links


def test_two_runs_are_told_apart_everywhere():
    a = judged(validity="degraded")
    b = judged(run_id="20261104-090000-efgh")
    read = page(a, b, failures=[[], [failure("zai")]])
    assert "What changed from run 20261103-090000-abcd to run 2026110" in read.text
    assert "run 20261103-090000-abcd: This run is degraded" in read.text
    assert "Nothing failed in run 20261103-090000-abcd" in read.text
    names = [row[0] for table in read.tables for row in table]
    assert "zai (new)" in names
    assert "zai (base)" in [row[1] for t in read.tables for row in t]
    assert "zai" not in names[: names.index("ourtoken (new)") + 3]
    assert "base: run 20261103-090000-abcd, started" in read.text
    assert "new: run 20261104-090000-efgh, started" in read.text
    assert "@2026" not in read.text


def failure(host, **changes):
    fields = {"provider": host, "scenario": "chat-1k", "outcome": "overloaded",
              "blame": "provider", "http_status": 429, "error_code": "1305", "n": 1_234,
              "seq": 7, "error_excerpt": "too \x1b[31mmany"}  # fmt: skip
    return Failure(**{**fields, **changes})


def test_failures_stand_with_what_the_host_said():
    table = page(judged(), failures=[[failure("zai"), failure("x")]]).tables[-2]
    assert table[1] == ["zai", "chat-1k", "overloaded", "provider", "429", "1305",
                        "1,234", "too [31mmany"]  # fmt: skip


def test_thresholds_stand_below_the_verdict():
    found = judged()
    gates = judge_gates([found], HOSTS, [parse("errors<5%")], {})
    html = report(source(found, gates=gates))
    table = Read(html).tables[0]
    assert [row[-1] for row in table[1:]] == ["holds", "holds", "FAILED"]
    assert html.index("Thresholds") < html.index('id="summary"')


def test_every_metric_and_column_is_defined():
    said = " ".join(DEFINITIONS)
    for metric in (*CONTRASTED, "ok"):
        assert re.search(rf"\b{metric}\b", said), metric
    for name in METRICS:
        word = re.sub(
            r" (p\d+|ms|tok/s|tokens|per 1,000.*|with .*|as .*)\b.*", "", name
        )
        assert word in f"{said} {DEFINITIONS['cost']}", name


def test_how_it_was_measured_is_told():
    facts = {
        "versions": '{"head-to-head": "9.8.7"}',
        "machine": '{"cpus": 64}',
        "seed": 41,
        "plan_hash": "cafe" * 8,
        "floor": json.dumps({"streams": 24, "ttft_p50_ms": 0.2, "ttft_p99_ms": 0.69,
                             "gap_p99_ms": 0.28, "tpot_p99_ms": 0.05}),
        "job": json.dumps({"load": {"concurrencies": [8], "max_requests": 150}}),
    }  # fmt: skip
    text = page(judged(**facts)).text
    for words in ("head-to-head 9.8.7", "cpus 64", "seed 41", "cafe" * 8,
                  "TTFT 0.20 ms", "8 blocks in flight, 150 blocks"):  # fmt: skip
        assert words in text


DRAWN = {}


def draw_once(kind, subject, *how):
    """Draw a chart of the one subject of these tests, unless that is done already."""
    if (kind, *how) not in DRAWN:
        DRAWN[kind, *how] = draw(kind, subject, *how)
    return DRAWN[kind, *how]


def drawn():
    return subject(judged(), compared(judged()))


def test_the_same_rows_give_the_same_page_under_two_megabytes(monkeypatch):
    found = judged()
    made = compared(found)
    pages = [report(source(found, made=made, gallery=gallery([subject(found, made)])))]
    monkeypatch.setattr(pictures, "draw", draw_once)
    pages.append(report(source(found, made=made, gallery=gallery([drawn()]))))
    assert pages[0] == pages[1]
    assert 100_000 < len(pages[0].encode()) < 2_000_000
    assert not re.search(r"(src|href)=[\"'](?!#|data:image/png)", pages[0])


def test_of_many_hosts_the_page_says_that_some_are_only_in_the_tables():
    hosts = tuple(f"h{n:02}" for n in range(14))
    found = judged(tuple(timings(hosts, n=12)), hosts=hosts)
    made = gallery([subject(found, compared(found))], room=300_000)
    read = page(found, gallery=made)
    assert "12 of 14 hosts are drawn, those asked most; all are in the tables" in (
        read.text
    )
    assert set(hosts) <= {row[0] for row in read.tables[0]}
    assert "are drawn" not in page(judged(), gallery=NO_CHARTS).text


def test_charts_for_which_there_is_no_room_are_named(monkeypatch):
    monkeypatch.setattr(pictures, "draw", draw_once)
    nothing = page(judged(), gallery=gallery([subject(judged())], room=0))
    assert "ttft-ecdf: the page has no room for it" in nothing.text
    found = judged()
    made = gallery([drawn()], room=100_000)
    size = sum(len(each.light) + len(each.dark) for each in made.charts)
    assert 0 < size <= 100_000
    read = page(found, gallery=made)
    assert "throughput: the page has no room for it" in read.text
