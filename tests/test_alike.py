"""A run of like events is read as a list of texts, and never as anything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.frame import frame_of
from providers.reply import Kind


def event(text, key="content", raw=None, **more):
    body = json.dumps(text)[1:-1] if raw is None else raw
    choice = f'{{"index":0,"delta":{{"{key}":"{body}"}},"finish_reason":null}}'
    extra = "".join(f',"{name}":{json.dumps(value)}' for name, value in more.items())
    return data(f'{{"id":"a","model":"m","choices":[{choice}]{extra}}}'.encode())


def data(body):
    return b"data: " + body + b"\n\n"


@given(st.lists(st.text(max_size=8), min_size=1))
def test_any_texts_come_back_as_they_are(texts):
    run = frame_of(event("hi")).run([event(text) for text in texts])
    assert run.texts == texts
    assert (run.kind, run.chunk.id) == (Kind.CONTENT, "a")


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_thoughts_are_a_kind_of_their_own(key):
    assert frame_of(event("hm", key)).run([event("so", key)]).kind is Kind.REASONING


def test_a_run_ends_where_another_frame_begins():
    run = frame_of(event("a")).run([event("b"), event("c"), event("d", "reasoning")])
    assert run.texts == ["b", "c"]


@pytest.mark.parametrize(
    "raw",
    ['"', 'a"b', 'a","b', "\\", "a\\", '\\\\"', "\x01", "\\u12", '"},{"content":"x'],
)
def test_what_is_not_the_inside_of_a_string_is_no_text(raw):
    first = event("hi")
    for events in (
        [event("", raw=raw)],
        [event("b"), event("", raw=raw), event("c")],
        [event("", raw=raw), event("", raw=raw)],
    ):
        assert frame_of(first).run(events) is None


@pytest.mark.parametrize(
    "first",
    [
        event(""),
        event('a "quote"'),
        data(b'{"choices":[{"delta":{"content":"a","reasoning":"b"}}]}'),
        data(b'{"note":{"content":"a"},"choices":[{"delta":{"content" : "a"}}]}'),
        data(b'{"note":{"content":"a"},"choices":[{"delta":{"content":"a"}}]}'),
    ],
    ids=["no text", "escapes", "two texts", "another spelling", "it is elsewhere"],
)
def test_no_frame_is_made_of_an_event_that_leaves_doubt(first):
    assert frame_of(first) is None
