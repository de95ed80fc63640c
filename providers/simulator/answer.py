"""What a simulated model answers: pieces of reasoning, text or a tool call."""

import json
import re
from collections.abc import Iterable
from math import prod
from random import Random
from typing import Any

import msgspec

from providers.reply import Kind
from providers.simulator.asked import Asked
from providers.simulator.profile import Profile
from providers.simulator.prose import drawn_count, prose, tokens_of
from providers.simulator.values import object_for, quoted_strings, source_of
from scenarios.key import Reply

SINGLE_WORD = re.compile(r'single word "([^"]+)"', re.IGNORECASE)
REPEAT = re.compile(r'repeat "([^"]+)"', re.IGNORECASE)

EFFORT_SCALE = {"low": 0.5, "medium": 0.75, "xhigh": 2.0, "max": 2.0}
"""How much more or less is thought at an effort; every other word means 1."""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """What one event carries. `tool` names the function in a call's first piece.

    `call` numbers the calls of an answer from 0.
    """

    kind: Kind
    text: str
    tokens: int = 1
    tool: str | None = None
    call: int = 0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer. `finish` is its finish reason in the words of OpenAI."""

    pieces: list[Piece]
    finish: str

    @property
    def tokens(self) -> int:
        """Return how many completion tokens there are, reasoning included."""
        return sum(piece.tokens for piece in self.pieces)

    @property
    def reasoning_tokens(self) -> int:
        """Return how many of the tokens are reasoning."""
        return sum(p.tokens for p in self.pieces if p.kind is Kind.REASONING)

    def text(self, kind: Kind) -> str:
        """Return all the text of one kind."""
        return "".join(piece.text for piece in self.pieces if piece.kind is kind)

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Return the name and the arguments of each function that is called."""
        made: list[tuple[str, str]] = []
        for piece in self.pieces:
            if piece.tool:
                made.append((piece.tool, ""))
            if piece.kind is Kind.TOOL:
                name, arguments = made[-1]
                made[-1] = name, arguments + piece.text
        return made


def compose(
    asked: Asked,
    profile: Profile,
    rng: Random,
    reply: Reply | None = None,
    most: int | None = None,
) -> Answer:
    """Return the answer to a request, within its `max_tokens` and `most`, if any.

    It says `reply`; without one a tool to call comes before a response format, and
    that before plain text.
    """
    limits = [limit for limit in (asked.max_tokens, most) if limit is not None]
    pieces = _thought(asked, profile, rng) + _said(asked, profile, rng, reply)
    kept = _within(min(limits, default=None), pieces)
    natural = "tool_calls" if any(piece.tool for piece in pieces) else "stop"
    return Answer(pieces=kept, finish=natural if len(kept) == len(pieces) else "length")


