import datetime as dt
import json
import re
import xml.etree.ElementTree as ET

import msgspec
import numpy as np
import pytest
from made import run_row, timing, timings

from compare.judge import live
from compare.judge.comparison import Judged, within
from compare.judge.frame import of
from compare.judge.gates import check, judge_gates
from compare.judge.grammar import parse
from compare.judge.live import Watch
from compare.judge.threshold import ThresholdError
from compare.show import gates as shown
from compare.show import papers
from data.row import Row

HOSTS = ("ourtoken", "openrouter-auto", "zai")


def judged(rows, **changes):
    return Judged(run_row(**changes), of(rows), list)


def gates(rows, *texts, objectives=None, hosts=HOSTS):
    thresholds = [parse(text) for text in texts]
    return judge_gates([judged(rows)], hosts, thresholds, objectives or {})


def test_a_threshold_is_judged_for_each_host_scenario_and_step():
    rows = timings(n=30) + timings(n=30, step=1, first=300)
    found = gates(rows, "ttft:p50<200ms", "zai.ttft:p50<10s")
    assert [(g.who, g.step, g.passed) for g in found] == [
        ("ourtoken", 0, True), ("openrouter-auto", 0, False), ("zai", 0, False),
        ("ourtoken", 1, True), ("openrouter-auto", 1, False), ("zai", 1, False),
        ("zai", 0, True), ("zai", 1, True),
    ]  # fmt: skip


def test_each_figure_is_the_summarys():
    rows = timings(n=140, fail={"zai": 0.3})
    found = {
        text: next(g for g in gates(rows, text) if g.who == "zai")
        for text in ("errors<1%", "ok>=99%", "cost<1", "checks>99%", "ttft:max<9s")
    }
    failed = sum(r.outcome != "ok" for r in rows) / 140
    assert found["errors<1%"].value == pytest.approx(failed)
    assert found["ok>=99%"].value == pytest.approx(1 - failed)
    assert found["checks>99%"].value == 1
    assert [g.passed for g in found.values()] == [False, False, True, True, True]
    assert found["errors<1%"].low < failed < found["errors<1%"].high


def test_what_cannot_be_judged_is_not_passed():
    (few,) = gates(timings(("a",), n=71), "ttft:p(95)<9s", hosts=["a"])
    assert (few.passed, few.value) == (False, None)
    assert shown.told(few) == "n/a (n=71 < 130)"
    (none,) = gates([], "errors<100%")
    assert (none.passed, shown.told(none)) == (False, "n/a (no measured request)")
    (unpriced,) = gates([timing(0)], "cost<1")
    assert shown.told(unpriced) == "n/a (1 unpriced)"
    (alone,) = gates(timings(("a",)), "ratio(a/zai, ttft, p50)<9", hosts=["a", "zai"])
    assert not alone.passed


def test_with_a_confidence_the_whole_interval_must_hold():
    rows = timings(n=40)
    (point,) = gates(rows, "ourtoken.ttft:p50<185ms")
    (sure,) = gates(rows, "ourtoken.ttft:p50<185ms with 95%")
    assert point.value < 185 < sure.high
    assert (point.passed, sure.passed) == (True, False)
    (errors,) = gates(rows, "ourtoken.errors<1% with 95%")
    assert errors.value == 0
    assert not errors.passed  # 40 of 40 do not show it
    (wide,) = gates(rows, "ratio(zai/ourtoken, ttft, p50)<2 with 99%")
    (close,) = gates(rows, "ratio(zai/ourtoken, ttft, p50)<2 with 60%")
    assert wide.low < close.low < close.high < wide.high
    assert wide.who == "zai/ourtoken"


def hung(n=150, cut=12, **changes):
    """Return quick answers, and requests that had waited for 40 s when all ended."""
    rows = timings(("a",), n=n)
    what = {"provider": "a", "outcome": "interrupted", "blame": "client",
            "sent_s": 1.0, "end_s": 41.0, **changes}  # fmt: skip
    return rows + [timing(n + k, **what) for k in range(cut)]


@pytest.mark.parametrize(
    ("text", "alone", "hanging"),
    [
        ("ttft:p95<9s", True, False),
        ("ttft:p50<9s", True, True),  # 12 of 162 cannot push the median there
        ("ttft:p50<9s with 95%", True, True),
        ("ttft:p95<9s with 60%", True, False),
        ("ttft:max<9s", True, False),
        ("ttft:avg<9s", True, False),
        ("ttft:avg>10", True, True),
        ("ttft:min>10", True, True),
        ("decode_tps:p50>10", True, True),
        ("decode_tps:min>10", True, False),
        ("errors<1%", True, False),
        ("errors<10%", True, True),
        ("ok>99%", True, False),
        ("checks>99%", True, True),
        ("goodput>99%", True, False),
    ],
)
def test_a_host_that_hung_until_we_cut_it_off_passes_nothing_by_that(
    text, alone, hanging
):
    found = []
    for rows in (timings(("a",), n=150), hung()):
        (gate,) = gates(rows, text, objectives={"ttft": 9e3}, hosts=["a"])
        found.append(gate.passed)
    assert found == [alone, hanging]


