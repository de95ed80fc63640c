import math
import random

import msgspec
import numpy as np
import pytest
from made import timing

from compare.judge import depth
from compare.judge.depth import add_depths, depth_of, time_to
from compare.judge.frame import Segment, of
from data.timeline import pack, unpack

MS = 1_000_000
ZERO = np.array([0.0])


def naive(k, tokens, sent_ms, blob):
    """The same, one answer and one event after the other."""
    if tokens is None or sent_ms is None or not blob or k > tokens:
        return math.nan
    output = [at for at, kind in unpack(blob, 0) if kind]
    if not output:
        return math.nan
    return output[math.ceil(k * len(output) / tokens) - 1] / MS - sent_ms


def test_all_timelines_at_once_are_as_one_after_the_other():
    draw = random.Random(3)
    rows = []
    for n in range(200):
        sent = n * 10**9
        at, events = sent, []
        for _ in range(draw.randrange(0, 60)):
            at += draw.choice([0, 300, 7 * MS, 2_000 * MS])
            events.append((at, draw.randrange(4)))
        tokens = draw.choice([None, 0, 1, len(events), 2 * len(events)])
        blob = draw.choice([pack(events, 0)] * 9 + [None])
        rows.append(
            (draw.randrange(2, 40), tokens, draw.choice([sent / MS] * 9 + [None]), blob)
        )
    found = time_to(
        np.array([k for k, *_ in rows], dtype=float),
        np.array([t for _, t, *_ in rows], dtype=float),
        np.array([sent for _, _, sent, _ in rows], dtype=float),
        [blob for *_, blob in rows],
    )
    np.testing.assert_allclose(found, [naive(*row) for row in rows], atol=2e-3)
    assert 20 < np.isfinite(found).sum() < 180


def test_several_tokens_an_event_count_evenly_and_hidden_thought_not_at_all():
    blob = pack([(10 * MS, 0), (20 * MS, 2), (30 * MS, 2), (40 * MS, 2)], 0)
    assert time_to(np.array([4.0]), np.array([9.0]), ZERO, [blob])[0] == 30
    assert time_to(np.array([9.0]), np.array([9.0]), ZERO, [blob])[0] == 40
    frame = of(timing(n, completion_tokens=53, sent_s=0.0) for n in (0, 1))
    batch = [(0, 1), (50, 50), (0, 300), (blob, blob)]
    add_depths(frame, {Segment("chat-1k", 0): 2}, [batch])
    assert list(frame.figures["ttn"]) == [30, 20]


def test_nothing_came_and_nothing_is_known():
    assert np.isnan(time_to(np.array([2.0]), np.array([5.0]), ZERO, [None]))[0]
    assert np.isnan(time_to(np.array([2.0]), np.array([np.nan]), ZERO, [b"\x05"]))[0]
    assert len(depth.events_of([])[0]) == 0


@pytest.mark.parametrize(("short", "wanted"), [(40, 40), (1, None)])
def test_nine_in_ten_answers_of_each_host_reach_the_depth(short, wanted):
    rows = [
        timing(2 * n + place, provider="ab"[place], block=n, completion_tokens=tokens)
        for n in range(20)
        for place, tokens in enumerate((80, short if n > 1 else 1))
    ]
    assert depth_of(of(rows), Segment("chat-1k", 0)) == wanted
    untold = [msgspec.structs.replace(r, completion_tokens=None) for r in rows]
    assert depth_of(of(untold), Segment("chat-1k", 0)) is None


def test_a_torn_timeline_spoils_no_other_answer():
    whole = pack([(9_000 * MS, 2), (9_001 * MS, 2)], 0)
    found = time_to(
        np.full(4, 2.0),
        np.full(4, 2.0),
        np.zeros(4),
        [whole, whole[:2], b"\xff" * 1_000_000, whole],
    )
    assert list(found[[0, 3]]) == [9_001, 9_001]
    assert np.isnan(found[1:3]).all() or (found[1:3] >= 0).all()
