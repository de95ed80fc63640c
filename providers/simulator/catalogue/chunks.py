"""Faults: what a chunk may look like (68 to 82)."""

from typing import Any

from providers.simulator.catalogue.fault import Fault
from providers.simulator.catalogue.words import (
    DONE,
    GOOD,
    ROLE,
    STOP,
    TEXT,
    chunk,
    event,
    paced,
    said,
    streaming,
    used,
)
from providers.simulator.player import Play

CLOSING = (STOP, used(), DONE)


def beside(*chunks: bytes) -> Play:
    """Return the script of a good answer with these events before and in its text."""
    return streaming(*chunks, *GOOD[:2], *chunks, *GOOD[2:])


def choosing(**choice: Any) -> bytes:
    """Return the chunk of a choice with these fields alone."""
    return event({"id": "c1", "model": "m", "choices": [choice]})


def thinking(**fields: Any) -> Play:
    """Return the script of an answer that begins with reasoning in these fields."""
    return paced(ROLE, chunk(fields), *TEXT, STOP, used(5, 3), DONE, seconds=0.01)


def calling(*calls: dict[str, Any]) -> Play:
    """Return the script of an answer that is tool calls, one piece a chunk."""
    pieces = [chunk({"tool_calls": [call]}) for call in calls]
    return streaming(ROLE, *pieces, chunk(finish="tool_calls"), used(5, 9), DONE)


def part(arguments: str, name: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return a piece of a tool call; `fields` are its index, its id, or neither."""
    named = {"name": name} if name else {}
    return {**fields, "function": {**named, "arguments": arguments}}


FAULTS: tuple[Fault, ...] = (
    Fault(
        number=68,
        slug="choices_null",
        title="`choices` is null",
        play=beside(event({"id": "c1", "model": "m", "choices": None})),
        outcome="ok",
        seen="pydantic-ai#5170, hindsight#1368",
    ),
    Fault(
        number=69,
        slug="choices_empty",
        title="`choices` is empty: usage alone, or what a filter found in the prompt",
        play=beside(
            event({"id": "", "model": "", "choices": [], "prompt_filter_results": []})
        ),
        outcome="ok",
        seen="awslabs/llmeter#34, pixeltable#1234, litellm#32519",
    ),
    Fault(
        number=70,
        slug="choices_missing",
        title="`choices` is not there",
        play=beside(event({"id": "c1", "model": "m"})),
        outcome="ok",
    ),
    Fault(
        number=71,
        slug="delta_null",
        title="`delta` is null or not there",
        variants={
            "null": beside(choosing(index=0, delta=None, finish_reason=None)),
            "missing": beside(choosing(index=0, finish_reason=None)),
        },
        outcome="ok",
        seen="agent-framework#5734, qwen-code#1448, autogen#7711",
    ),
    Fault(
        number=72,
        slug="no_object",
        title="a chunk is null, a number or a list",
        variants={
            "null": beside(event(None)),
            "number": beside(event(5)),
            "list": beside(event([])),
        },
        outcome="ok: bad_event",
        seen="earendil-works/pi#2466",
    ),
    Fault(
        number=73,
        slug="tool_calls_null",
        title="`tool_calls` is null in every delta",
        play=streaming(
            *(
                chunk({"role": "assistant", "content": text, "tool_calls": None})
                for text in ("", "Hel", "lo")
            ),
            *CLOSING,
        ),
        outcome="ok",
        seen="guidellm#752, tool-eval-bench#11, tool-eval-bench#12",
    ),
    Fault(
        number=74,
        slug="no_text",
        title="`content` is null, empty or not there",
        variants={
            "null": beside(chunk({"content": None})),
            "empty": beside(said("")),
            "missing": beside(chunk({"role": "assistant"})),
        },
        outcome="ok",
        seen="aisix#869",
    ),
    Fault(
        number=75,
        slug="content_parts",
        title="`content` is a list of parts",
        play=streaming(
            ROLE,
            chunk({"content": [{"type": "text", "text": "Hel"}]}),
            chunk({"content": [{"type": "text", "text": t} for t in "lo"]}),
            *CLOSING,
        ),
        outcome="ok",
    ),
    Fault(
        number=76,
        slug="content_number",
        title="`content` is a number",
        play=beside(chunk({"content": 5})),
        outcome="ok: bad_event",
    ),
    Fault(
        number=77,
        slug="role_first",
        title="a first chunk that only says who speaks",
        play=paced(*GOOD, seconds=0.01),
        outcome="ok",
        seen="vllm#3768",
    ),
    Fault(
        number=78,
        slug="reasoning",
        title="reasoning before the answer, under any of its names",
        variants={
            "reasoning": thinking(reasoning="hm"),
            "content": thinking(reasoning_content="hm", content=None),
            "details": thinking(
                content="", reasoning_details=[{"type": "reasoning.text", "text": "hm"}]
            ),
            "twice": thinking(reasoning="hm", reasoning_details=[{"text": "hm"}]),
        },
        outcome="ok",
        seen="guidellm#737",
    ),
    Fault(
        number=79,
        slug="think_tags",
        title="reasoning between tags in the content",
        play=streaming(ROLE, said("<think>hm</think>"), *TEXT, *CLOSING),
        outcome="ok",
    ),
    Fault(
        number=80,
        slug="refusal",
        title="a refusal in place of content",
        play=streaming(
            ROLE, *(chunk({"refusal": text}) for text in ("I ", "must not")), *CLOSING
        ),
        outcome="ok",
    ),
    Fault(
        number=81,
        slug="tool_no_index",
        title="pieces of tool calls without an index",
        variants={
            "id": calling(
                part("", "f", id="a"),
                part("", "g", id="b"),
                part('{"x":', id="a"),
                part("{}", id="b"),
                part("1}", id="a"),
            ),
            "last": calling(
                part("", "f", id="a"),
                part('{"x":'),
                part("1}"),
                part("{}", "g", id="b"),
            ),
        },
        outcome="ok",
        seen="openai-python#2806, openai-python#3246, openai-python#3410, AstrBot#6692",
    ),
    Fault(
        number=82,
        slug="tool_no_id",
        title="pieces of tool calls without an id",
        play=calling(
            part('{"x":', "f", index=0), part("1}", index=0), part("{}", "g", index=1)
        ),
        outcome="ok",
        seen="continue#13235",
    ),
)
