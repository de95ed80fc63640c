"""Faults: how a stream ends (31 to 43)."""

from providers.simulator.catalogue.fault import Fault
from providers.simulator.catalogue.words import (
    DONE,
    GOOD,
    ROLE,
    STOP,
    TEXT,
    chunked,
    event,
    head,
    said,
    streaming,
    used,
)
from providers.simulator.player import Send, Stall

BOOM = {"message": "boom"}


def ending(reason: str, **fields: str) -> bytes:
    """Return the chunk of a finish reason; `fields` stand beside it."""
    choice = {"index": 0, "delta": {}, "finish_reason": reason, **fields}
    return event({"id": "c1", "model": "m", "choices": [choice]})


FAULTS: tuple[Fault, ...] = (
    Fault(
        number=31,
        slug="no_done",
        title="a finish reason, and no [DONE]",
        play=streaming(*GOOD[:-1]),
        outcome="ok: no_done",
        seen="theopenco/llmgateway#1901",
    ),
    Fault(
        number=32,
        slug="no_finish_reason",
        title="[DONE], and no finish reason",
        play=streaming(ROLE, *TEXT, used(), DONE),
        outcome="ok: no_finish_reason",
        seen="can1357/oh-my-pi#9433",
    ),
    Fault(
        number=33,
        slug="no_end",
        title="neither a finish reason nor [DONE], and the connection ends in order",
        variants={
            "bare": streaming(ROLE, *TEXT),
            "usage": streaming(ROLE, *TEXT, used()),
        },
        outcome="truncated",
        seen="TensorRT-LLM#18289, litellm#42140, openclaw#108989, agent-afk#635",
    ),
    Fault(
        number=34,
        slug="done_twice",
        title="[DONE] twice",
        play=streaming(*GOOD, DONE),
        outcome="ok: done_twice",
        seen="OmniRoute#4937",
    ),
    Fault(
        number=35,
        slug="data_after_done",
        title="a chunk or an error behind [DONE]",
        variants={
            "text": streaming(*GOOD, said("late")),
            "error": streaming(*GOOD, event({"error": BOOM})),
        },
        outcome="ok: data_after_done / ok: data_after_done, late_error",
    ),
    Fault(
        number=36,
        slug="done_spelled",
        title="[DONE] with other spaces, or in lower case, which is data",
        variants={
            "spaces": streaming(*GOOD[:-1], b"data:  [DONE]  \n\n"),
            "no_space": streaming(*GOOD[:-1], b"data:[DONE]\n\n"),
            "lower": streaming(*GOOD[:-1], b"data: [done]\n\n"),
        },
        outcome="ok / ok: bad_event, no_done",
    ),
    Fault(
        number=37,
        slug="open_after_done",
        title="the response stays open behind [DONE]",
        play=(Send(head() + chunked(*GOOD)), Stall()),
        outcome="ok",
    ),
    Fault(
        number=38,
        slug="more_after_finish",
        title="a second finish reason, or text behind the first",
        variants={
            "finish": streaming(ROLE, *TEXT, STOP, ending("length"), used(), DONE),
            "text": streaming(ROLE, TEXT[0], STOP, TEXT[1], used(), DONE),
        },
        outcome="ok: finish_twice / ok: content_after_finish",
    ),
    Fault(
        number=39,
        slug="unknown_finish",
        title="a finish reason that nobody documents",
        play=streaming(ROLE, *TEXT, ending("tired"), used(), DONE),
        outcome="ok: unknown_finish_reason",
        seen="opencode-copilot-chat#170",
    ),
    Fault(
        number=40,
        slug="finish_error",
        title="a finish reason that says error",
        variants={
            "error": streaming(ROLE, *TEXT, ending("error"), DONE),
            "network": streaming(ROLE, *TEXT, ending("network_error"), DONE),
            "native": streaming(
                ROLE, *TEXT, ending("stop", native_finish_reason="network_error"), DONE
            ),
        },
        outcome="provider_error",
        seen="hax#15, local-operator#223",
    ),
    Fault(
        number=41,
        slug="short_length",
        title="finish reason `length` with fewer tokens than were allowed",
        play=streaming(ROLE, *TEXT, ending("length"), used(), DONE),
        outcome="ok: short_length",
    ),
    Fault(
        number=42,
        slug="filtered",
        title="finish reason `content_filter`, with nothing or something said",
        variants={
            "nothing": streaming(ROLE, ending("content_filter"), used(5, 0), DONE),
            "something": streaming(ROLE, *TEXT, ending("content_filter"), used(), DONE),
        },
        outcome="content_filter / ok: filtered",
        seen="keep#6705",
    ),
    Fault(
        number=43,
        slug="stop_after_failure",
        title="finish reason `stop` on an answer that broke off: no client can see it, "
        "but a check of the answer can",
        play=streaming(ROLE, TEXT[0], said("l"), STOP, used(), DONE),
        outcome="ok",
        seen="ohdearquant/lattice#933",
    ),
)
