"""What a scenario holds."""

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Final

import msgspec

from scenarios.agent import Agent
from scenarios.checks import Check
from scenarios.code import Code
from scenarios.hay import Hay, Ladder
from scenarios.loop import Loop, Task
from scenarios.request import Effort, Message, ScenarioError
from scenarios.trace import Trace

BOTH: Final = {".stream": True, ".whole": False}
"""How the ids of a question end that is asked both ways, and whether it is streamed."""

Positive = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
Tokens = Annotated[int, msgspec.Meta(ge=1, le=10**7)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Table = dict[str, Any]
Draw = tuple[int | str, ...]
"""What a value is drawn from: the ends of a range of whole numbers, or texts."""


class Ask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table [request]: how to ask. None means that the field is not sent."""

    max_tokens: Positive = 256
    stream: bool = True
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    effort: Effort | None = None
    tools: tuple[Table, ...] | None = None
    tool_choice: str | Table | None = None
    response_format: Table | None = None


class Prompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table [prompt]: what every case says. `tokens` is the length of `{text}`."""

    system: str | None = None
    user: str | None = None
    tokens: Tokens | None = None
    nonce: bool = True


class Turns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table [session]: the user's texts, turn by turn, `gap` seconds apart.

    With `answers` (one fewer than turns) each turn carries the history so far, and
    these texts stand in it for the model's own, so that every host is shown the
    same bytes. Without them every turn follows the system prompt alone.
    """

    turns: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    answers: tuple[str, ...] | None = None
    gap: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class Deadlines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Deadlines of this scenario in seconds; None leaves the default in force."""

    connect: Seconds | None = None
    headers: Seconds | None = None
    first_token: Seconds | None = None
    token_gap: Seconds | None = None
    total: Seconds | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One question of a scenario; what is None is the scenario's own.

    `draw` says what each run draws of its seed (`scenarios.draw`). `good` is an answer
    that passes every check, each of `bad` one that does not: `h2h scenarios check`
    holds the checks to them. `hay` is what its `{text}` hides, on a [ladder]; `task`
    is what a live loop works on.
    """

    id: str
    user: str | None = None
    messages: tuple[Message, ...] | None = None
    values: dict[str, str | int | float] = {}
    draw: dict[str, Draw] = {}
    max_tokens: Positive | None = None
    stream: bool | None = None
    tools: tuple[Table, ...] | None = None
    response_format: Table | None = None
    checks: tuple[Check, ...] = ()
    good: str | None = None
    bad: tuple[str, ...] = ()
    hay: Hay | None = None
    task: Task | None = None

    @property
    def question(self) -> str:
        """Return the id without the end that tells whether it is streamed."""
        end = next((end for end in BOTH if self.id.endswith(end)), "")
        return self.id.removesuffix(end)


class Scenario(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What is asked: at least one case, and how.

    `source` is the file it came from, `changes` what was overridden in it.
    """

    name: str
    version: int = 1
    description: str = ""
    source: str = ""
    request: Ask = Ask()
    prompt: Prompt = Prompt()
    session: Turns | None = None
    ladder: Ladder | None = None
    trace: Trace | None = None
    agent: Agent | None = None
    loop: Loop | None = None
    deadlines: Deadlines = Deadlines()
    cases: tuple[Case, ...] = (Case(id="1"),)
    checks: tuple[Check, ...] = ()
    digest: str = ""
    changes: Table = {}

    @property
    def scenario_version(self) -> str:
        """Return the version with the start of the content's SHA-256, for the row."""
        return f"{self.version}-{self.digest[:12]}"

    @property
    def turns(self) -> int:
        """Return how many requests one session makes at most: 1 without any."""
        if self.agent:
            return self.agent.turns
        if self.loop:
            return self.loop.steps
        return len(self.session.turns) if self.session else 1

    @property
    def whole(self) -> bool:
        """Tell whether sessions are judged whole, and not turn by turn."""
        return self.agent is not None or self.loop is not None

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Return the size of each case: those of a [ladder] are asked in this order."""
        return tuple(case.hay.tokens if case.hay else 0 for case in self.cases)

    @cached_property
    def by_id(self) -> dict[str, Case]:
        """Return the cases by their ids."""
        return {case.id: case for case in self.cases}


def files_of(case: Case) -> Mapping[str, str]:
    """Return the files that the code checks of a case bring, by path."""
    return {
        path: text
        for check in case.checks
        if isinstance(check, Code)
        for path, text in check.files.items()
    }


def checks_of(scenario: Scenario, case_id: str) -> tuple[Check, ...]:
    """Return the checks that every answer to this case is held to, each of one name.

    Of several checks of one name the second becomes `name-2`, and so on. Raises
    ScenarioError for an unknown case, and for one whose values are not drawn yet.
    """
    if case_id not in scenario.by_id:
        raise ScenarioError(f"scenario {scenario.name} has no case {case_id!r}")
    if scenario.by_id[case_id].draw:
        raise ScenarioError(
            f"scenario {scenario.name}: the values of case {case_id!r} are not drawn; "
            "take the scenario of the plan"
        )
    seen: Counter[str] = Counter()
    named = []
    for check in (*scenario.checks, *scenario.by_id[case_id].checks):
        seen[check.name] += 1
        n = seen[check.name]
        name = check.name if n == 1 else f"{check.name}-{n}"
        named.append(msgspec.structs.replace(check, name=name))
    return tuple(named)
