"""Tapes of (ns, bytes), and the Reply that each must give."""

import json
from time import process_time

import msgspec
import pytest
from byteserver import DONE, GOOD, ROLE, STOP, chunk, event, said, used
from growth import assert_growth
from hypothesis import example, given
from hypothesis import strategies as st

from providers.outcome import Blame, Flag, Outcome
from providers.provider import Caps
from providers.reader import Reader
from providers.registry import DIALECTS
from providers.reply import Kind, ToolCall
from providers.secret import Secret

SSE = {"Content-Type": "text/event-stream"}
O, F = Outcome, Flag  # noqa: E741 - a table of outcomes reads better so
OTHER, CONTENT, REASONING, TOOL = Kind


def reader(dialect="generic", **fields):
    given = {"stream": True, "max_tokens": 64, "model": "m", "request_bytes": 300}
    return Reader(DIALECTS[dialect], **(given | fields))


def read(*pieces, ending=None, status=200, headers=SSE, **fields):
    """Return the Reply of pieces that came at 1, 2, 3 ...; the head at 0."""
    one = reader(**fields)
    one.head(0, status, headers)
    for at, piece in enumerate(pieces, 1):
        one.feed(at, piece)
    return one.close(len(pieces) + 1, ending)


def outcome(*pieces, **options):
    reply = read(*pieces, **options)
    return reply.outcome, reply.flags


# -------------------------------------------------------------------------- stamps


def test_each_moment_is_that_of_its_own_event():
    reply = read(
        b": wait\n\n",
        ROLE,
        chunk({"reasoning_content": "hm"}),
        said(""),
        chunk({"content": None}),
        said("a"),
        said("b"),
        STOP,
        used(),
        DONE,
    )
    s = reply.stamps
    assert (s.headers, s.first_event, s.first_reasoning) == (0, 2, 3)
    assert (s.first_token, s.first_answer, s.last_token) == (3, 6, 7)
    assert (s.usage, s.done, s.end) == (9, 10, 11)
    assert reply.timeline == (
        (2, OTHER), (3, REASONING), (4, OTHER), (5, OTHER), (6, CONTENT),
        (7, CONTENT), (8, OTHER), (9, OTHER),
    )  # fmt: skip
    assert (reply.content, reply.reasoning, reply.n_comments) == ("ab", "hm", 1)
    assert reply.outcome is O.OK
    assert reply.flags == {F.COMMENTS_SEEN}


def test_what_is_no_token_moves_no_token_stamp():
    reply = read(ROLE, b": c\n\n", used(), event({"choices": []}), STOP, DONE)
    s = reply.stamps
    assert (s.first_token, s.first_answer, s.last_token) == (None, None, None)
    assert s.first_event == 1
    assert reply.outcome is O.EMPTY


def test_events_of_one_read_share_its_stamp():
    reply = read(b"".join(GOOD))
    assert {at for at, _ in reply.timeline} == {1}


def test_a_comment_and_an_empty_event_are_no_event():
    reply = read(b": a\n\n", b"data:\n\n", b"event: ping\n\n", *GOOD)
    assert reply.stamps.first_event == 4
    assert reply.n_comments == 2
    assert reply.flags == {F.COMMENTS_SEEN}


def test_a_tool_call_is_an_answer():
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    reply = read(ROLE, chunk({"tool_calls": [call]}), chunk(finish="tool_calls"), DONE)
    assert reply.stamps.first_token == reply.stamps.first_answer == 2
    assert reply.timeline[1] == (2, TOOL)
    assert (reply.outcome, reply.content) == (O.OK, "")
    assert reply.tool_calls == (ToolCall("a", "f", "{}"),)


def test_reasoning_beside_content_has_both_moments():
    reply = read(chunk({"content": "a"}), chunk({"reasoning": "r", "content": "b"}))
    assert (reply.stamps.first_answer, reply.stamps.first_reasoning) == (1, 2)
    assert (reply.content, reply.reasoning) == ("ab", "r")


# -------------------------------------------------------------------- end of stream

