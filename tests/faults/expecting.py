"""What is expected of a fault, and the one request that shows whether it is so.

A test module keeps a table `EXPECTED` by test id: the bare number of a fault, or
`NUMBER-VARIANT` where it has several scripts. The words of `expect` start from a good
answer in two tokens, so that an entry says only what the fault changes.
"""

import asyncio
import re
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

from byteserver import ask

from providers.outcome import BLAME, Blame, Flag, Outcome
from providers.reply import Reply
from providers.simulator.catalogue.index import CATALOGUE
from providers.simulator.player import Action, ByteHost, Send

BY_NUMBER = {fault.number: fault for fault in CATALOGUE}
STAMPS = (
    "sent", "headers", "first_event", "first_reasoning", "first_token",
    "first_answer", "last_token", "usage", "done",
)  # fmt: skip
ORDERED = ("sent", "headers", "first_event", "first_token", "last_token", "end")
WHOLE = frozenset(STAMPS) - {"first_reasoning"}
SPACED = re.compile(rb'("[a-z_]+"): ')


@dataclass(frozen=True)
class Expected:
    outcome: Outcome
    flags: frozenset[Flag]
    blame: Blame | None
    reached: frozenset[str]
    usage: tuple[int | None, int | None] | None
    facts: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict)
    https: bool = False
    again: bool = False

    @property
    def in_short(self) -> str:
        """Return the outcome and its flags as the catalogue words them."""
        flags = ", ".join(sorted(self.flags))
        return f"{self.outcome}: {flags}" if flags else str(self.outcome)


def expect(
    outcome=Outcome.OK,
    *flags,
    blame="usual",
    without="",
    only=None,
    plus="",
    usage="as reached",
    given=None,
    https=False,
    again=False,
    **facts,
) -> Expected:
    """Return what is expected: by default the good answer `Hello`, whole.

    Of the stamps those named in `without` are not reached, those in `plus` are as
    well; `only` names all that are. `usage` is (prompt, completion). `given` goes to
    `ask`, with `https` it asks for TLS of a host that has none. The other names are
    those of a Reply's fields, each compared. With `again` it is met by the second of
    two requests, in a test of its own.
    """
    names = WHOLE if only is None else frozenset(only.split())
    reached = (names | set(plus.split())) - set(without.split())
    assert reached <= set(STAMPS), reached - set(STAMPS)
    if usage == "as reached":
        usage = (5, 2) if "usage" in reached else None
    begun = "first_answer" in reached
    usual = {"http_status": 200, "content": "Hello" if begun else ""}
    if only is not None and "headers" not in reached:
        usual["http_status"] = None
    return Expected(
        outcome=outcome,
        flags=frozenset(flags),
        blame=BLAME[outcome] if blame == "usual" else blame,
        reached=reached,
        usage=usage,
        facts=usual | facts,
        given=given or {},
        https=https,
        again=again,
    )


def play_of(case):
    """Return the fault and the script of a test id."""
    number, _, variant = case.partition("-")
    fault = BY_NUMBER[int(number)]
    return fault, fault.plays[variant]


async def met(case, expected, change=None) -> Reply:
    """Send one request to a host that plays the fault; assert all that is expected.

    `change` may make another script of the fault's.
    """
    complaints = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    fault, play = play_of(case)
    play = change(play) if change else play
    asked = []

    def answer(request):
        asked.append(request)
        return play

    first = play if fault.at_connect else ()
    async with ByteHost(answer, at_connect=first) as host:
        secure = host.base_url.replace("http:", "https:")
        url = secure if expected.https else host.base_url
        reply = await ask(url, **expected.given)
    assert_met(reply, expected)
    assert len(asked) <= 1, "a hidden retry"
    assert not complaints, "an exception that nobody caught"
    return reply


def assert_met(reply, expected):
    """Assert that a reply is what is expected of it, all at once for a full picture."""
    usage = reply.usage and (reply.usage.prompt_tokens, reply.usage.completion_tokens)
    seen = {
        "outcome": reply.outcome,
        "flags": sorted(reply.flags),
        "blame": reply.blame,
        "reached": [name for name in STAMPS if getattr(reply.stamps, name) is not None],
        "usage": usage,
        **{name: getattr(reply, name) for name in expected.facts},
    }
    wanted = {
        "outcome": expected.outcome,
        "flags": sorted(expected.flags),
        "blame": expected.blame,
        "reached": [name for name in STAMPS if name in expected.reached],
        "usage": expected.usage,
        **expected.facts,
    }
    wrong = [
        f"{name} is {str(seen[name])[:300]}, not {str(wanted[name])[:300]}"
        for name in wanted
        if seen[name] != wanted[name]
    ]
    assert not wrong, ("\n".join(wrong), reply.error_excerpt)
    moments = [getattr(reply.stamps, name) for name in ORDERED]
    moments = [at for at in moments if at is not None]
    assert moments == sorted(moments)
    assert reply.bytes_received >= 0
    assert reply.error_excerpt is None or len(reply.error_excerpt.encode()) <= 512


class Mark(Action, frozen=True):
    """Note the moment."""

    moments: list[int]

    async def play(self, stage):
        self.moments.append(perf_counter_ns())


def compact(play):
    """Return a script whose JSON has no space behind its colons, as most hosts' has.

    The space goes before the key, so that no length changes. Only such JSON is read
    in the fast way.
    """
    return tuple(
        Send(SPACED.sub(rb" \1:", action.data)) if isinstance(action, Send) else action
        for action in play
    )


async def sent_and_stamped(case, expected, change=None):
    """Return the moments at which a paced script sent its parts, and the Reply.

    Whatever is sent before a wait, on the loop that the client runs on too, is read
    before the next is sent: its stamp lies between the two moments.
    """
    moments = []

    def marked(play):
        for action in change(play) if change else play:
            if isinstance(action, Send):
                yield Mark(moments)
            yield action

    return moments, await met(case, expected, lambda play: tuple(marked(play)))
