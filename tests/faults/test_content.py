"""Faults 83 to 101: what chunks may carry."""

import pytest
from byteserver import arrival, ask, provider

from compare.run.course import stream_label
from faults.expecting import expect, met, play_of
from providers.outcome import Flag, Outcome
from providers.reply import Kind, ToolCall
from providers.simulator.catalogue.content import HOSTILE
from providers.simulator.player import ByteHost
from providers.wire import Wire

O, F = Outcome, Flag  # noqa: E741 - a table of outcomes reads better so


def called(*calls, **more):
    return expect(
        content="",
        finish_reason="tool_calls",
        tool_calls=tuple(ToolCall(*call) for call in calls),
        **more,
    )


EXPECTED = {
    "83": called(("a", "f", '{"x":1}'), ("b", "g", '{"y":2}')),
    "84": called(("a", "f", '{"x":1}')),
    "85": called(("a", "f", '{"x":1}'), usage=(5, 1)),
    "86": expect(usage=(5, 4)),
    "87-changes": expect(O.OK, F.ID_CHANGED, response_id="c1"),
    "87-missing": expect(response_id=None),
    "88": expect(response_id="c1"),
    "89-throughout": expect(O.OK, F.MODEL_NOT_REQUESTED, model_served="n"),
    "89-midway": expect(O.OK, F.MODEL_CHANGED, model_served="m"),
    "90": expect(O.OK, F.DUP_CHUNK, content="HelHello"),
    "91": expect(content="loHel"),
    "92": expect(usage=(5, 20)),
    "93": expect(usage=(5, 3)),
    "94": expect(O.OK, F.SINGLE_CHUNK_STREAM),
    "95": expect(usage=(5, 3), content="Hel\ufffdlo"),
    "96": expect(content=f"Hel{HOSTILE}"),
    "97-alone": expect(O.PROTOCOL_ERROR, F.BAD_EVENT,
                       only="sent headers first_event done"),
    "97-among_others": expect(O.OK, F.BAD_EVENT),
    "98-nan": expect(O.OK, F.BAD_EVENT),
    "98-infinity": expect(O.OK, F.BAD_EVENT),
    "99": expect(O.OK, F.BAD_EVENT),
    "100": expect(),
    "101": expect(),
}  # fmt: skip


@pytest.mark.parametrize("case", EXPECTED)
async def test_a_fault_of_content(case):
    reply = await met(case, EXPECTED[case])
    reply.content.encode()  # what is stored must be UTF-8


async def test_several_choices_add_up_to_one_flow_of_tokens():
    _, play = play_of("86")
    async with ByteHost(lambda _: play) as host:
        reply = await ask(host.base_url)
    assert [kind for _, kind in reply.timeline].count(Kind.CONTENT) == 4
    assert (reply.outcome, reply.usage.completion_tokens) == (O.OK, 4)


async def test_one_id_for_two_requests_is_on_both_rows():
    _, play = play_of("88")
    async with (
        ByteHost(lambda _: play) as host,
        Wire([provider(host.base_url)], concurrency=1) as wire,
    ):
        replies = [await wire.send(arrival()) for _ in range(2)]
    assert [reply.response_id for reply in replies] == ["c1", "c1"]


@pytest.mark.parametrize(
    ("case", "label"), [("92", "coalesced"), ("94", "single_block"), ("84", "buffered")]
)
async def test_a_stream_that_is_none_gives_no_rate(case, label):
    reply = await met(case, EXPECTED[case])
    assert stream_label(reply) == label


async def test_padding_counts_as_bytes_and_not_as_text():
    padded = await met("101", EXPECTED["101"])
    plain = await met("93", EXPECTED["93"])
    assert padded.bytes_received > plain.bytes_received + 200
    assert padded.content == plain.content


async def test_a_script_does_not_mind_whether_a_stream_was_asked_for():
    _, play = play_of("90")
    async with ByteHost(lambda _: play) as host:
        reply = await ask(host.base_url, stream=False)
    assert (reply.outcome, reply.content) == (O.OK, "HelHello")
    assert reply.flags == {F.DUP_CHUNK, F.STREAM_ANSWER}
