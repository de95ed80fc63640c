"""The wire against a server of bytes, and against the simulated hosts' truth."""

import asyncio
import gc
import gzip
import json
import socket
import ssl
import threading
import weakref
from time import perf_counter_ns

import pytest
import trustme
from byteserver import (
    ANSWER,
    DONE,
    FIN,
    GOOD,
    LAST,
    ROLE,
    RST,
    STALL,
    STOP,
    ByteServer,
    arrival,
    ask,
    chunk,
    chunked,
    head,
    provider,
    said,
    stream,
    used,
    whole,
)

from providers.outcome import Blame, Flag, Outcome
from providers.provider import Caps, Deadlines, ProviderError
from providers.reader import Reader
from providers.reply import Kind
from providers.secret import MASK, Secret
from providers.simulator.faults import FAULTS
from providers.simulator.host import SimulatedHost
from providers.simulator.player import Wait
from providers.simulator.profile import PROFILES
from providers.tape import Tape
from providers.wire import Wire

KEY = "sk-CANARY-0123456789abcdef"
ERROR = {"error": {"message": "boom", "code": "server_error"}}
NO_FLAGS = frozenset()


async def play(*script, **options):
    async with ByteServer(script) as server:
        reply = await ask(server.url, **options)
        return reply, server


async def until(holds):
    while not holds():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0)


async def came(wire, n=1):
    """Wait until n requests are in flight and each has had some of its body."""

    def all_began():
        tapes = [exchange._tape for exchange in wire._live]
        return len(tapes) == n and all(tape.headers for tape in tapes)

    await until(all_began)


# ------------------------------------------------------------------ good answers


@pytest.mark.parametrize(
    "response",
    [
        [stream(*GOOD)],
        [head(length=len(b"".join(GOOD))) + b"".join(GOOD)],
        [head(close=True) + b"".join(GOOD), FIN],
        [head() + chunked(*[bytes([b]) for b in b"".join(GOOD)]) + LAST],
        [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + stream(*GOOD)],
    ],
    ids=["chunked", "length", "close", "bytewise", "interim"],
)
async def test_a_stream_is_read_in_every_framing(response):
    reply, _ = await play(*response)
    assert (reply.outcome, reply.blame, reply.flags) == (Outcome.OK, None, NO_FLAGS)
    assert (reply.content, reply.finish_reason, reply.http_status) == (
        "Hello",
        "stop",
        200,
    )
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (5, 2)
    kinds = [kind for _, kind in reply.timeline]
    assert kinds == [Kind.OTHER, Kind.CONTENT, Kind.CONTENT, Kind.OTHER, Kind.OTHER]
    assert reply.bytes_received == len(b"".join(GOOD))
    assert reply.streamed
    assert reply.conn_reused is False


async def test_stamps_stand_in_their_order_and_durations_only_when_fresh():
    before = perf_counter_ns()
    reply, _ = await play(stream(*GOOD))
    s = reply.stamps
    order = [s.sent, s.headers, s.first_event, s.first_token, s.last_token,
             s.usage, s.done, s.end]  # fmt: skip
    assert order == sorted(order)
    assert before < s.sent
    assert s.first_answer == s.first_token
    assert s.first_reasoning is None
    assert (s.dns, s.tls) == (None, None)
    assert 0 < s.connect < 1_000_000_000


async def test_an_answer_that_is_no_stream():
    reply, server = await play(whole(json.dumps(ANSWER).encode()), stream=False)
    assert (reply.outcome, reply.content, reply.flags) == (
        Outcome.OK, "Hello", NO_FLAGS
    )  # fmt: skip
    assert reply.usage.source == "body"
    assert not reply.streamed
    assert reply.stamps.first_token == reply.stamps.last_token
    assert json.loads(server.requests[0][2])["stream"] is False


async def test_the_request_is_what_the_dialect_wrote_with_the_users_headers():
    async with ByteServer([stream(*GOOD)]) as server:
        host = {
            "api_key": Secret(KEY),
            "headers": {"X-Title": "t"},
            "secret_headers": {"api-key": Secret("sesame-open")},
        }
        await ask(server.url, host=host)
    line, fields, body = server.requests[0]
    assert line == "POST /v1/chat/completions HTTP/1.1"
    assert fields["authorization"] == f"Bearer {KEY}"
    assert (fields["x-title"], fields["api-key"]) == ("t", "sesame-open")
    assert fields["accept-encoding"] == "identity"
    assert fields["user-agent"].startswith("head-to-head/")
    assert json.loads(body)["stream_options"] == {"include_usage": True}


