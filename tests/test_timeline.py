"""data.timeline: what is packed comes back within a microsecond, in few bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.timeline import pack, unpack

ORIGIN = 7_000_000_000_123

gaps = st.lists(
    st.tuples(st.integers(0, 10**11), st.integers(0, 3)), min_size=0, max_size=60
)


def at(gaps_and_kinds, origin=ORIGIN):
    moment, events = origin, []
    for gap, kind in gaps_and_kinds:
        moment += gap
        events.append((moment, kind))
    return events


@given(gaps, st.integers(0, 10**15))
def test_round_trip_within_a_microsecond_and_without_drift(pairs, origin):
    events = at(pairs, origin)
    back = unpack(pack(events, origin), origin)
    assert [kind for _, kind in back] == [kind for _, kind in events]
    assert all(abs(a - b) <= 1_000 for (a, _), (b, _) in zip(events, back, strict=True))


@given(st.lists(st.tuples(st.integers(-(10**12), 10**12), st.integers(0, 3))))
def test_any_order_of_stamps_unpacks_monotone(events):
    back = [ns for ns, _ in unpack(pack(events, 0), 0)]
    assert back == sorted(back)
    assert all(ns >= 0 for ns in back)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_timeline_or_a_value_error(blob):
    try:
        events = unpack(blob, 0)
    except ValueError:
        return
    assert len(events) <= len(blob)


def test_a_step_back_is_a_gap_of_zero_and_does_not_move_what_follows():
    events = [(ORIGIN + 5_000, 1), (ORIGIN + 2_000, 2), (ORIGIN + 9_000, 1)]
    back = unpack(pack(events, ORIGIN), ORIGIN)
    assert back == [(ORIGIN + 5_000, 1), (ORIGIN + 5_000, 2), (ORIGIN + 9_000, 1)]


def test_rounding_does_not_drift_over_a_long_stream():
    events = at([(20_000_499, 1)] * 10_000)
    assert abs(unpack(pack(events, ORIGIN), ORIGIN)[-1][0] - events[-1][0]) <= 500


@pytest.mark.parametrize(
    ("gap_ns", "size"),
    [(0, 1), (31_000, 1), (32_000, 2), (4_095_000, 2), (20_000_000, 3)],
)
def test_size_of_one_event(gap_ns, size):
    assert len(pack(at([(gap_ns, 3)]), ORIGIN)) == size


def test_nothing_packs_to_nothing():
    assert pack([], ORIGIN) == b""
    assert unpack(b"", ORIGIN) == []


@pytest.mark.parametrize("kind", [-1, 4])
def test_an_unknown_kind_is_refused(kind):
    with pytest.raises(ValueError, match="kind"):
        pack([(ORIGIN, kind)], ORIGIN)


def test_a_cut_blob_and_an_endless_number_are_refused():
    with pytest.raises(ValueError, match="cut short"):
        unpack(pack(at([(10**9, 1)]), ORIGIN)[:-1], ORIGIN)
    with pytest.raises(ValueError, match="64 bits"):
        unpack(b"\xff" * 30, ORIGIN)
