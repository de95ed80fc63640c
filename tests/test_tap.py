"""What we touch of aiohttp is still where it was: read this first when it moves."""

import asyncio
import inspect

import aiohttp
from aiohttp import BaseConnector, StreamReader, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.http_writer import _serialize_headers
from byteserver import GOOD, ByteServer, arrival, provider, stream

from providers import exchange
from providers.failure import CUT
from providers.tape import Tape, _emptied
from providers.wire import Wire


def parameters(function):
    return list(inspect.signature(function).parameters)


def test_aiohttp_is_new_enough():
    assert tuple(map(int, aiohttp.__version__.split(".")[:3])) >= (3, 14, 3)


def test_what_we_override_is_there_with_the_same_arguments():
    assert parameters(TCPConnector._resolve_host) == ["self", "host", "port", "traces"]
    assert parameters(TCPConnector._create_connection) == [
        "self", "req", "traces", "timeout"
    ]  # fmt: skip
    assert parameters(ResponseHandler.data_received) == ["self", "data"]
    assert parameters(ResponseHandler.connection_lost) == ["self", "exc"]
    assert parameters(ResponseHandler.feed_data) == ["self", "data", "size"]
    assert parameters(ResponseHandler.set_exception) == ["self", "exc", "exc_cause"]
    assert "socket_factory" in parameters(TCPConnector.__init__)


def test_what_we_call_is_there_with_the_same_arguments():
    assert parameters(TCPConnector.connect) == ["self", "req", "traces", "timeout"]
    assert parameters(TCPConnector._get) == ["self", "key", "traces"]
    assert {"read_until_eof", "read_bufsize", "max_line_size", "max_field_size"} <= set(
        parameters(ResponseHandler.set_response_params)
    )
    assert parameters(_serialize_headers) in (["status_line", "headers"], [])
    assert {"method", "url", "headers", "proxy"} <= set(
        parameters(ClientRequest.__init__)
    )
    assert isinstance(ResponseHandler.should_close, property)


def test_a_request_on_the_wire_is_what_aiohttps_own_session_would_send():
    async def heads():
        async with ByteServer([stream(*GOOD)]) as server:
            async with Wire([provider(server.url)], concurrency=1) as wire:
                await wire.send(arrival())
            (_, fields, body), *_ = server.requests
            async with (
                aiohttp.ClientSession(
                    headers={k: v for k, v in fields.items() if k != "host"}
                ) as session,
                session.post(f"{server.url}/chat/completions", data=body),
            ):
                pass
            return server.requests

    ours, theirs = asyncio.run(heads())
    assert ours == theirs


def test_what_we_read_of_a_stream_reader_is_there():
    slots = StreamReader.__slots__
    assert {"_buffer", "_size", "_http_chunk_splits", "_buffer_offset"} <= set(slots)
    assert "self._factory" in inspect.getsource(BaseConnector.__init__)
    assert "_reading_paused" in inspect.getsource(ResponseHandler.resume_reading)
    # A body that its connection cut short is known by these words alone.
    assert CUT in inspect.getsource(ResponseHandler.connection_lost)


def test_an_emptied_buffer_is_empty_for_aiohttp_too():
    class Protocol:
        def pause_reading(self):
            raise AssertionError("nothing should fill the buffer")

    class Loop:
        def create_future(self):
            raise AssertionError("nobody waits")

    reader = StreamReader(Protocol(), 64, loop=Loop())
    reader.begin_http_chunk_receiving()
    for _ in range(100):
        reader.feed_data(b"0123456789")
        reader.feed_data(b"abc")
        reader.end_http_chunk_receiving()
        assert _emptied(reader) == b"0123456789abc"
        assert _emptied(reader) == b""
    assert reader.total_bytes == 1300


async def test_every_moment_of_an_exchange_is_on_the_tape(monkeypatch):
    tapes = []

    class Kept(Tape):
        def __init__(self, wake):
            super().__init__(wake)
            tapes.append(self)

    monkeypatch.setattr(exchange, "Tape", Kept)
    async with (
        ByteServer([stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        for _ in range(2):
            await wire.send(arrival())
    fresh, reused = tapes
    assert fresh.opening < fresh.resolved < fresh.tcp <= fresh.secured < fresh.sent
    assert fresh.sent < fresh.headers <= fresh.eof
    assert (fresh.status, fresh.reused, fresh.dns) == (200, False, None)
    assert (reused.opening, reused.resolved, reused.reused) == (None, None, True)
    assert (reused.tcp, reused.secured) == (fresh.tcp, fresh.secured)
    assert reused.sent > fresh.eof


def test_take_gives_each_piece_once():
    tape = Tape(lambda: None)
    assert tape.take()[1] == []
    tape.add(1, b"a")
    tape.add(2, b"bc")
    assert tape.held == 3
    stamps, parts = tape.take()
    assert (list(stamps), parts) == ([1, 2], [b"a", b"bc"])
    assert (tape.take()[1], tape.held) == ([], 0)
