"""Traps of aiohttp 3.14: what it does by itself that a measurement must not."""

import asyncio
import gzip
import math

import pytest
from byteserver import (
    DONE,
    FIN,
    GOOD,
    LAST,
    RST,
    STALL,
    STOP,
    ByteServer,
    arrival,
    ask,
    chunked,
    head,
    provider,
    said,
    stream,
    used,
    whole,
)

from providers import post
from providers.line import Line
from providers.outcome import Flag, Outcome
from providers.provider import Deadlines
from providers.simulator.player import Wait
from providers.wire import Wire

O, F = Outcome, Flag  # noqa: E741 - a table of outcomes reads better so
SSE = "text/event-stream"
BODY = b"".join(GOOD)


async def play(*script, **options):
    async with ByteServer(script) as server:
        reply = await ask(server.url, **options)
    assert len(server.requests) == 1, "a hidden retry"
    return reply


# aiohttp raises ClientResponseError with status 400 on each, whatever the host sent.
POSES_AS_400 = {
    "chunk size": [head() + b"zz\r\nhello\r\n"],
    "length and chunks": [head("200 OK", SSE, "Content-Length: 9") + b"123456789"],
    "long header": [head("200 OK", SSE, "X: " + "x" * 99_000)],
    "many headers": [head("200 OK", SSE, *(f"X-{n}: x" for n in range(200)))],
    "no HTTP": [b"220 mail.example.com ESMTP\r\n\r\n"],
    "unknown coding": [whole(BODY, "200 OK", SSE, "Content-Encoding: br")],
}


@pytest.mark.parametrize("name", POSES_AS_400)
async def test_broken_http_is_no_400_that_a_host_sent(name):
    reply = await play(*POSES_AS_400[name])
    assert reply.outcome is O.PROTOCOL_ERROR
    assert reply.http_status in {None, 200}
    assert reply.error_code is None
    assert "400" not in reply.error_excerpt


