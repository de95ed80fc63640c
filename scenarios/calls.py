"""Checks of the tools that an answer calls."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from scenarios.answer import CAP, Answer, parse, same
from scenarios.texts import Text, schema_fault


class ToolCall(msgspec.Struct, frozen=True, kw_only=True, tag="tool_call"):
    """The tool was called; with exactly these arguments, if any are given.

    With `no_extra` it was called once, and nothing else.
    """

    tool: Text
    arguments: Mapping[str, Any] | None = None
    no_extra: bool = False
    name: str = ""

    def fault(self, answer: Answer) -> str | None:
        """Return what is wrong, None if nothing is."""
        calls = answer.tool_calls
        if not calls:
            return "no tool was called"
        if self.no_extra and len(calls) > 1:
            return f"{len(calls)} calls, not one"
        wanted = {} if self.arguments is None else self.arguments
        expected = Call(
            tool=self.tool,
            arguments={key: [value] for key, value in wanted.items()},
            others=self.arguments is None,
        )
        faults = [_unlike(expected, name, arguments) for name, arguments in calls]
        return None if None in faults else faults[0]


class Call(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call that is expected: for each argument the values of which any will do.

    Those named in `optional` may be left out. With `others` there may be arguments that
    are not named.
    """

    tool: Text
    arguments: Mapping[str, Annotated[Sequence[Any], msgspec.Meta(min_length=1)]] = {}
    optional: tuple[str, ...] = ()
    others: bool = False


class ToolCalls(msgspec.Struct, frozen=True, kw_only=True, tag="tool_calls"):
    """Exactly these calls were made, in any order; none of them: no tool was called."""

    calls: tuple[Call, ...]
    name: str = ""

    def fault(self, answer: Answer) -> str | None:
        """Return what is wrong, None if nothing is."""
        made = answer.tool_calls
        if len(made) != len(self.calls):
            named = ", ".join(name[:40] for name, _ in made[:8]) or "none"
            return f"{len(made)} calls ({named}), not {len(self.calls)}"
        fits = [
            {n for n, call in enumerate(made) if _unlike(wanted, *call) is None}
            for wanted in self.calls
        ]
        if _matched(fits):
            return None
        for wanted, found in zip(self.calls, fits, strict=True):
            if not found:
                near = next((c for c in made if c[0] == wanted.tool), made[0])
                return _unlike(wanted, *near)
        return "two of the calls are one and the same"


def fitting(answer: Answer, tools: Sequence[Mapping[str, Any]]) -> int | None:
    """Return how many of the calls name one of the tools and keep its schema.

    None where that cannot be told: jsonschema-rs is not installed, a tool has no
    schema that it takes, or there is more than is read.
    """
    if not answer.tool_calls or answer.size > CAP:
        return None if answer.tool_calls else 0
    functions = [tool.get("function") or {} for tool in tools]
    schemas = {each.get("name"): each.get("parameters") or {} for each in functions}
    try:
        return sum(_fits(name, text, schemas) for name, text in answer.tool_calls)
    except (ImportError, ValueError):
        return None


def _fits(name: str, arguments: str, schemas: Mapping[Any, Mapping[str, Any]]) -> bool:
    value, fault = parse(arguments)
    if fault or not isinstance(value, dict) or name not in schemas:
        return False
    return schema_fault(value, schemas[name]) is None


def _matched(fits: Sequence[set[int]]) -> bool:
    """Tell whether each expected call can have a made call of its own (Kuhn, 1955)."""
    taken: dict[int, int] = {}

    def place(wanted: int, seen: set[int]) -> bool:
        for made in fits[wanted] - seen:
            seen.add(made)
            if made not in taken or place(taken[made], seen):
                taken[made] = wanted
                return True
        return False

    return all(place(wanted, set()) for wanted in range(len(fits)))


def _unlike(wanted: Call, name: str, arguments: str) -> str | None:
    if name != wanted.tool:
        return f"called {name[:80]!r}, not {wanted.tool!r}"
    value, fault = parse(arguments)
    if fault:
        return f"arguments: {fault}"
    if not isinstance(value, dict):
        return f"arguments: a JSON {type(value).__name__}, not an object"
    for key, allowed in wanted.arguments.items():
        if key not in value and key in wanted.optional:
            continue
        if key not in value or not any(same(value[key], each) for each in allowed):
            return f"{key!r} differs: {arguments[:200]}"
    extra = value.keys() - wanted.arguments.keys()
    if extra and not wanted.others:
        return f"arguments nobody asked for: {', '.join(sorted(extra))[:200]}"
    return None
