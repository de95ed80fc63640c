"""The tap on aiohttp's socket: stamps where bytes arrive, before they are parsed.

All that touches aiohttp's private parts stands here, in `providers.tape` and in
`providers.post`, and tests/test_tap.py fails loudly when a new aiohttp moves them.
"""

import asyncio
from time import perf_counter_ns
from typing import Any

from aiohttp import ClientPayloadError
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import _EXC_SENTINEL as _SENTINEL
from aiohttp.http_exceptions import HttpProcessingError

from providers.chunks import Chunks, opening
from providers.tape import Tape

SWITCHING = 101
LOWEST = 100
"""No status of HTTP is lower."""


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
            self._refuse("switches protocols unasked")
        elif message.code < LOWEST:
            self._refuse(f"{message.code:03} is no status")
        elif message.code >= 200:
            tape.payload = payload
            tape.status, tape.fields = message.code, message.headers
            # Bytes of the body that came with the head blur where its chunks begin.
            if message.chunked and not message.compression and not payload.total_bytes:
                self.chunks = Chunks()

    def _refuse(self, why: str) -> None:
        self.set_exception(HttpProcessingError(message=why))
