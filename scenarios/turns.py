"""What an override may change of a session: the pause, and how often it asks again."""

from collections.abc import Mapping
from typing import Final

import msgspec

from scenarios.agent import Agent
from scenarios.content import Turns
from scenarios.form import durations, shaped
from scenarios.request import ScenarioError

KEYS: Final = ("gap", "repeats")
MOST: Final = 1000


def turned(
    session: Turns | None,
    changes: Mapping[str, object],
    where: str,
    *,
    agent: Agent | None = None,
) -> Turns | None:
    """Return a session with another `gap`, its last turn asked `repeats` times.

    A gap may be a number of seconds or a text such as "5m"; that of an `agent` is not
    for here. Raises ScenarioError.
    """
    given = {key: changes[key] for key in KEYS if key in changes}
    if session is None:
        for key in given:
            if key == "gap" and agent:
                continue
            remedy = "a [session] or an [agent]" if key == "gap" else "a [session]"
            raise ScenarioError(f"{where}: {key} is for a scenario with {remedy}")
        return None
    table = {**msgspec.structs.asdict(session), **durations(given, ["gap"], where)}
    n = table.pop("repeats", None)
    if n is not None:
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST:
            raise ScenarioError(f"{where}: repeats is {n!r}; write 1 to {MOST}")
        if session.answers is not None:
            raise ScenarioError(
                f"{where}: repeats is for a session without answers: each turn of this "
                "one has another history"
            )
        *first, last = session.turns
        table["turns"] = (*first, *[last] * n)
    return shaped(table, Turns, where, sep=": ")
