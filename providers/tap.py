"""The tap on aiohttp's socket: stamps where bytes arrive, before they are parsed.

All that touches aiohttp's private parts stands here and in `providers.post`, and
tests/test_tap.py fails loudly when a new aiohttp moves them.
"""

import asyncio
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from time import perf_counter_ns
from typing import Any

from aiohttp import (
    ClientPayloadError,
    StreamReader,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import _EXC_SENTINEL as _SENTINEL
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD

from providers.chunks import Chunks, opening

HOLD_BYTES = 1 << 20
"""How much of a body may wait to be read before its reader is woken at once."""

SWITCHING = 101

MOST_FRAMING_BYTES = 16 << 20
"""How much of a response may be heads, chunk sizes, extensions and trailers."""

MOST_HEADS = 1_000
"""How many heads a response may have: its own, and those before it (1xx)."""


class FloodError(Exception):
    """A host sends without end what is no part of an answer."""


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
        self.handler: Handler | None = None
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


class Handler(ResponseHandler):
    """A connection that stamps reads before they are parsed, and wakes nobody.

    Whole chunks of a body do not pass through aiohttp's parser, which would call back
    four times for each: see `providers.chunks`.
    """

    __slots__ = ("chunks", "secured", "tape", "tcp", "used")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        # aiohttp makes the handler when TCP stands and attaches it when TLS stands.
        self.tcp = perf_counter_ns()
        self.secured: int | None = None
        self.used = False
        self.tape: Tape | None = None
        self.chunks: Chunks | None = None

    @property
    def paused(self) -> bool:
        """Return whether aiohttp stopped reading because its buffer was full."""
        return self._reading_paused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note when the connection, TLS included, was ready."""
        self.secured = perf_counter_ns()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Stamp a read, let aiohttp parse it, and mark what it brought."""
        now = perf_counter_ns()
        tape, chunks = self.tape, self.chunks
        if tape is None:
            super().data_received(data)
        elif chunks is None:
            self._head(tape, now, data)
        elif (
            not chunks.ahead
            and data.startswith(start := opening(len(data)))
            and data.endswith(b"\r\n")
        ):
            # One whole chunk, as most reads of a slow stream are: this is the hot path.
            tape.add(now, data[len(start) : -2])
        else:
            self._body(tape, now, data)

    def _head(self, tape: Tape, now: int, data: bytes) -> None:
        """Feed heads one by one: it must be certain where a chunked body begins."""
        at = 0
        while at < len(data) and tape.payload is None and tape.failure is None:
            end = data.find(b"\r\n\r\n", at) + 4
            tape.heads += end > 3
            end = end if end > 3 else len(data)
            super().data_received(data[at:end])
            tape.parsed(now, end - at)
            at = end
        if tape.failure is None:
            self._body(tape, now, data[at:])

    def _body(self, tape: Tape, now: int, data: bytes) -> None:
        before, after = data, b""
        contents: list[bytes] = []
        if self.chunks is not None and data:
            before, contents, after = self.chunks.split(data)
        if before or not data:  # without data the parser goes on where it was paused
            super().data_received(before)
            tape.parsed(now, len(before))
        tape.add_all(now, contents)
        if after:
            super().data_received(after)
            tape.parsed(now, len(after))

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stamp the end of a body that only the end of the connection ends."""
        now = perf_counter_ns()
        super().connection_lost(exc)
        if self.tape is not None:
            self.tape.mark(now)

    def set_exception(self, exc: Any, exc_cause: BaseException = _SENTINEL) -> None:
        """Note what ended the response before its time, and break its body off too."""
        super().set_exception(exc, exc_cause)
        tape = self.tape
        if tape is None:
            return
        tape.malformed |= isinstance(exc, HttpProcessingError)
        payload = tape.payload
        if payload is None:
            tape.fail(exc)
        elif tape.malformed and not payload.is_eof():
            payload.set_exception(ClientPayloadError(exc.message), exc)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Note the final response's head and body; interim heads (1xx) are not it.

        A response that nobody asked for is left to aiohttp: it spoils the connection.
        """
        message, payload = data
        tape = self.tape
        if tape is None or tape.payload is not None:
            super().feed_data(data, size)
        elif message.code == SWITCHING:
            self.set_exception(
                HttpProcessingError(message="switches protocols unasked")
            )
        elif message.code >= 200:
            tape.payload = payload
            tape.status, tape.fields = message.code, message.headers
            # Bytes of the body that came with the head blur where its chunks begin.
            if message.chunked and not message.compression and not payload.total_bytes:
                self.chunks = Chunks()
