"""The tap on aiohttp's socket: stamps where bytes leave and where they arrive.

Everything that touches aiohttp's private parts stands in this module, and
tests/test_tap.py fails loudly when a new aiohttp moves them.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from time import perf_counter_ns
from typing import Any

from aiohttp import ClientPayloadError, ClientRequest, StreamReader, TCPConnector
from aiohttp.abc import ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import _EXC_SENTINEL as _SENTINEL
from aiohttp.helpers import is_ip_address
from aiohttp.http_exceptions import HttpProcessingError

HOLD_BYTES = 4 << 20
"""How much of a body may wait to be read before its reader is woken at once."""


class Tape:
    """The moments of one exchange, written by the socket's own callbacks.

    Stamps are ns of `perf_counter_ns`, None until reached. `status` and `fields` are
    the response's head. `wake` is called when much waits to be taken. `refusal` says
    why an address was not allowed, `malformed` whether the response broke HTTP.
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
        self.eof: int | None = None
        self.handler: Handler | None = None
        self.payload: StreamReader | None = None
        self._pieces: list[tuple[int, bytes]] = []
        self._held = 0

    def mark(self, now: int) -> None:
        """Take over what a read brought of the body, with the moment of the read.

        Taking it here, and not when a task gets round to it, keeps each read's own
        stamp and keeps aiohttp from pausing the connection for a full buffer.
        """
        payload = self.payload
        if payload is None:
            return
        if self.headers is None:
            self.headers = now
        data = _emptied(payload)
        if data:
            self._pieces.append((now, data))
            self._held += len(data)
            if self._held > HOLD_BYTES and self.wake is not None:
                self.wake()
        if self.eof is None and payload.is_eof():
            self.eof = now

    def take(self) -> list[tuple[int, bytes]]:
        """Return the pieces that came since the last call, each (ns, bytes)."""
        pieces, self._pieces, self._held = self._pieces, [], 0
        return pieces

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
        self._pieces, self.fields = [], {}


def _emptied(payload: StreamReader) -> bytes:
    """Return the bytes that wait in aiohttp's buffer and empty it, without awaiting.

    This also works after the body broke off, when aiohttp's public reads raise and
    what had arrived before the break would be lost.
    """
    buffer = payload._buffer  # noqa: SLF001 - see the docstring
    if not buffer:
        return b""
    data = buffer[0] if len(buffer) == 1 else b"".join(buffer)
    buffer.clear()
    payload._size = 0  # noqa: SLF001 - as above
    splits = payload._http_chunk_splits  # noqa: SLF001 - as above
    if splits is not None:
        splits.clear()
    return data


CURRENT: ContextVar[Tape] = ContextVar("tape")


class Handler(ResponseHandler):
    """A connection that stamps reads before they are parsed, and wakes nobody."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        # aiohttp makes the handler when TCP stands and attaches it when TLS stands.
        self.tcp = perf_counter_ns()
        self.secured: int | None = None
        self.used = False
        self.tape: Tape | None = None

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
        super().data_received(data)
        if self.tape is not None:
            self.tape.mark(now)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stamp the end of a body that only the end of the connection ends."""
        now = perf_counter_ns()
        super().connection_lost(exc)
        if self.tape is not None:
            self.tape.mark(now)

    def set_exception(self, exc: Any, exc_cause: BaseException = _SENTINEL) -> None:
        """Note a response that breaks HTTP, and break its body off too.

        aiohttp tells only who waits for the head; who waits for the body's end would
        wait until a deadline.
        """
        super().set_exception(exc, exc_cause)
        if self.tape is not None and isinstance(exc, HttpProcessingError):
            self.tape.malformed = True
            payload = self.tape.payload
            if payload is not None and not payload.is_eof():
                payload.set_exception(ClientPayloadError(exc.message), exc)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Note the final response's head and body; interim heads (1xx) are not it."""
        message, payload = data
        tape = self.tape
        if tape is not None and tape.payload is None and message.code >= 200:
            tape.payload = payload
            tape.status, tape.fields = message.code, message.headers
        super().feed_data(data, size)


class Request(ClientRequest):
    """A request that stamps the moment its bytes are handed to the transport."""

    async def write_bytes(
        self, writer: Any, conn: Any, content_length: int | None = None
    ) -> None:
        """Stamp, then write head and body in one go."""
        tape = CURRENT.get()
        handler: Handler = conn.protocol
        handler.tape, tape.handler = tape, handler
        tape.tcp, tape.secured = handler.tcp, handler.secured
        tape.reused, handler.used = handler.used, True
        tape.sent = perf_counter_ns()
        await super().write_bytes(writer, conn, content_length)


class Connector(TCPConnector):
    """A TCP connector whose connections are tapped."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        factory: Any = partial(Handler, loop=self._loop)
        self._factory = factory

    async def _create_connection(self, *args: Any, **options: Any) -> ResponseHandler:
        CURRENT.get().opening = perf_counter_ns()
        return await super()._create_connection(*args, **options)

    async def _resolve_host(
        self, host: str, port: int, traces: Any = None
    ) -> list[ResolveResult]:
        tape, start = CURRENT.get(), perf_counter_ns()
        tape.resolving = True
        found = await super()._resolve_host(host, port, traces)
        tape.resolving, tape.resolved = False, perf_counter_ns()
        if not is_ip_address(host):
            tape.dns = tape.resolved - start
        return found
