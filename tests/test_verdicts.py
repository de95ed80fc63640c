import io
import json
import re

import msgspec
import numpy as np
import pytest
from made import run_row, timing, timings
from test_tables import HOSTILE

from compare.judge.caveats import Caveat
from compare.judge.comparison import Judged, across, within
from compare.judge.estimate import estimated
from compare.judge.frame import Segment, of
from compare.judge.pair import Sides
from compare.show import tables, verdicts
from compare.show.headline import headline, sided


def judged(rows, hosts=("ourtoken", "openrouter-auto", "zai"), **changes):
    return Judged(run_row(hosts, **changes), of(rows), list)


def shown(found, width=80):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8", newline="")
    tables.console(stream, width).print(verdicts.comparison(found))
    stream.flush()
    return raw.getvalue().decode()


def test_the_verdict_stands_first_then_table_contrasts_and_caveats():
    text = shown(within(judged(timings(n=150, fail={"zai": 0.05}))))
    places = [
        text.index(each)
        for each in ("done, valid", "chat-1k: openrouter-auto is slower than ourtoken",
                     "scenario chat-1k", "chat-1k: zai against ourtoken", "caveats")
    ]  # fmt: skip
    assert places == sorted(places)
    assert max(map(len, text.splitlines())) <= 80
    assert not set(text) & set("│┃─━╭|")


def test_the_sentence_says_how_much_and_what_is_not_known():
    (line,) = headline(within(judged(timings(("a", "b"), n=60))))
    assert line.startswith("chat-1k: b is slower than a to the first token (1.")
    assert line.endswith(" x).")
    same = [timing(2 * n + k, provider="ab"[k], block=n, ttft_ms=5.0, e2e_ms=9.0 - k)
            for n in range(30) for k in range(2)]  # fmt: skip
    (line,) = headline(within(judged(same, ("a", "b"))))
    assert line.startswith("chat-1k: b is faster than a end to end (0.89 x), no ")
    assert line.endswith("difference shown to the first token.")
    few = headline(within(judged(timings(("a", "b"), n=5))))
    assert few == ["chat-1k: b and a: too few samples."]
    alone = headline(within(judged(timings(("a",), n=30), ("a",))))
    assert alone == ["One host only: there is nothing to contrast it with."]
    invalid = within(judged(timings(n=30), validity="invalid"))
    assert headline(invalid) == ["No verdict: the run is invalid."]


def test_the_sentence_does_not_praise_the_answers_of_a_host_that_fails():
    rows = timings(("a", "b"), n=60, fail={"b": 0.3})
    (line,) = headline(within(judged(rows, ("a", "b"))))
    assert " of its requests failed." in line
    few = timings(("a", "b"), n=60, fail={"b": 1.0})
    (line,) = headline(within(judged(few, ("a", "b"))))
    assert line.startswith("chat-1k: b and a: ")  # "its" would be anybody's
    assert line.endswith("but 100 % of b's requests failed.")


def cut(rows, host, n):
    """Let the first n requests of a host have been cut off by us."""
    what = {"outcome": "interrupted", "blame": "client", "ttft_ms": None}
    return [
        msgspec.structs.replace(r, **what) if r.provider == host and r.block < n else r
        for r in rows
    ]


def test_the_sentence_says_what_of_the_reference_failed_or_was_cut_off():
    rows = timings(n=60, fail={"ourtoken": 1 / 3})
    (line,) = headline(within(judged(rows)))
    assert re.search(r"; but \d\d\.\d % of ourtoken's requests failed\.$", line)
    assert line.count("failed") == 1
    (line,) = headline(within(judged(cut(timings(n=60), "zai", 30))))
    assert line.endswith(", but 30 of its 60 requests were cut off by us.")
    (line,) = headline(within(judged(cut(rows, "ourtoken", 9))))
    assert line.endswith("failed and 9 of ourtoken's 60 were cut off by us.")


