"""Checks of an answer: simple, deterministic, and safe on whatever a model says."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec
import re2

from scenarios.form import nearest, refuse_unknown, shaped
from scenarios.request import ScenarioError

CAP: Final = 1_000_000


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a check may look at; each tool call is (name, arguments as JSON text)."""

    content: str = ""
    tool_calls: tuple[tuple[str, str], ...] = ()
    finish_reason: str | None = None


class Verdict(msgspec.Struct, frozen=True):
    """What came of one check; `passed` None means it could not be made."""

    name: str
    passed: bool | None
    detail: str | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One expectation. `kind` decides which of the other fields bear on it.

    `name` is empty until `compile` has made it the kind. `arguments` None means any
    arguments will do; otherwise they must be equal, none missing and none extra.
    """

    kind: str
    name: str = ""
    text: str = ""
    pattern: str = ""
    keys: tuple[str, ...] = ()
    tool: str = ""
    arguments: dict[str, Any] | None = None
    chars: int = 0
    ignore_case: bool = False
    no_extra: bool = False


def compile(table: Mapping[str, object], where: str) -> Check:  # noqa: A001 - as re has it
    """Return the check that a table of a scenario describes.

    `where` names the file and key in messages. Raises ScenarioError for an unknown
    kind or key, a missing or mistyped value, or a pattern that RE2 refuses.
    """
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        remedy = nearest(str(kind), _KINDS)
        raise ScenarioError(f"{where}: no check of kind {kind!r}; {remedy}")
    _, needed, optional = _KINDS[kind]
    refuse_unknown(table, {"kind", "name", *needed, *optional}, where)
    for key in needed:
        if table.get(key) in ("", [], None, 0):
            raise ScenarioError(f"{where}: a {kind} check needs {key!r}; add it")
    check = shaped(table, Check, where)
    _refuse_pattern(check, where)
    return msgspec.structs.replace(check, name=check.name or kind)


def judge(check: Check, answer: Answer) -> Verdict:
    """Return the verdict of one check; never raises, whatever the model said.

    An answer above a million characters is not read: `passed` is None.
    """
    size = len(answer.content) + sum(len(text) for _, text in answer.tool_calls)
    if size > CAP:
        return Verdict(check.name, None, f"not read: {size} characters")
    fault = _KINDS[check.kind][0](check, answer)
    if fault and answer.finish_reason == "length":
        fault += " (cut off by max_tokens)"
    return Verdict(check.name, fault is None, fault)


def _refuse_pattern(check: Check, where: str) -> None:
    if not check.pattern:
        return
    try:
        _regex(check.pattern, check.ignore_case)
    except re2.error as error:
        why = error.args[0].decode(errors="replace")
        raise ScenarioError(
            f"{where}.pattern: RE2 refuses {check.pattern!r}: {why}; RE2 has no"
            " look-around and no back-references"
        ) from None
    except UnicodeEncodeError:
        raise ScenarioError(f"{where}.pattern: not valid Unicode") from None


@lru_cache(maxsize=256)
def _regex(pattern: str, ignore_case: bool) -> Any:
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    return re2.compile(pattern, options)


def _folded(check: Check, answer: Answer) -> tuple[str, str]:
    if check.ignore_case:
        return check.text.casefold(), answer.content.casefold()
    return check.text, answer.content


def _contains(check: Check, answer: Answer) -> str | None:
    wanted, content = _folded(check, answer)
    return None if wanted in content else f"{check.text!r} is not in the answer"


def _not_contains(check: Check, answer: Answer) -> str | None:
    unwanted, content = _folded(check, answer)
    return f"{check.text!r} is in the answer" if unwanted in content else None


def _equals(check: Check, answer: Answer) -> str | None:
    wanted, content = _folded(check, answer)
    same = wanted.strip() == content.strip()
    return None if same else f"the answer is not {check.text!r}"


def _matches(check: Check, answer: Answer) -> str | None:
    # RE2 works on UTF-8, which a lone surrogate in model text has no form in.
    clean = answer.content.encode("utf-8", "replace").decode()
    found = _regex(check.pattern, check.ignore_case).search(clean)
    return None if found else f"no match of {check.pattern!r}"


def _min_chars(check: Check, answer: Answer) -> str | None:
    n = len(answer.content.strip())
    return None if n >= check.chars else f"{n} characters, not {check.chars}"


def _json(check: Check, answer: Answer) -> str | None:
    value, fault = _parse(answer.content)
    if fault or not check.keys:
        return fault
    if not isinstance(value, dict):
        return f"a JSON {type(value).__name__}, not an object"
    missing = [key for key in check.keys if key not in value]
    return f"keys missing: {', '.join(missing)}" if missing else None


def _tool_call(check: Check, answer: Answer) -> str | None:
    calls = answer.tool_calls
    if not calls:
        return "no tool was called"
    if check.no_extra and len(calls) > 1:
        return f"{len(calls)} calls, not one"
    faults = [_call_fault(check, name, arguments) for name, arguments in calls]
    return None if None in faults else faults[0]


def _call_fault(check: Check, name: str, arguments: str) -> str | None:
    if name != check.tool:
        return f"called {name[:80]!r}, not {check.tool!r}"
    value, fault = _parse(arguments)
    if fault:
        return f"arguments: {fault}"
    if check.arguments is None or _same(value, check.arguments):
        return None
    return f"arguments differ: {arguments[:200]}"


def _same(left: Any, right: Any) -> bool:
    # 3 and 3.0 are one JSON number, but Python also holds True to be 1.
    if isinstance(left, dict) and isinstance(right, dict):
        same_keys = left.keys() == right.keys()
        return same_keys and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _parse(text: str) -> tuple[Any, str | None]:
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except RecursionError:
        return None, "JSON nested too deeply"
    except ValueError as error:
        return None, f"not one JSON value: {error}"
    return value, None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key stands twice")
    return table


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_KINDS: Final[
    dict[
        str,
        tuple[Callable[[Check, Answer], str | None], tuple[str, ...], tuple[str, ...]],
    ]
] = {
    "contains": (_contains, ("text",), ("ignore_case",)),
    "not_contains": (_not_contains, ("text",), ("ignore_case",)),
    "equals": (_equals, ("text",), ("ignore_case",)),
    "regex": (_matches, ("pattern",), ("ignore_case",)),
    "json": (_json, (), ("keys",)),
    "tool_call": (_tool_call, ("tool",), ("arguments", "no_extra")),
    "min_chars": (_min_chars, ("chars",), ()),
}
"""Kind -> what judges it (None is a pass), the keys it needs, the keys it may have."""
