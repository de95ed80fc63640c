"""The tape of one exchange: its moments, and what came, as the socket brought it.

It touches private parts of aiohttp's stream: see `providers.tap`.
"""

import asyncio
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Protocol

from aiohttp import StreamReader
from aiohttp.streams import EMPTY_PAYLOAD

HOLD_BYTES = 1 << 20
"""How much of a body may wait to be read before its reader is woken at once."""

MOST_FRAMING_BYTES = 16 << 20
"""How much of a response may be heads, chunk sizes, extensions and trailers."""

MOST_HEADS = 1_000
"""How many heads a response may have: its own, and those before it (1xx)."""


class FloodError(Exception):
    """A host sends without end what is no part of an answer."""


class Source(Protocol):
    """As much of a connection as its tape knows: whether it reads, and for which."""

    tape: "Tape | None"

    @property
    def paused(self) -> bool:
        """Return whether reading has stopped because a buffer was full."""
        ...

    def resume_reading(self) -> None:
        """Read on."""
        ...


class Tape:
    """The moments of one exchange, written by the socket's own callbacks.

    Stamps are ns of `perf_counter_ns`, None until reached. `status` and `fields` are
    the response's head. `wake` is called when much waits to be taken. `refusal` says
    why an address was not allowed, `malformed` whether the response broke HTTP,
    `failure` what broke it off before its end. `held` bytes wait to be taken. `heads`
    ended, its own included; `framing` bytes were no part of its body.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake: Callable[[], None] | None = wake
        self.opening: int | None = None
        self.resolving = False
        self.dns: int | None = None
        self.resolved: int | None = None
        self.refusal: str | None = None
        self.tcp: int | None = None
        self.secured: int | None = None
        self.reused: bool | None = None
        self.sent: int | None = None
        self.headers: int | None = None
        self.status: int | None = None
        self.fields: Mapping[str, str] = {}
        self.malformed = False
        self.failure: Exception | None = None
        self.eof: int | None = None
        self.handler: Source | None = None
        self.payload: StreamReader | None = None
        self._over: asyncio.Future[None] | None = None
        self._stamps = array("q")
        self._parts: list[bytes] = []
        self.held = 0
        self.heads = 0
        self.framing = 0
        self._looked: int | None = None

    async def ended(self) -> None:
        """Sleep until the response has ended or failed, or `finish` was called."""
        if self.eof is None and self.failure is None:
            self._over = asyncio.get_running_loop().create_future()
            await self._over

    def finish(self) -> None:
        """Wake whoever waits for the end of the response."""
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def fail(self, failure: Exception) -> None:
        """Note what broke the response off, the first such thing only."""
        if self.failure is None and self.eof is None:
            self.failure = failure
            self.finish()

    def add(self, now: int, data: bytes) -> None:
        """Keep bytes of the body with the moment of the read that brought them."""
        self._stamps.append(now)
        self._parts.append(data)
        self.held += len(data)
        if self.held > HOLD_BYTES:
            self._full()

    def add_all(self, now: int, parts: list[bytes]) -> None:
        """Keep several parts of the body that one read brought."""
        self._stamps.extend([now] * len(parts))
        self._parts += parts
        self.held += sum(map(len, parts))
        if self.held > HOLD_BYTES:
            self._full()

    def _full(self) -> None:
        if self.wake is not None:
            self.wake()

    def parsed(self, now: int, size: int) -> None:
        """Mark a read of so many bytes that has been parsed; a flood fails.

        Bytes that brought nothing are kept nowhere, but cost time for as long as they
        come.
        """
        self.framing += max(size - self.mark(now), 0)
        if self.framing > MOST_FRAMING_BYTES:
            self.fail(FloodError("endless framing around the body"))
        if self.heads > MOST_HEADS:
            self.fail(FloodError("endless heads before the response"))

    def mark(self, now: int) -> int:
        """Take over what a read brought of the body, with the moment of the read.

        Return how many bytes that is. Taking it here, and not when a task gets round to
        it, keeps each read's own stamp and keeps aiohttp from pausing the connection
        for a full buffer.
        """
        payload = self.payload
        if payload is None:
            return 0
        if self.headers is None:
            self.headers = now
        data = _emptied(payload)
        if data:
            self.add(now, data)
        if self.eof is None and payload.is_eof():
            self.eof = now
            self.finish()
        elif isinstance(failure := payload.exception(), Exception):
            self.fail(failure)
        return len(data)

    def take(self) -> tuple[Sequence[int], list[bytes]]:
        """Return the moments and the parts of the body that came since the last call.

        There is a moment for each part, that of the read which brought it.
        """
        taken = self._stamps, self._parts
        self._stamps, self._parts, self.held = array("q"), [], 0
        return taken

    def pausing(self) -> bool:
        """Return whether nothing came since the last call, or what may be the end."""
        newest = self._stamps[-1] if self._stamps else None
        quiet, self._looked = newest == self._looked, newest
        return quiet or b"[DONE]" in b"".join(self._parts[-1:])

    def go_on(self) -> None:
        """Let a connection read on that aiohttp paused: one huge, or compressed, read.

        Its parser may then yield more at once, to be taken as usual.
        """
        handler = self.handler
        if handler is not None and handler.paused:
            handler.resume_reading()

    def release(self) -> None:
        """Let go of the connection and of what it brought.

        The tape itself lives as long as the connection that it opened: asyncio runs a
        connection's callbacks in the context that made it.
        """
        if self.handler is not None and self.handler.tape is self:
            self.handler.tape = None
        self.handler = self.payload = self.wake = None
        self._stamps, self._parts, self.fields = array("q"), [], {}


def _emptied(payload: StreamReader) -> bytes:
    """Return the bytes that wait in aiohttp's buffer and empty it, without awaiting.

    This also works after the body broke off, when aiohttp's public reads raise and
    what had arrived before the break would be lost.
    """
    if payload is EMPTY_PAYLOAD or not payload._buffer:  # noqa: SLF001 - see above
        return b""
    buffer = payload._buffer  # noqa: SLF001 - as above
    data = buffer[0] if len(buffer) == 1 else b"".join(buffer)
    buffer.clear()
    payload._size = 0  # noqa: SLF001 - as above
    splits = payload._http_chunk_splits  # noqa: SLF001 - as above
    if splits is not None:
        splits.clear()
    return data


CURRENT: ContextVar[Tape] = ContextVar("tape")
