import sys
from importlib.metadata import EntryPoint

import pytest

from scenarios import checks, own
from scenarios.answer import Answer
from scenarios.checks import judge
from scenarios.request import ScenarioError


def polite(answer, word="please"):
    return word in answer["content"], f"looked for {word}"


def share(answer):
    return len(answer["content"]) / 10


def broken(answer):
    return 1 / 0


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "my_checks", sys.modules[__name__])
    points = [
        EntryPoint(name, f"my_checks:{name}", own.GROUP)
        for name in ("polite", "share", "broken", "absent")
    ]
    monkeypatch.setattr(own, "entry_points", lambda group: points)


def verdict(function, text, **options):
    table = {"kind": "function", "function": function, "options": options}
    return judge(checks.compile(table, "here"), Answer(content=text))


def test_a_function_says_yes_or_no_and_why():
    assert verdict("polite", "yes, please").passed is True
    found = verdict("polite", "gimme", word="thanks")
    assert (found.passed, found.score) == (False, 0.0)
    assert found.detail == "looked for thanks"


def test_a_share_passes_when_it_is_whole():
    assert verdict("share", "x" * 10).passed is True
    assert (verdict("share", "x" * 5).passed, verdict("share", "x" * 5).score) == (
        False,
        0.5,
    )


def test_what_a_function_raises_or_returns_by_mistake_is_no_verdict():
    assert verdict("broken", "").passed is None
    assert "ZeroDivisionError" in verdict("broken", "").detail
    assert verdict("share", "x" * 11).passed is None
    assert verdict("polite", "", wrong="option").passed is None


@pytest.mark.parametrize("name", ["os:system", "builtins:print", "polit"])
def test_only_what_is_installed_as_a_check_can_be_named(name):
    with pytest.raises(ScenarioError, match=r"here\.function: no check .*polite"):
        checks.compile({"kind": "function", "function": name}, "here")


def test_a_function_that_cannot_be_imported_is_refused():
    with pytest.raises(ScenarioError, match=r"'absent' cannot be imported: Attribute"):
        checks.compile({"kind": "function", "function": "absent"}, "here")
