"""A loopback server that plays scripts of bytes, and the words to write them with."""

import asyncio
import json
import socket
import struct

from providers.provider import Provider
from scenarios.request import Arrival, Request

FIN, RST, STALL = "fin", "rst", "stall"


class ByteServer:
    """Play one script for each request: the n-th, or the last one again.

    A script is a list of bytes to write, of FIN, RST and STALL (until the client is
    gone), of events to wait for, and of (bytes, seconds) pairs to repeat for ever.
    """

    def __init__(self, *scripts, tls=None, before_request=None):
        self.scripts, self.tls, self.before_request = scripts, tls, before_request
        self.requests = []
        self.connections = 0
        self.writers = set()
        self.tasks = set()

    async def __aenter__(self):
        self.server = await asyncio.start_server(
            self.serve, "127.0.0.1", 0, ssl=self.tls, backlog=1024
        )
        self.port = self.server.sockets[0].getsockname()[1]
        scheme = "https" if self.tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}/v1"
        return self

    async def __aexit__(self, *failure):
        self.server.close()
        for writer in tuple(self.writers):
            writer.transport.abort()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def serve(self, reader, writer):
        self.connections += 1
        self.writers.add(writer)
        self.tasks.add(asyncio.current_task())
        try:
            if self.before_request is not None:
                await self.play([self.before_request], reader, writer)
            while await self.request(reader):
                script = self.scripts[min(len(self.requests), len(self.scripts)) - 1]
                await self.play(script, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            self.writers.discard(writer)
            self.tasks.discard(asyncio.current_task())

    async def request(self, reader):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        fields = dict(
            line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line
        )
        fields = {name.lower(): value for name, value in fields.items()}
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        self.requests.append((head.decode().split("\r\n")[0], fields, body))
        return True

    async def play(self, script, reader, writer):
        for action in script:
            if isinstance(action, bytes):
                writer.write(action)
                await writer.drain()
            elif isinstance(action, asyncio.Event):
                await action.wait()
            elif isinstance(action, tuple):
                while True:
                    writer.write(action[0])
                    await writer.drain()
                    await asyncio.sleep(action[1])
            elif action == STALL:
                await reader.read()
                raise ConnectionError
            else:
                if action == RST:
                    sock = writer.get_extra_info("socket")
                    linger = struct.pack("ii", 1, 0)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    writer.transport.abort()
                else:
                    writer.close()
                raise ConnectionError


def head(status="200 OK", kind="text/event-stream", *fields, length=None, close=False):
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *fields]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    elif not close:
        lines.append("Transfer-Encoding: chunked")
    else:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def whole(body, status="200 OK", kind="application/json", *fields):
    return head(status, kind, *fields, length=len(body)) + body


def chunked(*pieces):
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


LAST = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def event(value):
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(delta=None, finish=None, **fields):
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return event({"id": "c1", "model": "m", "choices": [choice], **fields})


ROLE = chunk({"role": "assistant", "content": ""})
STOP = chunk(finish="stop")


def said(text):
    return chunk({"content": text})


def used(prompt=5, completion=2, **more):
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return event({"id": "c1", "choices": [], "usage": counts | more})


GOOD = [ROLE, said("Hel"), said("lo"), STOP, used(), DONE]


def stream(*events, end=LAST):
    """Return a whole chunked response to a request for a stream."""
    return head() + chunked(*events) + end


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
