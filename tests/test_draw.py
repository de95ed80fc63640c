"""scenarios.draw: one seed, one set of values, in the prompt and in the checks."""

import msgspec
import pytest

from scenarios.draw import drawn
from scenarios.load import Load
from scenarios.plan import Plan, plan_hash, segments, shard, units
from scenarios.request import ScenarioError
from scenarios.scenario import checks_of, load, override

TEXT = """
[prompt]
user = "Add {{k}} to {k} for {who}, {fixed}."

[[case]]
id = "a"
values = { fixed = "now" }
draw = { k = [100, 999], who = ["ann", "bob", "cy"] }
stream = "both"
good = "{k} {who}"
bad = ["{who}"]

[[case.check]]
kind = "equals"
text = "{k} {who} {other} {{k}}"

[[case.check]]
kind = "code"
reference = "def f(x): return f'{x}' + str({k})"
tests = [{ value = "f({k})" }, { value = "{len(str({k}))}", equals = ["{k}"] }]

[[case]]
id = "b"
values = { fixed = "now", k = 5 }
draw = { who = ["dee", "eve"] }
"""


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)
    return load(str(path))


def plan(scenario, seed=1, providers=("left", "right")):
    asked = Load(seed=seed, max_requests=6)
    return Plan(scenarios=(scenario,), providers=providers, load=asked, salt="s")


def prompts(made, among=None):
    (segment,) = segments(made)
    among = among or shard(0, 1)
    return [
        (each.case, each.provider, each.request.messages[0]["content"])
        for unit in units(made, segment, made.providers, among)
        for block in unit.blocks
        for each in block
    ]


def test_the_prompt_and_the_checks_have_the_same_values(scenario):
    made = drawn(scenario, 7)
    case = made.by_id["a.stream"]
    k, who = case.values["k"], case.values["who"]
    assert 100 <= k <= 999
    assert who in {"ann", "bob", "cy"}
    equals, code = checks_of(made, case.id)
    assert equals.text == f"{k} {who} {{other}} {{k}}"
    assert code.reference == f"def f(x): return f'{{x}}' + str({k})"
    assert [test.value for test in code.tests] == [f"f({k})", f"{{len(str({k}))}}"]
    assert code.tests[1].equals == [str(k)]
    assert (case.good, case.bad) == (f"{k} {who}", (who,))
    assert [c.name for c in case.checks] == [c.name for c in scenario.cases[0].checks]
    texts = {text for name, _, text in prompts(plan(scenario, 7)) if name == case.id}
    assert all(text.endswith(f"Add {{k}} to {k} for {who}, now.") for text in texts)


def test_a_question_asked_both_ways_draws_once(scenario):
    assert [(c.id, c.stream, c.question) for c in scenario.cases] == [
        ("a.stream", True, "a"),
        ("a.whole", False, "a"),
        ("b", None, "b"),
    ]
    made = drawn(scenario, 3)
    assert made.by_id["a.stream"].values == made.by_id["a.whole"].values
    (segment,) = segments(plan(scenario))
    found = {
        (block[0].case, block[0].request.stream)
        for unit in units(plan(scenario), segment, ("left", "right"))
        for block in unit.blocks
    }
    assert found == {("a.stream", True), ("a.whole", False), ("b", True)}
    all_whole = override(scenario, stream=False)
    assert {case.stream for case in all_whole.cases} == {None}


def test_seeds_differ_and_one_seed_never_does(scenario):
    values = [drawn(scenario, seed).by_id["a.stream"].values for seed in range(40)]
    assert len({value["k"] for value in values}) > 30
    assert {value["who"] for value in values} == {"ann", "bob", "cy"}
    assert values == [drawn(scenario, n).by_id["a.stream"].values for n in range(40)]
    assert drawn(drawn(scenario, 1), 2) == drawn(scenario, 1)


def test_every_host_worker_and_second_plan_has_the_same_values(scenario):
    made = plan(scenario)
    texts = {}
    for name, host, text in prompts(made):
        texts.setdefault(name, {}).setdefault(host, set()).add(text)
    assert all(hosts["left"] == hosts["right"] for hosts in texts.values())
    shares = [each for n in range(3) for each in prompts(made, shard(n, 3))]
    assert sorted(shares) == sorted(prompts(made))
    again = plan(load(scenario.source))
    assert (plan_hash(again), prompts(again)) == (plan_hash(made), prompts(made))
    assert plan_hash(plan(scenario, seed=2)) != plan_hash(made)


def test_the_version_is_of_the_file_not_of_the_seed(scenario):
    versions = {drawn(scenario, seed).scenario_version for seed in range(3)}
    assert versions == {scenario.scenario_version}
    (after,) = plan(scenario, seed=9).scenarios
    assert after.scenario_version == scenario.scenario_version
    other = msgspec.structs.replace(plan(scenario, seed=9), salt="t")
    assert other.scenarios == (after,)


def test_other_draws_and_cases_do_not_move_a_value(tmp_path, scenario):
    path = tmp_path / "other.toml"
    more = TEXT.replace("draw = { k", "draw = { z = [1, 9], k")
    more = more.replace("for {who}, {fixed}", "for {who}, {fixed}{z}")
    more = more.replace("k = 5", "k = 5, z = 1").replace('id = "b"', 'id = "c"')
    path.write_text(more)
    ours = drawn(scenario, 5).by_id["a.stream"].values
    theirs = drawn(load(str(path)), 5).by_id["a.stream"].values
    assert ours.items() < theirs.items()


def test_checks_of_a_case_that_is_not_drawn_are_refused(scenario):
    with pytest.raises(ScenarioError, match="are not drawn"):
        checks_of(scenario, "a.stream")


def test_good_and_bad_answers_do_not_change_the_version(tmp_path, scenario):
    path = tmp_path / "mine2.toml"
    path.write_text('name = "mine"\n' + TEXT.replace('bad = ["{who}"]', "bad = []"))
    assert load(str(path)).digest == scenario.digest
