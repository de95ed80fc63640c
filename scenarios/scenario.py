"""Scenarios by name or path: the built-in library, and the user's TOML and JSONL."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from scenarios import draw
from scenarios.agent import Agent
from scenarios.content import (
    BOTH,
    Ask,
    Case,
    Deadlines,
    Draw,
    Positive,
    Prompt,
    Scenario,
    Table,
    Turns,
    checks_of,
)
from scenarios.form import durations, file_text, nearest, refuse_unknown, shaped, stem
from scenarios.hay import Hay, Ladder, Plant
from scenarios.jsonl import compiled, from_jsonl
from scenarios.ladder import climbed, rungs
from scenarios.loop import Loop, Task
from scenarios.replay import is_trace, replayed
from scenarios.request import Message, ScenarioError
from scenarios.sound import sealed
from scenarios.turns import KEYS, turned

__all__ = ["Scenario", "checks_of", "library", "load", "override"]

LIBRARY: Final = Path(__file__).with_name("library")

FILES: Final = ".toml, .jsonl or .csv"
SUFFIXES: Final = (".toml", ".jsonl", ".csv")

OVERRIDES: Final = (
    "prompt_tokens", "nonce", "deadlines", "name", "sizes", "depths", *KEYS
)  # fmt: skip
"""What an override may change beside the fields of the request."""

CASE_WISE: Final = ("max_tokens", "stream", "tools", "response_format")
"""What a case may have of its own, and an override of the request takes from it."""

T = TypeVar("T", bound=msgspec.Struct)


class _File(msgspec.Struct, frozen=True, kw_only=True):
    name: str | None = None
    version: Positive = 1
    description: str = ""
    request: Table = {}
    prompt: Table = {}
    session: Table | None = None
    ladder: Ladder | None = None
    agent: Table | None = None
    loop: Table | None = None
    deadlines: Table = {}
    case: list[Table] = []
    check: list[Table] = []


class _CaseTable(msgspec.Struct, frozen=True, kw_only=True):
    id: str | int | None = None
    user: str | None = None
    messages: tuple[Message, ...] | None = None
    values: dict[str, str | int | float] = {}
    draw: dict[str, Draw] = {}
    max_tokens: Positive | None = None
    stream: bool | Literal["both"] | None = None
    tools: tuple[Table, ...] | None = None
    response_format: Table | None = None
    check: list[Table] = []
    good: str | None = None
    bad: tuple[str, ...] = ()
    plants: tuple[Plant, ...] | None = None
    task: Table | None = None


def library() -> list[str]:
    """Return the names of the built-in scenarios, sorted."""
    return sorted(path.stem for path in LIBRARY.glob("*.toml"))


def load(name_or_path: str) -> Scenario:
    """Return a built-in scenario by name, or the one in a .toml, .jsonl or .csv file.

    What holds a slash or ends so is a path; a trace is told by what its first line
    has. Raises ScenarioError.
    """
    suffix = Path(name_or_path).suffix.lower()
    is_file = suffix in SUFFIXES
    if is_file:
        path = Path(name_or_path)
    elif "/" in name_or_path or "\\" in name_or_path:
        raise ScenarioError(f"{name_or_path}: a scenario file is {FILES}")
    elif name_or_path in library():
        path = LIBRARY / f"{name_or_path}.toml"
    else:
        raise ScenarioError(
            f"no scenario named {name_or_path!r}; {nearest(name_or_path, library())}"
            f" (a file must end in {FILES})"
        )
    text = file_text(path)
    if suffix != ".toml" and is_trace(text, path):
        read = replayed
    else:
        read = from_jsonl if suffix == ".jsonl" else _from_toml
    found = sealed(read(text, path), str(path))
    draw.refuse(found, str(path))
    return found


def word(scenario: Scenario) -> str:
    """Return what `load` takes to find the file of a scenario again."""
    path = Path(scenario.source)
    return path.stem if path.parent == LIBRARY else scenario.source


def override(scenario: Scenario, **changes: object) -> Scenario:
    """Return the scenario with other request fields, or others of `OVERRIDES`.

    Those of `CASE_WISE` win over those of single cases; of `deadlines` those that are
    named change. A `gap` or a deadline may be a number of seconds or a
    text such as "5m". Raises ScenarioError as `load` does.
    """
    where = f"scenario {scenario.name}"
    known = {*Ask.__struct_fields__, *OVERRIDES}
    refuse_unknown(changes, known, where)
    asked = {key: changes[key] for key in changes if key in Ask.__struct_fields__}
    ladder = climbed(scenario.ladder, changes, where)
    return sealed(
        msgspec.structs.replace(
            scenario,
            name=str(changes.get("name", scenario.name)),
            request=_changed(scenario.request, asked, where),
            prompt=_changed(
                scenario.prompt,
                _renamed(changes, {"prompt_tokens": "tokens", "nonce": "nonce"}),
                where,
            ),
            session=turned(scenario.session, changes, where, agent=scenario.agent),
            agent=_thinking(scenario, changes, where),
            deadlines=_limited(scenario, changes, where),
            ladder=ladder,
            cases=rungs(
                ladder, tuple(_without(case, asked) for case in scenario.cases), where
            ),
            changes={**scenario.changes, **changes},
        ),
        where,
    )


def _from_toml(text: str, path: Path) -> Scenario:
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ScenarioError(f"{path}: not TOML: {error}") from None
    file = shaped(table, _File, f"{path}", sep=": ")
    session = file.session
    if session is not None:
        session = durations(session, ["gap"], f"{path}: session")
    limits = durations(
        file.deadlines, Deadlines.__struct_fields__, f"{path}: deadlines"
    )
    cases = [
        case
        for i, table in enumerate(file.case)
        for case in _both_ways(table.get("stream"), _case(table, i, path))
    ]
    return Scenario(
        name=stem(path) if file.name is None else file.name,
        version=file.version,
        description=file.description,
        request=shaped(file.request, Ask, f"{path}: request"),
        prompt=shaped(file.prompt, Prompt, f"{path}: prompt"),
        session=None if session is None else shaped(session, Turns, f"{path}: session"),
        ladder=file.ladder,
        agent=None
        if file.agent is None
        else shaped(file.agent, Agent, f"{path}: agent"),
        loop=None if file.loop is None else shaped(file.loop, Loop, f"{path}: loop"),
        deadlines=shaped(limits, Deadlines, f"{path}: deadlines"),
        cases=rungs(file.ladder, tuple(cases) or (Case(id="1"),), str(path)),
        checks=compiled(file.check, f"{path}: check"),
        source=str(path),
    )


def _case(table: Table, i: int, path: Path) -> Case:
    where = f"{path}: case[{i}]"
    case = shaped(table, _CaseTable, where)
    name = str(i + 1 if case.id is None else case.id)
    return Case(
        id=name,
        hay=None if case.plants is None else Hay(task=name, plants=case.plants),
        user=case.user,
        messages=case.messages,
        values=case.values,
        draw=case.draw,
        max_tokens=case.max_tokens,
        stream=case.stream if isinstance(case.stream, bool) else None,
        tools=case.tools,
        response_format=case.response_format,
        checks=compiled(case.check, f"{where}.check"),
        good=case.good,
        bad=case.bad,
        task=None if case.task is None else _task(case.task, f"{where}.task"),
    )


def _task(table: Table, where: str) -> Task:
    task = shaped(table, Task, where)
    for n, test in enumerate(task.tests):
        test.refuse(f"{where}.tests[{n}]")
    return task


def _both_ways(stream: object, case: Case) -> list[Case]:
    """Return a case, or two if it is to be asked as a stream and as a whole."""
    if stream != "both":
        return [case]
    return [
        msgspec.structs.replace(case, id=f"{case.id}{end}", stream=streamed)
        for end, streamed in BOTH.items()
    ]


def _renamed(changes: Mapping[str, object], names: Mapping[str, str]) -> Table:
    return {new: changes[old] for old, new in names.items() if old in changes}


def _changed(record: T, changes: Mapping[str, object], where: str) -> T:
    table = {**msgspec.structs.asdict(record), **changes}
    return shaped(table, type(record), where, sep=": ")


def _thinking(scenario: Scenario, changes: Table, where: str) -> Agent | None:
    if "gap" not in changes or scenario.agent is None:
        return scenario.agent
    gap = durations({"gap": changes["gap"]}, ["gap"], where)["gap"]
    return _changed(scenario.agent, {"think": (gap,)}, where)


def _limited(scenario: Scenario, changes: Table, where: str) -> Deadlines:
    limits, at = changes.get("deadlines", {}), f"{where}: deadlines"
    if not isinstance(limits, dict):
        raise ScenarioError(f'{at}: write a table, such as {{ total = "30s" }}')
    seconds = durations(limits, Deadlines.__struct_fields__, at)
    return _changed(scenario.deadlines, seconds, at)


def _without(case: Case, changes: Table) -> Case:
    # What is asked for on top of a file holds for every case of it.
    own = {key: None for key in CASE_WISE if key in changes}
    return msgspec.structs.replace(case, **own) if own else case
