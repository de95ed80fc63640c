import json
import sqlite3
from contextlib import closing

import msgspec
import pytest
from made import run_row, store_run, timing, timings

from compare.judge.caveats import ADVICE, Caveat
from compare.judge.comparable import Incomparable, family, unlike
from compare.judge.comparison import Judged, across, within
from compare.judge.frame import of
from compare.judge.kind import Asked
from compare.judge.notes import of_run
from compare.judge.stored import load
from data.timeline import pack

MS = 1_000_000


def judged(rows, **changes):
    return Judged(run_row(**changes), of(rows), list)


def caveats(rows, *, host=None, **changes):
    found = within(
        judged(rows, floor='{"ttft_p99_ms":1,"tpot_p99_ms":0.01}', **changes)
    )
    return {n.caveat for n in found.notes if host is None or n.hosts == (host,)}


def changed(rows, host, **changes):
    return [
        msgspec.structs.replace(row, **changes) if row.provider == host else row
        for row in rows
    ]


def asked(frame, host, **changes):
    """Return the frame with one host asked for something else."""
    usual = Asked("1-a", "{}", None, 256, "glm-5.2")
    for segment in frame.segments:
        for name in frame.hosts_of(segment):
            theirs = changes if name == host else {}
            frame.asked[segment, name] = (msgspec.structs.replace(usual, **theirs),)
    return frame


def test_every_caveat_has_advice():
    assert set(ADVICE) == set(Caveat)


def test_a_good_run_has_no_caveat():
    assert caveats(timings(n=150)) == set()


def test_what_a_run_says_of_itself_is_a_caveat():
    reasons = [{"code": "cpu", "text": "busy"}, {"code": "rate", "text": "late"}, "old"]
    job = {
        "load": {"unpaired": True},
        "providers": [{"name": "zai", "extra_body": "{}"}],
    }
    price = {"zai": {"date": "2026-08-01"}, "ourtoken": {"date": "2026-10-20"}}
    row = run_row(validity="invalid", reasons=json.dumps(reasons), job=json.dumps(job),
                  prices=json.dumps(price), status="running")  # fmt: skip
    found = {note.caveat: note for note in of_run(row)}
    assert set(found) == {
        Caveat.RUN_INVALID, Caveat.CLIENT_SATURATED, Caveat.LATE_SCHEDULE,
        Caveat.NOT_CALIBRATED, Caveat.UNPAIRED, Caveat.EXTRA_BODY, Caveat.PRICE_OLD,
        Caveat.STILL_RUNNING,
    }  # fmt: skip
    assert found[Caveat.PRICE_OLD].hosts == ("zai",)
    assert "94 days" in found[Caveat.PRICE_OLD].text


def test_an_invalid_run_gets_no_verdict():
    found = within(judged(timings(n=30), validity="invalid"))
    assert {each.verdict for each in found.contrasts} == {None}
    assert found.contrasts[0].estimate is not None


@pytest.mark.parametrize(
    ("changes", "caveat"),
    [
        ({"stream_label": "coalesced"}, Caveat.NOT_TRULY_STREAMED),
        ({"completion_tokens": None}, Caveat.OUTPUT_UNKNOWN),
        ({"outcome": "interrupted", "blame": "client"}, Caveat.INTERRUPTED),
        ({"outcome": "http_error", "blame": "provider"}, Caveat.ERRORS),
    ],
)
def test_what_spoils_a_host_is_said_of_that_host(changes, caveat):
    rows = timings(n=150)
    rows[2::30] = [msgspec.structs.replace(r, **changes) for r in rows[2::30]]
    rows[5::30] = [msgspec.structs.replace(r, **changes) for r in rows[5::30]]
    assert caveats(rows, host="zai") == {caveat}
    found = within(judged(rows)).contrasts
    assert {each.provider for each in found} == {"openrouter-auto", "zai"}