async def test_a_connection_is_used_again_and_says_so():
    async with (
        ByteServer([stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        first, second = [await wire.send(arrival()) for _ in range(2)]
    assert server.connections == 1
    assert (first.conn_reused, second.conn_reused) == (False, True)
    assert second.flags == {Flag.CONN_REUSED}
    assert second.stamps.connect is None
    assert second.stamps.sent > first.stamps.end


async def test_fresh_opens_a_connection_for_each_request():
    async with (
        ByteServer([stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1, fresh=True) as wire,
    ):
        replies = [await wire.send(arrival()) for _ in range(2)]
    assert server.connections == 2
    assert [reply.conn_reused for reply in replies] == [False, False]
    assert all(reply.stamps.connect for reply in replies)
    assert server.requests[0][1]["connection"] == "close"


async def test_no_request_waits_for_another_up_to_the_concurrency():
    gate = asyncio.Event()
    script = [head() + chunked(ROLE), gate, chunked(*GOOD[1:]) + LAST]
    n = 120  # more than aiohttp's usual pool of 100
    async with (
        ByteServer(script) as server,
        Wire([provider(server.url)], concurrency=n) as wire,
    ):
        sends = [asyncio.create_task(wire.send(arrival())) for _ in range(n)]
        await came(wire, n)
        gate.set()
        replies = await asyncio.gather(*sends)
    assert {reply.outcome for reply in replies} == {Outcome.OK}


async def test_a_read_is_stamped_when_it_arrives_however_late_it_is_decoded():
    gate = asyncio.Event()
    script = [head() + chunked(ROLE, said("a")), gate, chunked(said("b"))]
    script += [chunked(STOP, DONE) + LAST]
    # Between its ticks, 0.25 s apart, the wire decodes nothing.
    async with (
        ByteServer(script) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        send = asyncio.create_task(wire.send(arrival()))
        await came(wire)
        opened = perf_counter_ns()
        gate.set()
        reply = await send
    first, last = reply.stamps.first_token, reply.stamps.last_token
    assert first < opened < last < opened + 20_000_000


# ------------------------------------------------------------- how answers break


BROKEN = {
    "fin in a chunked body": ([head() + chunked(*GOOD[:2]), FIN], Outcome.TRUNCATED),
    "fin within a chunk": ([head() + chunked(*GOOD[:2])[:-9], FIN], Outcome.TRUNCATED),
    "short content-length": (
        [head(length=9999) + b"".join(GOOD[:3]), FIN], Outcome.TRUNCATED),
    "fin ends a body without length": (
        [head(close=True) + b"".join(GOOD[:3]), FIN], Outcome.TRUNCATED),
    "reset in a chunked body": (
        [head() + chunked(*GOOD[:2]), RST], Outcome.TRUNCATED),
    "chunk size is no number": (
        [head() + chunked(*GOOD[:2]) + b"zz\r\nhello\r\n"], Outcome.PROTOCOL_ERROR),
    "chunk longer than its size": (
        [head() + b"3\r\ndata: x\r\n"], Outcome.PROTOCOL_ERROR),
    "two lengths": (
        [head("200 OK", "text/event-stream", "Transfer-Encoding: chunked", length=9)
         + b"123456789"], Outcome.PROTOCOL_ERROR),
    "no http": ([b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], Outcome.PROTOCOL_ERROR),
    "head far too long": (
        [head("200 OK", "text/event-stream", "X: " + "x" * 99_000)],
        Outcome.PROTOCOL_ERROR),
    "fin before the head": ([FIN], Outcome.DISCONNECTED),
    "fin within the head": ([b"HTTP/1.1 200 OK\r\nConte", FIN], Outcome.DISCONNECTED),
    "reset before the head": ([RST], Outcome.DISCONNECTED),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
async def test_a_break_has_its_own_outcome(name):
    script, outcome = BROKEN[name]
    reply, server = await play(*script)
    assert reply.outcome is outcome
    assert reply.blame is Blame.PROVIDER
    assert len(server.requests) == 1, "a hidden retry"
    assert reply.stamps.sent
    assert reply.stamps.end >= reply.stamps.sent
    assert reply.http_status in {200, None}, "aiohttp's own 400 must not show"
    assert (reply.http_status is None) == (reply.stamps.headers is None)


async def test_what_had_come_before_a_cut_is_kept():
    gate = asyncio.Event()
    script = [head() + chunked(*GOOD[:3]), gate, RST]
    async with (
        ByteServer(script) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        send = asyncio.create_task(wire.send(arrival()))
        await came(wire)
        gate.set()
        reply = await send
    assert (reply.outcome, reply.content) == (Outcome.TRUNCATED, "Hello")
    assert len(reply.timeline) == 3
    assert reply.http_status == 200
    assert reply.usage is None


async def test_an_error_later_in_the_body_is_a_protocol_error_too():
    gate = asyncio.Event()
    script = [head() + chunked(*GOOD[:3]), gate, b"zz\r\nhello\r\n"]
    async with (
        ByteServer(script) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        send = asyncio.create_task(wire.send(arrival()))
        await came(wire)
        gate.set()
        reply = await send
    assert (reply.outcome, reply.content) == (Outcome.PROTOCOL_ERROR, "Hello")


async def test_both_of_aiohttps_parsers_give_the_same_outcomes(monkeypatch):
    from aiohttp import client_proto
    from aiohttp.http_parser import HttpResponseParserPy

    monkeypatch.setattr(client_proto, "HttpResponseParser", HttpResponseParserPy)
    for name, (script, outcome) in BROKEN.items():
        reply, _ = await play(*script)
        assert reply.outcome is outcome, name
    reply, _ = await play(stream(*GOOD))
    assert (reply.outcome, reply.content) == (Outcome.OK, "Hello")


async def test_a_disconnect_on_a_reused_connection_is_flagged_and_blames_nobody():
    async with (
        ByteServer([stream(*GOOD)], [FIN]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        await wire.send(arrival())
        reply = await wire.send(arrival())
    assert (reply.outcome, reply.blame) == (Outcome.DISCONNECTED, Blame.UNKNOWN)
    assert (reply.flags, reply.conn_reused) == ({Flag.CONN_REUSED}, True)
    assert len(server.requests) == 2


async def test_nobody_listens():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        reply = await ask(f"http://127.0.0.1:{closed.getsockname()[1]}/v1")
    assert (reply.outcome, reply.blame) == (Outcome.CONNECT_ERROR, Blame.UNKNOWN)
    assert (reply.stamps.sent, reply.http_status, reply.conn_reused) == (None,) * 3


async def test_a_name_that_nobody_knows(monkeypatch):
    def unknown(*args, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    reply = await ask("http://nowhere.invalid/v1")
    assert (reply.outcome, reply.blame) == (Outcome.DNS_ERROR, Blame.NETWORK)


async def test_a_resolver_that_hangs_is_a_dns_error(monkeypatch):
    free = threading.Event()

    def hang(*args, **options):
        free.wait(5)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        reply = await ask("http://slow.invalid/v1", deadlines=Deadlines(connect=0.05))
    finally:
        free.set()
    assert reply.outcome is Outcome.DNS_ERROR
    assert reply.stamps.dns is None


# ------------------------------------------------------------------- bodies of 200


@pytest.mark.parametrize(
    ("body", "kind", "outcome"),
    [
        (json.dumps(ERROR).encode(), "application/json", Outcome.PROVIDER_ERROR),
        (json.dumps(ERROR).encode(), "text/event-stream", Outcome.PROVIDER_ERROR),
        (json.dumps(ERROR, indent=2).encode(), "text/event-stream",
         Outcome.PROVIDER_ERROR),
        (b'{"error": {"code": 429, "message": "slow down"}}', "application/json",
         Outcome.RATE_LIMITED),
        (b"<html><body>hi</body></html>", "text/html", Outcome.WRONG_ANSWER_TYPE),
        (b"hello there", "text/plain", Outcome.WRONG_ANSWER_TYPE),
        (b"[]", "application/json", Outcome.WRONG_ANSWER_TYPE),
        (b'{"choices": [', "application/json", Outcome.PROTOCOL_ERROR),
        (b"", "text/event-stream", Outcome.EMPTY),
        (b" \n", "text/event-stream", Outcome.EMPTY),
    ],
)  # fmt: skip
async def test_a_body_that_is_no_answer(body, kind, outcome):
    reply, _ = await play(whole(body, "200 OK", kind))
    assert reply.outcome is outcome
    assert reply.http_status == 200
    assert reply.stamps.first_token is None


@pytest.mark.parametrize("status", ["204 No Content", "205 Reset"])
async def test_a_status_without_a_body_is_empty(status):
    length = "Content-Length: 0\r\n" if status.startswith("205") else ""
    response = f"HTTP/1.1 {status}\r\n{length}\r\n".encode()
    reply, _ = await play(response)
    assert (reply.outcome, reply.http_status) == (Outcome.EMPTY, int(status[:3]))
    assert reply.stamps.headers


async def test_a_whole_answer_to_a_streamed_request_is_ok_and_flagged():
    reply, _ = await play(whole(json.dumps(ANSWER).encode()))
    assert (reply.outcome, reply.content) == (Outcome.OK, "Hello")
    assert reply.flags == {Flag.NONSTREAM_ANSWER}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_refused(status):
    other = "Location: http://127.0.0.1:9/v1?key=" + KEY
    async with ByteServer([whole(b"", f"{status} Moved", "text/plain", other)]) as s:
        reply = await ask(s.url, host={"api_key": Secret(KEY)})
    assert (reply.outcome, reply.http_status) == (Outcome.REDIRECT_REFUSED, status)
    assert reply.error_excerpt == "redirect to http://127.0.0.1:9/v1 refused"
    assert len(s.requests) == 1


async def test_an_http_error_is_read_up_to_its_cap():
    body = b"x" * 300_000
    reply, _ = await play(whole(body, "502 Bad Gateway", "text/html"))
    assert (reply.outcome, reply.http_status) == (Outcome.HTTP_ERROR, 502)
    assert reply.error_excerpt == "x" * 512


async def test_a_429_says_when_to_come_back():
    limits = ("Retry-After: 20", "x-ratelimit-remaining-requests: 0")
    response = whole(json.dumps(ERROR).encode(), "429 Slow", "application/json")
    response = response.replace(b"\r\n", "\r\n".join(["", *limits, ""]).encode(), 1)
    reply, server = await play(response)
    assert (reply.outcome, reply.blame) == (Outcome.RATE_LIMITED, Blame.ACCOUNT)
    assert reply.retry_after_s == 20
    assert reply.ratelimit == {
        "retry-after": "20", "x-ratelimit-remaining-requests": "0"
    }  # fmt: skip
    assert len(server.requests) == 1


async def test_gzip_is_decoded_and_flagged_and_a_bomb_is_cut_off():
    packed = gzip.compress(b"".join(GOOD))
    response = whole(packed, "200 OK", "text/event-stream", "Content-Encoding: gzip")
    reply, _ = await play(response)
    assert (reply.outcome, reply.content) == (Outcome.OK, "Hello")
    assert reply.flags == {Flag.COMPRESSED}

    bomb = gzip.compress(b": " + b"x" * (48 << 20))
    response = whole(bomb, "200 OK", "text/event-stream", "Content-Encoding: gzip")
    reply, _ = await play(response, caps=Caps(body_bytes=8 << 20))
    assert reply.outcome is Outcome.LIMIT_EXCEEDED
    assert reply.bytes_received <= 24 << 20


async def test_a_long_compressed_body_is_read_to_its_end():
    text = "x" * (12 << 20)  # three times what aiohttp unpacks before it pauses
    packed = gzip.compress(b"".join([said(text), STOP, DONE]))
    response = whole(packed, "200 OK", "text/event-stream", "Content-Encoding: gzip")
    reply, _ = await play(response, caps=Caps(line_bytes=32 << 20))
    assert (reply.outcome, len(reply.content)) == (Outcome.OK, len(text))


async def test_a_truncated_gzip_body_is_truncated():
    packed = gzip.compress(b"".join(GOOD))[:-40]
    response = whole(packed, "200 OK", "text/event-stream", "Content-Encoding: gzip")
    reply, _ = await play(response)
    assert reply.outcome is Outcome.TRUNCATED


async def test_a_body_that_floods_loses_nothing_and_keeps_its_order():
    pieces = [said(f"{n:07d}" * 9000) for n in range(200)]  # 12 MB, in few reads
    reply, _ = await play(stream(*pieces, STOP, DONE), max_tokens=4096)
    assert reply.outcome is Outcome.OK
    assert reply.content == "".join(f"{n:07d}" * 9000 for n in range(200))
    stamps = [at for at, _ in reply.timeline]
    assert stamps == sorted(stamps)
    assert stamps[-1] <= reply.stamps.end


@pytest.mark.parametrize(
    ("caps", "flood"),
    [
        (Caps(body_bytes=100_000), said("abc")),
        (Caps(line_bytes=100_000), b"x" * 999),
        (Caps(events=500), said("abc")),
        (Caps(), said("abc")),
    ],
    ids=["bytes", "line", "events", "tokens"],
)
async def test_an_endless_stream_is_cut_off_at_each_cap(caps, flood):
    script = [head(), (chunked(*[flood] * 200), 0)]
    reply, _ = await play(*script, caps=caps)
    assert (reply.outcome, reply.blame) == (Outcome.LIMIT_EXCEEDED, Blame.PROVIDER)


# ----------------------------------------------------------------------- deadlines

PING = chunked(b": ping\n\n")
DEADLINES = {
    "headers": ([STALL], Outcome.TIMEOUT_HEADERS),
    "slow headers": ([(b"HTTP/1.1 100 Continue\r\n\r\n", 0.02)],
                     Outcome.TIMEOUT_HEADERS),
    "first_token": ([head() + chunked(ROLE), STALL], Outcome.TIMEOUT_FIRST_TOKEN),
    "only comments": ([head(), (PING, 0.02)], Outcome.TIMEOUT_FIRST_TOKEN),
    "token_gap": ([head() + chunked(*GOOD[:2]), STALL], Outcome.TIMEOUT_TOKEN_GAP),
    "comments in a gap": ([head() + chunked(*GOOD[:2]), (PING, 0.02)],
                          Outcome.TIMEOUT_TOKEN_GAP),
    "total": ([head(), (chunked(said("a")), 0.02)], Outcome.TIMEOUT_TOTAL),
}  # fmt: skip
SHORT = {
    "headers": Deadlines(headers=0.1),
    "slow headers": Deadlines(headers=0.1),
    "first_token": Deadlines(first_token=0.1),
    "only comments": Deadlines(first_token=0.1),
    "token_gap": Deadlines(token_gap=0.1),
    "comments in a gap": Deadlines(token_gap=0.1),
    "total": Deadlines(total=0.15),
}


@pytest.mark.parametrize("name", DEADLINES)
async def test_each_deadline_ends_what_it_is_for(name):
    script, outcome = DEADLINES[name]
    begun = perf_counter_ns()
    reply, server = await play(*script, deadlines=SHORT[name])
    assert (reply.outcome, reply.blame) == (outcome, Blame.PROVIDER)
    assert 0.1 <= (reply.stamps.end - begun) / 1e9 < 1
    assert len(server.requests) == 1
    if name == "token_gap":
        assert reply.content == "Hel"


WHOLE = json.dumps(ANSWER).encode()
BEGUN = head("200 OK", "application/json", length=len(WHOLE))
NOT_STREAMED = {
    "no head": ([STALL], Outcome.TIMEOUT_HEADERS),
    "no body": ([BEGUN, STALL], Outcome.TIMEOUT_FIRST_TOKEN),
    "blanks for a body": ([head("200 OK", "application/json"),
                           (chunked(b"\n\n"), 0.02)], Outcome.TIMEOUT_FIRST_TOKEN),
    "half a body": ([BEGUN + WHOLE[:40], STALL], Outcome.TIMEOUT_TOKEN_GAP),
    "half an error": ([head("500 Oops", "text/plain", length=99) + b"half", STALL],
                      Outcome.HTTP_ERROR),
    "a slow body": ([BEGUN, (b" ", 0.01), STALL], Outcome.TIMEOUT_FIRST_TOKEN),
    "a body byte by byte": ([head("200 OK", "application/json"),
                             (chunked(b"{"), 0.02)], Outcome.TIMEOUT_TOTAL),
    "comments": ([head(), (PING, 0.02)], Outcome.TIMEOUT_FIRST_TOKEN),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_STREAMED)
async def test_a_body_that_is_not_streamed_has_the_same_deadlines(name):
    """Its first bytes are its first token, and a gap is one between bytes."""
    script, outcome = NOT_STREAMED[name]
    deadlines = Deadlines(first_token=0.25, token_gap=0.1, total=0.5)
    async with ByteServer(script) as server:
        reply = await ask(server.url, deadlines=deadlines, stream=False)
    assert reply.outcome is outcome
    usual = 0.1 if outcome in {Outcome.TIMEOUT_TOKEN_GAP, Outcome.HTTP_ERROR} else 0.25
    least = 0.45 if outcome is Outcome.TIMEOUT_TOTAL else usual
    assert least <= (reply.stamps.end - reply.stamps.sent) / 1e9 < 2


async def test_a_body_that_goes_on_in_time_is_waited_for():
    parts = [WHOLE[at : at + 40] for at in range(0, len(WHOLE), 40)]
    script = [BEGUN, *(each for part in parts for each in (part, Wait(0.06)))]
    deadlines = Deadlines(first_token=0.3, token_gap=0.2)
    async with ByteServer(script) as server:
        reply = await ask(server.url, deadlines=deadlines, stream=False)
    assert (reply.outcome, reply.content) == (Outcome.OK, "Hello")
    assert reply.stamps.end - reply.stamps.headers > 0.2e9


async def test_a_handshake_that_stalls_is_a_connect_timeout():
    async with ByteServer(before_request=STALL) as server:
        url = server.url.replace("http:", "https:")
        reply = await ask(url, deadlines=Deadlines(connect=0.1))
    assert (reply.outcome, reply.blame) == (Outcome.TIMEOUT_CONNECT, Blame.UNKNOWN)
    assert reply.stamps.sent is None


async def test_a_request_has_deadlines_of_its_own_where_given():
    async with (
        ByteServer([STALL]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        reply = await wire.send(arrival(), deadlines=Deadlines(headers=0.05))
    assert reply.outcome is Outcome.TIMEOUT_HEADERS


async def test_a_body_left_open_after_done_ends_soon_and_well(monkeypatch):
    monkeypatch.setattr("providers.exchange.DRAIN_S", 0.05)
    deadlines = Deadlines(token_gap=0.2)
    reply, _ = await play(head() + chunked(*GOOD), STALL, deadlines=deadlines)
    assert (reply.outcome, reply.flags) == (Outcome.OK, NO_FLAGS)
    assert reply.stamps.end - reply.stamps.done < 300_000_000


async def test_our_own_stuck_loop_is_no_timeout_of_the_host():
    gate = asyncio.Event()
    script = [head() + chunked(*GOOD[:2]), gate, chunked(*GOOD[2:]) + LAST]
    async with (
        ByteServer(script) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        deadlines = Deadlines(token_gap=0.1)
        send = asyncio.create_task(wire.send(arrival(), deadlines=deadlines))
        await came(wire)
        gate.set()
        await asyncio.sleep(0)  # the server writes; then nobody runs for a while
        threading.Event().wait(0.2)
        reply = await send
    assert (reply.outcome, reply.content) == (Outcome.OK, "Hello")


# --------------------------------------------------------- interruption and cancelling


async def test_interrupt_ends_what_is_in_flight_and_keeps_what_came():
    async with (
        ByteServer([head() + chunked(*GOOD[:2]), STALL]) as server,
        Wire([provider(server.url)], concurrency=2) as wire,
    ):
        sends = [asyncio.create_task(wire.send(arrival())) for _ in range(2)]
        await came(wire, 2)
        wire.interrupt()
        replies = await asyncio.gather(*sends)
    for reply in replies:
        assert (reply.outcome, reply.blame) == (Outcome.INTERRUPTED, Blame.CLIENT)
        assert reply.content == "Hel"


async def test_cancelling_a_send_closes_its_connection_and_leaves_nothing():
    async with (
        ByteServer([head() + chunked(*GOOD[:2]), STALL], [stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        send = asyncio.create_task(wire.send(arrival()))
        await came(wire)
        send.cancel()
        with pytest.raises(asyncio.CancelledError):
            await send
        reply = await wire.send(arrival())
        assert not wire._live
    assert (reply.outcome, server.connections) == (Outcome.OK, 2)


async def test_cancelling_at_any_await_leaves_the_wire_whole():
    async with (
        ByteServer([stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        for steps in range(12):
            send = asyncio.create_task(wire.send(arrival()))
            for _ in range(steps):
                await asyncio.sleep(0)
            send.cancel()
            await asyncio.gather(send, return_exceptions=True)
            assert not wire._live
        assert (await wire.send(arrival())).outcome is Outcome.OK


# ---------------------------------------------------------------- where requests may go


async def test_tls_with_the_users_own_authority():
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with ByteServer([stream(*GOOD)], tls=tls) as server:
        with authority.cert_pem.tempfile() as file:
            good = await ask(server.url, host={"ca_file": file})
        stranger = await ask(server.url)
    assert (good.outcome, good.content) == (Outcome.OK, "Hello")
    assert good.stamps.tls > 0
    assert good.stamps.connect > 0
    assert stranger.outcome is Outcome.TLS_ERROR
    assert "certificate" in stranger.error_excerpt.lower()
    assert stranger.stamps.sent is None


async def test_a_host_that_speaks_no_tls_breaks_the_protocol():
    reply_page = whole(b"no", "400 Bad Request", "text/plain")
    async with ByteServer(before_request=reply_page) as server:
        reply = await ask(server.url.replace("http:", "https:"))
    assert reply.outcome is Outcome.PROTOCOL_ERROR
    assert "http://" in reply.error_excerpt


async def test_a_ca_file_that_cannot_be_read_is_named(tmp_path):
    absent = str(tmp_path / "absent.pem")
    with pytest.raises(ProviderError, match=r"ca_file .*absent\.pem.* of host 'host'"):
        await ask("https://127.0.0.1:9/v1", host={"ca_file": absent})
    (tmp_path / "absent.pem").write_text("not a certificate")
    with pytest.raises(ProviderError, match="give a readable PEM file"):
        await ask("https://127.0.0.1:9/v1", host={"ca_file": absent})


async def test_the_environments_proxy_is_ignored_and_a_named_one_is_used(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with ByteServer([stream(*GOOD)]) as server:
        direct = await ask(server.url)
        proxied = await ask(
            "http://api.example.com/v1",
            host={"proxy": f"http://127.0.0.1:{server.port}"},
        )
    assert (direct.outcome, proxied.outcome) == (Outcome.OK, Outcome.OK)
    line = server.requests[1][0]
    assert line == "POST http://api.example.com/v1/chat/completions HTTP/1.1"


PRIVATE = {
    "one": [("127.0.0.1", 80)],
    "several": [("127.0.0.1", 80), ("127.0.0.2", 80)],
    "metadata": [("169.254.169.254", 80)],
}


@pytest.mark.parametrize("name", PRIVATE)
async def test_a_public_name_for_a_private_address_is_refused(name, monkeypatch):
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", where) for where in PRIVATE[name]
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **o: found)
    reply = await ask("http://rebound.example/v1")
    assert (reply.outcome, reply.blame) == (Outcome.POLICY_REFUSED, Blame.CLIENT)
    assert ("allow_private" in reply.error_excerpt) is (name != "metadata")
    assert "address" in reply.error_excerpt
    assert reply.stamps.sent is None
    allowed = {"allow_private": True}
    reply = await ask("http://rebound.example:9/v1", host=allowed)
    refused = reply.outcome is Outcome.POLICY_REFUSED
    assert refused == (name == "metadata"), "only link-local stays refused"


# -------------------------------------------------------------------------- secrets


async def test_a_key_that_the_host_echoes_is_nowhere_in_the_reply():
    pieces = [chunk({"content": KEY[:9]}, id=KEY, model=KEY, provider=KEY,
                    system_fingerprint=KEY),
              chunk({"content": KEY[9:], "reasoning": f"the key is {KEY}"}),
              chunk({"tool_calls": [{"index": 0, "id": KEY, "function": {
                  "name": KEY, "arguments": KEY}}]}),
              chunk(finish=KEY), used(echo=KEY), DONE]  # fmt: skip
    limits = f"X-RateLimit-Note: {KEY}"
    response = head("200 OK", "text/event-stream", limits) + chunked(*pieces) + LAST
    host = {"api_key": Secret(KEY)}
    reply, _ = await play(response, host=host)
    assert reply.outcome is Outcome.OK
    assert reply.content == MASK
    assert reply.model_served == MASK
    assert KEY not in repr(reply)

    error = json.dumps({"error": {"code": KEY, "message": f"bad key {KEY}"}}).encode()
    for status in ("401 No", "200 OK"):
        reply, _ = await play(whole(error, status), host=host)
        assert "bad key ***" in reply.error_excerpt
        assert KEY not in repr(reply)


# ---------------------------------------------------------------------------- memory


async def test_nothing_is_held_after_a_reply(monkeypatch):
    readers, tapes = [], []

    class Watched(Reader):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            readers.append(weakref.ref(self))

    class Noted(Tape):
        def __init__(self, wake):
            super().__init__(wake)
            tapes.append(self)

    monkeypatch.setattr("providers.exchange.Reader", Watched)
    monkeypatch.setattr("providers.exchange.Tape", Noted)
    async with (
        ByteServer([stream(*GOOD)], [head() + chunked(ROLE), STALL]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        await wire.send(arrival())
        await wire.send(arrival(), deadlines=Deadlines(first_token=0.05))
        for _ in range(5):  # a broken-off connection closes in the loop's next rounds
            await asyncio.sleep(0)
        gc.collect()
        assert [reader() for reader in readers] == [None, None]
    for tape in tapes:
        assert (tape.payload, tape.handler, tape.wake) == (None, None, None)
        assert tape.take()[1] == []


async def test_memory_is_flat_over_many_requests():
    async with (
        ByteServer([stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):

        async def held():
            for _ in range(150):
                await wire.send(arrival())
                server.requests.clear()
            gc.collect()
            return len(gc.get_objects())

        await held()
        before = await held()
        assert await held() - before < 50


# ---------------------------------------------------------------- the simulated hosts

FAST = {"ttft_ms": 8.0, "gap_ms": 0.5, "tokens": 16}


def dialect_of(profile):
    return profile if profile in {"ourtoken", "openrouter", "zai"} else "generic"


async def simulated(profile, *, fault=None, deadlines=None, **request):
    async with SimulatedHost(profile, fault=fault, **FAST) as host:
        reply = await ask(
            host.base_url,
            host={"dialect": dialect_of(profile), "model": "glm-5.2"},
            deadlines=deadlines,
            **({"max_tokens": 400} | request),
        )
        await until(lambda: host.truth)  # it notices a hang-up in its own time
    return reply, host.truth[0]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("profile", PROFILES)
async def test_a_reply_agrees_with_the_truth(profile, streamed):
    reply, truth = await simulated(profile, stream=streamed)
    assert (reply.outcome, reply.finish_reason) == (Outcome.OK, truth.finish_reason)
    usage = reply.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (
        truth.prompt_tokens,
        truth.completion_tokens,
    )
    assert usage.reasoning_tokens in {truth.reasoning_tokens, None}
    assert reply.response_id == truth.response_id
    assert reply.flags <= {Flag.COMMENTS_SEEN, Flag.USAGE_TWICE}
    stamps = reply.stamps
    assert stamps.sent < truth.received_ns
    if streamed:
        written = {
            "headers": truth.headers_ns,
            "first_token": truth.first_token_ns,
            "first_answer": truth.first_answer_ns,
            "last_token": truth.last_token_ns,
        }
        if truth.first_reasoning_ns:
            written["first_reasoning"] = truth.first_reasoning_ns
        for name, at in written.items():
            late = getattr(stamps, name) - at
            assert 0 <= late < 20_000_000, (name, late)
        assert sum(kind > 0 for _, kind in reply.timeline) == len(truth.chunk_ns)


FAULTY = {
    "http_429_rate": {Outcome.RATE_LIMITED},
    "http_429_overloaded": {Outcome.OVERLOADED},
    "http_429_quota": {Outcome.QUOTA},
    "http_429_account": {Outcome.RATE_LIMITED},
    "http_402": {Outcome.QUOTA},
    "http_401": {Outcome.AUTH_ERROR},
    "http_500": {Outcome.HTTP_ERROR},
    "http_502_html": {Outcome.HTTP_ERROR},
    "stall": {Outcome.TIMEOUT_TOKEN_GAP},
    "cut": {Outcome.TRUNCATED},
    "reset": {Outcome.TRUNCATED},
    "mid_stream_error": {Outcome.PROVIDER_ERROR},
    "error_in_200": {Outcome.PROVIDER_ERROR},
    "garbage": {Outcome.WRONG_ANSWER_TYPE, Outcome.PROTOCOL_ERROR},
    "html_200": {Outcome.WRONG_ANSWER_TYPE},
    "empty": {Outcome.EMPTY},
    "fake_stream": {Outcome.OK},
    "coalesced": {Outcome.OK},
    "no_usage": {Outcome.OK},
    "no_done": {Outcome.OK},
    "slow": {Outcome.OK},
}
FAULT_FLAGS = {
    "no_usage": {Flag.USAGE_MISSING},
    "no_done": {Flag.NO_DONE},
}


def test_every_fault_of_the_simulator_has_an_outcome():
    assert FAULTY.keys() == FAULTS.keys()


@pytest.mark.parametrize("profile", ["generic", "openrouter", "zai", "ourtoken"])
@pytest.mark.parametrize("fault", FAULTY)
async def test_every_fault_has_its_outcome(profile, fault):
    reply, truth = await simulated(
        profile, fault=fault, deadlines=Deadlines(token_gap=0.15)
    )
    assert reply.outcome in FAULTY[fault], reply
    assert reply.http_status == truth.status
    assert truth.fault == fault
    assert FAULT_FLAGS.get(fault, set()) <= reply.flags
    single = len(truth.chunk_ns) == 1 and fault == "fake_stream"
    assert (Flag.SINGLE_CHUNK_STREAM in reply.flags) == single
    assert Flag.LATE_ERROR not in reply.flags
    if fault in {"stall", "cut", "mid_stream_error"}:
        assert reply.content or reply.reasoning
        assert sum(kind > 0 for _, kind in reply.timeline) == len(truth.chunk_ns)
    if fault == "http_429_overloaded":
        assert reply.blame is Blame.PROVIDER
    elif truth.status == 429:
        assert reply.blame is Blame.ACCOUNT