@pytest.mark.parametrize("later", [False, True], ids=["same read", "later"])
async def test_more_than_a_whole_answer_spoils_only_the_connection(later):
    whole_answer, more = head(length=len(BODY)) + BODY, b"and more\r\n\r\n"
    script = [whole_answer, Wait(0.01), more] if later else [whole_answer + more]
    async with (
        ByteServer([*script, STALL], [stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        first = await wire.send(arrival())
        if later:
            await asyncio.sleep(0.05)
        second = await wire.send(arrival())
    assert (first.outcome, second.outcome) == (O.OK, O.OK)
    assert (second.conn_reused, server.connections) == (False, 2)


async def test_a_host_that_switches_protocols_unasked_breaks_http():
    head_only = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"
    reply = await play(head_only, STALL)
    assert (reply.outcome, reply.http_status) == (O.PROTOCOL_ERROR, None)
    assert "protocol" in reply.error_excerpt


@pytest.mark.parametrize("status", ["000 None", "001 x", "099 Continue"])
@pytest.mark.parametrize("then", [STALL, stream(*GOOD)], ids=["stall", "answer"])
async def test_a_status_below_100_is_no_interim_head(status, then):
    reply = await play(f"HTTP/1.1 {status}\r\n\r\n".encode(), then)
    assert (reply.outcome, reply.http_status) == (O.PROTOCOL_ERROR, None)
    assert status[:3] in reply.error_excerpt


async def test_an_answer_before_the_whole_request_was_read_spoils_the_connection():
    heads = 0

    async def early(reader, writer):
        nonlocal heads
        await reader.readuntil(b"\r\n\r\n")
        heads += 1
        writer.write(stream(*GOOD))  # and what follows of the request is never read
        await writer.drain()
        await gone.wait()
        writer.transport.abort()

    gone = asyncio.Event()
    server = await asyncio.start_server(early, "127.0.0.1", 0, limit=4096)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    long = ({"role": "user", "content": "x" * (32 << 20)},)
    async with server, Wire([provider(url)], concurrency=1) as wire:
        first = await wire.send(arrival(messages=long))
        second = await wire.send(arrival(), deadlines=Deadlines(headers=5))
        gone.set()
    assert (first.outcome, second.outcome) == (O.OK, O.OK)
    assert (heads, second.conn_reused) == (2, False)


async def test_a_400_that_a_host_sent_is_one():
    reply = await play(whole(b"no", "400 Bad Request", "text/plain"))
    assert (reply.outcome, reply.http_status) == (O.BAD_REQUEST, 400)


@pytest.mark.parametrize("begun", [[], GOOD[:2]], ids=["first token", "token gap"])
@pytest.mark.parametrize(
    "sign", [b": ping\n\n", b"data:\n\n", b"event: ping\n\n", b"\n"]
)
async def test_signs_of_life_extend_no_deadline(sign, begun):
    deadlines = Deadlines(first_token=0.1, token_gap=0.1)
    script = [head() + chunked(*begun), (chunked(sign), 0.02)]
    reply = await play(*script, deadlines=deadlines)
    expected = O.TIMEOUT_TOKEN_GAP if begun else O.TIMEOUT_FIRST_TOKEN
    assert reply.outcome is expected


@pytest.mark.parametrize("keep", [2, 3, 4, 5, 6])
async def test_a_body_that_ends_in_silence_is_whole_only_by_its_own_word(keep):
    reply = await play(head(close=True) + b"".join(GOOD[:keep]), FIN)
    ended = keep >= 4  # the finish reason has come
    assert reply.outcome is (O.OK if ended else O.TRUNCATED)
    assert (F.NO_DONE in reply.flags) == (ended and keep < 6)


@pytest.mark.parametrize("left", [0.3, 0.6, 0.9])
async def test_a_gzip_body_that_is_cut_in_silence_is_truncated(left):
    packed = gzip.compress(BODY)
    packed = packed[: int(left * len(packed))]
    reply = await play(whole(packed, "200 OK", SSE, "Content-Encoding: gzip"))
    assert reply.outcome is O.TRUNCATED
    assert F.COMPRESSED in reply.flags


@pytest.mark.parametrize("cut", range(1, len(GOOD[0]), 7))
async def test_a_body_that_is_cut_in_its_first_event_is_truncated(cut):
    reply = await play(whole(BODY[:cut], "200 OK", SSE))
    assert reply.outcome is O.TRUNCATED


async def test_more_requests_than_aiohttps_pool_are_in_flight_at_once():
    gate, n = asyncio.Event(), 130
    async with (
        ByteServer([gate, stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=n) as wire,
    ):
        sends = [asyncio.create_task(wire.send(arrival())) for _ in range(n)]
        while len(server.requests) < n:  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.01)
        gate.set()
        replies = await asyncio.gather(*sends)
    assert {reply.outcome for reply in replies} == {O.OK}


async def test_what_aiohttp_would_do_by_itself_is_turned_off():
    line = Line.open(provider("http://127.0.0.1:9/v1"), concurrency=150, fresh=False)
    try:
        # A deadline over 5 s would be rounded up to a whole second.
        assert line.post._connector._timeout_ceil_threshold == math.inf
        assert line.post._connector.limit >= 150
        # aiohttp's own would end connecting after 30 s, and an answer after 300 s.
        given = (post._NO_TIMEOUT.total, post._NO_TIMEOUT.sock_connect)
        assert (*given, post._NO_TIMEOUT.ceil_threshold) == (None, None, math.inf)
    finally:
        await line.post.close()


@pytest.mark.parametrize("ending", [FIN, RST], ids=["fin", "rst"])
async def test_an_idle_connection_that_closes_is_not_used_again(ending):
    scripts = [stream(*GOOD), Wait(0.01), ending], [stream(*GOOD)]
    async with (
        ByteServer(*scripts) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        first = await wire.send(arrival())
        idle = wire._lines["host"].post._connector._conns.values()
        while any(connection.is_connected() for pool in idle for connection, _ in pool):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.001)
        second = await wire.send(arrival())
    assert (first.outcome, second.outcome) == (O.OK, O.OK)
    assert (second.conn_reused, server.connections) == (False, 2)


async def test_a_deadline_leaves_no_poisoned_connection_behind():
    async with (
        ByteServer([head() + chunked(GOOD[0]), STALL], [stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        late = await wire.send(arrival(), deadlines=Deadlines(first_token=0.05))
        good = await wire.send(arrival(), deadlines=Deadlines(first_token=5))
    assert (late.outcome, good.outcome) == (O.TIMEOUT_FIRST_TOKEN, O.OK)
    assert server.connections == 2


async def test_a_line_of_700_kb_is_a_line():
    text = "x" * 700_000
    reply = await play(stream(said(text), STOP, used(), DONE))
    assert (reply.outcome, reply.content) == (O.OK, text)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        + stream(*GOOD),
        head() + chunked(*GOOD) + b"0\r\nX-Trailer: 1\r\n\r\n",
        head("200 OK", SSE, "Content-Type: text/html") + chunked(*GOOD) + LAST,
    ],
    ids=["interim heads", "trailers", "two types"],
)
async def test_rare_but_legal_http_changes_nothing(response):
    reply = await play(response)
    assert (reply.outcome, reply.content, reply.flags) == (O.OK, "Hello", frozenset())


async def test_a_204_to_a_stream_is_empty():
    reply = await play(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (reply.outcome, reply.http_status) == (O.EMPTY, 204)
