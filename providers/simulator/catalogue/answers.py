"""Faults: what a body is, where redirects lead, what clients keep (141 to 158)."""

import gzip
import zlib

from providers.simulator.catalogue.fault import Fault
from providers.simulator.catalogue.words import (
    ANSWER,
    DONE,
    GOOD,
    LAST,
    chunked,
    encoded,
    event,
    head,
    replying,
    said,
    streaming,
)
from providers.simulator.player import Play, Repeat, Send

SSE = "text/event-stream"
BODY = b"".join(GOOD)
MOVED = {"301": "Moved Permanently", "302": "Found", "303": "See Other",
         "307": "Temporary Redirect", "308": "Permanent Redirect"}  # fmt: skip


def _bomb() -> Play:
    """Return a comment line of 1 GB that comes in 1 MB a kilobyte.

    After a full flush a packed block stands for itself, so that one may be repeated.
    """
    packer = zlib.compressobj(wbits=31)
    start = packer.compress(b": ") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"x" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    opening = head("200 OK", SSE, "Content-Encoding: gzip") + chunked(start)
    return (Send(opening), Repeat(chunked(block), times=1_024))


def _packed(coding: str, body: bytes) -> Play:
    return replying(body, "200 OK", SSE, f"Content-Encoding: {coding}")


def _moved(status: str, *fields: str) -> Play:
    return replying(b"", f"{status} {MOVED[status]}", "text/plain", *fields)


FAULTS: tuple[Fault, ...] = (
    Fault(
        number=141,
        slug="endless_tokens",
        title="tokens without end",
        play=(Send(head()), Repeat(chunked(*[said("a")] * 200))),
        outcome="limit_exceeded",
    ),
    Fault(
        number=142,
        slug="endless_events",
        title="tiny events without end and without a token, as fast as they go",
        play=(Send(head()), Repeat(chunked(*[event({"choices": []})] * 200))),
        outcome="limit_exceeded",
    ),
    Fault(
        number=143,
        slug="compressed",
        title="a compressed stream though plain bytes were asked for",
        variants={
            "gzip": _packed("gzip", gzip.compress(BODY)),
            "deflate": _packed("deflate", zlib.compress(BODY)),
            "br": _packed("br", b"\xff" * 9),
            "zstd": _packed("zstd", b"\xff" * 9),
        },
        outcome="ok: compressed / protocol_error",
        seen="graphql-hive/gateway#2259, terrapod#71",
    ),
    Fault(
        number=144,
        slug="compressed_cut",
        title="a compressed stream that is cut, in a body of the right length",
        play=_packed("gzip", gzip.compress(BODY)[:-40]),
        outcome="truncated: bad_event, compressed, unended_event",
    ),
    Fault(
        number=145,
        slug="gzip_bomb",
        title="1 MB that unpacks to 1 GB",
        play=_bomb(),
        outcome="limit_exceeded: comments_seen, compressed",
    ),
    Fault(
        number=146,
        slug="type_json",
        title="a stream under the type application/json",
        play=replying(BODY),
        outcome="ok: content_type_mismatch",
        seen="mnfst/llm-gateway#2716",
    ),
    Fault(
        number=147,
        slug="not_streamed",
        title="one JSON answer where a stream was asked for",
        play=replying(encoded(ANSWER)),
        outcome="ok: nonstream_answer",
    ),
    Fault(
        number=148,
        slug="streamed",
        title="a stream where none was asked for, or the end of one after an answer",
        variants={
            "stream": streaming(*GOOD),
            "end": replying(encoded(ANSWER) + b"\n\n" + DONE),
        },
        outcome="ok: stream_answer",
        seen="decolua/9router#3492",
    ),
    Fault(
        number=149,
        slug="redirect",
        title="a redirect to the same host",
        variants={
            status: _moved(status, "Location: /v2/chat/completions") for status in MOVED
        },
        outcome="redirect_refused",
    ),
    Fault(
        number=150,
        slug="redirect_away",
        title="a redirect to another host, with a key in its query",
        play=_moved("307", "Location: https://api.example.com/v1?key=sk-redirected"),
        outcome="redirect_refused",
    ),
    Fault(
        number=151,
        slug="redirect_down",
        title="a redirect from https to http (use https://)",
        play=_moved("308", "Location: http://127.0.0.1/v1/chat/completions"),
        outcome="redirect_refused",
    ),
    Fault(
        number=152,
        slug="redirect_loop",
        title="a redirect to the same address",
        play=_moved("307", "Location: /v1/chat/completions"),
        outcome="redirect_refused",
    ),
    Fault(
        number=153,
        slug="redirect_nowhere",
        title="a redirect without a Location",
        play=_moved("302"),
        outcome="redirect_refused",
    ),
    Fault(
        number=154,
        slug="cookie",
        title="a cookie that ties a client to one machine",
        play=(
            Send(head("200 OK", SSE, "Set-Cookie: route=7") + chunked(*GOOD) + LAST),
        ),
        outcome="ok",
    ),
    Fault(
        number=155,
        slug="proxy_variable",
        title="HTTP_PROXY is set where the client runs",
        outcome="ok",
        why_not="it is the client's environment",
    ),
    Fault(
        number=156,
        slug="client_queue",
        title="requests queue in the client's own pool of connections",
        outcome="ok",
        why_not="it is the client's pool",
    ),
    Fault(
        number=157,
        slug="open_files",
        title="the client has no file descriptor left",
        outcome="client_error",
        why_not="it is the client's limit",
    ),
    Fault(
        number=158,
        slug="ports_used_up",
        title="the client has no free port left",
        outcome="client_error",
        why_not="it is the client's limit",
    ),
)