ENDS = {
    "31 finish, no done": ([said("a"), said("b"), STOP, used()], O.OK, {F.NO_DONE}),
    "32 done, no finish": ([*GOOD[:3], used(), DONE], O.OK, {F.NO_FINISH_REASON}),
    "33 neither": ([ROLE, said("a")], O.TRUNCATED, set()),
    "34 done twice": ([*GOOD, DONE], O.OK, {F.DONE_TWICE}),
    "35 data after done": ([*GOOD, said("x")], O.OK, {F.DATA_AFTER_DONE}),
    "35 error after done": ([*GOOD, event({"error": "x"})], O.OK,
                            {F.DATA_AFTER_DONE, F.LATE_ERROR}),
    "36 done with spaces": ([*GOOD[:-1], b"data:  [DONE]  \n\n"], O.OK, set()),
    "36 done without a space": ([*GOOD[:-1], b"data:[DONE]\n\n"], O.OK, set()),
    "36 lower case is data": ([*GOOD[:-1], b"data: [done]\n\n"], O.OK,
                              {F.NO_DONE, F.BAD_EVENT}),
    "38 two finishes": ([*GOOD[:4], chunk(finish="length"), used(1), DONE],
                        O.OK, {F.FINISH_TWICE, F.SHORT_LENGTH}),
    "38 content after finish": ([STOP, said("a"), used(), DONE], O.OK,
                                {F.CONTENT_AFTER_FINISH, F.SINGLE_CHUNK_STREAM}),
    "39 unknown finish": ([said("a"), said("b"), chunk(finish="tired"), used(), DONE],
                          O.OK, {F.UNKNOWN_FINISH_REASON}),
    "40 finish error": ([said("a"), chunk(finish="error")], O.PROVIDER_ERROR, set()),
    "41 short length": ([said("a"), said("b"), chunk(finish="length"), used(), DONE],
                        O.OK, {F.SHORT_LENGTH}),
    "42 filter, nothing": ([ROLE, chunk(finish="content_filter"), DONE],
                           O.CONTENT_FILTER, set()),
    "42 filter, something": ([said("a"), said("b"), chunk(finish="content_filter"),
                              used(), DONE], O.OK, {F.FILTERED}),
    "nothing but done": ([DONE], O.EMPTY, set()),
    "nothing but comments": ([b": x\n\n"] * 3, O.TRUNCATED, {F.COMMENTS_SEEN}),
    "nothing": ([], O.EMPTY, set()),
    "24 unended done": ([*GOOD[:-1], b"data: [DONE]"], O.OK, {F.UNENDED_EVENT}),
    "cut within an event": ([*GOOD[:4], used()[:-9]], O.TRUNCATED,
                            {F.UNENDED_EVENT, F.BAD_EVENT}),
    "thinking only": ([chunk({"reasoning": "r"}), chunk(finish="length"), DONE],
                      O.REASONING_ONLY, set()),
    "44 error as the body": ([b'{"error":{"message":"x"}}'], O.PROVIDER_ERROR, set()),
    "45 error first": ([event({"error": {"message": "x"}})], O.PROVIDER_ERROR, set()),
    "46 error midway": ([said("a"), said("b"),
                         event({"error": {"message": "x"}, "choices": []})],
                        O.PROVIDER_ERROR, set()),
    "47 error before usage": ([said("a"), said("b"), event({"error": "x"}), DONE],
                              O.PROVIDER_ERROR, set()),
    "48 error after finish": ([said("a"), said("b"), STOP, event({"error": "x"})],
                              O.PROVIDER_ERROR, {F.LATE_ERROR}),
    "48 error after usage": ([said("a"), said("b"), used(), event({"error": "x"})],
                             O.PROVIDER_ERROR, {F.LATE_ERROR}),
    "error with its own finish": (
        [said("a"), said("b"), chunk({}, "error", error={"code": 502})],
        O.PROVIDER_ERROR, set()),
    "error after usage in each chunk": (
        [chunk({"content": c}, usage={"completion_tokens": n})
         for n, c in enumerate("abc", 1)] + [event({"error": "x"})],
        O.PROVIDER_ERROR, {F.USAGE_CUMULATIVE}),
    "15 an event named error": ([b'event: error\ndata: {"message": "x"}\n\n'],
                                O.PROVIDER_ERROR, set()),
    "15 named so in other case": ([*GOOD[:3], b"Event: Error\ndata: {}\n\n",
                                   *GOOD[3:]], O.PROVIDER_ERROR, set()),
    "15 a string": ([*GOOD[:3], b'event: error\ndata: "x"\n\n', *GOOD[3:]],
                    O.PROVIDER_ERROR, set()),
    "15 a list": ([*GOOD[:3], b'event: error\ndata: ["x"]\n\n', *GOOD[3:]],
                  O.PROVIDER_ERROR, set()),
    "15 a number": ([*GOOD[:3], b"event: error\ndata: 500\n\n", *GOOD[3:]],
                    O.PROVIDER_ERROR, set()),
    "15 a number that means": ([*GOOD[:3], b"event: error\ndata: 429\n\n", *GOOD[3:]],
                               O.RATE_LIMITED, set()),
    "15 plain text": ([*GOOD[:3], b"event: error\ndata: upstream died\n\n", *GOOD[3:]],
                      O.PROVIDER_ERROR, set()),
    "15 null": ([*GOOD[:3], b"event: error\ndata: null\n\n", *GOOD[3:]],
                O.PROVIDER_ERROR, set()),
    "15 empty data": ([*GOOD[:3], b"event: error\ndata:\n\n", *GOOD[3:]],
                      O.PROVIDER_ERROR, set()),
    "15 no data": ([*GOOD[:3], b"event: error\n\n", *GOOD[3:]],
                   O.PROVIDER_ERROR, set()),
    "15 no data, and cut": ([*GOOD[:5], b"event: error"], O.PROVIDER_ERROR,
                            {F.UNENDED_EVENT, F.LATE_ERROR}),
    "15 done": ([*GOOD[:3], b"event: error\ndata: [DONE]\n\n", *GOOD[3:]],
                O.PROVIDER_ERROR, set()),
    "15 nested": ([*GOOD[:3], b"event: error\ndata: " + b"[" * 9_999 + b"]" * 9_999
                   + b"\n\n", *GOOD[3:]], O.PROVIDER_ERROR, set()),
    "15 bare JSON": ([*GOOD[:3], b'event: error\n{"message": "x"}\n\n', *GOOD[3:]],
                     O.PROVIDER_ERROR, {F.CONTENT_TYPE_MISMATCH}),
    "15 after done": ([*GOOD, b"event: error\ndata: x\n\n"], O.OK,
                      {F.DATA_AFTER_DONE, F.LATE_ERROR}),
    "14 another name": ([b"event: errors\n\nevent: ping\n\n", *GOOD], O.OK, set()),
    "49 type": ([*GOOD[:3], event({"type": "error", "message": "x"}), *GOOD[3:]],
                O.PROVIDER_ERROR, set()),
    "49 errors": ([*GOOD[:3], event({"errors": [{"message": "x"}]}), *GOOD[3:]],
                  O.PROVIDER_ERROR, set()),
    "49 status": ([*GOOD[:3], event({"status": "error"}), *GOOD[3:]],
                  O.PROVIDER_ERROR, set()),
    "49 error_msg": ([*GOOD[:3], event({"error_code": 17, "error_msg": "x"}),
                      *GOOD[3:]], O.PROVIDER_ERROR, set()),
    "49 in a delta": ([*GOOD[:3], chunk({"error": "x"}), *GOOD[3:]],
                      O.PROVIDER_ERROR, set()),
    "49 in a list": ([b'[{"error": {"code": 429, "message": "x"}}]'], O.RATE_LIMITED,
                     set()),
    "49 in the first of several lines": ([b'{"error": {"message": "x"}}\n{"a": 1}\n'],
                                         O.PROVIDER_ERROR, set()),
    "40 finish abort": ([*GOOD[:3], chunk(finish="abort"), used(), DONE],
                        O.PROVIDER_ERROR, set()),
    "40 finish in capitals": ([*GOOD[:3], chunk(finish="ERROR"), used(), DONE],
                              O.PROVIDER_ERROR, set()),
    "40 finish for want of room": (
        [*GOOD[:3], chunk(finish="insufficient_system_resource"), used(), DONE],
        O.OVERLOADED, set()),
    "27 a list of foreign lines": ([b'[{"a": 1}]'], O.WRONG_ANSWER_TYPE, set()),
    "an answer about errors": (
        [ROLE, *(chunk({"content": c}, error=None, errors=[], status="completed",
                       type="chunk", error_code=0, error_msg="", code=0)
                 for c in ('{"error": "x"}', "event: error")), STOP, used(), DONE],
        O.OK, set()),
    "foreign": ([event({"type": "delta", "text": "Hi", "id": "m"})] * 2,
                O.WRONG_ANSWER_TYPE, set()),
    "foreign, with usage and done": (
        [event({"response": "Hi", "usage": {"completion_tokens": 1}}), DONE],
        O.WRONG_ANSWER_TYPE, set()),
    "foreign and whole": ([b'{"id": "x", "response": "Hi"}'], O.WRONG_ANSWER_TYPE,
                          {F.NONSTREAM_ANSWER}),
    "foreign beside a chat": ([event({"queue": 3}), *GOOD], O.OK, set()),
    "a chat without choices": ([event({"choices": []}), DONE], O.EMPTY, set()),
    "a whole chat without choices": ([b'{"choices": []}'], O.EMPTY,
                                     {F.NONSTREAM_ANSWER}),
    "49 detail": ([event({"detail": "x"})], O.PROVIDER_ERROR, set()),
    "49 no success": ([event({"success": False})], O.PROVIDER_ERROR, set()),
    "13 a comment in data": ([b"data: : PROCESSING\n\n", *GOOD], O.OK, {F.BAD_EVENT}),
    "13 nothing else": ([b"data: : PROCESSING\n\n", DONE], O.PROTOCOL_ERROR,
                        {F.BAD_EVENT}),
    "28 a line of html": ([*GOOD[:2], b"<hr>\n", *GOOD[2:]], O.OK, {F.BAD_EVENT}),
    "28 nothing else": ([b"upstream connect error\n"], O.WRONG_ANSWER_TYPE,
                        {F.BAD_EVENT}),
    "72 null, number, list": ([b"data: null\n\ndata: 5\n\ndata: []\n\n", *GOOD], O.OK,
                              {F.BAD_EVENT}),
    "76 content a number": ([chunk({"content": 5}), *GOOD], O.OK, {F.BAD_EVENT}),
    "97 nested": ([b"data: " + b"[" * 99_999 + b"\n\n", *GOOD], O.OK, {F.BAD_EVENT}),
    "98 NaN": ([b'data: {"choices": NaN}\n\n', *GOOD], O.OK, {F.BAD_EVENT}),
    "99 digits": ([b"data: " + b"9" * 5000 + b"x\n\n", *GOOD], O.OK, {F.BAD_EVENT}),
    "25 NUL": ([b"\0\n\n", *GOOD], O.OK, {F.BAD_EVENT}),
    "8 a late BOM": ([b"data: \xef\xbb\xbf{}\n\n", *GOOD], O.OK, {F.BAD_EVENT}),
    "18 invalid UTF-8": ([b'data: {"x": "\xff"}\n\n', *GOOD], O.OK, {F.INVALID_UTF8}),
    "94 all at once": ([said("abc"), STOP, used(), DONE], O.OK,
                       {F.SINGLE_CHUNK_STREAM}),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_how_a_stream_ends(name):
    pieces, expected, flags = ENDS[name]
    found, seen = outcome(*pieces)
    assert found is expected
    assert seen - {F.USAGE_MISSING} == flags - {F.USAGE_MISSING}


@pytest.mark.parametrize(
    "ending", [O.TRUNCATED, O.TIMEOUT_TOKEN_GAP, O.TIMEOUT_TOTAL, O.INTERRUPTED]
)
def test_what_cuts_a_stream_short_counts_only_before_done(ending):
    reply = read(*GOOD[:3], ending=ending)
    assert (reply.outcome, reply.content) == (ending, "Hello")
    assert read(*GOOD[:4], ending=ending).outcome is ending
    assert read(*GOOD, ending=ending).outcome is O.OK


def test_what_the_host_says_goes_before_how_the_connection_ended():
    said_so = read(*GOOD[:2], event({"error": "x"}), ending=O.TRUNCATED)
    assert said_so.outcome is O.PROVIDER_ERROR
    assert read(b"x" * 10, status=500, ending=O.TRUNCATED).outcome is O.HTTP_ERROR


def test_a_reply_without_a_head():
    reply = reader().close(5, O.DISCONNECTED, error="gone", conn_reused=False)
    assert (reply.outcome, reply.blame) == (O.DISCONNECTED, Blame.PROVIDER)
    assert (reply.http_status, reply.stamps.headers, reply.usage) == (None, None, None)
    assert (reply.error_excerpt, reply.streamed, reply.timeline) == ("gone", False, ())


# --------------------------------------------------------------------------- bodies


def test_ndjson_is_a_stream_with_a_wrong_name():
    lines = [json.dumps(json.loads(piece[6:])).encode() + b"\n" for piece in GOOD[:-1]]
    reply = read(*lines, headers={"Content-Type": "application/x-ndjson"})
    assert (reply.outcome, reply.content) == (O.OK, "Hello")
    assert reply.flags == {F.CONTENT_TYPE_MISMATCH, F.NO_DONE}
    assert reply.stamps.first_token == 2


def test_a_stream_under_a_wrong_content_type():
    reply = read(*GOOD, headers={"Content-Type": "application/json"})
    assert (reply.outcome, reply.flags) == (O.OK, {F.CONTENT_TYPE_MISMATCH})
    reply = read(*GOOD, headers={})
    assert (reply.outcome, reply.flags) == (O.OK, set())


def test_a_stream_to_a_request_for_none():
    reply = read(*GOOD, stream=False)
    assert (reply.outcome, reply.flags) == (O.OK, {F.STREAM_ANSWER})


ANSWER = json.dumps(
    {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}],
     "usage": {"prompt_tokens": 1, "completion_tokens": 1}}, indent=1
).encode()  # fmt: skip


