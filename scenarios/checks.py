"""Checks of an answer: deterministic, and safe on whatever a model says."""

from collections.abc import Mapping
from typing import Final

import msgspec

from scenarios.answer import CAP, Answer, Verdict
from scenarios.app import Browser
from scenarios.calls import ToolCall, ToolCalls
from scenarios.code import Code
from scenarios.form import nearest, shaped
from scenarios.own import Function
from scenarios.pages import Html
from scenarios.request import ScenarioError
from scenarios.sandbox import NoSandboxError, find
from scenarios.steps import Steps
from scenarios.texts import (
    Contains,
    Equals,
    Finish,
    Json,
    JsonSchema,
    MaxChars,
    MinChars,
    NotContains,
    Number,
    Regex,
)

__all__ = [
    "CAP",
    "KINDS",
    "Answer",
    "Check",
    "Verdict",
    "compile",
    "is_late",
    "judge",
    "refuse",
    "tools_of",
]

Check = (
    Contains | NotContains | Equals | Regex | Number | MinChars | MaxChars | Finish
    | Json | JsonSchema | Steps | ToolCall | ToolCalls | Html | Browser | Code
    | Function
)  # fmt: skip
"""One expectation. `name` is empty until `compile` has made it the kind."""

KINDS: Final[Mapping[str, type[Check]]] = {
    str(record.__struct_config__.tag): record
    for record in (
        Contains, NotContains, Equals, Regex, Number, MinChars, MaxChars, Finish,
        Json, JsonSchema, Steps, ToolCall, ToolCalls, Html, Browser, Code, Function,
    )
}  # fmt: skip
"""Each kind of check by the word that a scenario has for it."""

Late = Html | Browser | Code | Function
"""Kinds that cost more than a moment: made once a run has ended, never beside it."""


def compile(table: Mapping[str, object], where: str) -> Check:  # noqa: A001 - as re has it
    """Return the check that a table of a scenario describes.

    `where` names the file and key in messages. Raises ScenarioError for an unknown
    kind or key, a missing or mistyped value, or what the kind itself refuses.
    """
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        remedy = nearest(str(kind), KINDS)
        raise ScenarioError(f"{where}: no check of kind {kind!r}; {remedy}")
    record = KINDS[kind]
    given = {key: value for key, value in table.items() if key != "kind"}
    for field in msgspec.structs.fields(record):
        if field.required and given.get(field.name) in ("", None):
            raise ScenarioError(f"{where}: a {kind} check needs {field.name!r}; add it")
    check = shaped(given, record, where)
    refuse(check, where)
    return msgspec.structs.replace(check, name=check.name or kind)


def refuse(check: Check, where: str) -> None:
    """Raise ScenarioError for what the kind itself refuses, such as a bad pattern."""
    if isinstance(check, Regex | JsonSchema | Steps | Code | Function):
        check.refuse(where)


def tools_of(check: Check) -> tuple[str, ...]:
    """Return the tools that a check expects to be called."""
    if isinstance(check, ToolCall):
        return (check.tool,)
    return tuple(c.tool for c in check.calls) if isinstance(check, ToolCalls) else ()


def is_late(check: Check) -> bool:
    """Tell whether a check waits for the end of the run."""
    return isinstance(check, Late)


def judge(check: Check, answer: Answer) -> Verdict:
    """Return the verdict of one check; never raises, whatever the model said.

    An answer above a million characters is not read, and without a sandbox no code is
    run: `passed` is None.
    """
    if answer.size > CAP:
        return Verdict(check.name, None, f"not read: {answer.size} characters")
    verdict = _verdict(check, answer)
    if verdict.passed is False and answer.finish_reason == "length":
        cut = f"{verdict.detail} (cut off by max_tokens)"
        return msgspec.structs.replace(verdict, detail=cut)
    return verdict


def _verdict(check: Check, answer: Answer) -> Verdict:
    if isinstance(check, Code):
        try:
            return check.grade(answer, find())
        except NoSandboxError as error:
            return Verdict(check.name, None, f"skipped: {error}")
    if isinstance(check, Html | Browser | Function):
        return check.grade(answer)
    fault = check.fault(answer)
    return Verdict(check.name, fault is None, fault)
