"""What a check looks at, what it finds, and JSON as strictly as it was meant."""

import hashlib
import json
from typing import Any, Final

import msgspec

CAP: Final = 1_000_000
"""Characters of an answer that are read at most."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a check may look at; each tool call is (name, arguments as JSON text)."""

    content: str = ""
    tool_calls: tuple[tuple[str, str], ...] = ()
    finish_reason: str | None = None

    @property
    def size(self) -> int:
        """Return how many characters it has."""
        return len(self.content) + sum(len(text) for _, text in self.tool_calls)

    @property
    def digest(self) -> str:
        """Return the SHA-256 (hex) of what was said: the text, then each call."""
        parts = (self.content, *(part for call in self.tool_calls for part in call))
        said = json.dumps(parts).encode()  # ASCII: half a surrogate pair has one too
        return hashlib.sha256(said).hexdigest()


class Verdict(msgspec.Struct, frozen=True):
    """What came of one check; `passed` None means it could not be made.

    `score`, 0 to 1, is the share of its parts that were right, where it has parts.
    `detail` says what was wrong, or why it could not be made.
    """

    name: str
    passed: bool | None
    detail: str | None = None
    score: float | None = None


def parse(text: str) -> tuple[Any, str | None]:
    """Return the one JSON value that a text is, or None and what is wrong with it."""
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except RecursionError:
        return None, "JSON nested too deeply"
    except ValueError as error:
        return None, f"not one JSON value: {error}"
    return value, None


def same(left: Any, right: Any, tolerance: float = 0.0) -> bool:
    """Tell whether two JSON values are one; numbers may differ by `tolerance`."""
    # 3 and 3.0 are one JSON number, but Python also holds True to be 1.
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            same(left[key], right[key], tolerance) for key in left
        )
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        pairs = zip(left, right, strict=False)
        return len(left) == len(right) and all(same(a, b, tolerance) for a, b in pairs)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if tolerance and isinstance(left, int | float) and isinstance(right, int | float):
        try:
            return abs(left - right) <= tolerance
        except OverflowError:  # a whole number beyond every float is near none
            return False
    return bool(left == right)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key stands twice")
    return table


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
