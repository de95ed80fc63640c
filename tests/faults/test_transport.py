"""Faults 120 to 158: the connection, HTTP's framing, bodies and redirects."""

import asyncio
import errno
import os
import resource
import socket
import ssl
import sys
import threading
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from unittest.mock import ANY

import pytest
import trustme
from byteserver import FIN, GOOD, STALL, ByteServer, arrival, ask, provider, stream

from faults.expecting import assert_met, expect, met, play_of
from providers.outcome import Blame, Flag, Outcome
from providers.provider import Caps, Deadlines
from providers.secret import Secret
from providers.simulator.player import ByteHost
from providers.wire import Wire

O, F = Outcome, Flag  # noqa: E741 - a table of outcomes reads better so
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
KEY = "sk-CANARY-0123456789abcdef"
linux = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere a full queue refuses or there is one lo"
)
NOT_SENT = ""
NO_ANSWER = "sent"
HEAD_ONLY = "sent headers"
ONE_TOKEN = "sent headers first_event first_token first_answer last_token"


def within(**deadlines):
    return {"deadlines": Deadlines(**deadlines)}


def moved(status):
    return expect(O.REDIRECT_REFUSED, only=HEAD_ONLY, http_status=status)


def unread(outcome, **more):
    return expect(outcome, only=NO_ANSWER, **more)


def cut(outcome, *flags, **more):
    return expect(outcome, *flags, only=ONE_TOKEN, content="Hel", **more)


EXPECTED = {
    "125": expect(O.TIMEOUT_CONNECT, only=NOT_SENT, https=True,
                  given=within(connect=0.1)),
    "126-http": expect(O.PROTOCOL_ERROR, only=NOT_SENT, https=True),
    "126-tls": unread(O.PROTOCOL_ERROR),
    "127": unread(O.PROTOCOL_ERROR),
    "128-fresh": unread(O.DISCONNECTED),
    "128-reused": expect(O.DISCONNECTED, F.CONN_REUSED, only=NO_ANSWER,
                         blame=Blame.UNKNOWN, again=True),
    "129": cut(O.TRUNCATED, F.BAD_EVENT, F.UNENDED_EVENT),
    "130": cut(O.TRUNCATED, F.BAD_EVENT, F.UNENDED_EVENT),
    "131": expect(O.TRUNCATED, without="usage done"),
    "132": expect(O.TRUNCATED, without="usage done"),
    "133-size": cut(O.PROTOCOL_ERROR),
    "133-overrun": cut(O.PROTOCOL_ERROR),
    "133-two_lengths": unread(O.PROTOCOL_ERROR),
    "133-negative_length": unread(O.PROTOCOL_ERROR),
    "133-no_http": unread(O.PROTOCOL_ERROR),
    "134-20kb": expect(),
    "134-99kb": unread(O.PROTOCOL_ERROR),
    "135": unread(O.PROTOCOL_ERROR),
    "136-folded": expect(),
    "136-two_types": expect(),
    "136-two_lengths": unread(O.PROTOCOL_ERROR),
    "137": unread(O.TIMEOUT_HEADERS, given=within(headers=0.1)),
    "138-bytes": cut(O.TIMEOUT_TOKEN_GAP, F.BAD_EVENT, given=within(token_gap=0.1)),
    "138-tokens": expect(O.TIMEOUT_TOTAL, without="usage done",
                         given=within(total=0.3), content=ANY),
    "139": expect(O.TIMEOUT_FIRST_TOKEN, F.COMMENTS_SEEN, only=HEAD_ONLY,
                  given=within(first_token=0.1)),
    "140-for_good": cut(O.TIMEOUT_TOKEN_GAP, given=within(token_gap=0.1)),
    "140-resumed": expect(given=within(token_gap=1)),
    "141": expect(O.LIMIT_EXCEEDED, without="usage done", content=ANY),
    "142": expect(O.LIMIT_EXCEEDED, only="sent headers first_event",
                  given={"caps": Caps(events=500)}),
    "143-gzip": expect(O.OK, F.COMPRESSED),
    "143-deflate": expect(O.OK, F.COMPRESSED),
    "143-br": unread(O.PROTOCOL_ERROR),
    "143-zstd": unread(O.PROTOCOL_ERROR),
    "144": expect(O.TRUNCATED, F.BAD_EVENT, F.COMPRESSED, F.UNENDED_EVENT,
                  without="usage done"),
    "145": expect(O.LIMIT_EXCEEDED, F.COMMENTS_SEEN, F.COMPRESSED, only=HEAD_ONLY),
    "146": expect(O.OK, F.CONTENT_TYPE_MISMATCH),
    "147": expect(O.OK, F.NONSTREAM_ANSWER, without="first_event done",
                  streamed=False),
    "148-stream": expect(O.OK, F.STREAM_ANSWER, given={"stream": False}),
    "148-end": expect(O.OK, F.STREAM_ANSWER, without="first_event done",
                      given={"stream": False}, streamed=False),
    "149-301": moved(301),
    "149-302": moved(302),
    "149-303": moved(303),
    "149-307": moved(307),
    "149-308": moved(308),
    "150": moved(307),
    "151": moved(308),
    "152": moved(307),
    "153": moved(302),
    "154": expect(),
}  # fmt: skip