def test_a_gate_says_what_was_cut_off():
    (gate,) = gates(hung(), "errors<1%", hosts=["a"])
    assert shown.told(gate).endswith("; 12 cut off by us may change it")
    assert gate.value == 0
    assert gate.high > 12 / 162
    (known,) = gates(hung(ttft_ms=200.0), "ttft:p95<9s", hosts=["a"])
    assert known.passed  # they had their first token


def pair_of(n=150, cut=75, **changes):
    """Return blocks of two quick hosts; the last `cut` of b waited until we cut."""
    what = {"outcome": "interrupted", "blame": "client", "ttft_ms": None, **changes}
    return [
        msgspec.structs.replace(r, **what, end_s=r.sent_s + 40)
        if r.provider == "b" and r.block >= n - cut
        else r
        for r in timings(("a", "b"), n=n)
    ]


@pytest.mark.parametrize(
    ("text", "few", "half"),
    [
        ("ratio(b/a, ttft, p50)<1.8 with 95%", True, False),
        ("ratio(b/a, ttft, p50)<1.8", True, False),
        ("ratio(b/a, ttft, p95)<3", False, False),
        ("ratio(b/a, ttft, avg)<9", False, False),
        ("ratio(a/b, ttft, p50)>0.5 with 95%", True, False),
        ("ratio(a/b, ttft, p50)<9", True, True),
        ("ratio(b/a, ttft, p50)>0.5", True, True),
        ("ratio(a/b, decode_tps, p50)<9", True, False),
        ("ratio(b/a, cost, p50)<9", True, True),
    ],
)
def test_a_ratio_passes_only_whatever_had_become_of_what_we_cut_off(text, few, half):
    assert gates(pair_of(cut=0), text, hosts="ab")[0].passed
    found = [gates(pair_of(cut=n), text, hosts="ab")[0] for n in (8, 76)]
    assert [each.passed for each in found] == [few, half]
    told = found[1].value is not None and "cost" not in text
    assert ("cut off by us" in found[1].why) == told


def test_what_had_its_figure_before_we_cut_it_off_changes_no_ratio():
    text = "ratio(b/a, ttft, p50)<1.8 with 95%"
    (gate,) = gates(pair_of(ttft_ms=240.0), text, hosts="ab")
    assert (gate.passed, gate.why) == (True, "")


def test_a_change_passes_only_whatever_had_become_of_what_we_cut_off():
    asked = [parse("ratio(new/base, ttft, p50)<1.5 with 95%")]
    for cut, passes in ((0, True), (8, True), (75, False)):
        pair = [judged(pair_of(cut=0)), judged(pair_of(cut=cut), run_id="new")]
        found = judge_gates(pair, "ab", asked, {})
        assert [g.passed for g in found] == [True, passes]


def test_no_ratio_of_whole_answers_passes_where_they_differ_in_length():
    short = [
        msgspec.structs.replace(r, completion_tokens=9) if r.provider == "b" else r
        for r in timings(("a", "b"), n=60)
    ]
    texts = ("ratio(b/a, e2e, p50)<9", "ratio(b/a, ttft, p50)<9")
    whole, first = gates(short, *texts, hosts="ab")
    assert (whole.passed, whole.value, first.passed) == (False, None, True)
    assert re.fullmatch(r"n/a \(1\.\d+, but of unequal lengths\)", shown.told(whole))
    pair = [judged(timings(("a", "b"), n=60)), judged(short, run_id="new")]
    asked = [parse("ratio(new/base, e2e, p50)<9")]
    assert [g.passed for g in judge_gates(pair, "ab", asked, {})] == [True, False]


def test_two_runs_are_base_and_new():
    slower = [msgspec.structs.replace(r, ttft_ms=r.ttft_ms * 1.5) for r in timings()]
    pair = [judged(timings()), judged(slower, run_id="new")]
    texts = ("ratio(new/base, ttft, p50)<1.1 with 95%", "ourtoken.ttft:p50<200ms")
    found = judge_gates(pair, HOSTS, [parse(text) for text in texts], {})
    assert [g.who for g in found[:3]] == [f"{h}@new/{h}@base" for h in HOSTS]
    assert not any(g.passed for g in found)
    with pytest.raises(ThresholdError, match="new/base"):
        judge_gates(pair, HOSTS, [parse("ratio(zai/ourtoken, ttft, p50)<1")], {})


