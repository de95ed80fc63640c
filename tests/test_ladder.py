"""The ladder of prompt lengths: what is hidden where, and what is found of it."""

import io
import time
import tracemalloc

import pytest
from asking import asked

from compare.judge.ladder import _cut_from as cut
from compare.judge.ladder import climbs
from compare.judge.stats import share_interval
from compare.run.budget import Budget
from compare.show import charts, tables
from compare.show.climbs import climbs as shown
from compare.show.climbs import size
from compare.show.subject import subject
from scenarios import prompts, session
from scenarios.content import checks_of
from scenarios.draw import drawn
from scenarios.hay import RESERVED, rung_of, statements
from scenarios.load import Load
from scenarios.plan import Plan, segments, units
from scenarios.prompts import fill
from scenarios.request import ScenarioError
from scenarios.scenario import load, override

SIZES = [1000, 2000, 4000]


def ladder(**changes):
    return override(load("ctx-ladder"), **{"sizes": SIZES, **changes})


def asking(scene, index, **given):
    known = {"salt": "s", "seed": 0, "phase": "measure", "step": 0}
    return session.case(scene, index, **(known | given))


def said(found):
    (request,) = found.requests
    (message,) = request.messages
    return message["content"]


@pytest.mark.parametrize("seed", [0, 5])
def test_each_statement_stands_at_its_depth_and_as_often_as_it_should(seed):
    scene = drawn(ladder(sizes=[8000], depths=[0.1, 0.5, 0.9]), seed)
    for index in range(len(scene.cases)):
        found = asking(scene, index, seed=seed)
        case, text = scene.by_id[found.case], said(found)
        rung = rung_of(case.id)
        filler = text.split("\n\n")[2]
        assert text.count("\n\n") >= 3  # nonce, what to do, the text, the question
        hidden = statements(case.hay, case.values)
        for each in set(hidden):
            assert filler.count(each) == hidden.count(each)
        others = [plant.text for plant in case.hay.plants if plant.at is not None]
        assert all(filler.count(fill(text, case.values)) for text in others)
        first = case.hay.plants[0].text.split("{")[0]
        place = filler.index(first) / len(filler)
        assert place == pytest.approx(rung.depth, abs=0.02)
        (check,) = checks_of(scene, case.id)
        assert check.name == "recall"


def test_a_rung_has_as_many_words_as_it_is_called_less_what_is_left_over():
    scene = drawn(ladder(sizes=[32000]), 0)
    for index in range(len(scene.cases)):
        n = len(said(asking(scene, index)).split())
        assert 32000 - RESERVED <= n <= 32000


def test_shorter_rungs_come_first_and_each_case_once():
    plan = Plan(
        scenarios=(ladder(),), providers=("a",), load=Load(max_requests=36), salt="s"
    )
    (segment,) = segments(plan)
    cases = [unit.blocks[0][0].case for unit in units(plan, segment, ("a",))]
    assert len(set(cases)) == 36
    sizes = [rung_of(case).tokens for case in cases]
    assert sizes == sorted(sizes)
    tasks = [rung_of(case).task for case in cases[:12]]
    assert tasks != sorted(tasks), "within a rung they are shuffled"


def test_a_budget_asks_the_rungs_that_it_reaches_for():
    plan = Plan(
        scenarios=(ladder(),), providers=("a",), load=Load(max_requests=36), salt="s"
    )
    (segment,) = segments(plan)
    budget, asked_for = Budget(limit_nusd=12 * 8000 + 12 * 16000 + 20_000), []
    for unit in units(plan, segment, ("a",)):
        ((arrival,),) = unit.blocks
        if not budget.reserve(len(said_by(arrival))):
            break
        asked_for.append(rung_of(arrival.case).tokens)
    assert asked_for[:24] == [1000] * 12 + [2000] * 12


def said_by(arrival):
    return arrival.request.messages[0]["content"]


def test_a_million_tokens_of_prompt_take_under_two_seconds_and_64_mib():
    scene = drawn(ladder(sizes=[1_000_000]), 0)
    prompts._river.cache_clear()
    tracemalloc.start()
    began = time.process_time()
    try:
        text = said(asking(scene, 1))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        prompts._river.cache_clear()
    assert time.process_time() - began < 2
    assert peak < 64 << 20
    assert 999_000 < len(text.split()) <= 1_000_000


@pytest.mark.parametrize("right", [0.4, 0.85])
async def test_recall_finds_the_share_of_right_answers(tmp_path, right):
    found = await asked(tmp_path, [ladder()], {"sim": f"right={right}"}, n=108)
    (climb,) = climbs(found.frame, found.more)
    assert climb.sizes == SIZES
    assert climb.depths == [0.1, 0.5, 0.9]
    assert {cell.n for cell in climb.cells} == {12}
    n = sum(cell.n_right for cell in climb.cells)
    low, high = share_interval(n, 108)
    assert low <= right <= high
    assert (climb.cut_from, climb.read_most) == (None, None)