def test_too_few_blocks_are_said_once_a_pair():
    found = within(judged(timings(n=7)))
    few = [n for n in found.notes if n.caveat is Caveat.TOO_FEW_SAMPLES]
    assert [note.hosts for note in few] == [("openrouter-auto",), ("zai",)]
    assert "ttft 7 of 11" in few[0].text


def test_a_slow_start_is_told_from_noise():
    rows = timings(n=200)
    slow = [
        msgspec.structs.replace(r, ttft_ms=r.ttft_ms * 2)
        if r.provider == "zai" and r.block < 20 else r
        for r in rows
    ]  # fmt: skip
    assert caveats(slow, host="zai") >= {Caveat.FIRST_REQUESTS_SLOW}
    assert Caveat.FIRST_REQUESTS_SLOW not in caveats(rows)


def test_a_host_that_is_slow_for_a_while_is_unsteady():
    rows = [
        msgspec.structs.replace(r, ttft_ms=r.ttft_ms * (2 if r.block // 25 % 2 else 1))
        if r.provider == "zai" else r
        for r in timings(n=200)
    ]  # fmt: skip
    assert Caveat.UNSTEADY in caveats(rows, host="zai")
    assert Caveat.UNSTEADY not in caveats(rows, host="openrouter-auto")


def test_unlike_connections_are_said():
    rows = changed(timings(n=30), "zai", conn_reused=0)
    rows = [r if r.provider == "zai" else msgspec.structs.replace(r, conn_reused=1)
            for r in rows]  # fmt: skip
    assert Caveat.CONNECTIONS_DIFFER in caveats(rows, host="zai")
    assert Caveat.CONNECTIONS_DIFFER not in caveats(rows, host="openrouter-auto")


def test_unequal_answers_are_compared_at_a_depth_that_all_reach():
    rows, lines = [], [[] for _ in range(4)]
    for seq in range(80):
        host, block = "ab"[seq % 2], seq // 2
        tokens, gap = (100 + block % 7, 10) if host == "a" else (50 + block % 7, 12)
        end = tokens * gap
        rows.append(timing(seq, provider=host, block=block, ttft_ms=float(gap),
                           e2e_ms=float(end), completion_tokens=tokens,
                           sent_s=0.0))  # fmt: skip
        blob = pack([(n * gap * MS, 2) for n in range(1, tokens + 1)], 0)
        for column, value in zip(lines, (seq, None, 0, blob), strict=True):
            column.append(value)
    found = within(Judged(run_row(("a", "b")), of(rows), lambda: [lines]))
    said = {each.metric: each for each in found.contrasts}
    assert said["e2e"].estimate < 1  # half the answer, so sooner at its end
    assert said["e2e"].verdict is None
    assert said["ttn(50)"].estimate == pytest.approx(1.2)
    assert said["ttn(50)"].verdict == "slower"
    (note,) = [n for n in found.notes if n.caveat is Caveat.UNEQUAL_OUTPUT]
    assert note.spoils(said["e2e"])
    assert not note.spoils(said["ttft"])
    assert "ttn(50)" not in {e.metric for e in within(judged(timings(n=60))).contrasts}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_tokens": 128}, "max_tokens differs (ourtoken 256"),
        ({"params": '{"temperature":1}'}, "parameters differs"),
        ({"effort_requested": "high"}, "effort differs (ourtoken default"),
        ({"model_requested": "glm-4.6"}, "model family differs"),
        ({"scenario_version": "2-b"}, "scenario differs"),
    ],
)
def test_hosts_that_were_asked_unlike_things_are_refused(changes, words):
    frame = asked(of(timings(n=12)), "zai", **changes)
    run = Judged(run_row(), frame, list)
    with pytest.raises(Incomparable, match="--anyway") as caught:
        within(run)
    assert words in str(caught.value)
    notes = [n for n in within(run, anyway=True).notes if n.hosts == ()]
    assert Caveat.COMPARED_ANYWAY in {note.caveat for note in notes}


@pytest.fixture
def changed_in(tmp_path):
    """Store a run and change some of its rows behind everybody's back."""

    def make(change, where):
        path = tmp_path / "h2h.db"
        store_run(path, run_row(), timings(n=12))
        with closing(sqlite3.connect(path)) as db, db:
            n = db.execute(f"UPDATE requests SET {change} WHERE {where}").rowcount
        assert n
        return load(path, "latest").frame

    return make


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("max_tokens = 9", "max_tokens differs"),
        ("params = '{\"temperature\":1.0}'", "parameters differs"),
        ("effort_requested = 'high'", "effort differs"),
        ("model_requested = 'other-7b'", "model family differs"),
        ("scenario_version = '2-b'", "scenario differs"),
    ],
)
def test_one_row_that_was_asked_for_something_else_is_found(changed_in, change, words):
    frame = changed_in(change, "seq = (SELECT max(seq) FROM requests)")
    (found,) = unlike(frame)
    assert words in found
    assert " and " in found  # both of what that host was asked for


