"""`h2h scenarios check`: checks that are wrong are found, with their case and place."""

import json
import sys

import pytest

from compare.cli.main import main
from scenarios import sandbox, texts
from scenarios.proof import flaws
from scenarios.sandbox import NoSandboxError, find
from scenarios.scenario import load


@pytest.fixture
def box():
    try:
        return find()
    except NoSandboxError as error:
        pytest.skip(str(error))


@pytest.fixture
def mine(tmp_path):
    def written(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return str(path)

    return written


@pytest.fixture
def h2h(capsys):
    def run(*args):
        with pytest.raises(SystemExit) as left:
            main(list(args))
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return run


def code(reference, tests, more=""):
    return f"""
[[case]]
id = "a"
user = "Write f."
{more}
[[case.check]]
kind = "code"
reference = {json.dumps(reference)}
tests = [{", ".join(tests)}]
"""


def found(path, seeds=(0,)):
    return [flaw.what for flaw in flaws(load(path), seeds)]


@pytest.mark.parametrize(
    ("reference", "tests", "told"),
    [
        ("def f(n): return n", ['{ value = "f(1)", equals = 2 }'], "f(1) is 1"),
        ("def f(n): return n", ['{ value = "g(1)" }'], "g(1): NameError"),
        ("def f(n) return n", ['{ value = "f(1)" }'], "f(1): SyntaxError"),
        ("def f(n): return n", ['{ value = "f(1)", raises = "E" }'], "is 1, not E"),
        ("def f(n): raise OSError", ['{ value = "f(1)" }'], "f(1): OSError"),
        ("import os; os._exit(0)", ['{ value = "1" }'], "does not run to its end"),
        ("def f(n): return {1, 2}", ['{ value = "f(1)" }'], "TypeError"),
        (
            "import random\ndef f(n): return random.random()",
            ['{ value = "f(1)" }'],
            "other values when it is run again",
        ),
    ],
)
@pytest.mark.usefixtures("box")
def test_a_reference_that_fails_its_own_tests_is_found(mine, reference, tests, told):
    (what,) = found(mine(code(reference, tests)))
    assert what.startswith("code: the reference")
    assert told in what


@pytest.mark.usefixtures("box")
def test_a_reference_is_tried_with_each_seeds_values(mine):
    wrong = "def f(n): return n + {k} if {k} != 3 else 'oops'"
    path = mine(code(wrong, ['{ value = "f(1) + 1" }'], "draw = { k = [2, 4] }"))
    where = [flaw.seed for flaw in flaws(load(path), range(12))]
    assert where
    assert len(where) < 12


@pytest.mark.usefixtures("box")
def test_a_repository_that_passes_as_it_stands_is_found(mine):
    text = code("a.py\n```\nx = 1\n```", ['{ value = "x", equals = 1 }'])
    files = 'answer = "files"\nimports = "from a import x"\nfiles = {"a.py" = "x = 1"}'
    assert found(mine(text + files)) == [
        "code: its files pass as they stand; add a test that they fail"
    ]
    assert found(mine(text + files.replace("x = 1", "x = 2"))) == []


CALL = """
[[request.tools]]
type = "function"
[request.tools.function]
name = "dim"
[request.tools.function.parameters]
type = "object"
required = ["room"]
additionalProperties = false
properties = { room = { enum = ["hall", "attic"] }, level = { type = "integer" } }

[[case]]
user = "Dim."
[[case.check]]
kind = "tool_calls"
calls = [{ tool = "dim", arguments = %s }]
"""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('{ room = ["hall", "attic"], level = [1, 2] }', None),
        ('{ room = ["hall", "cellar"] }', "cellar"),
        ('{ room = ["hall"], level = [1, "1"] }', "level"),
        ("{ level = [1] }", "required"),
        ('{ room = ["hall"], colour = ["red"] }', "colour"),
    ],
)
def test_a_call_that_its_own_tool_refuses_is_found(mine, arguments, told):
    wrong = found(mine(CALL % arguments))
    assert len(wrong) == (told is not None)
    assert told is None or (told in wrong[0] and "dim refuses" in wrong[0])


