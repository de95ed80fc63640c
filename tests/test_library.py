"""The scenario library: references pass, wrong answers fail, and each kind is there."""

import re

import msgspec
import pytest

from scenarios import proof, session
from scenarios.answer import Answer
from scenarios.content import files_of
from scenarios.draw import drawn
from scenarios.sandbox import NoSandboxError, find
from scenarios.scenario import checks_of, library, load, override

CODING = ("code-unit", "repo-task")


@pytest.fixture
def box():
    try:
        return find()
    except NoSandboxError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", [n for n in library() if n not in CODING])
def test_checks_without_code_hold_what_they_promise(name):
    assert list(proof.flaws(load(name), range(2))) == []


def shared(name, part, of=4):
    """Return every fourth case: a test of all would last a quarter of a minute."""
    scenario = load(name)
    return msgspec.structs.replace(scenario, cases=scenario.cases[part::of])


@pytest.mark.parametrize("part", range(4))
@pytest.mark.usefixtures("box")
def test_references_pass_their_own_tests_for_five_seeds(part):
    assert list(proof.flaws(shared("code-unit", part), range(5))) == []


@pytest.mark.usefixtures("box")
def test_repositories_fail_as_they_stand_and_pass_repaired():
    assert list(proof.flaws(load("repo-task"), [0])) == []


@pytest.mark.parametrize("part", range(4))
def test_code_that_does_nothing_fails_most_tests_of_each_task(box, part):
    made = drawn(shared("code-unit", part), 1)
    for case in made.cases:
        (check,) = checks_of(made, case.id)
        names = re.findall(
            r"^(?:def|class) ([A-Za-z]\w*)", check.reference, re.MULTILINE
        )
        idle = "".join(f"def {name}(*a, **k): return None\n" for name in names)
        verdict = check.grade(Answer(content=f"```python\n{idle}```"), box)
        assert verdict.passed is False, case.id
        assert verdict.score < 0.35, (case.id, verdict.detail)


def test_a_task_of_another_seed_is_another_task(box):
    scenario = load("code-unit")
    for name in ("runs", "merge-spans", "islands", "calendar", "pack", "justify"):
        made = [drawn(scenario, seed) for seed in range(20)]
        first = made[0].by_id[name]
        second = next(m for m in made if m.by_id[name].values != first.values)
        answer = Answer(content=first.checks[0].reference)
        assert checks_of(second, name)[0].grade(answer, box).passed is False, name


def test_the_coding_tasks_are_as_many_and_as_hard_as_promised():
    tasks, repos = load("code-unit"), load("repo-task")
    assert len(tasks.cases) >= 30
    assert len(repos.cases) >= 6
    for case in tasks.cases:
        (check,) = case.checks
        assert case.draw, case.id
        assert len(check.tests) >= 6, case.id
        assert check.reference
    ways = [case.checks[0].answer for case in repos.cases]
    assert min(ways.count("patch"), ways.count("files")) >= 3
    for case in repos.cases:
        assert 3 <= len(case.checks[0].files) <= 6
        assert len(case.checks[0].tests) >= 6
    sat = session.case(repos, 0, salt="s", seed=0, phase="measure", step=0)
    prompt = sat.requests[0].messages[-1]["content"]
    files = files_of(repos.by_id[sat.case])
    assert all(text.strip() in prompt for text in files.values())


def test_questions_about_tools_are_asked_both_ways_and_say_what_was_expected():
    scenario = load("tool-fidelity")
    questions = {}
    for case in scenario.cases:
        questions.setdefault(case.question, []).append(case)
    assert len(scenario.cases) >= 60
    for pair in questions.values():
        assert {case.stream for case in pair} == {True, False}
        assert pair[0].checks == pair[1].checks
        assert pair[0].user == pair[1].user
    checks = [pair[0].checks[0] for pair in questions.values()]
    assert all(check.name == ("call" if check.calls else "no-call") for check in checks)
    calls = [call for check in checks for call in check.calls]
    assert sum(not check.calls for check in checks) >= 10
    assert sum(len(check.calls) > 1 for check in checks) >= 4
    assert sum(not call.arguments for call in calls) >= 2
    values = [v for call in calls for any_of in call.arguments.values() for v in any_of]
    assert {type(value) for value in values} == {str, int, float, bool, dict, list}
    texts = " ".join(case.user for case in scenario.cases)
    assert re.search("[\u0900-\u097f]", texts)
    assert re.search("[\u4e00-\u9fff]", texts)
    named = {call.tool for call in calls}
    assert named == {tool["function"]["name"] for tool in scenario.request.tools}


def test_json_is_asked_for_with_and_without_a_schema():
    scenario = load("json-mode")
    kinds = [case.response_format["type"] for case in scenario.cases]
    assert min(kinds.count("json_object"), kinds.count("json_schema")) >= 5
    assert all(case.good and len(case.bad) >= 3 for case in scenario.cases)
    asked = {}
    for index in range(len(scenario.cases)):
        sat = session.case(scenario, index, salt="s", seed=0, phase="measure", step=0)
        asked[sat.case] = sat.requests[0].response_format
    assert asked == {case.id: case.response_format for case in scenario.cases}
    plain = override(scenario, response_format={"type": "text"})
    assert {case.response_format for case in plain.cases} == {None}


def test_the_turns_of_repeat_are_the_same_bytes():
    for index in range(3):
        sat = session.case(
            load("repeat"), index, salt="s", seed=0, phase="measure", step=0
        )
        one, other = sat.requests
        assert one.digest == other.digest
        assert (one.temperature, one.seed) == (0.0, 7)


MAZE = ["#" * 28, *(["#" + "." * 26 + "#"] * 13), "#" * 28]
GAME = """<!DOCTYPE html>
<html><head><style>canvas { background: black }</style></head><body>
<div id="score">0</div><div id="lives">3</div><canvas></canvas>
<script>
const maze = [
%s
];
const ghosts = ["Blinky", "Pinky", "Inky", "Clyde"].map((name) => ({ name, x: 1 }));
const keys = { ArrowUp: 0, KeyW: 0, ArrowLeft: 1, KeyA: 1, ArrowDown: 2, KeyS: 2 };
keys.ArrowRight = keys.KeyD = 3;
addEventListener("keydown", (event) => turn(keys[event.code]));
let frightened = 0;
window.__state = { score: 0, lives: 3, ghosts };
requestAnimationFrame(loop);
// %s
</script></body></html>"""


def test_a_page_with_all_that_was_asked_for_passes_and_less_does_not():
    rows = ",\n".join(f'"{row}"' for row in MAZE)
    page = GAME % (rows, "x" * 4000)
    html, *_ = checks_of(load("oneshot-app"), "1")
    assert html.grade(Answer(content=f"```html\n{page}\n```")).detail is None
    for part in ("Clyde", "KeyW", 'id="lives"', "__state", "</html>", rows[:200]):
        assert part in page
        assert not html.grade(Answer(content=page.replace(part, ""))).passed, part
    loading = page.replace("<canvas>", '<img src="https://a.example/x.png"><canvas>')
    assert not html.grade(Answer(content=loading)).passed
