"""Faults: how a stream's lines and events are framed (1 to 16)."""

import json
from collections.abc import Iterator

from providers.simulator.catalogue.fault import Fault
from providers.simulator.catalogue.words import (
    DONE,
    GOOD,
    chunked,
    head,
    paced,
    said,
    streaming,
)
from providers.simulator.player import Repeat, Send

WHOLE = b"".join(GOOD)
BOM = b"\xef\xbb\xbf"
PING = b": ping\n\n"


def ended(line_end: bytes) -> bytes:
    """Return the good answer with its lines ended in that way."""
    return WHOLE.replace(b"\n", line_end)


def mixed() -> bytes:
    """Return the good answer with line ends of all kinds in turn."""
    ends = (b"\n", b"\r\n", b"\r") * 2
    parts = zip(GOOD, ends, strict=True)
    return b"".join(each.replace(b"\n", end) for each, end in parts)


def cut_after(mark: bytes, data: bytes) -> Iterator[bytes]:
    """Yield bytes in pieces, each but the last ending with the mark."""
    *pieces, rest = data.split(mark)
    yield from (piece + mark for piece in pieces)
    if rest:
        yield rest


def many_lines() -> list[bytes]:
    """Return the good answer with the JSON of each event over several data lines."""
    values = [json.loads(each[6:]) for each in GOOD[:-1]]
    texts = [json.dumps(value, indent=1).encode() for value in values]
    return [b"data: " + text.replace(b"\n", b"\ndata: ") + b"\n\n" for text in texts]


FAULTS: tuple[Fault, ...] = (
    Fault(
        number=1,
        slug="crlf",
        title="lines end with CRLF",
        play=streaming(ended(b"\r\n")),
        outcome="ok: crlf",
        seen="xuan#194, Continuum/OrcaRouter-Lite#98, envoyproxy/ai-gateway#2463, "
        "hey-api#3054",
    ),
    Fault(
        number=2,
        slug="bare_cr",
        title="lines end with a bare CR",
        variants={
            "at_once": streaming(ended(b"\r")),
            "paced": paced(*cut_after(b"\r\r", ended(b"\r")), seconds=0.01),
        },
        outcome="ok: bare_cr",
        seen="EdamAme-x/pentect#1438, inference-perf#781",
    ),
    Fault(
        number=3,
        slug="split_crlf",
        title="the CR and the LF of a line end come in two reads",
        play=paced(*cut_after(b"\r", ended(b"\r\n"))),
        outcome="ok: crlf",
        seen="inference-perf#781",
    ),
    Fault(
        number=4,
        slug="mixed_line_ends",
        title="LF, CRLF and CR end the lines of one stream",
        play=streaming(mixed()),
        outcome="ok: bare_cr, crlf",
    ),
    Fault(
        number=5,
        slug="no_space",
        title="no space behind `data:`",
        play=streaming(WHOLE.replace(b"data: ", b"data:")),
        outcome="ok",
        seen="openai-python#559, freellmapi#1087, nullclaw#509, term-llm#487",
    ),
    Fault(
        number=6,
        slug="two_spaces",
        title="two spaces behind `data:`",
        play=streaming(WHOLE.replace(b"data: ", b"data:  ")),
        outcome="ok",
    ),
    Fault(
        number=7,
        slug="bom",
        title="a byte order mark before the first event",
        play=streaming(BOM + WHOLE),
        outcome="ok: bom",
        seen="elasticsearch#154632",
    ),
    Fault(
        number=8,
        slug="late_bom",
        title="a byte order mark later in the stream",
        variants={
            "line": streaming(*GOOD[:3], BOM + said("lost"), *GOOD[3:]),
            "data": streaming(
                *GOOD[:3], said("lost").replace(b"{", BOM + b"{", 1), *GOOD[3:]
            ),
        },
        outcome="ok: bad_event",
    ),
    Fault(
        number=9,
        slug="several_data_lines",
        title="one JSON over several `data:` lines",
        play=streaming(*many_lines(), DONE),
        outcome="ok",
        seen="term-llm#454",
    ),
    Fault(
        number=10,
        slug="comments",
        title="comments between the events, or nothing but them",
        variants={
            "between": paced(
                b": OPENROUTER PROCESSING\n\n",
                *GOOD[:2],
                PING,
                b":\n\n",
                *GOOD[2:],
                seconds=0.01,
            ),
            "for_ever": (
                Send(head() + chunked(*GOOD[:3])),
                Repeat(chunked(PING), 0.02),
            ),
        },
        outcome="ok: comments_seen / timeout_token_gap: comments_seen",
        seen="mnfst/llm-gateway#2053, coder#28185, jundot/omlx#839",
    ),
    Fault(
        number=11,
        slug="comment_and_blank",
        title="a blank line behind a comment, which ends no event",
        play=streaming(GOOD[0], b": wait\n\n\n\n", *GOOD[1:]),
        outcome="ok: comments_seen",
        seen="openai-python#2722, theopenco/llmgateway#2334",
    ),
    Fault(
        number=12,
        slug="empty_data",
        title="data events without data, as heartbeats",
        variants={
            "between": streaming(
                GOOD[0], b"data:\n\n", b"data: \n\n", b"data\n\n", *GOOD[1:]
            ),
            "for_ever": (
                Send(head() + chunked(*GOOD[:3])),
                Repeat(chunked(b"data:\n\n"), 0.02),
            ),
        },
        outcome="ok: comments_seen / timeout_token_gap: comments_seen",
        seen="wave-agent#1326, copilot-api#88",
    ),
    Fault(
        number=13,
        slug="comment_in_data",
        title="a comment that a proxy wrapped as data",
        variants={
            "beside": streaming(b"data: : OPENROUTER PROCESSING\n\n", *GOOD),
            "alone": streaming(b"data: : OPENROUTER PROCESSING\n\n", DONE),
        },
        outcome="ok: bad_event / protocol_error: bad_event",
        seen="mnfst/llm-gateway#2053",
    ),
    Fault(
        number=14,
        slug="named_pings",
        title="`event: ping` without data",
        play=streaming(
            b"event: ping\n\n", *GOOD[:2], b"event: keepalive\n\n", *GOOD[2:]
        ),
        outcome="ok",
        seen="OmniRoute#1146",
    ),
    Fault(
        number=15,
        slug="event_error",
        title="an event named error",
        variants={
            "first": streaming(b'event: error\ndata: {"message": "boom"}\n\n'),
            "midway": streaming(
                *GOOD[:3], b'event: error\ndata: {"message": "boom"}\n\n'
            ),
            "text": streaming(*GOOD[:3], b"event: error\ndata: boom\n\n", *GOOD[3:]),
            "bare": streaming(*GOOD[:3], b"event: error\n\n", *GOOD[3:]),
        },
        outcome="provider_error",
        seen="term-llm#454",
    ),
    Fault(
        number=16,
        slug="other_fields",
        title="fields other than data in the events",
        variants={
            "known": streaming(
                *(b"id: 7\nretry: 1000\nid\nevent:\n" + each for each in GOOD)
            ),
            "unknown": streaming(*(b"foo: bar\nnothing\n" + each for each in GOOD)),
        },
        outcome="ok / ok: bad_event",
    ),
)