def test_a_change_of_what_only_one_of_two_runs_asked_is_not_passed():
    base = timings(("a", "b"), n=40) + timings(("a",), n=40, scenario="old")
    new = timings(("a", "c"), n=40)
    asked = [parse("ratio(new/base, ttft, p50)<9")]
    found = judge_gates([judged(base), judged(new, run_id="new")], "ac", asked, {})
    assert [(g.who, g.scenario, g.passed) for g in found] == [
        ("a@new/a@base", "chat-1k", True),
        ("b@new/b@base", "chat-1k", False),
        ("c@new/c@base", "chat-1k", False),
        ("a@new/a@base", "old", False),
    ]
    assert {shown.told(g) for g in found[1:]} == {"n/a (n=0 < 11)"}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("zia.errors<1%", 0, "no such host; there are ourtoken"),
        ("ratio(zai/base, ttft, p50)<1", 10, "no such host"),
        ("goodput>1%", 0, "give --goodput or [slo]"),
    ],
)
def test_a_threshold_that_could_never_be_judged_is_refused(text, place, words):
    with pytest.raises(ThresholdError) as caught:
        check([parse(text)], HOSTS, {})
    assert words in str(caught.value)
    assert str(caught.value).endswith("\n" + " " * (2 + place) + "^")


def test_lines_have_a_mark_each_whatever_the_terminal(tmp_path):
    found = gates(timings(n=30), "ttft:p50<200ms")
    lines = [str(line) for line in shown.lines(found)]
    assert lines[0].startswith("✓ ttft:p50<200ms  ourtoken: ")
    assert lines[1].startswith("✗ ")
    with (tmp_path / "a").open("w", encoding="ascii") as stream:
        assert str(shown.lines(found, stream)[1]).startswith("x ")


def row(n, provider="a", ttft=100, outcome="ok"):
    return Row(
        run_id="r", seq=n, block=n, scenario="s", scenario_version="1", case_id="1",
        phase="measure", provider=provider, dialect="generic", model_requested="m",
        prompt_sha256="0", params="{}", max_tokens=9, load='{"step":0}',
        outcome=outcome,
        blame=None if outcome == "ok" else "provider", sent_ns=n, stream_label="true",
        first_token_ns=None if outcome != "ok" else n + ttft * 10**6,
    )  # fmt: skip


def test_a_run_is_stopped_once_a_threshold_has_surely_failed():
    watch = Watch([parse("errors<10%"), parse("ttft:p50<50ms")], {})
    for n in range(10):
        watch.add(row(n))
    watch.look()
    assert watch.failed is None  # ten values bound no median at 99 %
    for n in range(10, 30):
        watch.add(row(n))
    watch.look()
    assert watch.failed == "ttft:p50<50ms"


def test_bad_luck_at_the_start_stops_nothing():
    watch = Watch([parse("errors<10%"), parse("zai.errors<1%")], {})
    watch.add(row(0, outcome="http_error"))
    for n in range(1, 9):
        watch.add(row(n))
    watch.look()
    assert watch.failed is None
    for n in range(9, 40):
        watch.add(row(n, outcome="http_error"))
    watch.look()
    assert watch.failed == "errors<10%"


@pytest.mark.parametrize(
    "text", ["errors<10%", "ok==99%", "ttft:min<50ms", "ttft:max>500ms", "ttft:avg<50"]
)
def test_what_may_still_come_right_stops_nothing(text):
    watch = Watch([parse(text)], {})
    watch.add(row(0, outcome="http_error"))
    watch.add(row(1))
    watch.look()
    assert watch.failed is None


def test_an_extreme_that_can_only_get_worse_stops_a_run():
    watch = Watch([parse("ttft:min>500ms")], {})
    watch.add(row(0))
    watch.look()
    assert watch.failed == "ttft:min>500ms"


def test_quick_failures_wait_for_the_answers_sent_before_them():
    watch = Watch([parse("errors<10%")], {}, firsts=(0, 1000))
    for n in range(1, 40):
        watch.add(row(n, outcome="http_error"))
        watch.add(row(1000 + n, ttft=10))
    watch.look()
    assert watch.failed is None  # block 0 still runs
    watch.add(row(0))
    watch.look()
    assert watch.failed == "errors<10%"


@pytest.mark.parametrize(
    ("text", "ttft", "share"),
    [
        ("errors<5%", 100, 0.045),
        ("ttft:p95<200ms", 100, 0.04),
        ("ttft:avg<117", 100, 0),
    ],
)
def test_a_host_on_the_safe_side_is_seldom_stopped_however_often_one_looks(
    text, ttft, share
):
    rng = np.random.default_rng(3)
    stopped = 0
    for _ in range(100):
        watch = Watch([parse(text)], {})
        for n in range(500):
            bad = rng.random() < share
            slow = {"ttft": 500} if "ttft" in text else {"outcome": "http_error"}
            usual = {"ttft": int(ttft * rng.lognormal(0.1, 0.3))}
            if "p95" in text:
                usual = {"ttft": ttft}
            watch.add(row(n, **(slow if bad else usual)))
            if n % 10 == 9:
                watch.look()
        stopped += watch.failed is not None
    assert stopped <= 3


