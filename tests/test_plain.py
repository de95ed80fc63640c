"""The fast way of reading a stream gives what the general way gives."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import frame
from providers.intake import Intake
from providers.plainchunk import plain_chunk
from providers.reader import Reader
from providers.registry import DIALECTS, dialect

TEXT = st.text(max_size=6)
MAYBE = st.one_of(st.none(), TEXT)
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}

DELTA = st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant"),
        "content": st.one_of(
            MAYBE, st.just([{"type": "text", "text": "part"}]), st.just(7)
        ),
        "reasoning_content": MAYBE,
        "reasoning": MAYBE,
        "reasoning_details": st.sampled_from([None, [], [{"text": "hm"}]]),
        "refusal": MAYBE,
        "error": st.sampled_from([None, {}, "no", {"message": "no"}]),
        "tool_calls": st.sampled_from(
            [None, [], [{"index": 0, "id": "c", "function": {"name": "f"}}]]
        ),
    },
)
CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "index": st.integers(0, 1),
        "delta": st.one_of(st.none(), DELTA),
        "finish_reason": st.sampled_from([None, "stop", "length", "error", "odd"]),
        "error": st.sampled_from([None, {"message": "no"}]),
    },
)
CHUNK = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from([None, "a", "a", "a", "b", ""]),
        "object": st.sampled_from(["chat.completion.chunk", "error", "Error", "x"]),
        "model": st.sampled_from([None, "m", "m", "n"]),
        "provider": MAYBE,
        "system_fingerprint": MAYBE,
        "choices": st.one_of(st.none(), st.lists(CHOICE, max_size=2)),
        "usage": st.sampled_from([None, USAGE, {}]),
        "error": st.sampled_from([None, {"code": 429}, "no"]),
        "x_groq": st.sampled_from([None, {"usage": USAGE}]),
        "detail": st.sampled_from([None, "no"]),
        "success": st.sampled_from([None, True, False]),
        "errors": st.sampled_from([None, [], [{"message": "no"}]]),
        "error_code": st.sampled_from([None, 0, 336003]),
        "error_msg": st.sampled_from([None, "", "no"]),
        "error_message": st.sampled_from([None, "no"]),
        "status": st.sampled_from([None, "completed", "error"]),
        "type": st.sampled_from([None, "chunk", "error"]),
        "code": st.sampled_from([None, 0, 500]),
        "message": st.sampled_from([None, "no"]),
    },
)
PLAIN = st.builds(
    lambda text, kind: {
        "id": "a",
        "object": "chat.completion.chunk",
        "model": "m",
        "choices": [{"index": 0, "delta": {kind: text}, "finish_reason": None}],
    },
    TEXT,
    st.sampled_from(["content", "content", "reasoning_content"]),
)
EVENT = st.one_of(
    PLAIN.map(lambda chunk: f"data: {json.dumps(chunk)}\n\n"),
    PLAIN.map(lambda chunk: f"data: {json.dumps(chunk)}\n\n"),
    PLAIN.map(lambda chunk: f"data: {json.dumps(chunk, separators=(',', ':'))}\n\n"),
    CHUNK.map(lambda chunk: f"data: {json.dumps(chunk)}\n\n"),
    st.sampled_from(
        [
            ": ping\n\n",
            "data: [DONE]\n\n",
            "data:\n\n",
            "data: {}\r\n\r\n",
            "data: {},{}\n\n",
            "data: 1],[2\n\n",
            "data: nonsense\n\n",
            "event: error\ndata: {}\n\n",
            "Event: Error\n\n",
            "event: error\ndata: no\n\n",
            "event: ping\n\n",
            'data: {"id":"a",\ndata: "choices":[]}\n\n',
        ]
    ),
)


def read(name, pieces, *, at_once):
    reader = Reader(dialect(name), stream=True, max_tokens=100, model="m")
    reader.head(1, 200, {"Content-Type": "text/event-stream"})
    if at_once:
        reader.feed_all([at for at, _ in pieces], [part for _, part in pieces])
    else:
        for at, data in pieces:
            reader.feed(at, data)
    return reader.close(9_999)


@given(
    name=st.sampled_from(sorted(DIALECTS)),
    reads=st.lists(st.lists(EVENT, min_size=1, max_size=4), max_size=6),
    torn=st.integers(0, 40),
)
def test_any_stream_gives_the_same_reply_either_way(name, reads, torn):
    pieces = [(10 + n, "".join(events).encode()) for n, events in enumerate(reads)]
    if pieces and torn:
        at, last = pieces[-1]
        pieces[-1:] = [(at, last[:torn]), (at + 1, last[torn:])]
        pieces = [piece for piece in pieces if piece[1]]

    assert read(name, pieces, at_once=True) == read(name, pieces, at_once=False)


def usual(n):
    choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": None}
    chunk = {"id": "a", "created": 1, "model": "m", "choices": [choice]}
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n"] * n


@pytest.fixture
def singly(monkeypatch):
    """Return a list of the parts that are read in the general way."""
    parts, feed = [], Intake.feed

    def noted(self, at, data):
        parts.append(data)
        feed(self, at, data)

    monkeypatch.setattr(Intake, "feed", noted)
    return parts


@pytest.mark.parametrize("per_read", [1, 3, 64])
def test_of_the_usual_stream_one_event_and_the_closing_ones_are_read_singly(
    singly, per_read
):
    events = usual(64)
    pieces = [
        (at, b"".join(events[at : at + per_read])) for at in range(0, 64, per_read)
    ]

    reply = read("generic", [*pieces, (64, CLOSING)], at_once=True)

    assert reply.content == "hi" * 64
    assert b"".join(singly) == events[0] + CLOSING


CLOSING = (
    b'data: {"id":"a","choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"a","choices":[],"usage":{"completion_tokens":3}}\n\n'
    b"data: [DONE]\n\n"
)


def test_events_that_now_and_then_come_together_are_taken_as_runs_too(singly):
    pieces = [(at, b"".join(usual(1 + (at % 7 == 6)))) for at in range(70)]

    reply = read("generic", pieces, at_once=True)

    assert reply.content == "hi" * 80
    assert [at for at, _ in reply.timeline].count(6) == 2
    assert len(singly) == 1


@pytest.mark.parametrize("n", [30, 300])
def test_of_a_stream_that_differs_in_more_than_its_text_few_are_read_singly(singly, n):
    def event(at):
        return usual(1)[0].replace(b'"created": 1', b'"created": %d' % at)

    reply = read("generic", [(at, event(at)) for at in range(n)], at_once=True)

    assert reply.content == "hi" * n
    assert len(singly) <= 10


@pytest.mark.parametrize("n", [100, 1000])
def test_a_stream_of_odd_events_is_soon_left_to_the_general_way(monkeypatch, n):
    looked = []
    monkeypatch.setattr(frame, "plain_chunk", looked.append)

    read("generic", [(at, usual(1)[0]) for at in range(n)], at_once=True)

    assert len(looked) < 20


def test_what_needs_a_second_look_is_not_plain():
    for event in (
        b'{"choices":null}',
        b'{"choices":[{"delta":{"content":7}}]}',
        b'{"choices":[{"delta":{"tool_calls":[{}]}}]}',
        b'{"choices":[{"delta":{}}],"note":"\xff"}',
        b'{"choices":\n[{"delta":{}}]}',
        b'{"choices":\r[{"delta":{}}]}',
        b"[]",
        b"nonsense",
    ):
        assert plain_chunk(b"data: " + event + b"\n\n") is None
