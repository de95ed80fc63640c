"""The cases of a [ladder]: each task at every size and depth."""

from collections.abc import Mapping

import msgspec

from scenarios.content import Case
from scenarios.form import shaped
from scenarios.hay import Hay, Ladder, case_id
from scenarios.request import ScenarioError


def climbed(
    ladder: Ladder | None, changes: Mapping[str, object], where: str
) -> Ladder | None:
    """Return a scenario's ladder with the sizes and depths that are asked for instead.

    Raises ScenarioError where there is no ladder to change.
    """
    given = {key: changes[key] for key in ("sizes", "depths") if key in changes}
    if ladder is None:
        for key in given:
            raise ScenarioError(f"{where}: {key} is for a scenario with a [ladder]")
        return None
    table = {**msgspec.structs.asdict(ladder), **given}
    return shaped(table, Ladder, where, sep=": ")


def rungs(
    ladder: Ladder | None, cases: tuple[Case, ...], where: str
) -> tuple[Case, ...]:
    """Return a scenario's cases, those of a ladder at each of its sizes and depths.

    Shorter prompts come first. Cases that stand on a ladder already are put on this
    one. Raises ScenarioError for a ladder without statements, and the reverse.
    """
    if ladder is None:
        for case in cases:
            if case.hay is not None:
                raise ScenarioError(
                    f"{where}: case {case.id!r}: plants are for a scenario with a "
                    "[ladder]; add one with sizes and depths"
                )
        return cases
    tasks: dict[str, tuple[Case, Hay]] = {}
    for case in cases:
        if case.hay is None:
            raise ScenarioError(
                f"{where}: case {case.id!r}: nothing is hidden in its prompt; write "
                'plants, such as [{ text = "The code is {code}." }]'
            )
        _refuse_times(case, case.hay, where)
        tasks.setdefault(case.hay.task, (case, case.hay))
    return tuple(
        msgspec.structs.replace(
            case,
            id=case_id(task, size, depth),
            hay=msgspec.structs.replace(hay, tokens=size, depth=depth),
        )
        for size in sorted(set(ladder.sizes))
        for task, (case, hay) in tasks.items()
        for depth in sorted(set(ladder.depths))
    )


def _refuse_times(case: Case, hay: Hay, where: str) -> None:
    """Refuse a number of copies that is no number."""
    for plant in hay.plants:
        name = plant.times
        if not isinstance(name, str):
            continue
        drawn = case.draw.get(name, (case.values.get(name),))
        if not all(isinstance(each, int) and each > 0 for each in drawn):
            raise ScenarioError(
                f"{where}: case {case.id!r}: plants: times = {name!r} is no whole "
                f"number from 1; draw it, such as draw = {{ {name} = [3, 9] }}"
            )
