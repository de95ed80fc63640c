"""What checks say: counted by hand, and held to simulated worlds of known truth."""

import json
import random
import sqlite3

import msgspec
import pytest
from made import run_row, timing

from compare.judge import frame
from compare.judge.answers import COLUMNS, answers
from compare.judge.comparison import Judged, within
from compare.judge.contrast import contrasts
from compare.judge.fidelity import share
from compare.judge.marks import Mark, marks
from compare.judge.quality import has_quality, qualities
from compare.judge.stats import mcnemar, share_interval
from compare.show import papers, quality, sheets
from data import query
from data.row import CheckRow, Row
from data.store import Store
from data.verdicts import Verdicts, verdicts


def row(n, host="a", block=None, *, passed=1, **changes):
    fields = {"provider": host, "block": n if block is None else block}
    fields |= {"e2e_ms": 1000.0, "cost_usd": 0.001, "passed": passed}
    return timing(n, **{**fields, **changes})


def facts(found, **columns):
    """What `Judged.more` would yield of rows: by column a function of the row."""
    usual = {
        "seq": lambda r: r.seq,
        "scenario": lambda r: r.scenario,
        "case_id": lambda r: "1",
        "turn": lambda r: r.turn,
        "params": lambda r: '{"temperature":0.0}',
    }
    known = {**dict.fromkeys(COLUMNS, lambda _: None), **usual, **columns}
    yield [[known[name](r) for r in found] for name in COLUMNS]


def told(name, passed, n, *, called=None, host="a", scenario="chat-1k", turn=None):
    return Verdicts(provider=host, scenario=scenario, turn=turn, load='{"step":0}',
                    name=name, passed=passed, called=called, n=n)  # fmt: skip


def judged(found, verdicts=(), reference=None, **columns):
    rows = frame.of(found)
    known = answers(rows, facts(found, **columns))
    return qualities(rows, known, verdicts, reference)


def test_what_was_not_checked_counts_neither_way():
    found = [row(n, passed=1) for n in range(6)] + [row(n, passed=0) for n in (6, 7)]
    found += [row(n, passed=None) for n in range(8, 30)]
    found += [row(30, passed=None, outcome="timeout_total", blame="provider")]
    (each,) = judged(
        found, [told("json", 0, 2), told("json", 1, 6), told("json", None, 22)]
    )
    assert (each.passed.value, each.passed.n) == (6 / 8, 8)
    assert (each.passed.low, each.passed.high) == share_interval(6, 8)
    assert (each.accepted.n, each.accepted.n_unchecked) == (9, 22)
    assert each.pass_at_1 == 6 / 9  # the failure brought nothing
    (fault,) = each.faults
    assert (fault.n_made, fault.n_failed, fault.n_unmade) == (8, 2, 22)
    said = "\n".join(quality.notes(each))
    assert "json 2 of 8" in said
    assert "22 answers were not checked" in said


def test_pass_at_1_weighs_cases_alike_however_often_they_were_asked():
    found = [row(n, passed=1) for n in range(9)] + [row(9, passed=0)]
    (each,) = judged(found, case_id=lambda r: "easy" if r.seq < 9 else "hard")
    assert each.passed.value == 0.9
    assert (each.pass_at_1, each.n_cases) == (0.5, 2)


def test_a_host_that_answers_nothing_has_a_pass_at_1_of_0():
    found = [row(2 * n, "a") for n in range(4)]
    found += [row(2 * n + 1, "b", passed=None, outcome="http_error", blame="provider")
              for n in range(4)]  # fmt: skip
    good, bad = judged(found)
    assert (good.pass_at_1, bad.pass_at_1) == (1.0, 0.0)
    assert bad.passed.value is None
    assert bad.accepted.usd.value is None


def test_what_a_host_flips_is_counted_by_pairs_within_cases():
    passed = [1, 1, 0, 0, 1, 1]  # case x: 2 of 3 pairs differ; case y likewise
    found = [row(n, passed=p) for n, p in enumerate(passed)] + [row(6), row(7), row(8)]
    names = "xxxyyyzzw"
    (each,) = judged(found, case_id=lambda r: names[r.seq])
    assert each.flips.n == 3  # w was asked once
    assert each.flips.value == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)


