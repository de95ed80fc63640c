"""What a scenario holds, and the rules that it must keep to make sense."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Final

import msgspec

from scenarios.checks import Check, tools_of
from scenarios.code import Code
from scenarios.form import message_faults, nearest
from scenarios.hay import Hay, Ladder
from scenarios.prompts import places
from scenarios.request import Effort, Message, ScenarioError
from scenarios.trace import Trace

BOTH: Final = {".stream": True, ".whole": False}
"""How the ids of a question end that is asked both ways, and whether it is streamed."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")

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
    holds the checks to them. `hay` is what its `{text}` hides, on a [ladder].
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
        """Return how many requests one session makes: 1 without a [session]."""
        return len(self.session.turns) if self.session else 1

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Return the size of each case: those of a [ladder] are asked in this order."""
        return tuple(case.hay.tokens if case.hay else 0 for case in self.cases)

    @cached_property
    def by_id(self) -> dict[str, Case]:
        """Return the cases by their ids."""
        return {case.id: case for case in self.cases}


def sealed(scenario: Scenario, where: str) -> Scenario:
    """Return the scenario with its digest; raise ScenarioError if it makes no sense.

    The digest is of all that decides what is sent and checked, so a comment in the
    file does not change it and an override does.
    """
    for fault in _faults(scenario):
        raise ScenarioError(f"{where}: {fault}")
    cases = tuple(
        msgspec.structs.replace(case, good=None, bad=()) for case in scenario.cases
    )
    bare = msgspec.structs.replace(
        scenario, digest="", source="", description="", changes={}, cases=cases
    )
    table = msgspec.to_builtins(bare)
    for part in (table, *table["cases"]):
        # What most scenarios lack is left out: its coming moved no version.
        for key in ("ladder", "hay", "trace"):
            if part.get(key) is None:
                part.pop(key, None)
    digest = hashlib.sha256(msgspec.json.encode(table, order="sorted")).hexdigest()
    return msgspec.structs.replace(scenario, digest=digest)


def case_faults(scenario: Scenario, case: Case) -> Iterator[str]:
    """Yield what is wrong with one case of a scenario, each with its remedy."""
    yield from _source_faults(scenario, case)
    wanted = used_names(scenario, case) - {"text", "files" * bool(files_of(case))}
    for name in sorted(wanted - case.values.keys() - case.draw.keys()):
        yield f"no value for {{{name}}}; add it to values, or write {{{{{name}}}}}"
    for name in sorted(case.values.keys() - wanted):
        yield f"values.{name} is used nowhere; {nearest(name, wanted or {'no values'})}"
    yield from _tool_faults(scenario, case)


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