@pytest.mark.parametrize(
    ("body", "flags"),
    [
        (ANSWER, {F.NONSTREAM_ANSWER}),
        (b"\xef\xbb\xbf \n" + ANSWER, {F.NONSTREAM_ANSWER}),
        (ANSWER + b"\n\ndata: [DONE]\n\n", {F.NONSTREAM_ANSWER, F.STREAM_ANSWER}),
    ],
)
def test_one_json_answer_in_every_wrapping(body, flags):
    for pieces in ([body], [bytes([byte]) for byte in body]):
        reply = read(*pieces)
        assert (reply.outcome, reply.content, reply.flags) == (O.OK, "a", flags)
        assert (reply.usage.source, reply.streamed) == ("body", False)
        assert reply.stamps.first_token == len(pieces)


def test_a_json_error_over_several_lines_in_an_event_stream():
    body = json.dumps({"error": {"message": "boom", "code": 429}}, indent=2).encode()
    reply = read(body)
    assert (reply.outcome, reply.error_code) == (O.RATE_LIMITED, "429")
    assert reply.stamps.first_token is None
    assert reply.error_excerpt == "boom"


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"<!doctype html>", O.WRONG_ANSWER_TYPE), (b"[1]", O.WRONG_ANSWER_TYPE),
     (b"{}", O.WRONG_ANSWER_TYPE), (b'{"a', O.PROTOCOL_ERROR), (b"  ", O.EMPTY),
     (b"OK", O.WRONG_ANSWER_TYPE)],
)  # fmt: skip
def test_a_body_that_is_no_answer(body, expected):
    for stream in (True, False):
        reply = read(body, stream=stream)
        assert reply.outcome is expected
        assert not reply.streamed


