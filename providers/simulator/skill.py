"""How able and how honest a simulated host is, as dials that figures can be held to."""

from random import Random
from typing import Annotated

import msgspec

from providers.provider import ProviderError
from providers.simulator.asked import Asked
from scenarios.key import Key, Known, Reply

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10**9)]


class Skill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The dials; by default a host that is always right and states what is true.

    `right` is the share of known questions that are answered rightly. Of right answers
    that call tools, the share `leaks` comes as markup in the text, and of the others
    the share `mistakes` with a wrong argument. Prompts are silently cut to their last
    `context` tokens, and answers to `max_tokens`; None: never. `system_tokens` are
    those of a system prompt that the host puts in itself; each token that is counted
    is stated `inflation` times. Of `replicas` prefix caches a request meets any one.
    """

    right: Share = 1.0
    mistakes: Share = 0.0
    leaks: Share = 0.0
    context: Count | None = None
    max_tokens: Count | None = None
    system_tokens: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 0
    inflation: Annotated[float, msgspec.Meta(ge=0.01, le=100)] = 1.0
    replicas: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1


def read_skill(text: str) -> Skill:
    """Return the dials of a text such as "right=0.8,leaks=0.1".

    Raises ProviderError naming the dial and what may be set.
    """
    given: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.strip().partition("=")
        if name not in Skill.__struct_fields__ or not equals:
            raise ProviderError(
                f"skill {part!r}: write NAME=VALUE; known: "
                f"{', '.join(Skill.__struct_fields__)}"
            )
        given[name] = value
    try:
        return msgspec.convert(given, Skill, strict=False)
    except msgspec.ValidationError as error:
        raise ProviderError(f"skill {text!r}: {error}") from None


def cut(asked: Asked, skill: Skill) -> Asked:
    """Return what a host reads of a request: its last `context` tokens."""
    if skill.context is None or asked.prompt_tokens <= skill.context:
        return asked
    words = asked.words[-skill.context :]
    return msgspec.structs.replace(asked, words=words, prompt_tokens=skill.context)


def replied(asked: Asked, key: Key, skill: Skill, rng: Random) -> Reply | None:
    """Return what a host says to a question of the key, None to any other.

    `asked` is what it reads: what was cut away it cannot know.
    """
    known = key.find(asked.body["messages"])
    if known is None:
        return None
    if rng.random() >= skill.right or not _read(asked, known):
        return known.wrong
    right = known.right
    if right.calls and rng.random() < skill.leaks:
        return Reply(content="\n".join(_leaked(*call) for call in right.calls))
    if right.calls and rng.random() < skill.mistakes:
        return Reply(calls=(_mistaken(*right.calls[0]), *right.calls[1:]))
    return right


def _read(asked: Asked, known: Known) -> bool:
    """Tell whether all that an answer needs is in what the host reads."""
    if not known.needs:
        return True
    seen = " ".join(asked.words)
    return all(seen.count(said) == n for said, n in known.needs.items())


def _leaked(name: str, arguments: str) -> str:
    """Return a call as GLM writes it when nobody turns it into one."""
    pairs = msgspec.json.decode(arguments).items()
    inner = "".join(
        f"<arg_key>{key}</arg_key><arg_value>{value}</arg_value>"
        for key, value in pairs
    )
    return f"<tool_call>{name}{inner}</tool_call>"


def _mistaken(name: str, arguments: str) -> tuple[str, str]:
    """Return a call whose first argument is wrong, or whose name is if it has none."""
    table = msgspec.json.decode(arguments)
    if not table:
        return f"{name}_now", arguments
    table[next(iter(table))] = "?"
    return name, msgspec.json.encode(table).decode()
