"""Whether a scenario makes sense: what is wrong with it, each with its remedy."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from scenarios.checks import tools_of
from scenarios.content import Case, Scenario, files_of
from scenarios.form import message_faults, nearest
from scenarios.loop import Task
from scenarios.prompts import places
from scenarios.request import ScenarioError

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_PARTS: Final = ("ladder", "hay", "trace", "agent", "loop", "task")
"""What most scenarios lack: left out of their digests, its coming moved none."""


def sealed(scenario: Scenario, where: str) -> Scenario:
    """Return the scenario with its digest; raise ScenarioError if it makes no sense.

    The digest is of all that decides what is sent and checked, so a comment in the
    file does not change it and an override does.
    """
    for fault in _faults(scenario):
        raise ScenarioError(f"{where}: {fault}")
    cases = tuple(
        msgspec.structs.replace(case, good=None, bad=(), task=_bare(case.task))
        for case in scenario.cases
    )
    bare = msgspec.structs.replace(
        scenario, digest="", source="", description="", changes={}, cases=cases
    )
    table = msgspec.to_builtins(bare)
    for part in (table, *table["cases"]):
        for name in _PARTS:
            if part.get(name) is None:
                part.pop(name, None)
    digest = hashlib.sha256(msgspec.json.encode(table, order="sorted")).hexdigest()
    return msgspec.structs.replace(scenario, digest=digest)


def _bare(task: Task | None) -> Task | None:
    return None if task is None else msgspec.structs.replace(task, solved={})


def case_faults(scenario: Scenario, case: Case) -> Iterator[str]:
    """Yield what is wrong with one case of a scenario, each with its remedy."""
    yield from _source_faults(scenario, case)
    yield from _task_faults(scenario, case)
    wanted = used_names(scenario, case) - {"text"}
    if files_of(case):
        wanted.discard("files")
    for name in sorted(wanted - case.values.keys() - case.draw.keys()):
        yield f"no value for {{{name}}}; add it to values, or write {{{{{name}}}}}"
    for name in sorted(case.values.keys() - wanted):
        yield f"values.{name} is used nowhere; {nearest(name, wanted or {'no values'})}"
    yield from _tool_faults(scenario, case)


def _faults(scenario: Scenario) -> Iterator[str]:
    if not _NAME.fullmatch(scenario.name):
        yield f"{scenario.name!r} is no name; use up to 80 letters, digits, . _ -"
    yield from _session_faults(scenario)
    yield from _text_faults(scenario)
    ids = Counter(case.id for case in scenario.cases)
    for case in scenario.cases:
        if ids[case.id] > 1:
            yield f"two cases have the id {case.id!r}; ids must differ"
        for fault in case_faults(scenario, case):
            yield f"case {case.id!r}: {fault}"


def _session_faults(scenario: Scenario) -> Iterator[str]:
    session = scenario.session
    kinds = {"session": session, "agent": scenario.agent, "loop": scenario.loop}
    several = [name for name, each in kinds.items() if each is not None]
    if len(several) > 1:
        yield f"{' and '.join(several)} exclude each other; drop one"
    if scenario.agent and scenario.agent.peak < scenario.agent.first:
        yield "agent.peak is below agent.first; a session grows: raise it"
    if session is None:
        return
    if scenario.prompt.user is not None:
        yield "prompt.user and session.turns exclude each other; drop prompt.user"
    if session.answers is not None and len(session.answers) != scenario.turns - 1:
        yield (
            f"session.answers holds {len(session.answers)} texts, not"
            f" {scenario.turns - 1}: one between each turn and the next"
        )


def _text_faults(scenario: Scenario) -> Iterator[str]:
    lacking = [c for c in scenario.cases if "text" not in used_names(scenario, c)]
    for case in lacking:
        if case.hay:
            yield f"case {case.id!r}: plants stand in {{text}}; put it in the prompt"
    used = any(case.hay is None and case not in lacking for case in scenario.cases)
    if used and scenario.prompt.tokens is None:
        yield "{text} stands in the prompt; set prompt.tokens to its length"
    if not used and scenario.prompt.tokens is not None:
        yield "prompt.tokens is set, but {text} stands nowhere; put it in the prompt"


def _task_faults(scenario: Scenario, case: Case) -> Iterator[str]:
    if (scenario.loop is None) != (case.task is None):
        yield "a [loop] needs a task in each case, and a task a [loop]; add or drop one"
    if scenario.loop and (scenario.checks or case.checks or scenario.request.tools):
        yield "a loop has checks and tools of its own; drop yours"


def _source_faults(scenario: Scenario, case: Case) -> Iterator[str]:
    own = [key for key in ("user", "messages") if getattr(case, key) is not None]
    if len(own) > 1:
        yield "user and messages exclude each other; drop one"
    if own and scenario.session:
        yield f"{own[0]} and session.turns exclude each other; drop one"
    if case.messages is not None:
        if scenario.prompt.system is not None:
            yield "messages go out as they stand; move prompt.system into them"
        yield from message_faults(case.messages)
    elif not (own or scenario.session or scenario.prompt.user is not None):
        yield "nothing to ask; set prompt.user, or user or messages of the case"


def _tool_faults(scenario: Scenario, case: Case) -> Iterator[str]:
    tools = case.tools if case.tools is not None else scenario.request.tools or ()
    names = []
    for i, tool in enumerate(tools):
        function = tool.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(name, str):
            yield f"tools[{i}] has no function.name; write it as the chat API does"
        names.append(str(name))
    if scenario.request.tool_choice is not None and not tools:
        yield "request.tool_choice is set without tools; add request.tools"
    for check in (*scenario.checks, *case.checks):
        for word in tools_of(check):
            if word not in names:
                remedy = nearest(word, names) if names else "add request.tools"
                yield f"a check expects the tool {word!r}; {remedy}"


def used_names(scenario: Scenario, case: Case) -> set[str]:
    """Return the placeholders that stand in the templates of a case."""
    if case.messages is not None:
        return set()
    prompt, session = scenario.prompt, scenario.session
    user = prompt.user if case.user is None else case.user
    templates = [prompt.system, user]
    if session:
        templates += [*session.turns, *(session.answers or ())]
    found = {name for template in templates if template for name in places(template)}
    return found | (case.hay.names if case.hay else set())