def grouped(pieces: list[Piece], size: int) -> list[Piece]:
    """Return the pieces merged, within a kind, into events of up to `size` tokens."""
    if size <= 1:
        return pieces
    merged: list[Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        fits = last is not None and last.tokens + piece.tokens <= size
        alike = last is not None and (last.kind, last.call) == (piece.kind, piece.call)
        if last is not None and fits and alike:
            merged[-1] = msgspec.structs.replace(
                last, text=last.text + piece.text, tokens=last.tokens + piece.tokens
            )
        else:
            merged.append(piece)
    return merged


def _said(
    asked: Asked, profile: Profile, rng: Random, reply: Reply | None
) -> list[Piece]:
    if reply is not None and reply.calls:
        return [
            piece
            for n, (name, arguments) in enumerate(reply.calls)
            for piece in _called(name, arguments, n, asked, profile)
        ]
    if reply is None and (tool := _tool_to_call(asked.body)) is not None:
        return _called(tool["name"], _arguments(tool, asked, rng), 0, asked, profile)
    if reply is not None:
        text = reply.content
    else:
        text = _json(asked, rng) or _prose(asked, profile, rng)
    return _pieces(Kind.CONTENT, _stopped(text, asked.body.get("stop")))


def _pieces(kind: Kind, text: str) -> list[Piece]:
    return [Piece(kind=kind, text=token) for token in tokens_of(text)]


def _within(budget: int | None, pieces: list[Piece]) -> list[Piece]:
    """Return as many of the first pieces as the budget of tokens allows."""
    if budget is None:
        return pieces
    for n_kept, piece in enumerate(pieces):
        budget -= piece.tokens
        if budget < 0:
            return pieces[:n_kept]
    return pieces


def _thought(asked: Asked, profile: Profile, rng: Random) -> list[Piece]:
    words = [_at(asked.body, path) for path in profile.effort_paths]
    if not profile.reasoning_fields or any(
        word is False or word in profile.effort_off for word in words
    ):
        return []
    scale = prod(EFFORT_SCALE.get(str(word), 1.0) for word in words)
    median = profile.reasoning_tokens * scale
    if not median:
        return []
    n_words = drawn_count(rng, median, profile.tokens_sigma)
    return _pieces(Kind.REASONING, prose(rng, n_words))


def _at(body: Any, path: Iterable[str]) -> Any:
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None
    return body


def _tool_to_call(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the function that the convention calls: the one named, or the first."""
    tools = body.get("tools")
    choice = body.get("tool_choice")
    if not isinstance(tools, list) or choice == "none":
        return None
    functions = [
        function
        for tool in tools
        if isinstance(function := _at(tool, ("function",)), dict)
        and isinstance(function.get("name"), str)
    ]
    wanted = _at(choice, ("function", "name"))
    named = [function for function in functions if function["name"] == wanted]
    return next(iter(named or functions), None)


def _arguments(tool: dict[str, Any], asked: Asked, rng: Random) -> str:
    schema = tool.get("parameters")
    source = source_of(asked.last_user, rng)
    arguments = object_for(schema if isinstance(schema, dict) else {}, source)
    return json.dumps(arguments, ensure_ascii=False)


def _called(
    name: str, arguments: str, call: int, asked: Asked, profile: Profile
) -> list[Piece]:
    words = tokens_of(arguments)
    first = Piece(kind=Kind.TOOL, text="", tool=name, call=call)
    key = profile.tool_stream_key
    if key is not None and not asked.body.get(key):
        whole = "".join(words)
        return [msgspec.structs.replace(first, text=whole, tokens=1 + len(words))]
    third = -(-len(words) // 3)
    return [
        first,
        *(
            Piece(kind=Kind.TOOL, text="".join(part), tokens=len(part), call=call)
            for start in range(0, len(words), third)
            if (part := words[start : start + third])
        ),
    ]


def _json(asked: Asked, rng: Random) -> str | None:
    """Return the JSON text that a response format asks for, None if it asks none."""
    wanted = asked.body.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_schema":
        schema = _at(wanted, ("json_schema", "schema"))
        schema = schema if isinstance(schema, dict) else {}
        names = tuple(schema.get("properties") or ())
        source = source_of(asked.last_user, rng, without=names)
        return json.dumps(object_for(schema, source), ensure_ascii=False)
    if kind == "json_object":
        keys = quoted_strings(asked.last_user) or ["answer"]
        values = {key: prose(rng, 2).rstrip(".").lower() for key in keys}
        return json.dumps(values, ensure_ascii=False)
    return None


def _prose(asked: Asked, profile: Profile, rng: Random) -> str:
    single = SINGLE_WORD.search(asked.last_user)
    if single:
        return single[1]
    n_words = drawn_count(rng, profile.tokens, profile.tokens_sigma)
    repeat = REPEAT.search(asked.last_user)
    opening = f"{repeat[1]} " if repeat else ""
    return opening + prose(rng, n_words)


def _stopped(text: str, stop: Any) -> str:
    """Return the text up to the first stop sequence."""
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list):
        return text
    ends = [text.find(each) for each in stops if isinstance(each, str) and each]
    return text[: min((end for end in ends if end >= 0), default=len(text))]
