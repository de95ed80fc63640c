"""Faults: the connection and HTTP's framing (120 to 140)."""

from providers.simulator.catalogue.fault import Fault
from providers.simulator.catalogue.words import (
    GOOD,
    LAST,
    chunked,
    head,
    said,
    streaming,
    whole,
)
from providers.simulator.player import (
    Fin,
    NextRequest,
    Play,
    Repeat,
    Rst,
    Send,
    Stall,
    Wait,
)

SSE = "text/event-stream"
BODY = b"".join(GOOD)
BEGUN = head() + chunked(*GOOD[:2])
TORN = b'40\r\ndata: {"id"'
"""The start of a chunk that never ends, and in it of an event."""

TICK_S = 0.01
SLOW_S = 0.02

TLS_ALERT = bytes.fromhex("15 03 03 0002 02 46")
"""A fatal alert: the protocol version is not supported (RFC 8446, section 6)."""

HTTP2_ONLY = bytes.fromhex(
    "000006 04 00 00000000 0003 00000064"  # SETTINGS: 100 concurrent streams
    "000008 07 00 00000000 00000000 00000001"  # GOAWAY: protocol error
)
"""How a server of HTTP/2 answers words of HTTP/1.1 (RFC 9113, section 3.4)."""


def _fields(*fields: str) -> Play:
    """Return a good stream whose head has more fields."""
    return (Send(head("200 OK", SSE, *fields) + chunked(*GOOD) + LAST),)


FAULTS: tuple[Fault, ...] = (
    Fault(
        number=120,
        slug="name_unknown",
        title="the name is unknown, or its resolver fails or hangs",
        outcome="dns_error",
        why_not="a name is asked of a resolver, not of a host",
    ),
    Fault(
        number=121,
        slug="address_dead",
        title="of a name's two addresses one is dead",
        outcome="ok",
        why_not="a name is asked of a resolver, not of a host",
    ),
    Fault(
        number=122,
        slug="refused",
        title="nobody listens",
        outcome="connect_error",
        why_not="take a port on which nothing is served",
    ),
    Fault(
        number=123,
        slug="connect_unanswered",
        title="the attempt to connect is never answered",
        outcome="timeout_connect",
        why_not="the kernel answers it before a program is asked",
    ),
    Fault(
        number=124,
        slug="certificate",
        title="a certificate that is expired, of another host, self-signed or of"
        " an unknown authority",
        outcome="tls_error",
        why_not="it needs a certificate made for it",
    ),
    Fault(
        number=125,
        slug="handshake_stalls",
        title="the TLS handshake is never answered (use https://)",
        play=(Stall(),),
        at_connect=True,
        outcome="timeout_connect",
    ),
    Fault(
        number=126,
        slug="not_tls",
        title="HTTP where TLS is spoken (use https://), or TLS where HTTP is",
        variants={
            "http": (Send(whole(b"no", "400 Bad Request", "text/plain")), Stall()),
            "tls": (NextRequest(), Send(TLS_ALERT), Fin()),
        },
        at_connect=True,
        outcome="protocol_error",
    ),
    Fault(
        number=127,
        slug="http2_only",
        title="only HTTP/2 is spoken",
        play=(Send(HTTP2_ONLY), Fin()),
        outcome="protocol_error",
    ),
    Fault(
        number=128,
        slug="disconnect",
        title="the connection ends before an answer: a fresh one, or one used again",
        variants={
            "fresh": (Fin(),),
            "reused": (*streaming(*GOOD), NextRequest(), Fin()),
        },
        outcome="disconnected / disconnected: conn_reused",
    ),
    Fault(
        number=129,
        slug="reset",
        title="the connection is reset within a chunk",
        play=(Send(BEGUN + TORN), Wait(TICK_S), Rst()),
        outcome="truncated: bad_event, unended_event",
    ),
    Fault(
        number=130,
        slug="cut",
        title="the connection ends within a chunk",
        play=(Send(BEGUN + TORN), Fin()),
        outcome="truncated: bad_event, unended_event",
    ),
    Fault(
        number=131,
        slug="length_short",
        title="the body is shorter than its Content-Length",
        play=(Send(head(length=9_999) + b"".join(GOOD[:3])), Fin()),
        outcome="truncated",
    ),
    Fault(
        number=132,
        slug="cut_in_silence",
        title="a body that only the connection's end ends is cut",
        play=(Send(head(close=True) + b"".join(GOOD[:3])), Fin()),
        outcome="truncated",
    ),
    Fault(
        number=133,
        slug="broken_http",
        title="a chunk size that is none or wrong, two lengths, or no HTTP at all",
        variants={
            "size": (Send(BEGUN), Wait(TICK_S), Send(b"zz\r\nhello\r\n")),
            "overrun": (Send(BEGUN), Wait(TICK_S), Send(b"3\r\n\n\n\nmore\r\n")),
            "two_lengths": (
                Send(head("200 OK", SSE, "Transfer-Encoding: chunked", length=9)),
            ),
            "negative_length": (Send(head(length=-5)),),
            "no_http": (Send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),),
        },
        outcome="protocol_error",
    ),
    Fault(
        number=134,
        slug="header_long",
        title="a header of 20 KB, or of 99",
        variants={
            "20kb": _fields("X: " + "x" * 20_000),
            "99kb": _fields("X: " + "x" * 99_000),
        },
        outcome="ok / protocol_error",
    ),
    Fault(
        number=135,
        slug="header_many",
        title="200 headers",
        play=_fields(*(f"X-{n}: x" for n in range(200))),
        outcome="protocol_error",
    ),
    Fault(
        number=136,
        slug="header_odd",
        title="a folded header, two types, or two lengths",
        variants={
            "folded": _fields("X: one\r\n  two"),
            "two_types": _fields("Content-Type: text/html"),
            "two_lengths": (Send(head("200 OK", SSE, "Content-Length: 5", length=9)),),
        },
        outcome="ok / protocol_error",
    ),
    Fault(
        number=137,
        slug="headers_slow",
        title="a head that goes on and on, a field at a time",
        play=(Send(b"HTTP/1.1 200 OK\r\n"), Repeat(b"X: y\r\n", SLOW_S)),
        outcome="timeout_headers",
    ),
    Fault(
        number=138,
        slug="body_slow",
        title="a body a byte at a time, or a token, for ever",
        variants={
            "bytes": (Send(BEGUN), Repeat(chunked(b"d"), SLOW_S)),
            "tokens": (Send(head()), Repeat(chunked(said("a")), SLOW_S)),
        },
        outcome="timeout_token_gap: bad_event / timeout_total",
    ),
    Fault(
        number=139,
        slug="keepalives",
        title="comments that keep a connection alive, and nothing else",
        play=(Send(head()), Repeat(chunked(b": ping\n\n"), SLOW_S)),
        outcome="timeout_first_token: comments_seen",
    ),
    Fault(
        number=140,
        slug="stall",
        title="silence after some tokens, for good or for a while",
        variants={
            "for_good": (Send(BEGUN), Stall()),
            "resumed": (
                Send(BEGUN),
                Wait(10 * TICK_S),
                Send(chunked(*GOOD[2:]) + LAST),
            ),
        },
        outcome="timeout_token_gap / ok",
        seen="qwen-code#5143, MoonshotAI/kimi-code#1799, earendil-works/pi#3352",
    ),
)
