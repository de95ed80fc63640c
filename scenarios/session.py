"""The requests that session number so-and-so of a scenario makes, turn by turn."""

import random
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from scenarios import agent
from scenarios.agent import about
from scenarios.content import Case, Scenario, files_of
from scenarios.desk import TOOLS
from scenarios.hay import hidden
from scenarios.prompts import fill, heading, nonce, text
from scenarios.request import Message, Phase, Request
from scenarios.trace import Trace, prompt


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One sitting: the id of the case it asks, and one request a turn, in order.

    Those of an agent are made when they are come to, and once. Those of a live loop
    are all its opening: what is asked after it hangs on the answers.
    """

    case: str
    requests: Iterable[Request]


def case(
    scenario: Scenario, index: int, *, salt: str, seed: int, phase: Phase, step: int
) -> Session:
    """Return session number `index` (from 0): the same for the same arguments.

    Every pass through the cases has its own order, which `seed` decides; that order
    and the texts are the same in every phase and step. `salt`, phase, step and index
    decide the nonce, so no two prompts of a run start alike.
    """
    chosen = _chosen(scenario, index, seed)
    words = None
    if scenario.prompt.nonce:
        words = nonce(salt, scenario.name, step, phase, index)
    filler, key = "", f"{seed}/{scenario.name}"
    if scenario.trace:
        return _replayed(scenario, scenario.trace, index, salt, key)
    if chosen.hay:
        filler = hidden(chosen.hay, chosen.values, key, index)
    elif scenario.prompt.tokens:
        filler = text(scenario.prompt.tokens, key, index)
    turns: Iterable[list[Message]] = asked(scenario, chosen, filler)
    if scenario.agent:
        (opening,) = turns
        used = about(_sized(scenario, chosen, opening))
        turns = agent.turns(scenario.agent, opening, used, key, index)
    if scenario.loop:
        turns = [*turns] * scenario.loop.steps
    requests = (_request(scenario, chosen, messages, words) for messages in turns)
    lazy = scenario.agent is not None
    return Session(case=chosen.id, requests=requests if lazy else tuple(requests))


def _sized(scenario: Scenario, chosen: Case, opening: list[Message]) -> str:
    """Return what an opening shows besides the nonce, as JSON."""
    tools = chosen.tools or scenario.request.tools or ()
    return msgspec.json.encode([opening, tools]).decode()


def _replayed(
    scenario: Scenario, trace: Trace, index: int, salt: str, key: str
) -> Session:
    """Return request number `index` of a trace; the salt alone is its nonce."""
    each, most = trace.asked[index], scenario.request.max_tokens
    if "max_tokens" not in scenario.changes:
        most = each.max_tokens
    words = None
    if scenario.prompt.nonce and not each.blocks:
        words = nonce(salt, scenario.name, index)
    said = prompt(each, salt, key, scenario.prompt.user or "", words or "")
    chosen = msgspec.structs.replace(scenario.cases[0], max_tokens=most)
    messages: list[Message] = [{"role": "user", "content": said}]
    return Session(
        case=chosen.id, requests=(_request(scenario, chosen, messages, words),)
    )


def asked(scenario: Scenario, chosen: Case, filler: str) -> list[list[Message]]:
    """Return the messages of each turn of a case, `filler` in place of `{text}`.

    There is no nonce in them. Raises KeyError for values that are not drawn yet.
    """
    values: dict[str, object] = {"files": _shown(files_of(chosen)), **chosen.values}
    return _turns(scenario, chosen, {**values, "text": filler})


def _chosen(scenario: Scenario, index: int, seed: int) -> Case:
    if len(scenario.cases) == 1:
        return scenario.cases[0]
    lap, place = divmod(index, len(scenario.cases))
    return scenario.cases[_order(scenario.name, scenario.sizes, seed, lap)[place]]


@lru_cache(maxsize=8)
def _order(name: str, sizes: tuple[int, ...], seed: int, lap: int) -> tuple[int, ...]:
    """Return in which order cases are asked: shuffled, shorter rungs of a ladder first.

    So a budget that does not reach for a rung has paid for all below it.
    """
    order = list(range(len(sizes)))
    random.Random(f"cases/{seed}/{name}/{lap}").shuffle(order)
    return tuple(sorted(order, key=sizes.__getitem__))


def _shown(files: Mapping[str, str]) -> str:
    """Return files as a prompt shows them: each in a block below its path."""
    return "\n\n".join(
        f"{path}\n```{path.rpartition('.')[2]}\n{text.rstrip()}\n```"
        for path, text in files.items()
    )


def _turns(
    scenario: Scenario, chosen: Case, values: dict[str, object]
) -> list[list[Message]]:
    if chosen.messages is not None:
        return [list(chosen.messages)]
    prompt, session = scenario.prompt, scenario.session
    opening = _said("system", prompt.system, values)
    if session is None:
        user = prompt.user if chosen.user is None else chosen.user
        return [opening + _said("user", user, values)]
    turns, history = [], opening
    answers = (*(session.answers or ()), None)
    for i, user in enumerate(session.turns):
        turns.append(history + _said("user", user, values))
        if session.answers is not None:
            history = turns[-1] + _said("assistant", answers[i], values)
    return turns


def _said(role: str, template: str | None, values: dict[str, object]) -> list[Message]:
    if template is None:
        return []
    return [{"role": role, "content": fill(template, values)}]


def _request(
    scenario: Scenario, chosen: Case, messages: list[Message], words: str | None
) -> Request:
    ask = scenario.request
    if words is not None:
        messages = [_headed(messages[0], words), *messages[1:]]
    tools = ask.tools if chosen.tools is None else chosen.tools
    return Request(
        messages=tuple(messages),
        max_tokens=chosen.max_tokens or ask.max_tokens,
        stream=ask.stream if chosen.stream is None else chosen.stream,
        temperature=ask.temperature,
        top_p=ask.top_p,
        stop=ask.stop,
        seed=ask.seed,
        tools=TOOLS if scenario.loop else tools,
        tool_choice=ask.tool_choice,
        response_format=chosen.response_format or ask.response_format,
        effort=ask.effort,
        nonce=words,
    )


def _headed(message: Message, words: str) -> Message:
    # At the very start: a prefix cache matches from the first token on, so a nonce
    # further back would leave everything before it shared.
    content: Any = message["content"]
    if isinstance(content, str):
        return {**message, "content": heading(words) + content}
    return {**message, "content": [{"type": "text", "text": heading(words)}, *content]}
