"""The form of what a user wrote: each fault is told with its place and a remedy."""

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_type_hints

import msgspec

from scenarios.request import Message, ScenarioError

T = TypeVar("T")

ROLES: Final = ("system", "developer", "user", "assistant", "tool")

_AMOUNT: Final = r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_DURATION: Final = re.compile(
    rf"(?:{_AMOUNT}h)?(?:{_AMOUNT}m(?!s))?(?:{_AMOUNT}s)?(?:{_AMOUNT}ms)?"
)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a remedy for an unknown name: the nearest known ones, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else f"use {', '.join(names)}"


def refuse_unknown(table: Mapping[str, object], known: Iterable[str], at: str) -> None:
    """Raise ScenarioError for the first key of `table` that is not in `known`."""
    names = set(known)
    for key in table:
        if key not in names:
            raise ScenarioError(f"{at}: unknown key {key!r}; {nearest(key, names)}")


def shaped(table: object, record: type[T], where: str, sep: str = ".") -> T:
    """Return `table` as a `record`; raise ScenarioError naming an ill-formed key.

    `sep` stands between `where` and the key: a dot unless `where` is a whole file.
    """
    if isinstance(table, Mapping) and issubclass(record, msgspec.Struct):
        refuse_unknown(table, record.__struct_encode_fields__, where)
    try:
        return msgspec.convert(table, record)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        at = where + path.rstrip("`").replace(".", sep, 1)
        raise ScenarioError(f"{at}: {what}{_choices(what, record, at)}") from None


def parse_duration(value: str | float) -> float:
    """Return seconds: `90`, `30s`, `5m`, `1h30m`, `250ms`, or a number of seconds.

    Raises ScenarioError for anything else, a negative and an infinite one included.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        seconds = _seconds(str(value).strip())
    if not 0 <= seconds < math.inf:
        raise ScenarioError(
            f"{value!r} is not a duration; write 90, 30s, 5m, 1h30m or 250ms"
        )
    return seconds


def _seconds(text: str) -> float:
    """Return the seconds that a text names, or infinity if it names none."""
    if re.fullmatch(_AMOUNT, text):
        return float(text)
    match = _DURATION.fullmatch(text)
    if not (text and match):
        return math.inf
    parts = zip(match.groups(), (3600.0, 60.0, 1.0, 1e-3), strict=True)
    return math.fsum(float(part) * unit for part, unit in parts if part)


def durations(table: Mapping[str, Any], keys: Iterable[str], where: str) -> Any:
    """Return `table` with the durations at `keys` in seconds, where they stand."""
    seconds = {}
    for key in keys:
        if table.get(key) is not None:
            try:
                seconds[key] = parse_duration(table[key])
            except ScenarioError as error:
                raise ScenarioError(f"{where}.{key}: {error}") from None
    return {**table, **seconds}


def file_text(path: Path) -> str:
    """Return the text of a file; raise ScenarioError if it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from None
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ScenarioError(f"{path!s:.200}: cannot be read: {error}") from None


def _choices(what: str, record: object, at: str) -> str:
    """Return the remedy for a value that is none of a Literal's, else nothing."""
    if not what.startswith("Invalid enum value"):
        return ""
    hint = get_type_hints(record).get(re.split(r"[.: ]", at)[-1])
    parts = [name for part in (hint, *get_args(hint)) for name in get_args(part)]
    names = [name for name in parts if isinstance(name, str)]
    return f"; {nearest(what.split(chr(39))[1], names)}" if names else ""


def message_faults(messages: Sequence[Message]) -> Iterator[str]:
    """Yield what is wrong with whole messages of a case, each with its remedy."""
    if not messages:
        yield "messages is empty; write at least one"
    for i, message in enumerate(messages):
        role = message.get("role")
        if role not in ROLES:
            yield f"messages[{i}].role is {role!r}; {nearest(str(role), ROLES)}"
        if not isinstance(message.get("content"), str | list | None):
            yield f"messages[{i}].content must be a text or a list of parts"
        elif not message.get("content") and not message.get("tool_calls"):
            yield f"messages[{i}].content is missing; write it"
    if messages and messages[0].get("content") is None:
        yield "messages[0] has no content; a prompt cannot start with a tool call"


def stem(path: Path) -> str:
    """Return the name that a file gives what is in it."""
    # Every file name makes a name: what may not stand in one becomes a hyphen.
    return re.sub(r"[^A-Za-z0-9._-]", "-", path.stem).lstrip("._-")[:80] or "scenario"
