"""The host of scripts reads any client's requests, and leaves whoever sends none."""

import asyncio

import pytest

from providers.simulator.player import ByteHost, Repeat, Send, Stall

OK = (Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),)
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
LENGTH = POST + b"CONTENT-LENGTH:4\r\n\r\nabcd"
IN_CHUNKS = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKED = IN_CHUNKS + b"3;x=y\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
GET = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"


async def spoken(data, answers):
    """Return what a host was asked when some bytes came, and what it answered."""
    asked = []

    def answer(request):
        asked.append(request)
        return OK

    async with ByteHost(answer) as host:
        reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
        writer.write(data)
        said = b"".join([await reader.readuntil(b"hi") for _ in range(answers)])
        writer.write_eof()
        said += await reader.read()
        writer.close()
        await writer.wait_closed()
    return asked, said


@pytest.mark.parametrize(
    ("data", "body"), [(LENGTH, b"abcd"), (CHUNKED, b"abcd"), (GET, b"")]
)
async def test_a_request_is_read_in_every_framing_and_the_next_one_too(data, body):
    asked, said = await spoken(data + data, answers=2)
    assert [each.body for each in asked] == [body, body]
    assert asked[0].line == data.split(b"\r\n")[0].decode()
    assert asked[0].fields["host"] == "x"
    assert said == OK[0].data * 2


@pytest.mark.parametrize(
    "data",
    [b"", b"\x16\x03\x01\x02", b"GET / HTTP/1.1\r\nX: " + b"x" * 99_999 + b"\r\n\r\n",
     POST + b"Content-Length: -1\r\n\r\n", POST + b"Content-Length: many\r\n\r\n",
     POST + b"Content-Length: 999999999999\r\n\r\n",
     POST + b"Content-Length: 9\r\n\r\na",
     IN_CHUNKS + b"zz\r\n", IN_CHUNKS + b"-3\r\n", IN_CHUNKS + b"3\r\nabc\r\n"],
)  # fmt: skip
async def test_what_is_no_request_ends_its_connection(data):
    assert await spoken(data, answers=0) == ([], b"")


async def test_a_host_that_is_left_while_it_waits_leaves_nothing_behind():
    before = asyncio.all_tasks()
    async with ByteHost(lambda _: OK) as host:
        _, writer = await asyncio.open_connection("127.0.0.1", host.port)
        writer.write(GET)
    writer.close()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    "script", [(Stall(),), (Repeat(b"x", 1.0),), OK], ids=["stall", "repeat", "idle"]
)
async def test_a_host_that_closes_ends_its_connections_without_a_word(script, caplog):
    asked = asyncio.Event()
    async with ByteHost(lambda _: asked.set() or script) as host:
        _, writer = await asyncio.open_connection("127.0.0.1", host.port)
        writer.write(GET)
        await asked.wait()
        await asyncio.sleep(0)
    writer.close()
    await asyncio.sleep(0)
    assert not caplog.records
