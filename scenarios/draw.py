"""Values that a run's seed draws: they fill a case's prompt and its checks alike."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from scenarios import checks
from scenarios.checks import Check
from scenarios.content import Case, Draw, Scenario
from scenarios.prompts import fill_some, places
from scenarios.request import ScenarioError
from scenarios.sound import used_names

Values = dict[str, str | int | float]


def drawn(scenario: Scenario, seed: int) -> Scenario:
    """Return the scenario with the values that `seed` draws in place of each `draw`.

    A pure function of both: every host, worker and resumed run has the same values. A
    value hangs on the seed, the case's question and its own name alone, so what else
    stands in the file does not move it. The digest stays: it is of the file.
    """
    if not any(case.draw for case in scenario.cases):
        return scenario
    cases = tuple(_drawn(case, seed) for case in scenario.cases)
    return msgspec.structs.replace(scenario, cases=cases)


def refuse(scenario: Scenario, where: str) -> None:
    """Raise ScenarioError for a `draw` that makes no sense, or spoils a check."""
    for case in scenario.cases:
        at = f"{where}: case {case.id!r}"
        for name, among in case.draw.items():
            if fault := _fault(name, among, case):
                raise ScenarioError(f"{at}: draw.{name}: {fault}")
        for name in case.draw.keys() - used_names(scenario, case) - _in_checks(case):
            raise ScenarioError(
                f"{at}: draw.{name} is used nowhere; write {{{name}}} in the prompt "
                "or a check, or drop it"
            )
        for values in _corners(case.draw):
            for check in _filled(case, values).checks:
                checks.refuse(check, f"{at}: {check.name} with {values}")


def _fault(name: str, among: Draw, case: Case) -> str | None:
    if not name.isidentifier() or name == "text":
        return f"{name!r} cannot be drawn; use another word"
    if name in case.values:
        return "it stands in values too; drop one"
    numbers = [each for each in among if isinstance(each, int)]
    if len(numbers) == len(among) == 2:
        low, high = numbers
        return None if low < high else f"{low} is not below {high}; swap them"
    if numbers or not among:
        return "write two whole numbers, such as [2, 9], or a list of texts"
    return None


def _drawn(case: Case, seed: int) -> Case:
    values: Values = {}
    for name, among in case.draw.items():
        rng = random.Random(f"draw/{seed}/{case.question}/{name}")
        low, high = among[0], among[-1]
        if isinstance(low, int) and isinstance(high, int):
            values[name] = rng.randint(low, high)
        else:
            values[name] = rng.choice(among)
    return _filled(case, values)


def _filled(case: Case, values: Values) -> Case:
    if not values:
        return case
    return msgspec.structs.replace(
        case,
        values={**case.values, **values},
        draw={},
        checks=tuple(_with(check, values) for check in case.checks),
        good=None if case.good is None else fill_some(case.good, values),
        bad=tuple(fill_some(text, values) for text in case.bad),
    )


def _corners(draw: Mapping[str, Draw]) -> Iterator[Values]:
    """Yield values such that each text, and each end of a range, comes up once."""
    for n in range(max(map(len, draw.values()), default=0)):
        yield {name: among[n % len(among)] for name, among in draw.items()}


def _with(check: Check, values: Values) -> Check:
    table = _texts(msgspec.to_builtins(check), values)
    return msgspec.convert(table, Check)  # type: ignore[no-any-return]


def _texts(value: Any, values: Values) -> Any:
    """Return JSON-able data with the drawn values in its texts, keys apart."""
    if isinstance(value, str):
        return fill_some(value, values)
    if isinstance(value, Mapping):
        return {key: _texts(each, values) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(each, values) for each in value]
    return value


def _in_checks(case: Case) -> set[str]:
    found: set[str] = set()

    def look(value: Any) -> None:
        if isinstance(value, str):
            found.update(places(value))
        elif isinstance(value, Mapping):
            look(list(value.values()))
        elif isinstance(value, list | tuple):
            for each in value:
                look(each)

    look(msgspec.to_builtins(case.checks))
    return found