def test_caps_keep_what_fits_and_hold_no_more():
    one = reader(caps=Caps(error_bytes=100))
    one.head(0, 500, {})
    one.feed(1, b"a" * 60)
    assert not one.seen.over_cap
    one.feed(2, b"b" * 60_000)
    one.feed(3, b"c" * 60_000)
    assert one.seen.over_cap
    assert len(one.seen.body) == 100
    assert one.close(4, O.LIMIT_EXCEEDED).outcome is O.HTTP_ERROR

    one = reader(caps=Caps(line_bytes=1000))
    one.head(0, 200, SSE)
    one.feed(1, b"data: " + b"x" * 2000)
    assert one.seen.over_cap
    pending = one.seen.sse.pending
    one.feed(2, b"x" * 5000)
    assert one.seen.sse.pending == pending


def test_an_excerpt_is_short_clean_and_keeps_tags_as_text():
    page = b"<html>" + b"\xff" * 9 + b"sk-CANARY123456 " + "é".encode() * 900
    reply = read(page, status=502, headers={}, secrets=[Secret("sk-CANARY123456")])
    assert (reply.outcome, reply.blame) == (O.HTTP_ERROR, Blame.PROVIDER)
    assert reply.error_excerpt.startswith("<html>\ufffd")
    assert len(reply.error_excerpt.encode()) <= 512
    assert "CANARY" not in reply.error_excerpt


