"""The scenario library: references pass, wrong answers fail, and each kind is there."""

import re

import msgspec
import pytest

from scenarios import proof, session
from scenarios.answer import Answer
from scenarios.content import files_of
from scenarios.draw import drawn
from scenarios.sandbox import NoSandboxError, find
from scenarios.scenario import checks_of, library, load

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