@pytest.mark.parametrize("case", [c for c, e in EXPECTED.items() if not e.again])
async def test_a_fault_of_transport(case):
    reply = await met(case, EXPECTED[case])
    assert reply.http_status != 400, "aiohttp's own 400, which nobody sent"


@pytest.mark.parametrize(
    ("case", "words"),
    [("126-http", "is it an http:// host?"), ("126-tls", "is it an https:// host?"),
     ("127", "does it speak HTTP/2 only?"), ("143-br", "Brotli"),
     ("150", "redirect to https://api.example.com/v1 refused"),
     ("153", "redirect to nowhere refused")],
)  # fmt: skip
async def test_what_was_met_is_said(case, words):
    reply = await met(case, EXPECTED[case])
    assert words in reply.error_excerpt
    assert "sk-redirected" not in reply.error_excerpt


async def test_a_stall_that_ends_is_kept_as_a_gap():
    reply = await met("140-resumed", EXPECTED["140-resumed"])
    times = [at for at, kind in reply.timeline if kind]
    assert times[1] - times[0] >= 90_000_000


async def test_an_answer_that_was_not_streamed_has_one_moment():
    reply = await met("147", EXPECTED["147"])
    assert reply.stamps.first_token == reply.stamps.last_token


# ------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "code", [socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL],
    ids=["nxdomain", "servfail", "failure"],
)  # fmt: skip
async def test_120_a_name_that_is_not_resolved(code, monkeypatch):
    def unknown(*args, **options):
        raise socket.gaierror(code, os.strerror(0))

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    reply = await ask("http://nowhere.invalid/v1")
    assert_met(reply, expect(O.DNS_ERROR, only=NOT_SENT))
    assert "nowhere.invalid" in reply.error_excerpt


@contextmanager
def hanging(monkeypatch, known):
    """Let every name hang but those known, until the block ends."""
    free = threading.Event()

    def slow(host, port, *args, **options):
        if host in known:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", known[host])]
        free.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    try:
        yield
    finally:
        free.set()


async def test_120_a_resolver_that_hangs(monkeypatch):
    with hanging(monkeypatch, {}):
        reply = await ask("http://slow.invalid/v1", **within(connect=0.05))
    assert_met(reply, expect(O.DNS_ERROR, only=NOT_SENT))


async def test_120_a_hanging_resolver_costs_the_other_host_nothing(monkeypatch):
    async with ByteServer([stream(*GOOD)]) as server:
        fine = provider("http://fine.example/v1", name="fine", allow_private=True)
        slow = provider("http://slow.invalid/v1", name="slow")
        known = {"fine.example": ("127.0.0.1", server.port)}
        with hanging(monkeypatch, known):
            wire = Wire([fine, slow], concurrency=40, fresh=True, **within(connect=0.2))
            async with wire:
                hung = [wire.send(arrival("slow")) for _ in range(40)]
                sends = asyncio.gather(*hung)
                for _ in range(20):  # until each of them asks for its name
                    await asyncio.sleep(0)
                reply = await wire.send(arrival("fine"))
                await sends
    assert reply.outcome is O.OK


@contextmanager
def unanswering(address="127.0.0.1", port=0):
    """Yield the port of a listener whose queue is full: attempts are not answered."""
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(0)
        fill = [socket.socket() for _ in range(4)]
        for each in fill:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        try:
            yield listener.getsockname()[1]
        finally:
            for each in fill:
                each.close()


