import io
import json

import msgspec
import pytest
from made import run_row, timing, timings
from test_tables import HOSTILE

from compare.judge.caveats import Caveat
from compare.judge.comparison import Judged, across, within
from compare.judge.frame import of
from compare.show import tables, verdicts


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
    (line,) = verdicts.headline(within(judged(timings(("a", "b"), n=60))))
    assert line.startswith("chat-1k: b is slower than a to the first token (1.")
    assert line.endswith(" x).")
    same = [timing(2 * n + k, provider="ab"[k], block=n, ttft_ms=5.0, e2e_ms=9.0 - k)
            for n in range(30) for k in range(2)]  # fmt: skip
    (line,) = verdicts.headline(within(judged(same, ("a", "b"))))
    assert line.startswith("chat-1k: b is faster than a end to end (0.89 x), no ")
    assert line.endswith("difference shown to the first token.")
    few = verdicts.headline(within(judged(timings(("a", "b"), n=5))))
    assert few == ["chat-1k: b and a: too few samples."]
    alone = verdicts.headline(within(judged(timings(("a",), n=30), ("a",))))
    assert alone == ["One host only: there is nothing to contrast it with."]
    invalid = within(judged(timings(n=30), validity="invalid"))
    assert verdicts.headline(invalid) == ["No verdict: the run is invalid."]


def test_the_sentence_does_not_praise_the_answers_of_a_host_that_fails():
    rows = timings(("a", "b"), n=60, fail={"b": 0.3})
    (line,) = verdicts.headline(within(judged(rows, ("a", "b"))))
    assert " of its requests failed." in line
    few = timings(("a", "b"), n=60, fail={"b": 1.0})
    (line,) = verdicts.headline(within(judged(few, ("a", "b"))))
    assert line.endswith("but 100 % of its requests failed.")


def test_each_scenario_and_step_has_a_sentence():
    rows = timings(n=20) + timings(n=20, step=1, first=100)
    found = verdicts.headline(within(judged(rows)))
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


def test_two_runs_say_that_they_share_no_moment():
    slower = [msgspec.structs.replace(r, ttft_ms=r.ttft_ms * 2) for r in timings(n=40)]
    found = across(judged(timings(n=40)), judged(slower, run_id="r2"))
    text = " ".join(shown(found).split())
    assert "zai (new) is slower than zai (base) to the first token" in text
    assert "share no moment" in text
    assert "of two separate runs" in text
    assert {each.paired for each in found.contrasts} == {False}


def test_compared_anyway_is_the_first_thing_said():
    found = within(judged(timings(n=30)))
    note = msgspec.structs.replace(
        found.notes[0], caveat=Caveat.COMPARED_ANYWAY, text="x: y"
    )
    again = msgspec.structs.replace(found, notes=[note])
    assert verdicts.headline(again)[0] == "Compared anyway, though x: y."


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
