"""A host that costs almost nothing and says in each token when it sent it.

`python -m providers.simulator.metronome` serves it on a free loopback port, whose
number it prints, until its standard input closes. It needs the standard library
alone, so that it is there within a tenth of a second.
"""

import asyncio
import os
import sys
import threading
from time import perf_counter_ns

TTFT_S = 0.015
GAP_S = 0.004
TOKENS = 8

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
CHUNK = (
    '{{"id":"m","object":"chat.completion.chunk","created":0,"model":"metronome",'
    '"choices":[{{"index":0,"delta":{{"content":"{}"}},"finish_reason":null}}]}}'
)
CLOSING = (
    '{{"id":"m","object":"chat.completion.chunk","created":0,"model":"metronome",'
    '"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}],'
    '"usage":{{"prompt_tokens":1,"completion_tokens":{0},"total_tokens":{1}}}}}'
)


class Metronome(asyncio.Protocol):
    """One connection. Each token is `RECEIVED:WRITTEN` in ns of `perf_counter_ns`."""

    def __init__(self) -> None:
        self._seen = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP gives one
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Say no more."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request has come whole."""
        received = perf_counter_ns()
        self._seen += data
        head, blank, body = self._seen.partition(b"\r\n\r\n")
        if blank and len(body) >= _length(head):
            self._seen = b""
            asyncio.get_running_loop().call_later(TTFT_S, self._beat, received, 0)

    def _beat(self, received: int, nth: int) -> None:
        if self._transport is None:
            return
        data = HEAD if nth == 0 else b""
        if nth < TOKENS:
            loop = asyncio.get_running_loop()
            loop.call_later(GAP_S, self._beat, received, nth + 1)
            token = CHUNK.format(f"{received}:{perf_counter_ns()} ")
            self._transport.write(data + _chunk(token))
            return
        closing = _chunk(CLOSING.format(TOKENS, TOKENS + 1)) + _chunk("[DONE]")
        self._transport.write(closing + b"0\r\n\r\n")


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _chunk(data: str) -> bytes:
    event = f"data: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(event), event)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Metronome, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    over = asyncio.Event()
    threading.Thread(target=_watch, args=(loop, over), daemon=True).start()
    await over.wait()


def _watch(loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(over.set)


if __name__ == "__main__":
    asyncio.run(_serve())
