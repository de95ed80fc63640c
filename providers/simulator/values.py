"""Values of the right JSON type, taken from what the user wrote."""

import re
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec

from providers.simulator.prose import COMMON

QUOTED = re.compile(r'"([^"]*)"')
# A number stands alone: the digits of an identifier or a hash are none.
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w]|\.\w)")
MAX_DEPTH = 8
MAX_ITEMS = 64


class Source(msgspec.Struct, frozen=True):
    """What values are taken from, in order: quoted strings, numbers, then chance."""

    quoted: Iterator[str]
    numbers: Iterator[float]
    rng: Random


def quoted_strings(text: str) -> list[str]:
    """Return the texts between double quotes, in order."""
    return QUOTED.findall(text)


def source_of(text: str, rng: Random, *, without: tuple[str, ...] = ()) -> Source:
    """Return the values a user message offers, less the strings in `without`.

    Numbers inside quotes count only when there are none outside.
    """
    bare = NUMBER.findall(QUOTED.sub('""', text)) or NUMBER.findall(text)
    strings = [string for string in quoted_strings(text) if string not in without]
    return Source(iter(strings), map(float, bare), rng)


def object_for(
    schema: dict[str, Any], source: Source, depth: int = 0
) -> dict[str, Any]:
    """Return an object with the required properties of a JSON schema, and no others."""
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    names = required if isinstance(required, list) else []
    return {
        name: value_for(known.get(name), source, depth + 1)
        for name in names
        if isinstance(name, str)
    }


def value_for(schema: Any, source: Source, depth: int = 0) -> Any:
    """Return a value that fits a JSON schema's type, enum or const."""
    schema = schema if isinstance(schema, dict) else {}
    if "const" in schema:
        return schema["const"]
    allowed = schema.get("enum")
    if isinstance(allowed, list) and allowed:
        return _one_of(allowed, source)
    kind = schema.get("type", "string")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if depth > MAX_DEPTH:
        return None
    return _of_type(kind, schema, source, depth)


def _of_type(kind: Any, schema: dict[str, Any], source: Source, depth: int) -> Any:
    if kind == "string":
        return next(source.quoted, None) or source.rng.choice(COMMON)
    if kind in {"number", "integer"}:
        return _number(kind, schema, source)
    if kind == "boolean":
        return True
    if kind == "array":
        n_items = round(min(max(_limit(schema, "minItems", 1), 1), MAX_ITEMS))
        items = schema.get("items")
        return [value_for(items, source, depth + 1) for _ in range(n_items)]
    return object_for(schema, source, depth) if kind == "object" else None


def _number(kind: str, schema: dict[str, Any], source: Source) -> float:
    drawn = next(source.numbers, None)
    number = float(source.rng.randint(1, 9)) if drawn is None else drawn
    number = max(number, _limit(schema, "minimum", number))
    number = min(number, _limit(schema, "maximum", number))
    # 3 is a number as well as an integer, and is what the user wrote.
    return int(number) if kind == "integer" or number.is_integer() else number


def _limit(schema: dict[str, Any], name: str, default: float) -> float:
    limit = schema.get(name)
    if isinstance(limit, (int, float)) and not isinstance(limit, bool):
        return limit
    return default


def _one_of(allowed: list[Any], source: Source) -> Any:
    """Return the next quoted string if it is allowed, else what is allowed first."""
    if not isinstance(allowed[0], str):
        return allowed[0]
    offered = next(source.quoted, None)
    return offered if offered in allowed else allowed[0]