@pytest.mark.parametrize(("context", "cut_from"), [(1500, 4000), (700, 2000)])
async def test_a_prompt_that_is_cut_in_silence_is_found(tmp_path, context, cut_from):
    skills = {"fair": "", "short": f"context={context}"}
    found = await asked(tmp_path, [ladder()], skills, n=36)
    fair, short = sorted(climbs(found.frame, found.more), key=lambda c: c.provider)
    assert fair.cut_from is None
    assert (short.cut_from, short.read_most) == (cut_from, context)
    # What stood in the part that was cut away cannot be found.
    early = [c for c in short.cells if (c.tokens, c.depth) == (4000, 0.1)]
    assert [(c.n_right, c.n) for c in early] == [(0, 4)]
    late = [c for c in short.cells if (c.tokens, c.depth) == (4000, 0.9)]
    assert [(c.n_right, c.n) for c in late] == [(4, 4)]
    text = printed(shown([fair, short]))
    assert f"short cuts prompts: from {size(cut_from)} on" in text
    assert "fair cuts" not in text
    assert "4/4" in text
    assert "0/4" in text


@pytest.mark.parametrize(
    ("stated", "cut_from"),
    [
        ({32000: 31900, 128000: 127800, 256000: 255700}, None),
        ({32000: 40100, 128000: 160000, 256000: 320000}, None),  # another tokenizer
        ({32000: 31900, 128000: 127800, 256000: 200000}, 256000),
        ({32000: 31900, 128000: 65536, 256000: 65536}, 128000),
        ({32000: 8192, 128000: 8192}, 128000),
        ({32000: None, 128000: 127800, 256000: None}, None),
        ({32000: 31900}, None),
        ({}, None),
    ],
)
def test_stated_tokens_that_stop_growing_are_a_cut(stated, cut_from):
    assert cut(stated) == cut_from


def printed(parts):
    out = io.StringIO()
    for part in parts:
        tables.console(out, width=80).print(part)
    return out.getvalue()


async def test_the_grid_is_drawn_and_others_say_why_they_have_none(tmp_path):
    found = await asked(tmp_path, [ladder()], {"a": "", "b": "right=0.5"}, n=12)
    about = subject(found)
    assert charts.KINDS["ctx-grid"].lacks(about) is None
    assert charts.draw("ctx-grid", about, "svg").startswith(b"<?xml")
    (tmp_path / "other").mkdir()
    other = await asked(tmp_path / "other", [load("ping")], {"a": ""}, n=2)
    assert "ladder" in charts.KINDS["ctx-grid"].lacks(subject(other))
    assert climbs(other.frame, other.more) == []


BARE = """
[prompt]
user = "{text} What is the code?"

[[case]]
id = "one"
plants = [{ text = "The code is {code}." }]
draw = { code = [1, 9] }
"""


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("", r"plants are for a scenario with a \[ladder\]"),
        ("[ladder]\nsizes = [10]\ndepths = [0.5]\n", "sizes"),
        ("[ladder]\nsizes = [2000]\ndepths = [1.5]\n", "depths"),
        ("[ladder]\nsizes = [2000]\n", "depths"),
        ('[ladder]\nsizes = [2000]\ndepths = [0.5]\n[[case]]\nid = "two"\n', "hidden"),
    ],
)
def test_a_ladder_that_makes_no_sense_is_refused_with_its_place(tmp_path, extra, words):
    path = tmp_path / "mine.toml"
    path.write_text(BARE + extra)
    with pytest.raises(ScenarioError, match=words) as told:
        load(str(path))
    assert "mine.toml" in str(told.value)


def test_a_number_of_copies_must_be_one(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        BARE.replace('{ text = "The', '{ times = "often", text = "The')
        + "[ladder]\nsizes = [2000]\ndepths = [0.5]\n"
    )
    with pytest.raises(ScenarioError, match="times = 'often' is no whole number"):
        load(str(path))


def test_the_id_of_a_case_says_its_rung_and_no_other_id_does():
    scene = ladder(depths=[0.07, 0.125, 1])
    rungs = {rung_of(case.id) for case in scene.cases}
    assert {rung.depth for rung in rungs} == {0.07, 0.125, 1}
    assert {rung.tokens for rung in rungs} == set(SIZES)
    for other in ("1", "v1.2.3", "a@b", "n@1000:5", "n@" + "9" * 5000 + ":5%", ""):
        assert rung_of(other) is None


def test_sizes_of_a_scenario_without_a_ladder_are_refused():
    with pytest.raises(ScenarioError, match="sizes is for a scenario with a"):
        override(load("ping"), sizes=[1000])


def test_a_text_that_hides_nothing_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        BARE.replace("{text} ", "") + "[ladder]\nsizes = [2000]\ndepths = [0.5]\n"
    )
    with pytest.raises(ScenarioError, match=r"\{text\}"):
        load(str(path))