GOOD_AND_BAD = """
[prompt]
user = "Say {k} things."
[[check]]
kind = "min_chars"
chars = 3
[[case]]
id = "a"
draw = { k = [10, 99] }
good = %s
bad = ["{k}", "x{k}y", "no"]
[[case.check]]
kind = "contains"
text = "x{k}"
"""


def test_good_and_bad_answers_are_held_to_all_checks(mine):
    assert found(mine(GOOD_AND_BAD % '"x{k}"')) == ["bad[1] passes every check"]
    wrong = found(mine(GOOD_AND_BAD % '"x9"'), range(3))
    assert sum("bad[1]" in each for each in wrong) == 3
    assert any("good does not pass min_chars: 2 characters" in each for each in wrong)


def test_the_verb_tells_each_flaw_and_ends_with_2(h2h, mine):
    path = mine(GOOD_AND_BAD % '"x{k}"')
    status, out, _ = h2h("scenarios", "check", path, "ping", "--seeds", "2")
    assert status == 2
    lines = out.splitlines()
    assert lines[0].split() == ["mine", "1", "cases", "2", "flaws"]
    assert lines[1] == "  a, seed 0: bad[1] passes every check"
    assert lines[3].split() == ["ping", "1", "cases", "sound"]
    status, out, _ = h2h("scenarios", "check", path, "--json")
    assert status == 2
    (one,) = json.loads(out)
    assert one["name"] == "mine"
    assert [flaw["seed"] for flaw in one["flaws"]] == [0, 1, 2]
    assert h2h("scenarios", "check", "json-mode")[0] == 0


def test_a_scenario_that_does_not_load_ends_with_2(h2h, mine):
    status, _, err = h2h("scenarios", "check", mine("[[case]]\nusr = 'x'"))
    assert status == 2
    assert "unknown key 'usr'; did you mean user?" in err


def test_without_a_sandbox_it_ends_with_3_and_runs_nothing(h2h, monkeypatch):
    find.cache_clear()
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: None)
    try:
        status, _, err = h2h("scenarios", "check", "repo-task")
        assert (status, h2h("scenarios", "check", "plan")[0]) == (3, 0)
    finally:
        find.cache_clear()
    assert "scenario repo-task: no sandbox: " in err
    assert "apt-get install bubblewrap" in err


def test_show_tells_the_shape_and_the_worst_case_of_each_priced_host(h2h):
    status, out, _ = h2h("scenarios", "show", "cache-pair")
    assert status == 0
    assert "# shape: 1 cases, 2 turns each: 2 requests a pass to each host" in out
    shown = json.loads(h2h("scenarios", "show", "cache-pair", "--json")[1])["worth"]
    assert shown["requests"] == 2
    assert all(4000 < n < 4150 for n in shown["prompt_tokens_about"])
    hosts = {host["provider"]: host for host in shown["hosts"]}
    ours, official = hosts["ourtoken"], hosts["zai"]
    size = shown["prompt_bytes"][1]
    least = (size * 0.84 + 64 * 2.64) / 1e6
    assert least < ours["worst_usd"] < least * 1.05
    assert ours["worst_usd"] < ours["worst_usd_pass"] <= 2 * ours["worst_usd"]
    assert ours["worst_usd"] < official["worst_usd"]
    assert f"${ours['worst_usd']:.6f} a request" in out


def test_init_writes_a_scenario_whose_checks_hold(h2h, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert h2h("init", "--scenario")[0] == 0
    scenario = load("regression.toml")
    assert len(scenario.cases) == 4
    assert h2h("init", "--scenario")[0] == 2
    assert h2h("init", "--scenario", "other.toml")[0] == 0
    assert load("other.toml").digest == scenario.digest
    if h2h("scenarios", "check", "regression.toml")[0] != 3:
        assert list(flaws(scenario, range(3))) == []


def test_without_the_extra_the_list_goes_on_and_the_check_ends_with_3(h2h, monkeypatch):
    texts._validator.cache_clear()
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    status, out, err = h2h("scenarios", "--json")
    assert status == 0
    assert "ping" in {each["name"] for each in json.loads(out)}
    assert "head-to-head[quality]" in err
    status, _, err = h2h("scenarios", "check", "tool-fidelity")
    assert status == 3
    assert "install head-to-head[quality]" in err
