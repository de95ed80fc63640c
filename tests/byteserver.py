"""Scripts of bytes for tests, and requests to send to the host that plays them."""

import asyncio

from providers.provider import Provider
from providers.simulator.catalogue.words import (
    ANSWER,
    DONE,
    GOOD,
    LAST,
    ROLE,
    STOP,
    chunk,
    chunked,
    event,
    head,
    said,
    stream,
    used,
    whole,
)
from providers.simulator.player import Action, ByteHost, Fin, Repeat, Rst, Send, Stall
from providers.wire import Wire
from scenarios.request import Arrival, Request

__all__ = [
    "ANSWER", "DONE", "FIN", "GOOD", "LAST", "ROLE", "RST", "STALL", "STOP",
    "ByteServer", "arrival", "ask", "chunk", "chunked", "event", "head", "provider",
    "said", "stream", "used", "whole",
]  # fmt: skip

FIN, RST, STALL = Fin(), Rst(), Stall()


class Gate(Action, frozen=True):
    """Go on when the test says so."""

    event: asyncio.Event

    async def play(self, stage):
        await self.event.wait()


def action(word):
    """Return the action that a word of a test's script stands for.

    Bytes are sent, an event is waited for, (bytes, seconds) is repeated for ever.
    """
    match word:
        case bytes():
            return Send(word)
        case asyncio.Event():
            return Gate(word)
        case (data, seconds):
            return Repeat(data, seconds)
    return word


class ByteServer(ByteHost):
    """Play one script for each request: the n-th, or the last one again."""

    def __init__(self, *scripts, tls=None, before_request=None):
        first = () if before_request is None else (action(before_request),)
        super().__init__(self.answer, at_connect=first, tls=tls)
        self.scripts = [tuple(map(action, script)) for script in scripts]
        self.requests = []

    @property
    def url(self):
        return self.base_url

    def answer(self, asked):
        self.requests.append(asked)
        return self.scripts[min(len(self.requests), len(self.scripts)) - 1]


def provider(url, **fields):
    given = {"name": "host", "dialect": "generic", "model": "m", **fields}
    return Provider(base_url=url, **given)


def arrival(name="host", **fields):
    given = {"messages": ({"role": "user", "content": "hi"},), "max_tokens": 64}
    return Arrival(
        seq=0,
        block=0,
        step=0,
        phase="measure",
        scenario="s",
        scenario_version="1",
        case="c",
        provider=name,
        request=Request(**(given | fields)),
    )


async def ask(url, *, deadlines=None, caps=None, wire=None, host=None, **request):
    """Send one request over a wire of its own and return the Reply."""
    options = {"concurrency": 4, "deadlines": deadlines, "caps": caps, **(wire or {})}
    async with Wire([provider(url, **(host or {}))], **options) as line:
        return await line.send(arrival(**request))
