"""The player itself: what it does beside its scripts."""

import asyncio
import socket
from contextlib import closing

import pytest
from byteserver import STALL

from providers.simulator.player import ByteHost, Repeat


@pytest.mark.parametrize(
    "script", [(STALL,), (Repeat(b"x", 1.0),), ()], ids=["stall", "repeat", "idle"]
)
async def test_a_host_that_closes_ends_its_connections_without_a_word(script, caplog):
    async with ByteHost(lambda _: script) as host:
        with closing(socket.create_connection(("127.0.0.1", host.port))) as client:
            client.sendall(b"POST / HTTP/1.1\r\n\r\n")
            while not host.connections:  # noqa: ASYNC110 - it has no event to wait for
                await asyncio.sleep(0)
            await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    assert not caplog.records