def test_names_are_short_and_storable():
    reply = read(
        chunk({"content": "a"}, id="i" * 999, model="\ud83d", system_fingerprint="f"),
        headers=SSE | {"x-ratelimit-a": "\udcff"},
    )
    assert (len(reply.response_id), reply.model_served) == (256, "\ufffd")
    assert reply.ratelimit == {"x-ratelimit-a": "?"}
    msgspec.json.encode(reply.ratelimit)


def test_a_lone_surrogate_becomes_storable_text():
    reply = read(b'data: {"choices":[{"delta":{"content":"a\\ud83db"}}]}\n\n')
    assert reply.content == "a\ufffdb"


# ---------------------------------------------------------------------------- usage


def usages(*counts):
    chunks = [
        chunk({"content": f"x{at}"}, usage={"completion_tokens": n})
        for at, n in enumerate(counts)
    ]
    return read(*chunks, STOP, DONE)


@pytest.mark.parametrize(
    ("counts", "kept", "source", "flags"),
    [
        ((2,), 2, "final_chunk", {F.SINGLE_CHUNK_STREAM}),
        ((2, 2), 2, "final_chunk", {F.USAGE_TWICE}),
        ((1, 2, 3), 3, "per_chunk", {F.USAGE_CUMULATIVE}),
        ((0, 0, 1, 2, 2), 2, "per_chunk", {F.USAGE_CUMULATIVE}),
        ((5, 2), 2, "final_chunk", {F.USAGE_DECREASING}),
    ],
)
def test_the_last_usage_counts_and_is_never_summed(counts, kept, source, flags):
    reply = usages(*counts)
    assert (reply.usage.completion_tokens, reply.usage.source) == (kept, source)
    assert reply.flags == flags


def test_no_usage_is_no_usage():
    null = [chunk({"content": c}, usage=None) for c in "ab"]
    reply = read(*null, STOP, DONE)
    assert (reply.outcome, reply.usage, reply.flags) == (
        O.OK, None, {F.USAGE_MISSING}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "unknown"),
    [
        ({"completion_tokens": 10**6}, {"completion_tokens", "total_tokens"}),
        ({"completion_tokens": -1}, {"completion_tokens"}),
        ({"completion_tokens": 10**18}, {"completion_tokens"}),
        ({"completion_tokens": "many"}, {"completion_tokens"}),
        ({"prompt_tokens": 10**6}, {"prompt_tokens", "total_tokens"}),
        ({"reasoning_tokens": 10**7}, {"reasoning_tokens"}),
    ],
)
def test_a_count_that_cannot_be_is_unknown_and_flagged(counts, unknown):
    given = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    last = event({"choices": [], "usage": given | counts})
    reply = read(*GOOD[:4], last, DONE)
    found = msgspec.structs.asdict(reply.usage)
    assert {name for name in given | counts if found[name] is None} == unknown
    assert F.USAGE_IMPLAUSIBLE in reply.flags
    assert json.loads(reply.usage.raw) == given | counts


