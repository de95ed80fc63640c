"""Faults: characters, sizes and formats of a stream (17 to 30)."""

import json

from providers.simulator.catalogue.fault import Fault
from providers.simulator.catalogue.framing import BOM, PING, WHOLE
from providers.simulator.catalogue.words import (
    DONE,
    GOOD,
    LAST,
    STOP,
    apart,
    chunked,
    encoded,
    head,
    paced,
    replying,
    said,
    streaming,
    used,
)
from providers.simulator.player import Repeat, Send, Stall, Wait

CLOSING = (STOP, used(), DONE)
SEPARATORS = "\u2028\u2029\x85"
LETTERS = "é中🙂"
LONG_TEXT = "x" * 700_000
N_COMMENTS = 100_000


def raw(text: str) -> bytes:
    """Return the chunk of a text whose characters are not escaped."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    value = {"id": "c1", "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


FAULTS: tuple[Fault, ...] = (
    Fault(
        number=17,
        slug="split_character",
        title="the bytes of one character come in several reads",
        play=paced(*(bytes([each]) for each in raw(LETTERS)), *GOOD[1:], seconds=0.001),
        outcome="ok",
        seen="vllm#38732, vllm#39175, ollama-js#255, omnigent#30",
    ),
    Fault(
        number=18,
        slug="invalid_utf8",
        title="bytes that are no UTF-8",
        play=streaming(
            GOOD[0], said("He?l").replace(b"?", b"\xff"), said("lo"), *CLOSING
        ),
        outcome="ok: invalid_utf8",
    ),
    Fault(
        number=19,
        slug="separators",
        title="characters in the JSON that some take for line ends",
        variants={
            "unicode": streaming(GOOD[0], raw(f"Hel{SEPARATORS}"), *GOOD[2:]),
            "escaped": streaming(GOOD[0], said("Hel\v\f\x1c"), *GOOD[2:]),
            "bare": streaming(
                *GOOD[:3], said("l?st").replace(b"?", b"\v\f"), *GOOD[3:]
            ),
        },
        outcome="ok / ok: bad_event",
        seen="httpx-sse#34, codex-lb#1010, evalscope#1642",
    ),
    Fault(
        number=20,
        slug="bytewise",
        title="one byte a read",
        play=(Send(head(length=len(WHOLE))), *apart(WHOLE)),
        outcome="ok",
    ),
    Fault(
        number=21,
        slug="one_read",
        title="all events in one read",
        play=streaming(WHOLE),
        outcome="ok",
    ),
    Fault(
        number=22,
        slug="long_line",
        title="an event of 700 kB on one line",
        play=streaming(GOOD[0], said("Hel"), said(LONG_TEXT), *CLOSING),
        outcome="ok",
        seen="microsoft/Agents-for-python#507, open-webui#24928, TensorRT-LLM#13952, "
        "aiohttp-sse-client#11",
    ),
    Fault(
        number=23,
        slug="endless_line",
        title="a line that never ends",
        play=(
            Send(head() + chunked(*GOOD[:3], b"data: ")),
            Repeat(chunked(b"x" * 65_536)),
        ),
        outcome="limit_exceeded: bad_event, unended_event",
    ),
    Fault(
        number=24,
        slug="unended_event",
        title="the stream ends within an event",
        variants={
            "done": streaming(*GOOD[:-1], DONE[:-2]),
            "usage": streaming(*GOOD[:-2], GOOD[-2][:-2]),
            "text": streaming(*GOOD[:2], GOOD[2][:-2]),
            "torn": streaming(*GOOD[:4], GOOD[4][:-9]),
        },
        outcome="ok: unended_event / ok: no_done, unended_event / "
        "truncated: unended_event / truncated: bad_event, unended_event",
    ),
    Fault(
        number=25,
        slug="control_bytes",
        title="NUL and other control bytes between the events",
        play=streaming(*GOOD[:2], b"\0\0\n\n", b"\x01\x02\n\n", *GOOD[2:]),
        outcome="ok: bad_event",
    ),
    Fault(
        number=26,
        slug="ndjson",
        title="lines of bare JSON in place of events",
        variants={
            "chunks": replying(
                b"".join(each[6:-1] for each in GOOD[:-1]), kind="application/x-ndjson"
            ),
            "objects": replying(
                b"".join(
                    encoded({"model": "m", "message": {"content": text}}) + b"\n"
                    for text in ("Hel", "lo")
                ),
                kind="application/x-ndjson",
            ),
        },
        outcome="ok: content_type_mismatch, no_done / wrong_answer_type",
        seen="ollama#294",
    ),
    Fault(
        number=27,
        slug="json_array",
        title="one JSON array as the stream",
        play=replying(b"[" + b",\n".join(each[6:-2] for each in GOOD[:-1]) + b"]\n"),
        outcome="wrong_answer_type",
    ),
    Fault(
        number=28,
        slug="stray_lines",
        title="lines of text or HTML in the stream",
        variants={
            "beside": streaming(*GOOD[:2], b"<hr>oops</hr>\n", *GOOD[2:]),
            "alone": streaming(b"upstream connect error\n", b"<hr>\n"),
        },
        outcome="ok: bad_event / wrong_answer_type: bad_event",
        seen="OmniRoute#4937",
    ),
    Fault(
        number=29,
        slug="bom_crlf_comments",
        title="a byte order mark, CRLF and comments together",
        play=streaming(BOM + (PING + WHOLE).replace(b"\n", b"\r\n")),
        outcome="ok: bom, comments_seen, crlf",
    ),
    Fault(
        number=30,
        slug="comment_flood",
        title="100,000 comments before the first event",
        variants={
            "silence": (
                Send(head() + chunked(b"".join([PING] * N_COMMENTS))),
                Stall(),
            ),
            "answer": (
                Send(head() + chunked(b"".join([PING] * N_COMMENTS))),
                Wait(0.01),
                Send(chunked(*GOOD) + LAST),
            ),
        },
        outcome="timeout_first_token: comments_seen / ok: comments_seen",
    ),
)
