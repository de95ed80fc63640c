import math
from types import SimpleNamespace

import msgspec
import pytest

from compare.run import grade
from data.row import CheckRow
from data.verdicts import Waiting
from scenarios import checks, sandbox
from scenarios.answer import Answer, Verdict, same
from scenarios.checks import is_late, judge
from scenarios.request import ScenarioError
from scenarios.sandbox import NoSandboxError, find

ROTATE = "def rotate(items, k):\n    return items[k:] + items[:k]\n"
TABLE = {
    "kind": "code",
    "reference": ROTATE,
    "tests": [
        {"value": "rotate([1, 2, 3], 1)"},
        {"value": "rotate([], 0)", "equals": []},
        {"first": "n = [4, 5]", "value": "rotate(n, 9)"},
        {"value": "rotate(3, 1)", "raises": "TypeError"},
    ],
}


@pytest.fixture(autouse=True)
def box():
    try:
        return find()
    except NoSandboxError as error:
        pytest.skip(str(error))


def verdict(text, **changes):
    return judge(checks.compile(TABLE | changes, "here"), Answer(content=text))


def fenced(text):
    return f"Here it is:\n\n```python\n{text}```\n"


def test_right_code_passes_every_test():
    found = verdict(fenced(ROTATE))
    assert (found.passed, found.score, found.detail) == (True, 1.0, None)
    assert is_late(checks.compile(TABLE, "here"))


def test_wrong_code_scores_its_share_and_says_the_first_fault():
    found = verdict(fenced(ROTATE.replace("items[k:] + items[:k]", "items")))
    assert (found.passed, found.score) == (False, 0.5)
    assert found.detail == "2 of 4 tests: rotate([1, 2, 3], 1) is [1, 2, 3]"


@pytest.mark.parametrize(
    "text",
    [
        "I cannot do that.",
        "",
        fenced("print('4 passed, 0 failed')\nimport os\nos._exit(0)\n"),
        fenced("def rotate(items, k):\n    while True: pass\n"),
        fenced("class rotate(list):\n    __eq__ = lambda *_: True\n"),
    ],
)
def test_what_is_no_such_code_passes_nothing(text):
    found = verdict(text, seconds=1)
    assert found.passed is False
    assert found.score < 0.5


def test_what_is_right_is_not_to_be_found_in_there():
    spy = """
import sys, gc
def rotate(items, k):
    seen = repr([o for o in gc.get_objects() if isinstance(o, (dict, list, str))])
    return "canary" + "-right" in seen
"""
    tests = [{"value": "rotate([1], 1)", "equals": "canary-right"}]
    assert verdict(fenced(spy), tests=tests).detail.endswith("is False")


def test_numbers_may_differ_by_a_tolerance():
    tests = [{"value": "f()", "equals": [0.3], "tolerance": 1e-9}]
    assert verdict("def f(): return [0.1 + 0.2]", tests=tests).passed
    assert not verdict("def f(): return [0.31]", tests=tests).passed


def test_an_answer_may_be_files_or_a_patch():
    old = {"pack/__init__.py": "", "pack/a.py": "def f():\n    return 1\n"}
    changes = {
        "files": old,
        "imports": "from pack.a import f",
        "tests": [{"value": "f()", "equals": 2}],
        "reference": "",
    }
    whole = "`pack/a.py`\n```python\ndef f():\n    return 2\n```"
    assert verdict(whole, answer="files", **changes).passed
    assert not verdict("Done!", answer="files", **changes).passed
    patch = "```diff\n--- a/pack/a.py\n+++ b/pack/a.py\n@@ -2 +2 @@\n-    return 1\n"
    patch += "+    return 2\n```"
    assert verdict(patch, answer="patch", **changes).passed
    bad = verdict(patch.replace("return 1", "return 7"), answer="patch", **changes)
    assert bad.passed is False
    assert "the patch does not fit: pack/a.py" in bad.detail


def test_a_reference_that_fails_its_own_tests_is_found(box):
    good = checks.compile(TABLE, "here")
    assert good.unsound(box) is None
    wrong = TABLE | {"tests": [{"value": "rotate([1, 2], 1)", "equals": [1, 2]}]}
    assert "rotate([1, 2], 1) is [2, 1]" in checks.compile(wrong, "here").unsound(box)
    none = TABLE | {"reference": "", "tests": [{"value": "1", "equals": 1}]}
    assert "no reference" in checks.compile(none, "here").unsound(box)


def test_a_reference_that_does_not_run_judges_nobody():
    ends = "import os\nos._exit(1)\n"
    found = verdict(fenced(ROTATE), reference=ends, tests=[{"value": "rotate([1], 1)"}])
    assert (found.passed, found.score) == (None, None)


def test_a_test_without_a_right_value_needs_a_reference():
    with pytest.raises(ScenarioError, match="reference"):
        checks.compile(TABLE | {"reference": ""}, "here")


def test_without_a_sandbox_nothing_is_run_and_nothing_fails(monkeypatch):
    find.cache_clear()
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: None)
    try:
        found = verdict(fenced("open('/tmp/h2h-was-here', 'w')\n"))
    finally:
        find.cache_clear()
    assert found.passed is None
    assert found.detail.startswith("skipped: no sandbox: bwrap, setpriv not found") or (
        found.detail.startswith("skipped: no sandbox: bwrap not found")
    )


def test_a_number_beyond_every_float_is_near_none():
    tests = [{"value": "f()", "equals": 0.5, "tolerance": 1e-9}]
    found = verdict("def f(): return 10 ** 400", tests=tests)
    assert found.passed is False
    assert not same(10**400, 0.5, 1e-9)
    assert not same(0.5, -(10**400), 1e-9)
    assert not same([10**400], [math.inf], 1e-9)
    assert not same(math.nan, 0.5, 1e-9)


def test_an_error_before_the_line_is_none_that_the_line_raises():
    tests = [{"value": "f(-1)", "first": "g()", "raises": "ValueError"}]
    checked = "def g(): pass\ndef f(n):\n    if n < 0: raise ValueError(n)\n"
    assert verdict(checked, tests=tests, reference="").passed
    at_once = checked + "raise ValueError('anything')\n"
    found = verdict(at_once, tests=tests, reference="")
    assert (found.passed, found.score) == (False, 0.0)
    assert "f(-1) was not reached: ValueError: anything" in found.detail
    at_first = checked.replace("def g(): pass", "def g(): raise ValueError(0)")
    assert verdict(at_first, tests=tests, reference="").passed is False


def test_a_check_that_breaks_is_not_made_and_stops_no_other(monkeypatch):
    def judged(_, answer):
        if answer.content == "breaks":
            raise OverflowError("sk-live-0123456789abcdef")
        return Verdict("code", True)

    scene = SimpleNamespace(name="s")
    named = SimpleNamespace(name="code")
    monkeypatch.setattr(grade, "checks_of", lambda *_: [named])
    monkeypatch.setattr(grade, "judge", judged)
    run = SimpleNamespace(plan=SimpleNamespace(scenarios=[scene]))

    def made(text):
        answer = msgspec.json.encode(Answer(content=text)).decode()
        row = CheckRow(run_id="r", seq=1, name="code", passed=None, answer=answer)
        waits = Waiting(check=row, scenario="s", case_id="c", answer=answer)
        return grade._made(run, waits), answer

    broken, answer = made("breaks")
    assert (broken.passed, broken.score, broken.answer) == (None, None, answer)
    assert broken.detail == "the check broke: OverflowError: ***"
    assert made("is right")[0].passed == 1