@linux
@pytest.mark.parametrize("dead", ["refused", "unanswered"])
async def test_121_of_two_addresses_one_is_dead(dead, monkeypatch):
    async with ByteServer([stream(*GOOD)]) as server:
        both = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.port))
            for address in ("127.0.0.2", "127.0.0.1")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **o: both)
        options = {"host": {"allow_private": True}, **within(connect=5)}
        url = f"http://two.example:{server.port}/v1"
        if dead == "refused":
            reply = await ask(url, **options)
        else:
            with unanswering("127.0.0.2", server.port):
                reply = await ask(url, **options)
    assert_met(reply, expect())
    waited = 240_000_000 if dead == "unanswered" else 0
    assert waited < reply.stamps.connect < 4_000_000_000
    assert reply.stamps.dns < 200_000_000


# -------------------------------------------------------------------------- connecting


async def test_122_nobody_listens():
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        reply = await ask(f"http://127.0.0.1:{nobody.getsockname()[1]}/v1")
    assert_met(reply, expect(O.CONNECT_ERROR, only=NOT_SENT))


@linux
async def test_123_an_attempt_to_connect_that_nobody_answers():
    with unanswering() as port:
        reply = await ask(f"http://127.0.0.1:{port}/v1", **within(connect=0.1))
    assert_met(reply, expect(O.TIMEOUT_CONNECT, only=NOT_SENT))


@pytest.mark.parametrize("case", ["128-reused"])
async def test_a_connection_that_ends_as_it_is_used_again(case):
    _, play = play_of(case)
    async with (
        ByteHost(lambda _: play) as host,
        Wire([provider(host.base_url)], concurrency=1) as wire,
    ):
        first, second = [await wire.send(arrival()) for _ in range(2)]
        assert host.connections == 1
    assert first.outcome is O.OK
    assert_met(second, EXPECTED[case])


async def test_154_a_cookie_is_not_sent_back():
    _, play = play_of("154")
    asked = []
    async with (
        ByteHost(lambda request: asked.append(request) or play) as host,
        Wire([provider(host.base_url)], concurrency=1) as wire,
    ):
        for _ in range(2):
            assert (await wire.send(arrival())).outcome is O.OK
    assert len(asked) == 2
    assert all("cookie" not in each.fields for each in asked)