def test_looks_are_seldom_and_the_warm_up_is_not_looked_at(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    watch = Watch([parse("ttft:max<50ms")], {})
    watch.add(msgspec.structs.replace(row(99), phase="warmup"))
    now[0] += live.EVERY_S
    watch.add(row(0, ttft=10))
    watch.add(row(1))
    assert watch.failed is None
    now[0] += live.EVERY_S
    watch.add(row(2, ttft=10))
    assert watch.failed == "ttft:max<50ms"


def test_junit_has_a_case_for_each_gate_and_the_runs_validity():
    rows = timings(n=30)
    found = within(judged(rows, validity="invalid", reasons=json.dumps(["\x1b<&>"])))
    text = papers.junit(found, gates(rows, "ttft:p50<200ms", "errors<1%"))
    suite = ET.fromstring(text).find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("7", "3")
    assert len(suite.findall("testcase")) == 7
    failures = suite.findall("testcase/failure")
    assert "invalid" in failures[0].get("message")
    assert " ms" in failures[1].get("message")


def test_markdown_fits_a_pull_request_and_runs_nothing():
    hosts = ["ourtoken", "<script>|x", "b" * 300]
    rows = timings(hosts, n=30)
    found = within(judged(rows, providers=json.dumps(hosts)))
    made = gates(rows, *["ttft:p50<200ms"] * 400, hosts=hosts)
    text = papers.markdown(found, made[:6])
    assert "**FAILED**" in text
    assert "<script>" not in text
    assert text.index("slower") < text.index("FAILED") < text.index("| scenario | step")
    long = papers.markdown(found, made)
    assert len(long) < 65_536
    assert "cut: too long" in long


# What the schema of Jenkins' JUnit plug-in has of what we write.
JUNIT = {
    "testsuites": (set(), {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "timestamp"},
                  {"testcase"}),
    "testcase": ({"name", "classname"}, {"failure"}),
    "failure": ({"message"}, set()),
}  # fmt: skip


def test_junit_is_as_its_schema_says_whatever_names_hold():
    hosts = ["a|b`c", "<![CDATA[ & \"'", "\x00\x1b\ud800\ufffe]]>", "日本"]
    rows = timings(hosts, n=30)
    found = within(judged(rows, providers=json.dumps(hosts)))
    text = papers.junit(found, gates(rows, "ttft:p50<200ms", "ok>99%", hosts=hosts))
    root = ET.fromstring(text.encode())
    for each in root.iter():
        attributes, children = JUNIT[each.tag]
        assert set(each.attrib) == attributes
        assert {child.tag for child in each} <= children
    suite = root.find("testsuite")
    assert int(suite.get("tests")) == len(list(root.iter("testcase"))) == 9
    assert int(suite.get("failures")) == len(list(root.iter("failure")))
    dt.datetime.strptime(suite.get("timestamp"), "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 - the schema has no zone
    names = [case.get("name") for case in root.iter("testcase")]
    assert len(set(names)) == len(names)


def test_no_name_breaks_a_table_of_the_markdown():
    hosts = ["a|b", "`c`", "d\n\n# e", "<details>"]
    rows = timings(hosts, n=30)
    found = within(judged(rows, providers=json.dumps(hosts)))
    text = papers.markdown(found, gates(rows, "ttft:p50<200ms", hosts=hosts))
    lines = [line for line in text.split("\n") if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
    assert widths == {6, 11, 10, 9}  # thresholds, figures, checks, contrasts
    assert "\n# e" not in text
    assert not re.search(r"(?<!\\)`", text)
    assert text.count("<details>") == text.count("</details>") == 1


def test_a_cut_leaves_nothing_folded():
    hosts = [f"{n}{'x' * 190}" for n in range(60)]
    rows = timings(hosts, n=12)
    text = papers.markdown(within(judged(rows, providers=json.dumps(hosts))), [])
    assert text.count("<details>") == text.count("</details>") == 1
    assert text.endswith("</details>\n\n(cut: too long for a comment)\n")


def test_a_mean_has_an_interval_only_from_24_values_on():
    rows = [timing(n, ttft_ms=float(v)) for n, v in enumerate(np.arange(23.0))]
    assert gates(rows, "ttft:avg<20")[0].low is None
    (found,) = gates([*rows, timing(23, ttft_ms=11.0)], "ttft:avg<20")
    assert found.low < 11 < found.high
