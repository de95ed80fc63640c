"""Plays scripts of bytes to whoever connects: a server that can do anything wrong."""

import asyncio
import socket
import ssl
import struct
from abc import abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 256 << 20
BACKLOG = 1024


class Asked(NamedTuple):
    """A request as it came: its first line, its fields (names in lower case), its body.

    A request's body is never decoded: what it asks for is no matter to a script.
    """

    line: str
    fields: dict[str, str]
    body: bytes


class EndedError(ConnectionError):
    """A script has ended its connection; nothing more is played on it."""


class Stage:
    """One connection, on which scripts are played; `asked` is its last request."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.asked = Asked("", {}, b"")

    async def request(self) -> Asked:
        """Read and return the next request. Raises ConnectionError without one."""
        self.asked = await self._request()
        return self.asked

    async def _request(self) -> Asked:
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
            pairs = (each.partition(":") for each in lines)
            fields = {name.strip().lower(): text.strip() for name, _, text in pairs}
            return Asked(line, fields, await self._body(fields))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            raise EndedError from None

    async def _body(self, fields: dict[str, str]) -> bytes:
        if "chunked" in fields.get("transfer-encoding", ""):
            return await self._chunks()
        return await self._exactly(int(fields.get("content-length", "0")))

    async def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while size := int((await self.reader.readline()).partition(b";")[0], 16):
            parts.append(await self._exactly(size))
            await self.reader.readexactly(2)
        while (await self.reader.readline()).strip():
            pass
        return b"".join(parts)

    async def _exactly(self, size: int) -> bytes:
        if not 0 <= size <= MAX_BODY_BYTES:
            raise EndedError
        return await self.reader.readexactly(size)


class Action(msgspec.Struct, frozen=True):
    """One thing that a script does."""

    @abstractmethod
    async def play(self, stage: Stage) -> None:
        """Do it. Raises ConnectionError when the connection has ended."""


class Send(Action, frozen=True):
    """Write bytes."""

    data: bytes

    async def play(self, stage: Stage) -> None:
        """Write, and wait while the client takes nothing."""
        stage.writer.write(self.data)
        await stage.writer.drain()


class Wait(Action, frozen=True):
    """Do nothing for some seconds; 0 lets the client read what was sent."""

    seconds: float = 0.0

    async def play(self, stage: Stage) -> None:
        """Sleep."""
        await asyncio.sleep(self.seconds)


class Repeat(Action, frozen=True):
    """Write the same bytes again and again, `times` None for ever."""

    data: bytes
    every_s: float = 0.0
    times: int | None = None

    async def play(self, stage: Stage) -> None:
        """Write and sleep in turn, until the last time or until the client is gone."""
        n = 0
        while self.times is None or n < self.times:
            stage.writer.write(self.data)
            await stage.writer.drain()
            await asyncio.sleep(self.every_s)
            n += 1


class SendKey(Action, frozen=True):
    """Write the key that the request carried, as one chunk of a body."""

    async def play(self, stage: Stage) -> None:
        """Write the key behind `Authorization: Bearer`, or what stands there else."""
        given = stage.asked.fields.get("authorization", "no key")
        key = given.removeprefix("Bearer ").encode("latin-1")
        stage.writer.write(b"%x\r\n%b\r\n" % (len(key), key))
        await stage.writer.drain()


class NextRequest(Action, frozen=True):
    """Wait for the client's next request on the same connection."""

    async def play(self, stage: Stage) -> None:
        """Read one request."""
        await stage.request()


class Fin(Action, frozen=True):
    """End the connection in order."""

    async def play(self, stage: Stage) -> None:
        """Send what is still held, then FIN."""
        stage.writer.close()
        raise EndedError


class Rst(Action, frozen=True):
    """Reset the connection."""

    async def play(self, stage: Stage) -> None:
        """Send RST: not to linger at all is what makes closing do so."""
        sock = stage.writer.get_extra_info("socket")
        linger = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        stage.writer.transport.abort()
        raise EndedError


class Stall(Action, frozen=True):
    """Say nothing more, and keep the connection until the client has gone."""

    async def play(self, stage: Stage) -> None:
        """Wait for the client's end of the connection."""
        await stage.reader.read()
        raise EndedError


Play = tuple[Action, ...]
"""A script: what is done with one request, in order. After it the next is read."""


class ByteHost:
    """A server on loopback that answers each request with a script.

    `answer` is told each request and returns its script. With `at_connect` a script
    is played as soon as somebody connects, before anything is read. Use it as an async
    context manager; `base_url` is what to give to a client. Raises OSError on entering
    when the port cannot be had.
    """

    def __init__(
        self,
        answer: Callable[[Asked], Play],
        *,
        at_connect: Play = (),
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._answer = answer
        self._at_connect = at_connect
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = port
        self.connections = 0

    @property
    def base_url(self) -> str:
        """Return the base URL; every path below it is answered alike."""
        return f"{'https' if self._tls else 'http'}://{LOOPBACK}:{self.port}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, LOOPBACK, self.port, ssl=self._tls, backlog=BACKLOG
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Play on one connection until it ends."""
        task = asyncio.current_task()
        if task is None:  # cannot be; said for the type checker
            raise RuntimeError("a connection is served in a task")
        self.connections += 1
        self._tasks.add(task)
        self._writers.add(writer)
        stage = Stage(reader, writer)
        try:
            await _played(self._at_connect, stage)
            while True:
                await _played(self._answer(await stage.request()), stage)
        except (ConnectionError, asyncio.CancelledError):
            pass  # asyncio complains of a connection's task that ends cancelled
        finally:
            if not writer.is_closing():  # a Fin goes out only if it is let
                writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)


async def _played(play: Play, stage: Stage) -> None:
    for action in play:
        await action.play(stage)
