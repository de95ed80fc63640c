"""Faults: usage and price (102 to 119)."""

from typing import Any

from providers.simulator.catalogue.fault import Fault
from providers.simulator.catalogue.words import (
    DONE,
    ROLE,
    STOP,
    TEXT,
    chunk,
    event,
    streaming,
    used,
)
from providers.simulator.player import Play


def _counted(*usages: bytes) -> Play:
    """Return a good answer that ends with these usages."""
    return streaming(ROLE, *TEXT, STOP, *usages, DONE)


def _said(text: str, usage: dict[str, Any] | None) -> bytes:
    return chunk({"content": text}, usage=usage)


def _counts(prompt: int, completion: int) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion}


FAULTS: tuple[Fault, ...] = (
    Fault(
        number=102,
        slug="no_usage",
        title="no usage",
        play=_counted(),
        outcome="ok: usage_missing",
    ),
    Fault(
        number=103,
        slug="usage_null",
        title="usage null in every chunk but the last",
        play=streaming(
            _said("Hel", None),
            _said("lo", None),
            chunk(finish="stop", usage=None),
            used(),
            DONE,
        ),
        outcome="ok",
    ),
    Fault(
        number=104,
        slug="usage_twice",
        title="the same usage twice",
        play=_counted(used(), used()),
        outcome="ok: usage_twice",
    ),
    Fault(
        number=105,
        slug="usage_cumulative",
        title="usage in every chunk, growing",
        play=streaming(
            ROLE, _said("Hel", _counts(5, 1)), _said("lo", _counts(5, 2)), STOP, DONE
        ),
        outcome="ok: usage_cumulative",
        seen="pydantic-ai#4056, ogx#5122",
    ),
    Fault(
        number=106,
        slug="usage_split",
        title="prompt tokens in the first chunk, completion tokens in the last",
        play=streaming(
            chunk({"role": "assistant"}, usage={"prompt_tokens": 5}),
            *TEXT,
            STOP,
            event({"id": "c1", "choices": [], "usage": {"completion_tokens": 2}}),
            DONE,
        ),
        outcome="ok",
        seen="tensorzero#5481",
    ),
    Fault(
        number=107,
        slug="usage_decreasing",
        title="usage that shrinks",
        play=_counted(used(5, 9), used(5, 2)),
        outcome="ok: usage_decreasing",
    ),
    Fault(
        number=108,
        slug="usage_early",
        title="usage before the last text",
        play=streaming(ROLE, TEXT[0], used(), TEXT[1], STOP, DONE),
        outcome="ok",
    ),
    Fault(
        number=109,
        slug="zero_for_text",
        title="0 completion tokens for an answer with text",
        play=_counted(used(5, 0)),
        outcome="ok: usage_implausible",
    ),
    Fault(
        number=110,
        slug="tokens_for_nothing",
        title="completion tokens for an answer without text",
        variants={
            "unnamed": streaming(ROLE, STOP, used(5, 50), DONE),
            "reasoning": streaming(
                ROLE,
                STOP,
                used(5, 50, completion_tokens_details={"reasoning_tokens": 50}),
                DONE,
            ),
        },
        outcome="empty: usage_mismatch / reasoning_only",
    ),
    Fault(
        number=111,
        slug="count_negative",
        title="a negative count",
        play=_counted(used(5, -2)),
        outcome="ok: usage_implausible",
    ),
    Fault(
        number=112,
        slug="count_huge",
        title="a count of 10 to the 18th",
        play=_counted(used(5, 10**18)),
        outcome="ok: usage_implausible",
    ),
    Fault(
        number=113,
        slug="count_float",
        title="a count written 2.0",
        play=_counted(used(5, 2.0)),
        outcome="ok",
    ),
    Fault(
        number=114,
        slug="count_text",
        title="counts written as text",
        play=_counted(
            event(
                {
                    "id": "c1",
                    "choices": [],
                    "usage": {"prompt_tokens": "5", "completion_tokens": "2"},
                }
            )
        ),
        outcome="ok",
    ),
    Fault(
        number=115,
        slug="total_differs",
        title="a total that is not the sum of its parts",
        play=_counted(used(total_tokens=99)),
        outcome="ok: usage_mismatch",
    ),
    Fault(
        number=116,
        slug="reasoning_exceeds",
        title="more reasoning tokens than completion tokens",
        play=_counted(used(completion_tokens_details={"reasoning_tokens": 9})),
        outcome="ok: usage_mismatch",
    ),
    Fault(
        number=117,
        slug="cached_exceeds",
        title="more cached tokens than prompt tokens",
        play=_counted(used(prompt_tokens_details={"cached_tokens": 9})),
        outcome="ok: usage_mismatch",
    ),
    Fault(
        number=118,
        slug="cost_odd",
        title="a cost that is missing, text, NaN, negative or 0",
        variants={
            "missing": _counted(used()),
            "text": _counted(used(cost="free")),
            "nan": _counted(used(cost=float("nan"))),
            "negative": _counted(used(cost=-0.5)),
            "zero": _counted(used(cost=0)),
        },
        outcome="ok: cost_missing / ok: cost_implausible, cost_missing"
        " / ok: bad_event, cost_missing, usage_missing / ok: cost_implausible / ok",
    ),
    Fault(
        number=119,
        slug="prices_change",
        title="the price list changes during a run",
        outcome="as it was",
        why_not="it is the client's price list",
    ),
)