async def test_157_no_descriptor_left_is_our_own_failure():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with (
        ByteServer([stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            reply = await wire.send(arrival())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert_met(reply, expect(O.CLIENT_ERROR, only=NOT_SENT))
        assert "Too many open files" in reply.error_excerpt
        assert (await wire.send(arrival())).outcome is O.OK


async def test_158_no_port_left_is_our_own_failure(monkeypatch):
    async def used_up(self, sock, address):
        raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")

    async with ByteServer([stream(*GOOD)]) as server:
        loop = type(asyncio.get_running_loop())
        monkeypatch.setattr(loop, "sock_connect", used_up)
        reply = await ask(server.url)
    assert_met(reply, expect(O.CLIENT_ERROR, only=NOT_SENT))


# --------------------------------------------------------------------------------- TLS


def certified(authority, name="127.0.0.1", **terms):
    """Return what a server needs to show a certificate of an authority."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name, **terms).configure_cert(tls)
    return tls


def self_signed(authority, tmp_path):
    """Return what a server needs to show the authority's own certificate."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    key = tmp_path / "both.pem"
    key.write_bytes(authority.private_key_pem.bytes() + authority.cert_pem.bytes())
    tls.load_cert_chain(key)
    return tls


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("expired", "certificate has expired"), ("other host", "mismatch"),
     ("self-signed", "self-signed certificate"),
     ("unknown authority", "unable to get local issuer certificate")],
)  # fmt: skip
async def test_124_a_certificate_that_proves_nothing(kind, reason, tmp_path):
    trusted, unknown = trustme.CA(), trustme.CA()
    tls = {
        "expired": lambda: certified(
            trusted, not_after=datetime(2020, 1, 1, tzinfo=UTC)
        ),
        "other host": lambda: certified(trusted, "api.example.com"),
        "self-signed": lambda: self_signed(unknown, tmp_path),
        "unknown authority": lambda: certified(unknown),
    }[kind]()
    with trusted.cert_pem.tempfile() as file:
        async with ByteServer([stream(*GOOD)], tls=tls) as server:
            reply = await ask(server.url, host={"ca_file": file})
    assert_met(reply, expect(O.TLS_ERROR, only=NOT_SENT))
    assert reason in reply.error_excerpt
    assert not server.requests, "verification is never switched off"


async def test_151_a_redirect_from_https_to_http():
    authority = trustme.CA()
    _, play = play_of("151")
    with authority.cert_pem.tempfile() as file:
        async with ByteHost(lambda _: play, tls=certified(authority)) as host:
            reply = await ask(host.base_url, host={"ca_file": file})
    assert_met(reply, EXPECTED["151"])


# ----------------------------------------------------------------------------- proxies


@asynccontextmanager
async def proxied(answer=b"HTTP/1.1 200 OK\r\n\r\n", to=None):
    """Yield a proxy's URL, and the heads that it was sent; it joins all to one port."""
    heads, tasks = [], set()

    async def pump(reader, writer):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(answer)
        if to is None:
            writer.close()
            return
        there = await asyncio.open_connection("127.0.0.1", to)
        await asyncio.gather(
            pump(reader, there[1]), pump(there[0], writer), return_exceptions=True
        )

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"http://user:pass-word@127.0.0.1:{port}", heads
    finally:
        server.close()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_https_goes_through_a_proxy_as_a_tunnel():
    authority = trustme.CA()
    tls = certified(authority, "api.example.com")
    with authority.cert_pem.tempfile() as file:
        async with (
            ByteServer([stream(*GOOD)], tls=tls) as server,
            proxied(to=server.port) as (proxy, heads),
        ):
            reply = await ask(
                "https://api.example.com/v1",
                host={"proxy": proxy, "ca_file": file},
            )
    assert_met(reply, expect())
    (head,) = heads
    assert head.startswith("CONNECT api.example.com:443 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic" in head
    assert server.requests[0].line == "POST /v1/chat/completions HTTP/1.1"
    assert "proxy-authorization" not in server.requests[0].fields


@pytest.mark.parametrize("user", ["user:pass-word@", ""])
async def test_a_proxy_of_a_tunnel_never_sees_a_key(user):
    host = {"api_key": Secret(KEY), "secret_headers": {"api-key": Secret("open-up")}}
    async with proxied(b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as (proxy, heads):
        host["proxy"] = proxy.replace("user:pass-word@", user)
        await ask("https://api.example.com/v1", host=host)
    assert heads[0].startswith("CONNECT api.example.com:443 HTTP/1.1\r\n")
    assert KEY not in heads[0]
    assert "open-up" not in heads[0]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", O.CONNECT_ERROR),
     (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", O.CONNECT_ERROR),
     (b"", O.CONNECT_ERROR), (b"SSH-2.0-x\r\n\r\n", O.PROTOCOL_ERROR)],
    ids=["asks for a password", "reaches nobody", "hangs up", "is none"],
)  # fmt: skip
async def test_a_proxy_that_fails_is_a_row(answer, outcome):
    async with proxied(answer) as (proxy, heads):
        reply = await ask("https://api.example.com/v1", host={"proxy": proxy})
    assert_met(reply, expect(outcome, only=NOT_SENT))
    assert len(heads) == 1
    assert "pass-word" not in repr(reply)


async def test_a_proxy_that_wants_a_password_is_no_fault_of_the_host():
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with proxied(answer) as (proxy, _):
        reply = await ask("http://api.example.com/v1", host={"proxy": proxy})
    assert_met(reply, expect(O.CONNECT_ERROR, only=HEAD_ONLY, http_status=407))


async def test_a_proxy_that_stalls_is_a_connect_timeout():
    async with ByteServer([STALL]) as server:
        proxy = {"proxy": f"http://127.0.0.1:{server.port}"}
        url = "https://api.example.com/v1"
        reply = await ask(url, host=proxy, **within(connect=0.1))
    assert_met(reply, expect(O.TIMEOUT_CONNECT, only=NOT_SENT))


async def test_a_handshake_that_is_cut_is_no_connection():
    async with ByteServer(before_request=FIN) as server:
        reply = await ask(server.url.replace("http:", "https:"))
    assert_met(reply, expect(O.CONNECT_ERROR, only=NOT_SENT))


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_155_the_environments_proxies_are_ignored(scheme, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    authority = trustme.CA()
    tls = certified(authority) if scheme == "https" else None
    with authority.cert_pem.tempfile() as file:
        async with ByteServer([stream(*GOOD)], tls=tls) as server:
            reply = await ask(server.url, host={"ca_file": file})
    assert_met(reply, expect())