def test_cases_may_ask_for_unlike_things_as_long_as_hosts_do_not(changed_in):
    change = "max_tokens = 9 + block % 2, case_id = 'c' || block"
    assert not unlike(changed_in(change, "block < 11"))


def test_unlike_prompts_in_a_block_are_refused():
    frame = of(timings(n=12))
    frame.prompt[:] = frame.block + 1
    assert not unlike(frame)
    frame.prompt[5] = 99
    assert unlike(frame) == ["chat-1k: the prompts of 1 blocks differ"]


def test_two_runs_of_unlike_things_are_refused():
    a, b = (asked(of(timings(n=12)), "zai", max_tokens=n) for n in (256, 64))
    runs = [Judged(run_row(run_id=name), frame, list)
            for name, frame in (("r1", a), ("r2", b))]  # fmt: skip
    with pytest.raises(Incomparable, match="zai@r1 256, zai@r2 64"):
        across(*runs)
    found = across(*runs, anyway=True)
    assert {Caveat.COMPARED_ANYWAY, Caveat.SEPARATE_RUNS} <= {
        note.caveat for note in found.notes
    }


def test_what_only_one_of_two_runs_asked_is_said():
    both = timings(("a", "b"), n=12)
    a = Judged(run_row(run_id="r1"), of([*both, *timings(n=12, scenario="old")]), list)
    b = Judged(run_row(run_id="r2"), of(timings(("b", "c"), n=12, step=0)), list)
    told = [n.text for n in across(a, b).notes if n.caveat is Caveat.ONLY_IN_ONE]
    assert told == ["only in r1: a, ourtoken, openrouter-auto, zai", "only in r2: c"]
    c = Judged(run_row(run_id="r3"), of([*both, *timings(("a",), step=1)]), list)
    told = [n.text for n in across(b, c).notes if n.caveat is Caveat.ONLY_IN_ONE]
    assert told == ["only in r2: c", "only in r3: a"]
    d = Judged(run_row(run_id="r4"), of(both), list)
    told = [n.text for n in across(d, c).notes if n.caveat is Caveat.ONLY_IN_ONE]
    assert told == ["only in r3: chat-1k step 1 of a"]
    assert not [n for n in across(d, d).notes if n.caveat is Caveat.ONLY_IN_ONE]


def test_a_size_in_a_tag_is_another_model_and_a_route_is_not():
    assert family("qwen3:0.6b") != family("qwen3:32b") != family("qwen3")
    assert family("x/qwen3:32b") == family("qwen3:32b-q4_K_M") == "qwen3:32b"
    assert family("x/qwen3:free") == family("qwen3:nitro") == "qwen3"
    assert family("mixtral:8x7b") != family("mixtral:8x22b")


def test_a_quantisation_is_the_same_family_and_a_version_is_not():
    assert family("glm-5.2") == family("z-ai/glm-5.2") == family("zai-org/GLM-5.2-FP8")
    assert family("glm-5.2") != family("glm-5.1")
    assert family("some/Model:free") == "model"
