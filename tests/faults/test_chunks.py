"""Faults 68 to 82: what a chunk may look like."""

import pytest

from faults.expecting import compact, expect, met, sent_and_stamped
from providers.outcome import Flag, Outcome
from providers.reply import Kind, ToolCall

O, F = Outcome, Flag  # noqa: E741 - a table of outcomes reads better so
OTHER, CONTENT, REASONING, TOOL = Kind


def calls(*ids):
    """Return what is expected of an answer that is two calls, of f and of g."""
    f, g = ids
    both = (ToolCall(f, "f", '{"x":1}'), ToolCall(g, "g", "{}"))
    return expect(usage=(5, 9), content="", tool_calls=both, finish_reason="tool_calls")


THOUGHT = expect(plus="first_reasoning", usage=(5, 3), reasoning="hm")

EXPECTED = {
    "68": expect(),
    "69": expect(response_id="c1", model_served="m"),
    "70": expect(),
    "71-null": expect(),
    "71-missing": expect(),
    "72-null": expect(O.OK, F.BAD_EVENT),
    "72-number": expect(O.OK, F.BAD_EVENT),
    "72-list": expect(O.OK, F.BAD_EVENT),
    "73": expect(tool_calls=()),
    "74-null": expect(),
    "74-empty": expect(),
    "74-missing": expect(),
    "75": expect(),
    "76": expect(O.OK, F.BAD_EVENT),
    "77": expect(),
    "78-reasoning": THOUGHT,
    "78-content": THOUGHT,
    "78-details": THOUGHT,
    "78-twice": THOUGHT,
    "79": expect(content="<think>hm</think>Hello", reasoning=""),
    "80": expect(content="I must not"),
    "81-id": calls("a", "b"),
    "81-last": calls("a", "b"),
    "82": calls("call_0", "call_1"),
}


@pytest.mark.parametrize("case", EXPECTED)
async def test_a_chunk(case):
    await met(case, EXPECTED[case])


@pytest.mark.parametrize(
    "case", ["68", "69", "70", "71-null", "71-missing", "74-null", "74-empty",
             "74-missing", "76"],
)  # fmt: skip
async def test_a_chunk_without_text_is_an_event_and_no_token(case):
    reply = await met(case, EXPECTED[case])
    kinds = [OTHER, OTHER, CONTENT, OTHER, CONTENT, OTHER, OTHER]
    assert [kind for _, kind in reply.timeline] == kinds


@pytest.mark.parametrize("spacing", [None, compact])
async def test_each_stamp_is_that_of_its_own_event_and_a_role_is_no_token(spacing):
    sent, reply = await sent_and_stamped("77", EXPECTED["77"], spacing)
    names = ("headers", "first_event", "first_token", "last_token", None, "usage",
             "done", "end")  # fmt: skip
    for place, name in enumerate(names):
        after = sent[place + 1] if name != "end" else reply.stamps.end + 1
        assert name is None or sent[place] < getattr(reply.stamps, name) < after, name


@pytest.mark.parametrize("case", [case for case in EXPECTED if case.startswith("78")])
@pytest.mark.parametrize("spacing", [None, compact])
async def test_reasoning_is_the_first_token_and_not_the_first_answer(case, spacing):
    sent, reply = await sent_and_stamped(case, EXPECTED[case], spacing)
    thought, text = 2, 3  # behind the head and the role
    stamps = reply.stamps
    assert sent[thought] < stamps.first_reasoning < sent[text]
    assert stamps.first_token == stamps.first_reasoning
    assert sent[text] < stamps.first_answer < sent[text + 1]
    kinds = [OTHER, REASONING, CONTENT, CONTENT, OTHER, OTHER]
    assert [kind for _, kind in reply.timeline] == kinds


@pytest.mark.parametrize("case", ["81-id", "81-last", "82"])
async def test_each_piece_of_a_call_is_a_token(case):
    reply = await met(case, EXPECTED[case])
    assert {kind for _, kind in reply.timeline[1:-2]} == {TOOL}