def test_a_host_that_ignores_max_tokens_is_believed_as_far_as_it_shows():
    text = "word " * 500
    reply = read(ROLE, said(text), said(text), STOP, used(completion=1000), DONE)
    assert reply.usage.completion_tokens == 1000
    assert F.USAGE_IMPLAUSIBLE not in reply.flags


def test_a_negative_cost_is_kept_and_flagged():
    reply = read(*GOOD[:4], used(cost=-0.5), DONE)
    assert (reply.usage.cost_usd, reply.flags) == ("-0.5", {F.COST_IMPLAUSIBLE})


@pytest.mark.parametrize(
    "more",
    [{"total_tokens": 8}, {"prompt_tokens_details": {"cached_tokens": 6}},
     {"completion_tokens_details": {"reasoning_tokens": 3}}],
)  # fmt: skip
def test_parts_that_contradict_their_wholes_are_kept_and_flagged(more):
    reply = read(*GOOD[:4], used(5, 2, **more), DONE)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (5, 2)
    assert reply.flags == {F.USAGE_MISMATCH}
    fine = read(*GOOD[:4], used(5, 2, total_tokens=7), DONE)
    assert fine.flags == set()


# ----------------------------------------------------------------------- tool calls


def calls(*deltas):
    pieces = [chunk({"tool_calls": parts}) for parts in deltas]
    return [
        (call.id, call.name, call.arguments)
        for call in read(*pieces, chunk(finish="tool_calls"), DONE).tool_calls
    ]


def part(index=None, id_=None, name=None, arguments=None):
    given = {"index": index, "id": id_}
    function = {"name": name, "arguments": arguments}
    return {k: v for k, v in given.items() if v is not None} | {"function": function}


TOOL_CALLS = {
    "by index": ([[part(0, "a", "f", "")], [part(0, None, None, "{")],
                  [part(1, "b", "g", "[")], [part(0, None, None, "}")],
                  [part(1, None, None, "]")]],
                 [("a", "f", "{}"), ("b", "g", "[]")]),
    "first index 1": ([[part(1, "a", "f", "{}")]], [("a", "f", "{}")]),
    "no index, by id": ([[part(None, "a", "f", "{")], [part(None, "b", "g", "[")],
                         [part(None, "a", None, "}")], [part(None, "b", None, "]")]],
                        [("a", "f", "{}"), ("b", "g", "[]")]),
    "no index, id only once": ([[part(None, "a", "f", "{")],
                                [part(None, None, None, "}")]], [("a", "f", "{}")]),
    "always index 0": ([[part(0, "a", "f", "{}")], [part(0, "b", "g", "[")],
                        [part(0, None, None, "]")]],
                       [("a", "f", "{}"), ("b", "g", "[]")]),
    "no id at all": ([[part(0, None, "f", "{}")], [part(1, "", "g", "[]")]],
                     [("call_0", "f", "{}"), ("call_1", "g", "[]")]),
    "id comes late": ([[part(0, None, "f", "{")], [part(0, "a", None, "}")]],
                      [("a", "f", "{}")]),
    "id is a number": ([[part(0, 7, "f", "{}")]], [("7", "f", "{}")]),
    "name in each piece": ([[part(0, "a", "f", "{")], [part(0, "a", "f", "}")]],
                           [("a", "f", "{}")]),
    "name in pieces": ([[part(0, "a", "get_", "")], [part(0, None, "it", "{}")]],
                       [("a", "get_it", "{}")]),
    "only names": ([[part(None, None, "f", "{}")], [part(None, None, "g", "[]")]],
                   [("call_0", "f", "{}"), ("call_1", "g", "[]")]),
    "only names, repeated": ([[part(None, None, "f", "{")],
                              [part(None, None, "f", "}")],
                              [part(None, None, "f", "{}")]],
                             [("call_0", "f", "{}"), ("call_1", "f", "{}")]),
    "all in one": ([[part(0, "a", "f", "{}"), part(1, "b", "g", "[]")]],
                   [("a", "f", "{}"), ("b", "g", "[]")]),
    "an object": ([[part(0, "a", "f", {"x": 1})]], [("a", "f", '{"x":1}')]),
}  # fmt: skip


