"""Requests on aiohttp's connections: the way to a host, and the moment of sending.

aiohttp opens, pools and closes the connections. Its session, request and response
objects are left out: each would wake a task or put time between a stamp and its event.
"""

import math
from collections.abc import Mapping
from functools import partial
from time import perf_counter_ns
from typing import Any

from aiohttp import ClientRequest, ClientTimeout, ServerDisconnectedError, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.helpers import is_ip_address
from aiohttp.http_writer import _serialize_headers
from yarl import URL

from providers.tap import Handler
from providers.tape import CURRENT, HOLD_BYTES, Tape

LONGEST_FIELD = 65_536

_NO_TIMEOUT = ClientTimeout(total=None, sock_connect=None, ceil_threshold=math.inf)
"""Our own deadlines rule; aiohttp's defaults cover other spans."""


class Connector(TCPConnector):
    """A TCP connector whose connections are tapped."""

    def __init__(self, *, resolver: AbstractResolver, **options: Any) -> None:
        super().__init__(resolver=resolver, **options)
        self.resolver = resolver
        factory: Any = partial(Handler, loop=self._loop)
        self._factory = factory

    async def _create_connection(self, *args: Any, **options: Any) -> ResponseHandler:
        CURRENT.get().opening = perf_counter_ns()
        return await super()._create_connection(*args, **options)

    async def pooled(self, request: ClientRequest) -> Connection | None:
        """Return a connection from the pool; None: a new one would have to be made."""
        return await self._get(request.connection_key, [])

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


class Post:
    """What is the same in every request to one URL, and the way there."""

    def __init__(
        self,
        url: URL,
        headers: Mapping[str, str],
        connector: Connector,
        proxy: str | None,
    ) -> None:
        closing = {"Connection": "close"} if connector.force_close else {}
        self._connector = connector
        self._like = ClientRequest(
            "POST",
            url,
            headers={**headers, **closing},
            proxy=URL(proxy) if proxy else None,
        )
        self._start = b""

    async def pooled(self) -> Connection | None:
        """Return a connection from the pool, to be used soon; None opens no new one.

        None as well by a proxy, whose headers are only known when one is asked for.
        """
        if self._like.proxy is not None:
            return None
        while (found := await self._connector.pooled(self._like)) is not None:
            if usable(found):
                return found
            found.close()
        return None

    async def connection(self) -> Connection:
        """Return a connection that may be used, from the pool or a new one."""
        while True:
            found = await self._connector.connect(self._like, [], _NO_TIMEOUT)
            if found.protocol is None or not found.protocol.should_close:
                return found
            found.close()  # it has said something that nobody asked for

    def head(self, length: int) -> bytes:
        """Return the head of a request whose body has so many bytes.

        Known only once there is a connection: a proxy's adds to the headers.
        """
        if not self._start:
            like = self._like
            del like.headers["Content-Length"]
            by_proxy = like.proxy is not None and not like.is_ssl()
            target = str(like.url) if by_proxy else like.url.raw_path_qs
            line = f"POST {target} HTTP/1.1"
            self._start = _serialize_headers(line, like.headers)[:-2]
        return b"%bContent-Length: %d\r\n\r\n" % (self._start, length)

    async def close(self) -> None:
        """Close every connection, and look up no more names."""
        await self._connector.close()
        await self._connector.resolver.close()


def usable(connection: Connection) -> bool:
    """Return whether a connection stands and has said nothing unasked."""
    protocol = connection.protocol
    return (
        protocol is not None and protocol.is_connected() and not protocol.should_close
    )


def send(connection: Connection, tape: Tape, head: bytes, body: bytes) -> None:
    """Stamp the moment and hand a request over to its connection, in one go.

    From then on the connection writes to the tape.
    """
    handler = connection.protocol
    if not isinstance(handler, Handler) or handler.transport is None:
        raise ServerDisconnectedError
    handler.set_response_params(
        read_until_eof=True,
        read_bufsize=HOLD_BYTES,
        max_line_size=LONGEST_FIELD,
        max_field_size=LONGEST_FIELD,
    )
    handler.tape, tape.handler, handler.chunks = tape, handler, None
    tape.tcp, tape.secured = handler.tcp, handler.secured
    tape.reused, handler.used = handler.used, True
    tape.sent = perf_counter_ns()
    handler.transport.write(head + body)


def leave(connection: Connection, tape: Tape) -> None:
    """Give a connection back to the pool, if its request and response are whole.

    So is one that was never used. A host may answer before it has read the request:
    what has not left yet would stand before the next one.
    """
    transport = connection.transport
    unsent = transport is not None and transport.get_write_buffer_size() > 0
    if (tape.sent is not None and tape.eof is None) or unsent:
        connection.close()
    else:
        connection.release()
