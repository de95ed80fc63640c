"""An event that came in an earlier stream means what it would mean by itself."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import shapes as module
from providers.dialect import Delta
from providers.frame import frame_of
from providers.reader import Reader
from providers.registry import DIALECTS, dialect
from providers.shapes import LONGEST_BYTES, MOST, Shapes
from tests.test_plain import CHUNK, PLAIN, usual

DONE = b"data: [DONE]\n\n"
GENERIC = dialect("generic")


def chunk(id_, **fields):
    return json.dumps({"id": id_, "model": "m", **fields}).encode()


def stop(id_="one"):
    return chunk(id_, choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])


@pytest.fixture
def dialect_reads(monkeypatch):
    """Return a list of the chunks that were read with care."""
    chunks, read = [], type(GENERIC).read

    def noted(self, chunk, *, event=b""):
        chunks.append(chunk)
        return read(self, chunk, event=event)

    monkeypatch.setattr(type(GENERIC), "read", noted)
    return chunks


def read(shapes, parts, name="generic", *, at_once=True):
    reader = Reader(
        dialect(name), stream=True, max_tokens=100, model="m", shapes=shapes
    )
    reader.head(1, 200, {"Content-Type": "text/event-stream"})
    if at_once:
        reader.feed_all(range(10, 10 + len(parts)), parts)
    else:
        for at, part in enumerate(parts, 10):
            reader.feed(at, part)
    return reader.close(9_999)


def with_id(chunks, id_):
    """Return events that begin with an id, whatever stood in it before."""
    events = (json.dumps({"id": id_} | c | {"id": id_}).encode() for c in chunks)
    return [*(b"data: " + event + b"\n\n" for event in events), DONE]


@given(
    name=st.sampled_from(sorted(DIALECTS)),
    chunks=st.lists(st.one_of(CHUNK, PLAIN, PLAIN), max_size=6),
    ids=st.tuples(*[st.sampled_from(["a", "b", "m", "stop", "1", "\\", "é", '"'])] * 2),
    at_once=st.booleans(),
)
def test_any_stream_gives_the_same_reply_after_another_like_it(
    name, chunks, ids, at_once
):
    shapes = Shapes(dialect(name))
    read(shapes, with_id(chunks, ids[0]), name)
    parts = with_id(chunks, ids[1])

    found = read(shapes, parts, name, at_once=at_once)

    assert found == read(None, parts, name, at_once=at_once)


def test_what_opens_and_ends_a_stream_is_read_with_care_in_the_first_alone(
    dialect_reads,
):
    role = chunk("one", choices=[{"index": 0, "delta": {"role": "assistant"}}])
    count = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
    usage = chunk("one", choices=[], usage=count)
    whole = [role, *(part[6:-2] for part in usual(9)), stop(), usage, b"[DONE]"]
    parts = [b"data: " + data + b"\n\n" for data in whole]
    shapes = Shapes(GENERIC)
    read(shapes, parts)
    dialect_reads.clear()

    reply = read(shapes, [part.replace(b'"one"', b'"two"') for part in parts])

    assert dialect_reads == []
    assert (reply.outcome, reply.response_id) == ("ok", "two")
    assert reply.usage.completion_tokens == 9


def texts(id_, *texts, **fields):
    told = (
        chunk(id_, choices=[{"index": 0, "delta": {"content": text}}], **fields)
        for text in texts
    )
    return [b"data: " + data + b"\n\n" for data in told]


def test_the_frame_of_a_streams_texts_is_learned_from_the_first_stream_alone(
    monkeypatch,
):
    shapes = Shapes(GENERIC)
    read(shapes, texts("one", "a", "b", "c"))
    monkeypatch.setattr(module, "frame_of", None)

    reply = read(shapes, texts("two", *"def", 'a "quoted" é', "g"))

    assert reply.content == 'defa "quoted" ég'
    assert reply.response_id == "two"


@pytest.mark.parametrize(
    "events",
    [
        texts("one", "a", note="one"),
        texts("one", "a", note="\\u006fne"),
        [each.replace(b'"id": "one", ', b"") for each in texts("one", "a")],
    ],
)
def test_a_frame_in_which_more_than_the_id_may_differ_is_learned_each_time(
    events, monkeypatch
):
    learned = []
    monkeypatch.setattr(
        module, "frame_of", lambda event: learned.append(event) or frame_of(event)
    )
    shapes = Shapes(GENERIC)

    for _ in range(2):
        assert shapes.frame(events[0]).run(events).texts == ["a"]

    assert len(learned) == 2


@pytest.mark.parametrize(
    "data",
    [
        b'{"id":"one","choices":[],"id":"one"}',
        b'{"id":"one","choices":[],"id":"\\u006fne"}',
        b'{"id":"one","choices":[],"\\u0069d":"one"}',
        b'{"id":"one","model":"one","choices":[]}',
        b'{"id":"one","choices":[{"index":0,"delta":{"content":"hi"}}]}',
        b'{"id":"one","choices":[],"error":{"message":"no"}}',
        b'{"id":"one","choices":[],"model":"\xff"}',
        b'{"id":"o\\u006ee","choices":[]}',
        b'{"id":1,"choices":[]}',
        b'{"model":"m","id":"one","choices":[]}',
        b'{"id":"one","choices":[],"x":"' + b"x" * LONGEST_BYTES + b'"}',
    ],
)
def test_what_more_than_its_id_may_tell_apart_is_read_each_time(data, dialect_reads):
    shapes = Shapes(GENERIC)

    for _ in range(2):
        shapes.read(data, b"", set())

    assert len(dialect_reads) == 2


def test_an_event_with_a_name_is_read_each_time(dialect_reads):
    shapes = Shapes(GENERIC)

    shapes.read(stop(), b"", set())
    shapes.read(stop(), b"error", set())

    assert len(dialect_reads) == 2


def test_what_is_remembered_is_not_what_was_handed_out():
    shapes = Shapes(GENERIC)
    shapes.read(stop("one"), b"", set())
    first, second = (shapes.read(stop(each), b"", set()) for each in ("two", "three"))

    assert (first.id, second.id, first.finish) == ("two", "three", "stop")


def test_only_so_many_are_remembered():
    shapes = Shapes(GENERIC)

    for n in range(3 * MOST):
        shapes.read(stop().replace(b'"m"', b'"m%d"' % n), b"", set())

    known = [shapes.known(b"data: " + stop().replace(b'"m"', b'"m%d"' % n) + b"\n\n")
             for n in range(3 * MOST)]  # fmt: skip
    assert 0 < sum(isinstance(each, Delta) for each in known) <= MOST
