"""Faults: what chunks may carry (83 to 101)."""

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

CALLED = chunk(finish="tool_calls")
NEST = 100_000
HOSTILE = "\x00\x1b[31m\r\u202e<b>"


def _call(index: int, id_: str | None, name: str | None, arguments: Any) -> bytes:
    """Return the chunk of a piece of a tool call; None leaves a key out."""
    function = {"name": name, "arguments": arguments}
    call = {"index": index, "id": id_} if id_ else {"index": index}
    known = {key: value for key, value in function.items() if value is not None}
    return chunk({"tool_calls": [{**call, "function": known}]})


def _choice(index: int, text: str, finish: str | None = None) -> bytes:
    """Return the chunk of one of several choices."""
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return event({"id": "c1", "model": "m", "choices": [choice]})


def _among(data: bytes) -> tuple[bytes, ...]:
    """Return a good stream with some data as one event more."""
    return (ROLE, TEXT[0], b"data: " + data + b"\n\n", TEXT[1], *GOOD[-3:])


_DEEP = b'{"choices":' + b"[" * NEST + b"]" * NEST + b"}"

FAULTS: tuple[Fault, ...] = (
    Fault(
        number=83,
        slug="index_collides",
        title="two tool calls share an index",
        play=streaming(
            ROLE,
            _call(0, "a", "f", '{"x":1}'),
            _call(0, "b", "g", '{"y":2}'),
            CALLED,
            used(),
            DONE,
        ),
        outcome="ok",
        seen="agno#8880",
    ),
    Fault(
        number=84,
        slug="index_from_one",
        title="the first tool call has index 1",
        play=streaming(
            ROLE,
            _call(1, "a", "f", '{"x":'),
            _call(1, None, None, "1}"),
            CALLED,
            used(),
            DONE,
        ),
        outcome="ok",
        seen="pipecat#5342",
    ),
    Fault(
        number=85,
        slug="arguments_object",
        title="tool arguments are an object, not its text",
        play=streaming(ROLE, _call(0, "a", "f", {"x": 1}), CALLED, used(5, 1), DONE),
        outcome="ok",
    ),
    Fault(
        number=86,
        slug="several_choices",
        title="several choices, interleaved",
        play=streaming(
            _choice(0, "Hel"),
            _choice(1, "Bon"),
            _choice(0, "lo", "stop"),
            _choice(1, "jour", "stop"),
            used(5, 4),
            DONE,
        ),
        outcome="ok",
    ),
    Fault(
        number=87,
        slug="id_changes",
        title="the id changes within a stream, or is missing",
        variants={
            "changes": streaming(
                ROLE, TEXT[0], chunk({"content": "lo"}, id="c2"), *GOOD[-3:]
            ),
            "missing": streaming(
                *(each.replace(b'"id": "c1", ', b"") for each in GOOD)
            ),
        },
        outcome="ok: id_changed / ok",
    ),
    Fault(
        number=88,
        slug="id_repeats",
        title="one id for different requests",
        play=streaming(*GOOD),
        outcome="ok",
    ),
    Fault(
        number=89,
        slug="model_differs",
        title="another model answers than was asked for",
        variants={
            "throughout": streaming(
                *(each.replace(b'"model": "m"', b'"model": "n"') for each in GOOD)
            ),
            "midway": streaming(
                ROLE, TEXT[0], chunk({"content": "lo"}, model="n"), *GOOD[-3:]
            ),
        },
        outcome="ok: model_not_requested / ok: model_changed",
    ),
    Fault(
        number=90,
        slug="chunk_twice",
        title="a chunk comes twice",
        play=streaming(ROLE, TEXT[0], *TEXT, STOP, used(), DONE),
        outcome="ok: dup_chunk",
    ),
    Fault(
        number=91,
        slug="out_of_order",
        title="chunks come out of order",
        play=streaming(ROLE, TEXT[1], TEXT[0], STOP, used(), DONE),
        outcome="ok",
    ),
    Fault(
        number=92,
        slug="many_tokens_a_chunk",
        title="several tokens in each chunk",
        play=paced(ROLE, *TEXT, STOP, used(5, 20), DONE),
        outcome="ok",
    ),
    Fault(
        number=93,
        slug="token_without_chunk",
        title="a token that no chunk carries",
        play=streaming(ROLE, *TEXT, said(""), STOP, used(5, 3), DONE),
        outcome="ok",
    ),
    Fault(
        number=94,
        slug="fake_stream",
        title="the whole answer in one chunk",
        play=streaming(ROLE, said("Hello"), STOP, used(), DONE),
        outcome="ok: single_chunk_stream",
    ),
    Fault(
        number=95,
        slug="lone_surrogate",
        title="half of a surrogate pair in the text",
        play=streaming(ROLE, TEXT[0], said("\ud83d"), TEXT[1], STOP, used(5, 3), DONE),
        outcome="ok",
    ),
    Fault(
        number=96,
        slug="control_characters",
        title="control characters, terminal escapes and marks of direction in the text",
        play=streaming(ROLE, TEXT[0], said(HOSTILE), STOP, used(), DONE),
        outcome="ok",
    ),
    Fault(
        number=97,
        slug="deep_nesting",
        title=f"a value nested {NEST:,} deep",
        variants={
            "alone": streaming(b"data: " + _DEEP + b"\n\n", DONE),
            "among_others": streaming(*_among(_DEEP)),
        },
        outcome="protocol_error: bad_event / ok: bad_event",
    ),
    Fault(
        number=98,
        slug="not_a_number",
        title="NaN or Infinity, which JSON has not",
        variants={
            "nan": streaming(*_among(b'{"choices": [], "score": NaN}')),
            "infinity": streaming(*_among(b'{"choices": [], "score": -Infinity}')),
        },
        outcome="ok: bad_event",
    ),
    Fault(
        number=99,
        slug="long_integer",
        title="an integer of 5,000 digits",
        play=streaming(*_among(b'{"choices": [], "created": ' + b"9" * 5_000 + b"}")),
        outcome="ok: bad_event",
    ),
    Fault(
        number=100,
        slug="key_twice",
        title="the same key twice in an object",
        play=streaming(
            ROLE,
            TEXT[0].replace(b'"content"', b'"content": "no", "content"'),
            TEXT[1],
            STOP,
            used(),
            DONE,
        ),
        outcome="ok",
    ),
    Fault(
        number=101,
        slug="padding",
        title="a field of random length that hides the length of each chunk",
        play=streaming(
            ROLE,
            chunk({"content": "Hel"}, obfuscation="kP3x"),
            chunk({"content": "lo"}, obfuscation="w" * 300),
            STOP,
            used(),
            DONE,
        ),
        outcome="ok",
    ),
)
