"""The contract of a dialect: how one family of hosts words requests and answers."""

from typing import Any, Protocol

import msgspec

from providers.outcome import Blame, Outcome
from providers.provider import Provider
from providers.reply import Usage
from scenarios.request import Request


class ToolPart(msgspec.Struct, frozen=True):
    """A piece of a tool call as one chunk carried it; None where it said nothing."""

    index: int | None
    id: str | None
    name: str | None
    arguments: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error as a host worded it, and what it means.

    `retry_after_s` is the wait that its body asks for, None if it asks for none.
    """

    outcome: Outcome
    blame: Blame | None
    code: str | None = None
    message: str = ""
    retry_after_s: float | None = None


class Delta(msgspec.Struct, kw_only=True, gc=False):
    """What one chunk of a stream, or one whole answer, says.

    `finish` is the finish reason as sent. `usage` is None unless the chunk had a
    usage object. `usage_odd` is true when a count in it was no exact integer, `odd`
    when text stood where none can be read from it, `beside` when there was output of
    another choice than the first: such output is counted, and not kept. `foreign` is
    true when it is no part of a chat answer by its shape, but something else.
    """

    content: str = ""
    reasoning: str = ""
    tools: tuple[ToolPart, ...] = ()
    finish: str | None = None
    usage: Usage | None = None
    usage_odd: bool = False
    odd: bool = False
    beside: bool = False
    foreign: bool = False
    problem: Problem | None = None
    id: str | None = None
    model: str | None = None
    upstream: str | None = None
    fingerprint: str | None = None


class Dialect(Protocol):
    """A pure translator between our nouns and a host's JSON; it does no I/O."""

    @property
    def name(self) -> str:
        """Return the name by which a configuration chooses this dialect."""
        ...

    @property
    def states_cost(self) -> bool:
        """Return whether this family of hosts states the cost of every answer."""
        ...

    def headers(self, provider: Provider) -> dict[str, str]:
        """Return the headers that this dialect adds to a request."""
        ...

    def body(self, request: Request, provider: Provider) -> dict[str, Any]:
        """Return the JSON body that asks this request of this provider."""
        ...

    def read(self, chunk: Any, *, event: bytes = b"") -> Delta:
        """Return what a decoded chunk or answer says; odd shapes say nothing."""
        ...

    def classify(self, status: int | None, payload: Any, text: str) -> Problem:
        """Return what an error means: its HTTP status if it had one, and its body.

        `payload` is the decoded JSON body or None, `text` the body as text.
        """
        ...

    def finish_outcome(self, finish: str) -> Outcome | None:
        """Return what a finish reason means for the outcome; None if unknown."""
        ...