@pytest.mark.parametrize("name", TOOL_CALLS)
def test_tool_calls_are_put_together(name):
    deltas, expected = TOOL_CALLS[name]
    assert calls(*deltas) == expected


@pytest.mark.parametrize(
    "leak", [{"content": "<tool_call>f<arg_key>x"},
             {"tool_calls": [part(0, "a", "f<arg_key>x</arg_key>", "{}")]}],
)  # fmt: skip
def test_tool_markup_that_leaks_is_flagged(leak):
    reply = read(ROLE, chunk(leak), said("."), STOP, used(), DONE)
    assert reply.flags == {F.TOOL_MARKUP_LEAK}


# -------------------------------------------------------------------------- identity


@pytest.mark.parametrize(
    ("texts", "tokens", "twice"),
    [
        (["Hel", "Hel", "lo", "lo"], 2, True),
        (["Hel", "Hel", "lo"], 2, True),
        (["ha", "ha", "ha"], 3, False),
        (["h", "e", "l", "l", "o"], 2, False),
        (["Hel", "Hel", "lo"], None, False),
        (["Hel", "Hel", "lo"], 0, False),
    ],
    ids=["each", "one", "a laugh", "letters", "uncounted", "none counted"],
)
def test_a_chunk_sent_twice_is_told_from_a_word_said_twice(texts, tokens, twice):
    counted = [] if tokens is None else [used(5, tokens)]
    for name in ("content", "reasoning_content"):
        reply = read(*[chunk({name: text}) for text in texts], STOP, *counted, DONE)
        assert (F.DUP_CHUNK in reply.flags) == twice
        assert (reply.content or reply.reasoning) == "".join(texts)


@pytest.mark.parametrize(
    ("name", "arguments", "invalid"),
    [("f", "{}", False), ("f", '{"a": [1]}', False), ("f", "", True),
     ("f", '{"a": ', True), ("f", "[1]", True), ("f", "null", True), ("", "{}", True),
     ("f", "[" * 99_999, True)],
)  # fmt: skip
def test_a_call_that_cannot_be_carried_out_is_flagged(name, arguments, invalid):
    function = {"name": name, "arguments": arguments}
    call = chunk({"tool_calls": [{"index": 0, "id": "a", "function": function}]})
    reply = read(call, STOP, used(), DONE)
    assert (F.TOOL_INVALID in reply.flags) == invalid
    cut = read(call, ending=Outcome.TRUNCATED)
    assert F.TOOL_INVALID not in cut.flags, "it was not all sent"


@pytest.mark.parametrize(
    ("cost", "flags"),
    [({}, {F.COST_MISSING}), ({"cost": None}, {F.COST_MISSING}),
     ({"cost": 0.1}, set()), ({"cost": 0}, set()),
     ({"cost": "free"}, {F.COST_MISSING, F.COST_IMPLAUSIBLE}),
     ({"cost": [1]}, {F.COST_MISSING, F.COST_IMPLAUSIBLE}),
     ({"cost": -1}, {F.COST_IMPLAUSIBLE})],
)  # fmt: skip
def test_a_cost_is_missed_only_where_it_is_always_stated(cost, flags):
    events = [*GOOD[:4], used(**cost), DONE]
    assert read(*events, dialect="openrouter").flags == flags
    assert read(*events).flags == flags - {F.COST_MISSING}


def test_who_answered_is_noted_and_a_change_flagged():
    reply = read(
        chunk({"content": "a"}, id="1", model="M", provider="U"),
        chunk({"content": "b"}, id="2", model="other", system_fingerprint="fp"),
        STOP.replace(b'"c1"', b'"1"').replace(b'"m"', b'"M"'),
        used(),
        DONE,
    )
    assert (reply.response_id, reply.model_served) == ("1", "M")
    assert (reply.upstream, reply.system_fingerprint) == ("U", "fp")
    assert reply.flags == {F.ID_CHANGED, F.MODEL_CHANGED}
    other = read(*GOOD, model="another")
    assert other.flags == {F.MODEL_NOT_REQUESTED}
    assert read(b"", headers={"X-Generation-Id": "g"}).response_id == "g"


# ------------------------------------------------------------------------ properties

RECORDED = b"".join(
    [b": wait\n\n", ROLE, chunk({"reasoning": "h\u00e9"}), said("\u4f60\U0001f600"),
     chunk({"tool_calls": [part(0, "a", "f", '{"x":')]}),
     chunk({"tool_calls": [part(0, None, None, "1}")]}),
     b"data: {\ndata: }\n\n", STOP, used(total_tokens=7), DONE]
)  # fmt: skip


def timeless(reply):
    kinds = tuple((0, kind) for _, kind in reply.timeline)
    return msgspec.structs.replace(
        reply, stamps=reply.stamps.__class__(), timeline=kinds
    )


