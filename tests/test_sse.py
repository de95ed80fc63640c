"""The decoder of event streams: any cut, any line end, the same events."""

from time import process_time

import pytest
from growth import assert_growth
from hypothesis import given
from hypothesis import strategies as st

from providers.outcome import Flag
from providers.sse import BOM, Decoder, Event

ENDS = [b"\n", b"\r\n", b"\r"]
VALUE = st.text(
    st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), max_size=12
).map(str.encode)
EVENT = st.tuples(
    st.sampled_from([b"", b"ping", b"error"]), st.lists(VALUE, min_size=1, max_size=3)
)


def decode(*pieces):
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.close(), decoder


def data(*pieces):
    return [event.data for event in decode(*pieces)[0]]


@st.composite
def streams(draw):
    """Return a stream's bytes, its events, and a cut of the bytes into pieces."""
    events, lines = [], []
    for name, values in draw(st.lists(EVENT, max_size=5)):
        if draw(st.booleans()):
            lines += [b": a comment", b""]
        if name:
            lines.append(b"event: " + name)
        lines += [b"data: " + value for value in values] + [b""]
        events.append(Event(name, b"\n".join(values)))
    raw = draw(st.sampled_from([b"", BOM]))
    for line in lines:
        # An LF that ends an empty line would join the CR that ended the line before.
        joins = not line and raw.endswith(b"\r")
        raw += line + draw(st.sampled_from(ENDS[1:] if joins else ENDS))
    cuts = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    pieces = [raw[i:j] for i, j in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    return raw, events, pieces


@given(streams())
def test_any_cut_and_any_line_end_give_the_same_events(stream):
    raw, events, pieces = stream
    assert decode(raw)[0] == events
    found, decoder = decode(*pieces)
    assert found == events
    assert decoder.flags == decode(raw)[1].flags
    bytewise, decoder = decode(*[bytes([byte]) for byte in raw])
    assert bytewise == events
    assert decoder.flags == decode(raw)[1].flags


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_at_all_are_taken(raw, cut):
    whole, one = decode(raw)
    parts, two = decode(raw[:cut], raw[cut:])
    assert (whole, one.flags, one.comments, one.junk) == (
        parts, two.flags, two.comments, two.junk
    )  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "events", "flags"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"], set()),
        (b"data: a\r\n\r\n", [b"a"], {Flag.CRLF}),
        (b"data: a\r\r", [b"a"], {Flag.BARE_CR}),
        (b"data: a\r\n\ndata: b\r\r", [b"a", b"b"], {Flag.CRLF, Flag.BARE_CR}),
        (BOM + b"data: a\n\n", [b"a"], {Flag.BOM}),
        (b"data:a\n\n", [b"a"], set()),
        (b"data:  a\n\n", [b" a"], set()),
        (b"data: {\ndata: }\n\n", [b"{\n}"], set()),
        (b"data\n\n", [b""], set()),
        (b"data:\n\n", [b""], set()),
        (b": ping\n\n:\n\n", [], set()),
        (b"event: ping\n\n", [], set()),
        (b"id: 7\nretry: 10\ndata: a\n\n", [b"a"], set()),
        (b"data: a\n", [b"a"], {Flag.UNENDED_EVENT}),
        (b"data: a", [b"a"], {Flag.UNENDED_EVENT}),
        (b"event: ping\n", [], set()),
        (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}'],
         {Flag.CONTENT_TYPE_MISMATCH}),
        (b"data: a\xe2\x80\xa8b\x0c\x0b\xc2\x85c\n\n",
         [b"a\xe2\x80\xa8b\x0c\x0b\xc2\x85c"], set()),
        (b"", [], set()),
    ],
)  # fmt: skip
def test_the_grammar(raw, events, flags):
    found, decoder = decode(raw)
    assert [event.data for event in found] == events
    assert decoder.flags == flags


def test_an_event_has_its_name_and_the_next_has_none():
    events, _ = decode(b"event: error\ndata: a\n\ndata: b\n\n")
    assert events == [Event(b"error", b"a"), Event(b"", b"b")]


def test_an_event_is_complete_at_its_carriage_return():
    decoder = Decoder()
    assert decoder.feed(b"data: a\r") == []
    assert [event.data for event in decoder.feed(b"\r")] == [b"a"]
    assert decoder.feed(b"\n") == []
    assert decoder.close() == []


def test_a_crlf_cut_in_two_ends_one_line():
    events, decoder = decode(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n")
    assert [event.data for event in events] == [b"a\nb"]
    assert decoder.flags == {Flag.CRLF}


def test_a_bom_cut_anywhere_is_one_and_a_later_one_is_data():
    for cut in range(1, 3):
        raw = BOM + b"data: a\n\n"
        assert data(raw[:cut], raw[cut:]) == [b"a"]
    assert data(b"data: " + BOM + b"\n\n") == [BOM]


def test_comments_and_junk_are_counted_apart():
    _, decoder = decode(b": one\n\n:two\n<html>\nevent: x\n\n")
    assert (decoder.comments, decoder.junk, decoder.fields) == (2, 1, 1)
    assert decoder.spoken
    assert not decode(b"<html>\nhello\n")[1].spoken


def test_what_waits_is_counted_so_that_it_can_be_capped():
    decoder = Decoder()
    decoder.feed(b"data: " + b"x" * 1000)
    assert decoder.pending == 1006
    decoder.feed(b"x" * 500)
    assert decoder.pending == 1506
    decoder.feed(b"\ndata: y")
    assert decoder.pending >= 1506
    decoder.feed(b"\n\n")
    assert decoder.pending == 0


@pytest.mark.parametrize(
    "piece", [b": ping\n", b"data: x\n", b"data: xyz\n\n", b"x"], ids=str
)
def test_time_grows_with_the_bytes_and_no_faster(piece):
    def cost(n):
        decoder = Decoder()
        begun = process_time()
        for _ in range(n):
            decoder.feed(piece)
        return process_time() - begun

    assert_growth(cost, 4_000, 32_000, below=30, floor=1e-3)
