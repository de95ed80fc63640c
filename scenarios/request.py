"""The two nouns that leave this room: what is asked, and when it is asked of whom."""

import hashlib
from typing import Any, Literal

import msgspec

Message = dict[str, Any]
Effort = Literal["off", "default", "high", "max"]
Phase = Literal["warmup", "measure", "calibrate", "capability"]


class ScenarioError(Exception):
    """A scenario the user gave is wrong; the message names file, key and remedy."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One question, in the words of the OpenAI chat API but bound to no host.

    None always means "do not send this field". `effort` is how hard the model
    should think; each dialect spells it for its host. `nonce` is the part of the
    prompt that makes it unique, None where the prompt repeats on purpose.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    stream: bool = True
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    tools: tuple[dict[str, Any], ...] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    effort: Effort | None = None
    nonce: str | None = None

    @property
    def digest(self) -> str:
        """Return the SHA-256 (hex) of what the model is shown: messages and tools.

        Equal digests mean equal prompt bytes, whatever host they go to.
        """
        shown = msgspec.json.encode([self.messages, self.tools], order="sorted")
        return hashlib.sha256(shown).hexdigest()

    @property
    def params(self) -> dict[str, Any]:
        """Return the sampling parameters that were set, for the row's `params`."""
        wanted = {
            "stream": self.stream,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stop": self.stop,
            "seed": self.seed,
            "tool_choice": self.tool_choice,
            "response_format": self.response_format,
            "tools": len(self.tools) if self.tools else None,
        }
        return {name: value for name, value in wanted.items() if value is not None}


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One request that is to reach one provider at one moment.

    `block` is shared by all providers that are asked the same case at the same
    moment. `due` is in seconds from the start of its load step, None in a closed
    loop. `step` numbers the load steps of a run (`-c 1,8,64` has three). `grown` is how
    many tokens at most a live history may add to the request before it is sent.
    """

    seq: int
    block: int
    step: int
    phase: Phase
    scenario: str
    scenario_version: str
    case: str
    provider: str
    request: Request
    session: str | None = None
    turn: int | None = None
    due: float | None = None
    grown: int = 0
