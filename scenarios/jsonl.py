"""One question a line: a user's own prompts as JSON objects."""

from pathlib import Path

import msgspec

from scenarios import checks
from scenarios.checks import Check
from scenarios.content import Case, Positive, Scenario, Table
from scenarios.form import shaped, stem
from scenarios.request import Message, ScenarioError
from scenarios.sound import case_faults


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of such a file."""

    id: str | int | None = None
    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    expected: str | None = None
    max_tokens: Positive | None = None
    tools: tuple[Table, ...] | None = None


def compiled(tables: list[Table], where: str) -> tuple[Check, ...]:
    """Return the checks that some tables describe; ScenarioError if one is wrong."""
    return tuple(
        checks.compile(table, f"{where}[{i}]") for i, table in enumerate(tables)
    )


def from_jsonl(text: str, path: Path) -> Scenario:
    """Return the scenario of a file; ScenarioError names the line that is wrong."""
    blank = Scenario(name=stem(path), source=str(path))
    cases: dict[str, Case] = {}
    # Split at \n alone: JSON texts may hold U+2028 and its like as they are.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        case = _line(line, number, f"{path}:{number}")
        for fault in case_faults(blank, case):
            raise ScenarioError(f"{path}:{number}: {fault}")
        if case.id in cases:
            raise ScenarioError(f"{path}:{number}: id {case.id!r} stands twice")
        cases[case.id] = case
    if not cases:
        raise ScenarioError(f"{path}: holds no case; write one JSON object a line")
    return msgspec.structs.replace(blank, cases=tuple(cases.values()))


def _line(line: str, number: int, where: str) -> Case:
    try:
        table = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ScenarioError(f"{where}: not JSON: {error}") from None
    asked = shaped(table, Line, where, sep=": ")
    if (asked.messages is None) == (asked.prompt is None):
        raise ScenarioError(f"{where}: write either messages or prompt")
    expected = []
    if asked.expected is not None:
        expected = [{"kind": "contains", "text": asked.expected}]
    messages = asked.messages
    if messages is None:
        messages = ({"role": "user", "content": asked.prompt},)
    return Case(
        id=str(number if asked.id is None else asked.id),
        messages=messages,
        max_tokens=asked.max_tokens,
        tools=asked.tools,
        checks=compiled(expected, f"{where}: expected"),
    )
