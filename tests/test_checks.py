import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios import checks
from scenarios.checks import CAP, Answer, judge
from scenarios.request import ScenarioError

CALL = {
    "kind": "tool_call",
    "tool": "book",
    "arguments": {"place": "Rome", "guests": 4},
    "no_extra": True,
}
EVERY_KIND = [
    {"kind": "contains", "text": "pong", "ignore_case": True},
    {"kind": "not_contains", "text": "sorry"},
    {"kind": "equals", "text": "pong"},
    {"kind": "regex", "pattern": "po+ng$"},
    {"kind": "json", "keys": ["a"]},
    CALL,
    {"kind": "min_chars", "chars": 3},
    {"kind": "number", "value": 4},
    {"kind": "json_schema", "schema": {"type": "object", "required": ["a"]}},
    {"kind": "tool_calls", "calls": [{"tool": "book", "others": True}] * 2},
]


def passed(table, content="", *calls):
    check = checks.compile(table, "here")
    verdict = judge(check, Answer(content=content, tool_calls=calls))
    assert (verdict.detail is None) == (verdict.passed is True)
    return verdict.passed


@pytest.mark.parametrize(
    ("table", "good", "bad"),
    [
        ({"kind": "contains", "text": "pong"}, "a pong b", "a Pong b"),
        ({"kind": "contains", "text": "pong", "ignore_case": True}, "PONG.", "ping"),
        ({"kind": "not_contains", "text": "sorry"}, "fine", "so sorry"),
        ({"kind": "not_contains", "text": "x", "ignore_case": True}, "y", "X"),
        ({"kind": "equals", "text": "pong"}, " pong\n", "pong."),
        ({"kind": "equals", "text": "pong", "ignore_case": True}, "Pong", ""),
        ({"kind": "regex", "pattern": r"^\d{3}$"}, "123", "1234"),
        ({"kind": "regex", "pattern": "a.b", "ignore_case": True}, "xA-By", "a\nb"),
        ({"kind": "min_chars", "chars": 3}, "abc", " ab  "),
        ({"kind": "json"}, '\n{"a": [1, null]}\n', "{'a': 1}"),
        ({"kind": "json"}, "[1]", 'Here it is: {"a": 1}'),
        ({"kind": "json"}, "3", "```json\n3\n```"),
        ({"kind": "json"}, '{"a": 1, "b": 1}', '{"a": 1, "a": 1}'),
        ({"kind": "json"}, "null", "NaN"),
        ({"kind": "json"}, '{"a": {"b": 1}}', ""),
        ({"kind": "json", "keys": ["a", "b"]}, '{"b":1,"a":2,"c":3}', '{"a":1}'),
        ({"kind": "json", "keys": ["a"]}, '{"a": null}', '["a"]'),
        ({"kind": "number", "value": 42}, "6 x 7 = 42.", "42 or 43"),
        ({"kind": "number", "value": -1234.5}, "It is -1,234.5", "It is 1,234.5"),
        ({"kind": "number", "value": 1e9}, "1e9", "none"),
        ({"kind": "number", "value": 3.14, "tolerance": 0.01}, "3.1416", "3.16"),
        (
            {"kind": "number", "value": 200, "tolerance": 0.1, "relative": True},
            "about 219",
            "about 221",
        ),
        ({"kind": "number", "value": 1}, "1", "9" * 400),
        (
            {
                "kind": "json_schema",
                "schema": {"properties": {"a": {"type": "number"}}},
            },
            '{"a": 1}',
            '{"a": "1"}',
        ),
        (
            {"kind": "json_schema", "schema": {"enum": ["x"]}},
            '"x"',
            'It is "x"',
        ),
        (
            {"kind": "json_schema", "schema": {"type": "string", "format": "date"}},
            '"2026-02-28"',
            '"2026-02-30"',
        ),
    ],
)
def test_each_kind_passes_and_fails(table, good, bad):
    assert passed(table, good) is True
    assert passed(table, bad) is False


@pytest.mark.parametrize(
    ("calls", "wanted"),
    [
        ([("book", '{"guests": 4, "place": "Rome"}')], True),
        ([("book", '{"guests": 4.0, "place": "Rome"}')], True),
        ([], False),
        ([("cook", '{"guests": 4, "place": "Rome"}')], False),
        ([("book", '{"guests": "4", "place": "Rome"}')], False),
        ([("book", '{"guests": 4}')], False),
        ([("book", '{"guests": 4, "place": "Rome", "day": 1}')], False),
        ([("book", '{"guests": 4, "guests": 4, "place": "Rome"}')], False),
        ([("book", '{"guests": 4, "place": ')], False),
        ([("book", "")], False),
        ([("book", '{"guests": 4, "place": "Rome"}')] * 2, False),
    ],
)
def test_a_tool_call_is_held_to_name_arguments_and_number(calls, wanted):
    assert passed(CALL, "", *calls) is wanted


def test_more_calls_may_be_allowed_and_arguments_left_open():
    table = {"kind": "tool_call", "tool": "book"}
    assert passed(table, "", ("cook", "{}"), ("book", '{"x": 1}'))


ROME = ("book", '{"place": "Rome", "guests": 4}')
BERN = ("book", '{"place": "Bern", "guests": 2}')
BOTH = {
    "kind": "tool_calls",
    "calls": [
        {"tool": "book", "arguments": {"place": ["Bern", "Berne"], "guests": [2, 4]}},
        {"tool": "book", "arguments": {"place": ["Rome", "Bern"], "guests": [4, 2]}},
    ],
}