def test_the_sentence_on_two_runs_says_what_of_either_failed():
    bad = judged(timings(("a",), n=60, fail={"a": 0.5}), ("a",))
    good = judged(timings(("a",), n=60), ("a",), run_id="r2")
    (line,) = headline(sided(across(bad, good)))
    assert line.endswith("% of a (base)'s requests failed.")
    (line,) = headline(sided(across(good, bad)))
    assert line.endswith("% of a (new)'s requests failed.")


def test_each_scenario_and_step_has_a_sentence():
    rows = timings(n=20) + timings(n=20, step=1, first=100)
    found = headline(within(judged(rows)))
    assert [line.partition(":")[0] for line in found] == [
        "chat-1k, load step 0", "chat-1k, load step 1",
    ]  # fmt: skip


def test_what_spoils_a_figure_is_marked_beside_it():
    rows = timings(n=150, fail={"zai": 0.05})
    text = shown(within(judged(rows)))
    body = text[text.index("zai against ourtoken") : text.index("ratio: median")]
    ttft = next(line for line in body.splitlines() if line.startswith("ttft"))
    mark = ttft.rpartition("[")[2].rstrip(" ]")
    notes = text[text.rindex("caveats") :].splitlines()
    assert any(n.startswith(mark[-1]) and "requests failed" in n for n in notes)
    clean = text[: text.index("zai against ourtoken")]
    first = next(
        line
        for line in clean[clean.index("openrouter-auto against") :].splitlines()
        if line.startswith("ttft")
    )
    assert mark[-1] not in first.rpartition("[")[2]


@pytest.mark.parametrize("n", [60, 21_000])
@pytest.mark.parametrize("paired", [True, False])
def test_equal_costs_are_called_the_same(n, paired):
    order = [0.0011, 0.0023, 0.0007]
    ours = np.array([order[k % 3] for k in range(n)])
    sides = Sides(provider="b", reference="a", segment=Segment("s", 0), metric="cost",
                  ours=ours, theirs=ours if paired else ours[::-1].copy(),
                  paired=paired)  # fmt: skip
    theirs = np.full(n, 0.1 + 0.2)
    flat = msgspec.structs.replace(sides, ours=theirs + 5e-17, theirs=theirs)
    for each in (sides, flat):
        (found,) = estimated([each], 0)
        told = verdicts.dearer(found)
        assert told.startswith("costs the same per 1,000 answered requests")
        if paired or each is flat:
            assert "(" not in told


def test_two_runs_say_that_they_share_no_moment():
    slower = [msgspec.structs.replace(r, ttft_ms=r.ttft_ms * 2) for r in timings(n=40)]
    found = across(judged(timings(n=40)), judged(slower, run_id="r2"))
    text = " ".join(shown(found).split())
    assert "zai (new) is slower than zai (base) to the first token" in text
    assert "share no moment" in text
    assert "of two separate runs" in text
    assert "bootstrap over each run's answers apart" in text
    assert "blocks" not in text
    assert "wins" not in text
    assert {each.paired for each in found.contrasts} == {False}


def test_compared_anyway_is_the_first_thing_said():
    found = within(judged(timings(n=30)))
    note = msgspec.structs.replace(
        found.notes[0], caveat=Caveat.COMPARED_ANYWAY, text="x: y"
    )
    again = msgspec.structs.replace(found, notes=[note])
    assert headline(again)[0] == "Compared anyway, though x: y."


@pytest.mark.parametrize("n_hosts", [2, 5, 8])
def test_no_name_breaks_the_page(n_hosts):
    hosts = [
        HOSTILE,
        *(f"openrouter@somebody/fp8-{n}-tail" for n in range(n_hosts - 1)),
    ]
    text = shown(
        within(judged(timings(hosts, n=12), hosts, providers=json.dumps(hosts)))
    )
    assert not any(c < " " and c != "\n" for c in text)
    assert not set(text) & set("\x7f\x9b\u202e")
    assert max(map(len, text.splitlines())) <= 80
