"""The check of a plan, and those of how an answer ended."""

import copy
import json

import pytest

from scenarios import checks
from scenarios.answer import Answer
from scenarios.checks import judge
from scenarios.request import ScenarioError

TABLE = {
    "kind": "steps",
    "workers": 2,
    "most": 30,
    "tasks": {
        "dig": {"minutes": 10},
        "buy": {"minutes": 20},
        "plant": {"minutes": 10, "after": ["dig", "buy"]},
    },
}
PLAN = {
    "steps": [
        {"step": 1, "task": "dig", "start": 0, "minutes": 10, "needs": []},
        {"step": 2, "task": "buy", "start": 0, "minutes": 20, "needs": []},
        {"step": 3, "task": "plant", "start": 20, "minutes": 10, "needs": [1, 2]},
    ],
    "total": 30,
}


def fault(plan, **changes):
    text = plan if isinstance(plan, str) else json.dumps(plan)
    return judge(checks.compile(TABLE | changes, "here"), Answer(content=text)).detail


def changed(nth, **values):
    plan = copy.deepcopy(PLAN)
    plan["steps"][nth].update(values)
    return plan


def test_a_plan_that_holds_passes():
    assert fault(PLAN) is None
    assert fault(PLAN, workers=3, most=99) is None


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ("First dig, then plant.", "not one JSON value"),
        ('{"steps": [], "total": 0}', "no such plan"),
        ('{"steps": 3}', "no such plan"),
        (changed(0, step=2), "step 1 has the number 2"),
        (changed(0, minutes=9), "task 'dig' takes 10 minutes, not 9"),
        (changed(0, task="buy"), "task 'dig' is done 0 times"),
        (changed(2, needs=[1]), "step 3 (plant) does not need 'buy'"),
        (changed(2, needs=[1, 2, 3]), "not all of them earlier steps"),
        (changed(2, needs=[0, 1, 2]), "not all of them earlier steps"),
        (changed(2, start=19), "step 3 starts at 19, before what it needs ends"),
        (changed(2, start=25), "the total is 30, but the last step ends at 35"),
        (changed(2, start=-1), "no such plan"),
        (PLAN | {"total": 31}, "the total is 31, but the last step ends at 30"),
        (
            PLAN | {"steps": [*PLAN["steps"], {**PLAN["steps"][0], "step": 4}]},
            "task 'dig' is done 2 times",
        ),
        (
            PLAN
            | {"steps": [*PLAN["steps"], {**PLAN["steps"][0], "step": 4, "task": "x"}]},
            "nobody asked for task 'x'",
        ),
    ],
)
def test_each_fault_of_a_plan_is_told(plan, told):
    assert told in fault(plan)


def test_too_many_at_once_and_too_late_are_faults():
    assert "2 steps at one moment, more than 1" in fault(PLAN, workers=1)
    assert "it takes 30 minutes, more than 29" in fault(PLAN, most=29)


def test_a_task_that_waits_for_none_there_is_is_refused():
    tasks = {"dig": {"minutes": 1, "after": ["bye"]}}
    with pytest.raises(ScenarioError, match=r"here.tasks.dig.after: no task 'bye'"):
        checks.compile(TABLE | {"tasks": tasks}, "here")


@pytest.mark.parametrize(
    ("table", "answer", "told"),
    [
        ({"kind": "max_chars", "chars": 3}, Answer(content=" abc\n"), None),
        (
            {"kind": "max_chars", "chars": 3},
            Answer(content="abcd"),
            "4 characters",
        ),
        ({"kind": "finish", "reason": "stop"}, Answer(finish_reason="stop"), None),
        ({"kind": "finish", "reason": "stop"}, Answer(), "ended by None, not 'stop'"),
        (
            {"kind": "finish", "reason": "stop"},
            Answer(finish_reason="length"),
            "ended by 'length', not 'stop'",
        ),
    ],
)
def test_length_and_end_of_an_answer(table, answer, told):
    detail = judge(checks.compile(table, "here"), answer).detail
    assert (detail is None) if told is None else told in detail
