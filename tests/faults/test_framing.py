"""Faults 1 to 30: how a stream's events are framed."""

import pytest

from faults.expecting import expect, met, sent_and_stamped
from providers.outcome import Flag, Outcome
from providers.provider import Caps, Deadlines
from providers.simulator.catalogue.bodies import (
    LETTERS,
    LONG_TEXT,
    N_COMMENTS,
    SEPARATORS,
)

O, F = Outcome, Flag  # noqa: E741 - a table of outcomes reads better so

SENT = "sent headers"
NO_END = "usage done"
TOKEN_GAP = {"deadlines": Deadlines(token_gap=0.15, total=5)}
FIRST_TOKEN = {"deadlines": Deadlines(first_token=0.4)}
UNENDED = (F.UNENDED_EVENT,)

EXPECTED = {
    "1": expect(O.OK, F.CRLF),
    "2-at_once": expect(O.OK, F.BARE_CR),
    "2-paced": expect(O.OK, F.BARE_CR),
    "3": expect(O.OK, F.CRLF),
    "4": expect(O.OK, F.CRLF, F.BARE_CR),
    "5": expect(),
    "6": expect(),
    "7": expect(O.OK, F.BOM),
    "8-line": expect(O.OK, F.BAD_EVENT),
    "8-data": expect(O.OK, F.BAD_EVENT),
    "9": expect(),
    "10-between": expect(O.OK, F.COMMENTS_SEEN, n_comments=3),
    "10-for_ever": expect(
        O.TIMEOUT_TOKEN_GAP, F.COMMENTS_SEEN, without=NO_END, given=TOKEN_GAP
    ),
    "11": expect(O.OK, F.COMMENTS_SEEN, n_comments=1),
    "12-between": expect(O.OK, F.COMMENTS_SEEN, n_comments=3),
    "12-for_ever": expect(
        O.TIMEOUT_TOKEN_GAP, F.COMMENTS_SEEN, without=NO_END, given=TOKEN_GAP
    ),
    "13-beside": expect(O.OK, F.BAD_EVENT),
    "13-alone": expect(O.PROTOCOL_ERROR, F.BAD_EVENT, only=f"{SENT} first_event done"),
    "14": expect(n_comments=0),
    "15-first": expect(
        O.PROVIDER_ERROR, only=f"{SENT} first_event", error_excerpt="boom"
    ),
    "15-midway": expect(O.PROVIDER_ERROR, without=NO_END, error_excerpt="boom"),
    "15-text": expect(O.PROVIDER_ERROR, error_excerpt="boom"),
    "15-bare": expect(O.PROVIDER_ERROR, error_excerpt="an error without words"),
    "16-known": expect(),
    "16-unknown": expect(O.OK, F.BAD_EVENT),
    "17": expect(content=f"{LETTERS}Hello"),
    "18": expect(O.OK, F.INVALID_UTF8, content="He\ufffdllo"),
    "19-unicode": expect(content=f"Hel{SEPARATORS}lo"),
    "19-escaped": expect(content="Hel\v\f\x1clo"),
    "19-bare": expect(O.OK, F.BAD_EVENT),
    "20": expect(),
    "21": expect(),
    "22": expect(content=f"Hel{LONG_TEXT}"),
    "23": expect(O.LIMIT_EXCEEDED, F.BAD_EVENT, *UNENDED, without=NO_END),
    "24-done": expect(O.OK, *UNENDED),
    "24-usage": expect(O.OK, F.NO_DONE, *UNENDED, without="done"),
    "24-text": expect(O.TRUNCATED, *UNENDED, without=NO_END),
    "24-torn": expect(O.TRUNCATED, F.BAD_EVENT, *UNENDED, without=NO_END),
    "25": expect(O.OK, F.BAD_EVENT),
    "26-chunks": expect(O.OK, F.CONTENT_TYPE_MISMATCH, F.NO_DONE, without="done"),
    "26-objects": expect(O.WRONG_ANSWER_TYPE, only=SENT),
    "27": expect(O.WRONG_ANSWER_TYPE, only=SENT),
    "28-beside": expect(O.OK, F.BAD_EVENT),
    "28-alone": expect(O.WRONG_ANSWER_TYPE, F.BAD_EVENT, only=SENT),
    "29": expect(O.OK, F.BOM, F.COMMENTS_SEEN, F.CRLF, n_comments=1),
    "30-silence": expect(
        O.TIMEOUT_FIRST_TOKEN, F.COMMENTS_SEEN, only=SENT, n_comments=N_COMMENTS,
        given=FIRST_TOKEN,
    ),
    "30-answer": expect(O.OK, F.COMMENTS_SEEN, n_comments=N_COMMENTS),
}  # fmt: skip


@pytest.mark.parametrize("case", EXPECTED)
async def test_a_fault_of_framing(case):
    await met(case, EXPECTED[case])


# What all of the framings of one answer must agree in: an event more or less, or one
# of another kind, would be a wrong figure.
SAME_EVENTS = [
    "1", "2-at_once", "2-paced", "3", "4", "5", "6", "7", "8-line", "9", "10-between",
    "11", "12-between", "13-beside", "14", "16-known", "16-unknown", "18", "19-unicode",
    "19-escaped", "20", "21", "22", "24-done", "25", "26-chunks", "28-beside", "29",
]  # fmt: skip


@pytest.mark.parametrize("case", SAME_EVENTS)
async def test_a_framing_changes_no_event(case):
    reply = await met(case, EXPECTED[case])
    assert [kind for _, kind in reply.timeline] == [0, 1, 1, 0, 0]


async def test_an_event_is_stamped_at_its_bare_cr_and_not_at_the_next_byte():
    sent, reply = await sent_and_stamped("2-paced", EXPECTED["2-paced"])
    stamps = [*(at for at, _ in reply.timeline), reply.stamps.done]
    # The head went first, and behind the last event the end of the body.
    for before, stamp, after in zip(sent[1:-1], stamps, sent[2:], strict=True):
        assert before < stamp < after


async def test_comments_are_no_first_event():
    sent, reply = await sent_and_stamped("10-between", EXPECTED["10-between"])
    role = 2  # behind the head and a comment
    assert sent[role] < reply.stamps.first_event < sent[role + 1]
    assert sent[0] < reply.stamps.headers < sent[1]


async def test_events_of_one_read_share_one_stamp():
    reply = await met("21", EXPECTED["21"])
    assert {at for at, _ in reply.timeline} == {reply.stamps.first_event}
    assert reply.stamps.first_token == reply.stamps.last_token == reply.stamps.done


async def test_an_endless_line_is_read_no_further_than_its_cap():
    reply = await met("23", EXPECTED["23"])
    assert Caps().line_bytes < reply.bytes_received < 3 * Caps().line_bytes
