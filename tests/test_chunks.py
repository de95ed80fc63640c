"""Whole chunks that pass by aiohttp's parser are what the parser would have given."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import post, tap
from providers.chunks import Chunks, opening
from providers.tape import Tape

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"


class Transport:
    """As much of a transport as a connection that is read from needs."""

    def __init__(self):
        self.open = True

    def close(self):
        self.open = False

    def is_closing(self):
        return not self.open

    def write(self, data):
        pass

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass

    def get_extra_info(self, name, default=None):
        return default


class Connection:
    def __init__(self, protocol):
        self.protocol = protocol


def received(reads, *, plainly=False):
    """Return (body, ended, broken) of a response that comes in these reads."""
    loop = asyncio.new_event_loop()
    try:
        handler, tape = tap.Handler(loop), Tape(lambda: None)
        handler.connection_made(Transport())
        post.send(Connection(handler), tape, b"", b"")
        for read in reads:
            if plainly:
                handler.chunks = None
            handler.data_received(read)
        body = b"".join(tape.take()[1])
        return body, tape.eof is not None, tape.failure is not None
    finally:
        loop.close()


def chunk(data, spell="%x", extension=b""):
    return (spell % len(data)).encode() + extension + b"\r\n" + data + b"\r\n"


CONTENT = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.just(b"data: {}\n\n"),
    st.sampled_from([b"\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"\r\n\r\n"]),
)
CHUNK = st.builds(
    chunk,
    CONTENT,
    st.sampled_from(["%x", "%x", "%x", "%X", "0%x"]),
    st.sampled_from([b"", b"", b"", b";name=value"]),
)
END = st.sampled_from(
    [b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nTrailer: 1\r\n\r\n", b"", b"zz\r\n", b"5"]
)


@st.composite
def cut(draw, data):
    at = sorted(draw(st.sets(st.integers(1, max(len(data) - 1, 1)), max_size=8)))
    edges = [0, *at, len(data)]
    return [data[a:b] for a, b in pairwise(edges) if data[a:b]]


@given(
    st.data(),
    st.sampled_from([HEAD, HINT + HEAD]),
    st.lists(CHUNK, max_size=8),
    END,
)
def test_any_cut_gives_what_the_parser_gives(data, head, chunks, end):
    reads = data.draw(cut(head + b"".join(chunks) + end))

    assert received(reads) == received(reads, plainly=True)


@given(st.lists(st.binary(max_size=30), max_size=6))
def test_any_bytes_after_the_head_give_what_the_parser_gives(reads):
    assert received([HEAD, *reads]) == received([HEAD, *reads], plainly=True)


EVENTS = [chunk(b"data: {%d}\n\n" % n) for n in range(12)]


@pytest.mark.parametrize(
    ("reads", "raw"),
    [
        (EVENTS, 0),
        ([b"".join(EVENTS)], 0),
        ([b"".join(EVENTS[:2]), b"".join(EVENTS[2:])], 0),
        ([b"".join(EVENTS) + b"0\r\n\r\n"], 5),
        ([EVENTS[0], b"0\r\n\r\n"], 5),
        ([chunk(b"a\r\nb") * 4], 0),
        ([EVENTS[0][:-1], EVENTS[0][-1:] + EVENTS[1]], len(EVENTS[0])),
    ],
    ids=["single", "many", "some", "last", "end", "line ends inside", "torn"],
)
def test_only_what_is_no_whole_chunk_is_left_for_the_parser(reads, raw):
    chunks = Chunks()
    left = 0
    for read in reads:
        before, _, after = chunks.split(read)
        left += len(before) + len(after)
    assert left == raw


@pytest.mark.parametrize(
    "size", [b"+1", b" 1", b"0x1", b"1_0", b"1;a=b", b"", b"0", b"\xb2", b"1" * 30]
)
def test_what_looks_like_a_size_but_is_none_is_for_the_parser(size):
    read = size + b"\r\nx\r\n"
    chunks = Chunks()
    assert chunks.split(read) == (b"", [], read)
    assert chunks.split(EVENTS[0]) == (EVENTS[0], [], b"")


@given(st.binary(min_size=1, max_size=70_000))
def test_a_read_that_is_one_chunk_begins_as_its_length_says(content):
    read = chunk(content)
    assert read.startswith(opening(len(read)))
    assert opening(len(read)) == read[: -len(content) - 2]


@pytest.mark.parametrize("length", [0, 1, 5, 21, 262, 4103])
def test_no_read_begins_as_one_chunk_that_cannot_be_one(length):
    assert len(opening(length)) > length
