"""Whether a scenario's checks are sound: they pass what is right, and no more."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from scenarios.answer import Answer
from scenarios.calls import Call, ToolCalls
from scenarios.checks import Check, judge
from scenarios.code import Code
from scenarios.content import Case, Scenario, checks_of
from scenarios.desk import Desk
from scenarios.draw import drawn
from scenarios.loop import Task
from scenarios.sandbox import Sandbox, find
from scenarios.texts import schema_fault


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with the checks of a case, with the values that `seed` draws."""

    case: str
    seed: int
    what: str


def runs_code(scenario: Scenario) -> bool:
    """Tell whether it takes a sandbox to prove a scenario's checks."""
    return any(
        isinstance(check, Code)
        for case in scenario.cases
        for check in (*scenario.checks, *case.checks)
    )


def flaws(scenario: Scenario, seeds: Iterable[int]) -> Iterator[Flaw]:
    """Yield what is wrong with a scenario's checks; a case without draws is tried once.

    Each reference solution must pass its own tests, each tool call that is expected
    must fit the tool's schema, `good` must pass every check and each of `bad` fail one.
    Raises NoSandboxError where code cannot be run.
    """
    sandbox = find() if runs_code(scenario) else None
    for n, seed in enumerate(seeds):
        filled = drawn(scenario, seed)
        for case, written in zip(filled.cases, scenario.cases, strict=True):
            if n and not written.draw:
                continue
            checks = checks_of(filled, case.id)
            for what in _flaws(filled, case, checks, sandbox, again=n == 0):
                yield Flaw(case=case.id, seed=seed, what=what)


def _flaws(
    scenario: Scenario,
    case: Case,
    checks: Iterable[Check],
    sandbox: Sandbox | None,
    *,
    again: bool,
) -> Iterator[str]:
    held = tuple(checks)
    for check in held:
        what = None
        if isinstance(check, Code) and sandbox is not None:
            what = check.unsound(sandbox, again=again)
        elif isinstance(check, ToolCalls):
            what = _misfit(check, case.tools or scenario.request.tools or ())
        if what:
            yield f"{check.name}: {what}"
    if case.task is not None:
        yield from _of_task(case.task)
    if case.good is not None:
        for name, detail in _failed(case.good, held):
            yield f"good does not pass {name}: {detail}"
    for n, text in enumerate(case.bad):
        if not any(_failed(text, held)):
            yield f"bad[{n}] passes every check"


def _of_task(task: Task) -> Iterator[str]:
    """Yield what is wrong with a live loop's task: it must be open, and solvable."""
    if not any(why for _, why in Desk(task.files, task.tests).faults()):
        yield "all tests pass as the files stand"
    done = Desk({**task.files, **task.solved}, task.tests)
    for name, why in done.faults():
        if why:
            yield f"solved does not pass {name}: {why}"


def _failed(text: str, checks: Iterable[Check]) -> Iterator[tuple[str, str | None]]:
    # As a host that ended of itself would have it.
    answer = Answer(content=text, finish_reason="stop")
    for check in checks:
        verdict = judge(check, answer)
        if not verdict.passed:
            yield verdict.name, verdict.detail


def _misfit(check: ToolCalls, tools: Iterable[Mapping[str, Any]]) -> str | None:
    """Return which of the expected calls the tool's own schema would refuse."""
    schemas = {
        tool["function"]["name"]: tool["function"].get("parameters", {})
        for tool in tools
    }
    for call in check.calls:
        for arguments in _written(call):
            fault = schema_fault(arguments, schemas[call.tool])
            if fault:
                return f"{call.tool} refuses {arguments}: {fault}"
    return None


def _written(call: Call) -> Iterator[dict[str, Any]]:
    """Yield arguments such that each value that will do stands in one of them."""
    most = max(map(len, call.arguments.values()), default=1)
    for n in range(most):
        yield {key: any_of[n % len(any_of)] for key, any_of in call.arguments.items()}