@given(
    st.lists(st.integers(0, len(RECORDED)), max_size=12),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_any_cut_of_a_stream_gives_the_same_reply_but_for_its_stamps(cuts, end):
    tape = RECORDED.replace(b"\n", end)
    cuts = sorted(cuts)
    pieces = [tape[i:j] for i, j in zip([0, *cuts], [*cuts, len(tape)], strict=True)]
    reply = read(*pieces)
    assert timeless(reply) == timeless(read(tape))
    assert (reply.outcome, reply.content) == (O.OK, "\u4f60\U0001f600")
    assert reply.usage.completion_tokens == 2
    stamps = [at for at, _ in reply.timeline]
    assert stamps == sorted(stamps)


PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [*GOOD, b"data: ", b"{", b"\n\n", b"\xef\xbb\xbf", b"[DONE]", b"\r", b"<html>",
         b'{"choices":[{"delta":{}}]}\n', b'data: {"error":1}\n\n', b"\xff",
         b"event: error\n"]
    ),
)  # fmt: skip


@given(
    st.lists(PIECES, max_size=12),
    st.sampled_from([200, 204, 302, 304, 400, 429, 503]),
    st.booleans(),
    st.sampled_from(sorted(DIALECTS)),
)
@example([b'{"error":' * 5000], 429, True, "zai")
@example([b'data: {"error":' + b"[" * 900 + b"]" * 900 + b"}\n\n"], 200, True, "zai")
@example([b'{"error":' + b"[" * 900 + b"]" * 900 + b"}"], 500, True, "zai")
@example([b'data: {"usage":{"a":' + b"9" * 50 + b"}}\n\n"], 200, True, "generic")
@example([b'data: {"usage":{"cost":1e999}}\n\n'], 200, True, "generic")
@example([b'{"error":{"code":"\\ud800"}}'], 400, True, "generic")
def test_any_bytes_at_all_give_a_reply(pieces, status, stream, dialect):
    reply = read(*pieces, status=status, stream=stream, dialect=dialect)
    assert isinstance(reply.outcome, Outcome)
    assert (reply.blame is None) == (reply.outcome is O.OK)
    assert reply.bytes_received == sum(map(len, pieces))
    for text in (reply.content, reply.error_excerpt, reply.error_code):
        (text or "").encode()
    if reply.outcome is O.OK:
        assert reply.content or reply.tool_calls


def test_comments_without_end_cost_no_more_than_their_number():
    begun = process_time()
    reply = read(*[b": wait\n\n" * 10] * 10_000, ending=O.TIMEOUT_FIRST_TOKEN)
    assert process_time() - begun < 3
    assert (reply.outcome, reply.n_comments) == (O.TIMEOUT_FIRST_TOKEN, 100_000)
    assert reply.stamps.first_event is None


def test_a_part_of_an_answer_is_none_however_whole_it_looks():
    headers = SSE | {"Content-Range": "bytes 0-99/5000"}
    pieces = [ROLE, said("a"), STOP, used(), DONE]
    assert outcome(*pieces)[0] is O.OK
    reply = read(*pieces, status=206, headers=headers)
    assert (reply.outcome, reply.http_status) == (O.PROTOCOL_ERROR, 206)


def test_an_answer_to_a_condition_that_nobody_made_is_an_http_error():
    reply = read(status=304, headers={})
    assert (reply.outcome, reply.error_code) == (O.HTTP_ERROR, "304")


def test_names_of_any_length_are_searched_for_keys_only_where_they_are_kept():
    key = "sk-CANARY123456"

    def cost(n):
        names = {name: f"{name} {key} " + "%41 " * n for name in
                 ("id", "model", "system_fingerprint", "provider")}  # fmt: skip
        one = reader(dialect="openrouter", secrets=[Secret(key)])
        one.head(0, 200, SSE)
        one.feed(1, event({"choices": [{"delta": {"content": "a"}}], **names}))
        one.feed(2, event({"error": {"message": f"{key} " + "%41 " * n}}))
        begun = process_time()
        reply = one.close(3)
        spent = process_time() - begun
        texts = (reply.response_id, reply.model_served, reply.upstream,
                 reply.system_fingerprint, reply.error_excerpt)  # fmt: skip
        assert all(text and "***" in text and "CANARY" not in text for text in texts)
        return spent

    assert_growth(cost, 2_000, 200_000, below=10)


@pytest.mark.parametrize("pad", range(0, 100, 3))
def test_a_key_at_the_end_of_what_is_searched_is_not_kept_either(pad):
    key = "CANARY-" + "0123456789" * 9  # its masks are short, so the end is kept
    chunk_of = {"id": "x" * pad + f" {key}" * 100, "choices": []}
    reply = read(event(chunk_of), said("a"), secrets=[Secret(key)])
    assert "***" in reply.response_id
    assert "CANARY" not in reply.response_id
    assert "0123456789" not in reply.response_id
