"""Faults 31 to 43: how a stream ends."""

import pytest

from faults.expecting import expect, met
from providers.outcome import Flag, Outcome

O, F = Outcome, Flag  # noqa: E741 - a table of outcomes reads better so

TEXTS = "sent headers first_event first_token first_answer last_token"

EXPECTED = {
    "31": expect(O.OK, F.NO_DONE, without="done", finish_reason="stop"),
    "32": expect(O.OK, F.NO_FINISH_REASON, finish_reason=None),
    "33-bare": expect(O.TRUNCATED, only=TEXTS, finish_reason=None),
    "33-usage": expect(O.TRUNCATED, only=f"{TEXTS} usage", finish_reason=None),
    "34": expect(O.OK, F.DONE_TWICE),
    "35-text": expect(O.OK, F.DATA_AFTER_DONE),
    "35-error": expect(O.OK, F.DATA_AFTER_DONE, F.LATE_ERROR, error_excerpt=None),
    "36-spaces": expect(),
    "36-no_space": expect(),
    "36-lower": expect(O.OK, F.BAD_EVENT, F.NO_DONE, without="done"),
    "37": expect(),
    "38-finish": expect(
        O.OK, F.FINISH_TWICE, finish_reason="length", given={"max_tokens": 2}
    ),
    "38-text": expect(O.OK, F.CONTENT_AFTER_FINISH),
    "39": expect(O.OK, F.UNKNOWN_FINISH_REASON, finish_reason="tired"),
    "40-error": expect(O.PROVIDER_ERROR, without="usage", error_code="error"),
    "40-network": expect(O.PROVIDER_ERROR, without="usage", error_code="network_error"),
    "40-native": expect(O.PROVIDER_ERROR, without="usage", error_code="network_error"),
    "41": expect(O.OK, F.SHORT_LENGTH, finish_reason="length"),
    "42-nothing": expect(
        O.CONTENT_FILTER, only="sent headers first_event usage done", usage=(5, 0)
    ),
    "42-something": expect(O.OK, F.FILTERED),
    "43": expect(content="Hell", finish_reason="stop"),
}


@pytest.mark.parametrize("case", EXPECTED)
async def test_a_fault_at_the_end(case):
    await met(case, EXPECTED[case])


async def test_a_response_left_open_ends_soon_after_done():
    reply = await met("37", EXPECTED["37"])
    stamps = reply.stamps
    assert stamps.last_token <= stamps.done
    assert 0.9 < (stamps.end - stamps.done) / 1e9 < 2


async def test_data_behind_done_moves_no_stamp_and_is_no_event():
    for case in ("35-text", "35-error"):
        reply = await met(case, EXPECTED[case])
        assert len(reply.timeline) == 5


async def test_text_behind_a_finish_reason_is_still_the_last_token():
    reply = await met("38-text", EXPECTED["38-text"])
    assert [kind for _, kind in reply.timeline] == [0, 1, 0, 1, 0]
