"""What charts say in words: findings, caveats, alerts, in whatever letters."""

import json
import warnings
from itertools import pairwise

import matplotlib as mpl
import msgspec
import pytest
from made import HOSTS, RUN_ID, run_row, store_run, subject_of, timing, timings

from compare.cli.main import main
from compare.judge.caveats import Caveat, Note
from compare.judge.contrast import FASTER, NO_DIFFERENCE, SLOWER, TOO_FEW
from compare.show import charts, letters
from compare.show.charts import KINDS, draw
from compare.show.findings import ahead, failed
from compare.show.theme import LIGHT, WIDTH, rc


def pictured(kind, subject):
    with mpl.rc_context(rc(LIGHT)):
        figure = charts._figure(KINDS[kind], subject, LIGHT)
        charts.settle(figure)
    return figure


def texts(figure):
    found = [*figure.texts]
    for axes in figure.axes:
        found += [*axes.texts, *axes.get_yticklabels(), *axes.get_xticklabels()]
    return [each for each in found if each.get_text()]


def said(figure):
    return " ".join(each.get_text() for each in texts(figure))


def noted(subject, *notes):
    made = msgspec.structs.replace(subject.comparison, notes=list(notes))
    return msgspec.structs.replace(subject, comparison=made)


def test_a_forest_has_every_caveat_whole_and_on_the_page():
    subject = subject_of(timings(n=60), compared=True)
    long = " ".join(f"word{n}" for n in range(45))
    notes = [
        Note(caveat=Caveat.RUN_INVALID, text="the machine slept"),
        Note(caveat=Caveat.UNLIKE_LOAD, text="rate 5 and 7"),
        Note(caveat=Caveat.ERRORS, text=long, scenario="chat-1k", step=0),
        Note(caveat=Caveat.ERRORS, text="other place", scenario="elsewhere", step=0),
        *(
            Note(caveat=Caveat.UNSTEADY, text=f"drift {n}", scenario="chat-1k", step=0,
                 hosts=("zai",), metrics=("tokens",))
            for n in range(9)
        ),
    ]  # fmt: skip
    figure = pictured("contrasts", noted(subject, *notes))
    told = said(figure)
    for note in notes:
        assert (note.text in told) == (note.text != "other place"), note.text
    assert "…" not in told
    page = figure.bbox
    for each in texts(figure):
        box = each.get_window_extent()
        assert page.x0 <= box.x0, each.get_text()
        assert box.x1 <= page.x1, each.get_text()
        assert page.y0 <= box.y0, each.get_text()


@pytest.mark.parametrize("hosts", [2, 8])
@pytest.mark.parametrize("spread", [1.02, 1.3, 4.0, 60.0])
def test_the_ratios_of_a_forest_stand_apart(hosts, spread):
    names = [f"openrouter@somebody/fp{n}" for n in range(hosts)]
    found = [
        msgspec.structs.replace(
            r, ttft_ms=200 * spread ** (names.index(r.provider) / 7)
        )
        for r in timings(names, n=30)
    ]
    figure = pictured("contrasts", subject_of(found, run_row(names), compared=True))
    figure.draw_without_rendering()
    (plot,) = (each for each in figure.axes if each.get_xlabel().startswith("ratio"))
    shown = plot.get_xticklabels()
    assert "1 x" in {each.get_text() for each in shown}
    for one, other in pairwise(each.get_window_extent() for each in shown):
        assert one.x1 < other.x0, [each.get_text() for each in shown]


def test_what_has_no_ratio_keeps_its_caveats():
    rows = [r for r in timings(n=60) if r.provider != "zai" or r.block < 5]
    note = Note(caveat=Caveat.ERRORS, text="zai fails", scenario="chat-1k", step=0,
                hosts=("zai",))  # fmt: skip
    told = said(pictured("contrasts", noted(subject_of(rows, compared=True), note)))
    assert "n/a (n=5, 6 more needed) [a]" in told


UNLIKE = [
    ("ourtoken", {"max_tokens": 256}),
    ("zai", {"max_tokens": 64}),
]


def unlike(subject):
    """Let hosts have been asked for unlike lengths."""
    vars(subject)["unlike"] = ["chat-1k: max_tokens differs (ourtoken 256, zai 64)"]
    return subject


@pytest.mark.parametrize("kind", KINDS)
def test_hosts_that_are_not_comparable_are_so_called_on_every_chart(kind):
    told = said(pictured(kind, unlike(subject_of(timings(n=12)))))
    assert "not comparable, and drawn anyway: chat-1k: max_tokens differs" in told
    assert "anyway" not in said(pictured(kind, subject_of(timings(n=12))))


def test_an_invalid_run_says_on_its_charts_why():
    reasons = '[{"text": "the machine slept"}]'
    run = run_row(validity="invalid", reasons=reasons)
    told = said(pictured("ttft-ecdf", subject_of(timings(n=12), run)))
    assert "the run is invalid: the machine slept" in told


@pytest.fixture
def stored_unlike(tmp_path):
    path = tmp_path / "h2h.db"
    store_run(path, run_row(), timings(n=12), lengths={"zai": 64})
    return path


def call(*args):
    with pytest.raises(SystemExit) as left:
        main([str(arg) for arg in args])
    return left.value.code


