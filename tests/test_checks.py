import json

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
        ({}, "here: no check of kind None; use contains, "),
        ({"kind": "contians", "text": "x"}, "did you mean contains"),
        ({"kind": "contains"}, "here: a contains check needs 'text'"),
        ({"kind": "contains", "text": ""}, "needs 'text'"),
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