@pytest.mark.parametrize(
    ("calls", "wanted"),
    [
        ([ROME, BERN], True),
        ([BERN, ROME], True),
        ([BERN, BERN], True),  # each fits both, so each has one of its own
        ([ROME, ROME], False),
        ([ROME], False),
        ([ROME, BERN, BERN], False),
        ([ROME, ("book", '{"place": "Bern"}')], False),
        ([ROME, ("book", '{"place": "Bern", "guests": 2, "day": 1}')], False),
        ([ROME, ("book", "[2]")], False),
        ([ROME, ("cook", BERN[1])], False),
    ],
)
def test_calls_side_by_side_are_a_set(calls, wanted):
    assert passed(BOTH, "", *calls) is wanted


def test_an_optional_argument_may_be_left_out_but_not_be_wrong():
    calls = [{"tool": "t", "arguments": {"a": [1], "b": [2]}, "optional": ["b"]}]
    table = {"kind": "tool_calls", "calls": calls}
    for text in ('{"a": 1}', '{"a": 1, "b": 2}'):
        assert passed(table, "", ("t", text))
    assert not passed(table, "", ("t", '{"a": 1, "b": 3}'))
    assert not passed(table, "", ("t", '{"a": 1, "b": null}'))
    assert not passed(table, "", ("t", '{"b": 2}'))


def test_that_no_tool_is_called_can_be_asked_for():
    table = {"kind": "tool_calls", "calls": []}
    assert passed(table, "It is four.")
    assert not passed(table, "", ROME)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "no such type"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/nowhere"},
        {"pattern": "("},
    ],
)
def test_a_schema_that_is_none_or_would_be_fetched_is_refused(schema):
    with pytest.raises(ScenarioError, match=r"here\.schema: .*without references"):
        checks.compile({"kind": "json_schema", "schema": schema}, "here")


def test_a_schema_without_the_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    with pytest.raises(ScenarioError, match=r"head-to-head\[quality\]"):
        checks.compile({"kind": "json_schema", "schema": {"title": "new"}}, "here")


def test_true_is_not_one():
    table = {"kind": "tool_call", "tool": "t", "arguments": {"n": 1, "l": [0]}}
    assert passed(table, "", ("t", '{"n": 1, "l": [0]}'))
    assert not passed(table, "", ("t", '{"n": true, "l": [0]}'))
    assert not passed(table, "", ("t", '{"n": 1, "l": [false]}'))


def test_a_cut_off_answer_says_so():
    check = checks.compile({"kind": "json"}, "here")
    verdict = judge(check, Answer(content='{"a": ', finish_reason="length"))
    assert verdict.passed is False
    assert "cut off by max_tokens" in verdict.detail


def test_a_giant_answer_is_not_read():
    for table in EVERY_KIND:
        assert passed(table, "x" * (CAP + 1)) is None
        assert passed(table, "", ("t", "x" * (CAP + 1))) is None


hostile = st.text(st.characters() | st.sampled_from('{}[]"\\,:\ud800\x00'), max_size=60)
GIANTS = ["[" * 200_000, '{"a":' * 50_000, "9" * 10_000, "a" * 900_000 + "!"]


@given(st.sampled_from(EVERY_KIND), hostile, hostile, hostile)
def test_no_model_text_raises(table, content, name, arguments):
    assert passed(table, content, (name, arguments)) in (True, False)


@pytest.mark.parametrize("content", GIANTS, ids=["list", "object", "digits", "letters"])
@pytest.mark.parametrize("table", EVERY_KIND, ids=lambda table: table["kind"])
def test_no_giant_text_raises(table, content):
    assert passed(table, content) in (True, False)
    assert passed(table, "", (CALL["tool"], content)) in (True, False)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), json_values, min_size=1))
def test_any_object_is_equal_to_itself(arguments):
    table = {"kind": "tool_call", "tool": "t", "arguments": arguments}
    assert passed(table, "", ("t", json.dumps(arguments)))
    assert passed({"kind": "json", "keys": list(arguments)}, json.dumps(arguments))


def test_a_nested_repeat_takes_no_time():
    # 2**60 steps for a backtracking engine.
    assert passed({"kind": "regex", "pattern": "^(a+)+$"}, "a" * 60 + "!") is False


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({}, "here: no check of kind None; use browser, code, "),
        ({"kind": "contians", "text": "x"}, "did you mean contains"),
        ({"kind": "contains"}, "here: a contains check needs 'text'"),
        ({"kind": "contains", "text": ""}, "needs 'text'"),
        ({"kind": "number"}, "needs 'value'"),
        ({"kind": "tool_calls", "calls": [{"tol": "x"}]}, "unknown field `tol`"),
        ({"kind": "contains", "text": 5}, "here.text: Expected `str`, got `int`"),
        (
            {"kind": "contains", "text": "x", "txt": 1},
            "unknown key 'txt'; did you mean",
        ),
        ({"kind": "contains", "text": "x", "chars": 1}, "unknown key 'chars'"),
        ({"kind": "regex", "pattern": "(?=a)"}, "here.pattern: RE2 refuses '(?=a)'"),
        ({"kind": "regex", "pattern": "("}, "here.pattern: RE2 refuses '('"),
        ({"kind": "regex", "pattern": "\ud800"}, "here.pattern: not valid Unicode"),
        ({"kind": "tool_call", "arguments": {}}, "needs 'tool'"),
        ({"kind": "min_chars", "chars": "3"}, "here.chars: Expected `int`"),
    ],
)
def test_a_bad_check_is_refused_with_its_place(table, told):
    with pytest.raises(ScenarioError) as caught:
        checks.compile(table, "here")
    assert told in str(caught.value)


def test_a_check_is_named_after_its_kind_unless_named():
    assert checks.compile({"kind": "json"}, "here").name == "json"
    assert checks.compile({"kind": "json", "name": "valid"}, "here").name == "valid"