@pytest.mark.parametrize("verb", [("chart", RUN_ID, "errors"), ("report",)])
def test_what_is_not_comparable_is_neither_drawn_nor_reported_unasked(
    verb, stored_unlike, tmp_path, capsys
):
    out = tmp_path / ("page.html" if verb[0] == "report" else "charts")
    asked = [*verb, "--db", stored_unlike, "-o", out]
    assert call(*asked) == 2
    told = capsys.readouterr().err
    assert "max_tokens differs" in told
    assert "--anyway" in told
    assert not out.exists()
    form = [] if verb[0] == "report" else ["--format", "svg"]
    assert call(*asked, *form, "--anyway") == 0
    assert out.exists()
    if verb[0] == "report":
        assert "Compared anyway, though chat-1k: max_tokens" in out.read_text()


def contrasted(subject, *verdicts):
    """Give the hosts verdicts on their first tokens, and 1.5 times the median."""
    (first, *_) = subject.comparison.contrasts
    made = [
        msgspec.structs.replace(first, provider=host, metric="ttft", estimate=1.5 + n,
                                verdict=verdict)
        for n, (host, verdict) in enumerate(verdicts)
    ]  # fmt: skip
    comparison = msgspec.structs.replace(subject.comparison, contrasts=made)
    return msgspec.structs.replace(subject, comparison=comparison)


def test_the_head_says_who_is_ahead_as_the_verdicts_have_it():
    subject = subject_of(timings(n=20, fail={"zai": 0.5}), compared=True)
    made = contrasted(subject, ("openrouter-auto", SLOWER), ("zai", NO_DIFFERENCE))
    assert ahead(made, ("ttft",)) == (
        "To the first token, openrouter-auto (1.50 x) slower than ourtoken, zai: no "
        "difference from ourtoken shown; failed requests: zai 55.0 %."
    )
    assert ahead(made, ("e2e",)) == ""
    told = said(pictured("ttft-ecdf", made)).replace("\n", " ")
    assert "slower than ourtoken" in told
    assert ahead(contrasted(subject, ("zai", None)), ("ttft",)) == ""
    few = contrasted(subject, ("zai", TOO_FEW))
    assert "zai: too few samples against ourtoken" in ahead(few, ("ttft",))


def test_many_hosts_are_counted_in_the_head():
    subject = subject_of(timings(n=20), compared=True)
    made = contrasted(subject, *((f"h{n}", FASTER) for n in range(8)))
    told = "To the first token, 8 hosts (1.50 to 8.50 x) faster than ourtoken."
    assert ahead(made, ("ttft",)) == told


def test_the_head_says_whose_requests_failed():
    assert failed(subject_of(timings(n=20))) == "No request failed."
    assert failed(subject_of([])) == ""
    hosts = [f"h{n}" for n in range(6)]
    rows = [
        timing(6 * k + n, provider=host, outcome="ok" if k >= n else "timeout")
        for k in range(20)
        for n, host in enumerate(hosts)
    ]
    told = "Failed requests: h5 25.0 %, h4 20.0 %, h3 15.0 % and 2 more hosts less."
    assert failed(subject_of(rows, run_row(hosts))) == told


SCRIPTS = ("日本語の模型", "모델", "модель", "مدل", "दिल्ली", "\U0001f999 llama", "𓀀")


@pytest.mark.parametrize("kind", KINDS)
def test_no_script_draws_as_boxes(kind):
    rows = timings(SCRIPTS, n=12, scenario="会话-1k", fail={SCRIPTS[0]: 0.3})
    prices = json.dumps({host: {"id": "x", "host": host, "date": "2026-07-02",
                                "input_pusd": 10**6 + n, "output_pusd": 10**6,
                                "cache_read_pusd": 10**5 - 9 * n, "source": "x"}
                         for n, host in enumerate(SCRIPTS)})  # fmt: skip
    subject = subject_of(rows, run_row(SCRIPTS, prices=prices), compared=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(kind, subject, "svg")


def test_letters_that_no_font_has_are_spelt(monkeypatch):
    monkeypatch.setattr(letters, "families", lambda: (letters.FIRST,))
    letters._font_of.cache_clear()
    assert letters.spelt("glm 日本") == r"glm \u65e5\u672c"
    assert letters.spelt("𓀀") == r"\U00013000"
    assert letters.spelt("модель é…") == "модель é…"
    letters._font_of.cache_clear()
    assert len(set(subject_of([], run_row(("日本", "日木"))).hosts.values())) == 2


def test_lines_are_as_wide_as_they_are_measured_and_lose_nothing():
    text = "WWWW iiii " * 30 + "x" * 300
    lines = letters.wrapped(text, 3.0, 8.5)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    drawn = mpl.figure.Figure(figsize=(WIDTH, 1), dpi=100)
    with mpl.rc_context(rc(LIGHT)):
        for line in lines:
            box = drawn.text(0, 0, line, size=8.5).get_window_extent()
            assert box.width / 100 <= 3.05
            assert letters.width(line, 8.5) == pytest.approx(box.width / 100, abs=0.1)
    assert letters.wrapped("", 1, 8) == []


def test_hosts_keep_their_names_where_letters_allow():
    assert subject_of(timings(n=3)).hosts == {host: host for host in HOSTS}