def test_the_noise_of_a_host_is_found_where_it_was_put():
    draw, truth, inside = random.Random(5), 2 * 0.8 * 0.2, 0
    for _ in range(60):
        found = [row(n, passed=int(draw.random() < 0.8)) for n in range(120)]
        (each,) = judged(found, case_id=lambda r: str(r.seq % 40))
        inside += each.flips.low <= truth <= each.flips.high
    assert inside >= 57


def test_a_host_is_held_to_the_reference_within_blocks():
    found = []
    for block in range(40):
        found.append(row(2 * block, "a", block, passed=1))
        found.append(row(2 * block + 1, "b", block, passed=int(block >= 12)))
    ref, other = judged(found, reference="a")
    assert ref.differs is None
    assert (other.differs.value, other.differs.n) == (12 / 40, 40)
    (contrast,) = [c for c in contrasts(frame.of(found), "a") if c.metric == "passed"]
    assert (contrast.verdict, contrast.estimate) == ("worse", pytest.approx(-0.3))
    assert contrast.p == pytest.approx(2 * 0.5**12)
    assert contrast.low < -0.3 < contrast.high


def test_mcnemar_is_the_toss_of_a_coin():
    assert mcnemar(0, 0) == mcnemar(3, 3) == 1.0
    assert mcnemar(1, 8) == mcnemar(8, 1) == pytest.approx(2 * 10 / 2**9)
    assert mcnemar(0, 5) == pytest.approx(2 / 2**5)


def test_equal_hosts_are_rarely_told_apart_by_their_checks():
    draw, wrong = random.Random(8), 0
    for _ in range(300):
        found = []
        for block in range(60):
            found += [
                row(2 * block + k, "ab"[k], block, passed=int(draw.random() < 0.7))
                for k in range(2)
            ]
        (c,) = [c for c in contrasts(frame.of(found), "a") if c.metric == "passed"]
        wrong += c.verdict != "no difference shown"
    assert wrong <= 15  # the exact test keeps under 5 %


def test_too_few_blocks_get_no_verdict_on_checks():
    found = [row(2 * b + k, "ab"[k], b, passed=k) for b in range(10) for k in range(2)]
    (c,) = [c for c in contrasts(frame.of(found), "a") if c.metric == "passed"]
    assert (c.verdict, c.need_more, c.p) == ("too few samples", 1, None)


def test_equal_answers_are_found_across_turns_at_temperature_0_alone():
    found = [row(n, turn=1 + n % 2) for n in range(8)]
    rows = frame.of(found)
    rows = msgspec.structs.replace(rows, prompt=rows.seq // 2 + 1)
    said = {"answer_sha256": lambda r: "x" if r.seq < 6 else str(r.seq)}

    def same(**columns):
        known = answers(rows, facts(found, **said, **columns))
        return [each.same for each in qualities(rows, known, [])]

    first, second = same()
    assert first == second == share(3, 4)  # three of four prompts
    assert same(params=lambda r: "{}")[0].n == 0


def test_calling_and_the_schema_and_the_two_ways_are_judged_apart():
    found = [row(n, passed=int(n not in {3, 6})) for n in range(10)]
    verdicts = [told("call", 1, 4, called=1), told("call", 0, 1, called=1),
                told("call", 0, 1, called=0), told("no-call", 0, 2, called=1),
                told("no-call", 1, 2, called=0)]  # fmt: skip
    way = (".stream", ".whole")
    (each,) = judged(
        found,
        verdicts,
        case_id=lambda r: f"q{r.seq // 2}{way[r.seq % 2]}",
        n_tool_calls=lambda r: int(r.seq < 7),
        n_tool_calls_fit=lambda r: int(r.seq < 5),
    )
    tools = each.tools
    assert (tools.n_hit, tools.n_missed, tools.n_needless) == (5, 1, 2)
    assert tools.f1 == pytest.approx(10 / 13)
    low, high = share_interval(5, 8)
    assert (tools.low, tools.high) == (2 * low / (1 + low), 2 * high / (1 + high))
    assert (tools.schema.value, tools.schema.n) == (5 / 7, 7)
    assert (tools.agree.value, tools.agree.n) == (3 / 5, 5)


def test_the_interval_of_f1_covers_the_truth():
    draw, inside = random.Random(4), 0
    hit, wrong = 0.8, 0.1  # of asked: called rightly; else needlessly
    truth = 2 * hit / (2 * hit + (1 - hit) + wrong)
    for _ in range(200):
        n = [draw.random() < hit for _ in range(60)]
        needless = sum(draw.random() < wrong for _ in range(60))
        verdicts = [
            told("call", 1, sum(n), called=1),
            told("call", 0, 60 - sum(n), called=0),
            told("no-call", 0, needless, called=1),
        ]
        (each,) = judged([row(0)], verdicts)
        inside += each.tools.low <= truth <= each.tools.high
    assert inside >= 186


def test_where_sessions_are_judged_they_are_the_attempts():
    found = []
    for n in range(6):
        session, step = divmod(n, 3)
        last = step == 2
        found.append(row(n, passed=session if last else None, cost_usd=0.01))
    verdicts = [told("solved", 0, 1), told("solved", 1, 1)]
    (each,) = judged(found, verdicts, session_id=lambda r: f"s{r.seq // 3}")
    assert (each.passed.value, each.passed.n) == (0.5, 2)
    assert (each.accepted.n, each.accepted.n_accepted) == (2, 1)
    assert each.accepted.usd.value == pytest.approx(0.06)
    assert each.accepted.seconds.value == pytest.approx(6.0)


def test_that_the_noise_is_not_known_is_said():
    found = [row(2 * b + k, "ab"[k], b) for b in range(12) for k in range(2)]
    once = judged(found, reference="a", case_id=lambda r: str(r.block))
    assert "no case was answered twice" in "".join(quality.unknown(once))
    again = judged(found, reference="a", case_id=lambda r: str(r.block % 6))
    assert quality.unknown(again) == []


def test_a_run_without_checks_has_no_quality():
    assert not has_quality(frame.of([row(n, passed=None) for n in range(3)]))
    found = within(Judged(run_row(("a",)), frame.of([row(0, passed=None)]), tuple))
    assert found.qualities == []


def test_every_form_has_the_same_figures():
    found = [row(2 * b + k, "ab"[k], b, passed=int(k == 0 or b % 2)) for b in range(20)
             for k in range(2)]  # fmt: skip
    of = frame.of(found)
    more = lambda names, _span: facts(found)  # noqa: E731
    verdicts = [told("json", 1, 20), told("json", 0, 10, host="b"),
                told("json", 1, 10, host="b")]  # fmt: skip
    made = within(Judged(run_row(("a", "b")), of, tuple, more, lambda: verdicts), "a")
    (sheet,) = sheets.checks(made)
    column = sheet.columns.index("checks passed")
    assert sheet.rows[1][column] == "50.0 % (n=20)\n(29.9 to 70.1)"
    assert "50.0 % (n=20) (29.9 to 70.1)" in papers.markdown(made, ())
    _, b = marks(made.runs[0], made.qualities)
    assert (b.passed, b.passed_n, b.differs) == (0.5, 20, 0.5)
    assert json.loads(b.faults)[0] == {
        "check": "json", "n_made": 20, "n_failed": 10, "n_unmade": 0
    }  # fmt: skip
    assert Mark.__struct_fields__[-1] == "faults"


def test_the_stored_checks_are_counted_in_one_look(tmp_path):
    path = tmp_path / "h2h.db"
    with Store.open(path) as store:
        store.begin_run(run_row(("a",)))
        for seq in range(4):
            checks = [
                CheckRow(run_id=run_row().run_id, seq=seq, name="call", passed=seq % 2)
            ]
            store.emit(_row(seq, phase="warmup" if seq == 3 else "measure"), checks)
    with query.open_reader(path) as db:
        assert isinstance(db, sqlite3.Connection)
        found = {(v.passed, v.called): v.n for v in verdicts(db, run_row().run_id)}
    assert found == {(0, 1): 2, (1, 1): 1}


def _row(seq, **changes):
    fields = {"run_id": run_row().run_id, "seq": seq, "block": seq, "case_id": "1"}
    fields |= {"scenario": "tools", "scenario_version": "1-a", "provider": "a"}
    fields |= {"dialect": "generic", "model_requested": "m", "prompt_sha256": "0"}
    fields |= {"params": "{}", "max_tokens": 1, "load": '{"step":0}', "outcome": "ok"}
    return Row(**{**fields, "n_tool_calls": 1, **changes})
