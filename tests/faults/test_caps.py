"""What a host's flood costs us, measured in a process of its own."""

import asyncio
import json
import sys
import zlib
from pathlib import Path
from time import process_time

import pytest

from compare.run.calm import calm
from providers.outcome import Outcome
from providers.provider import Caps
from providers.reader import Reader
from providers.registry import DIALECTS
from providers.simulator.catalogue.words import (
    GOOD,
    LAST,
    chunk,
    chunked,
    head,
    said,
    streaming,
    whole,
)
from providers.simulator.player import ByteHost, Repeat, Send, Stall

measured = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux's peak of memory"
)

O = Outcome  # noqa: E741 - a table of outcomes reads better so
SSE = "text/event-stream"
HUNGRY = Path(__file__).with_name("hungry.py")
MOST_GROWN = 64 << 20
BLOCK = b"x" * 65_536
N_BLOCKS = 1_600  # 100 MB


async def cost(script, **options):
    """Return what one request that is answered by a script costs a process."""
    scripts = iter([streaming(*GOOD), script])
    async with ByteHost(lambda _: next(scripts)) as host:
        words = json.dumps({"url": host.base_url, **options})
        process = await asyncio.create_subprocess_exec(
            sys.executable, HUNGRY, words, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(out)


def endless(piece, *, kind=SSE, begun=b""):
    """Return the script of 100 MB and more in one kind of piece."""
    start = head("200 OK", kind) + (chunked(begun) if begun else b"")
    return (Send(start), Repeat(chunked(piece), times=(100 << 20) // len(piece)))


def bomb(unit, blocks=1_024):
    """Return the script of a gzip body, all at once, of many times 1 MB of a unit."""
    packer = zlib.compressobj(wbits=31)
    start = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    megabyte = unit * ((1 << 20) // len(unit))
    block = packer.compress(megabyte) + packer.flush(zlib.Z_FULL_FLUSH)
    body = start + block * blocks
    return (Send(whole(body, "200 OK", SSE, "Content-Encoding: gzip")), Stall())


COMMENT = b": ping\n\n"
ANSWERED = Send(chunked(*GOOD) + LAST)
FLOODS = {
    "endless stream": (endless(said("a") * 200), {}, O.LIMIT_EXCEEDED),
    "100 MB line": (endless(BLOCK, begun=b"data: "), {}, O.LIMIT_EXCEEDED),
    "100 MB JSON line": (
        endless(BLOCK, begun=b'data: {"choices":[{"delta":{"content":"'), {},
        O.LIMIT_EXCEEDED),
    "gzip bomb": (bomb(b"x"), {}, O.LIMIT_EXCEEDED),
    "100,000 comments": ((Send(head()), Repeat(chunked(COMMENT * 100), times=1_000),
                          ANSWERED), {}, O.OK),
    "100 MB error page": (
        (Send(head("500 Oops", "text/html")), Repeat(chunked(BLOCK), times=N_BLOCKS)),
        {}, O.HTTP_ERROR),
    "endless head": ((Send(b"HTTP/1.1 200 OK\r\n"),
                      Repeat(b"X: " + BLOCK[:9_000] + b"\r\n")), {}, O.PROTOCOL_ERROR),
    "endless interim heads": (
        (Repeat(b"HTTP/1.1 102 Processing\r\n\r\n" * 1_000),), {}, O.LIMIT_EXCEEDED),
    "endless line ends for a head": ((Repeat(b"\r\n" * 30_000),), {}, O.LIMIT_EXCEEDED),
    "endless extension of a chunk": (
        (Send(head() + b"5;a="), Repeat(BLOCK)), {}, O.LIMIT_EXCEEDED),
    "extensions larger than chunks": (
        (Send(head()), Repeat(b"1;a=" + BLOCK[:9_000] + b"\r\n:\r\n")), {},
        O.LIMIT_EXCEEDED),
    "endless trailers": (
        (Send(head() + chunked(said("a")) + b"0\r\n"),
         Repeat(b"X: " + BLOCK[:9_000] + b"\r\n")), {}, O.PROTOCOL_ERROR),
    "100 MB JSON answer": (
        endless(BLOCK, kind="application/json",
                begun=b'{"choices":[{"message":{"content":"'), {}, O.LIMIT_EXCEEDED),
    "long pieces of text": (endless(said("y" * 60_000)), {}, O.LIMIT_EXCEEDED),
    "an event of a million lines": (endless(b"data: x\n" * 8_000), {},
                                    O.LIMIT_EXCEEDED),
}  # fmt: skip


@measured
@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_is_cut_off_and_memory_is_bounded(flood):
    script, options, outcome = FLOODS[flood]
    spent = await cost(script, **options)
    assert spent["outcome"] == outcome
    assert spent["grown"] < MOST_GROWN, spent
    assert spent["cpu_s"] < 5, spent


@measured
@pytest.mark.parametrize("start", ["chunked", "of known length"])
async def test_the_bytes_of_a_large_answer_are_no_framing(start):
    """Each chunk is torn by reads, so that all of them pass by the parser."""
    text = b'{"choices":[{"message":{"content":"' + b"x" * (15 << 20) + b'"}}]}'
    text += b" " * (30 << 20)
    torn = [text[at : at + 999_999] for at in range(0, len(text), 999_999)]
    json_ = "application/json"
    sent = (
        head("200 OK", json_) + chunked(*torn) + LAST
        if start == "chunked"
        else whole(text)
    )
    spent = await cost(
        (Send(sent),),
        max_tokens=9,
        caps={"kept_bytes": 64 << 20, "body_bytes": 99 << 20},
    )
    assert (spent["outcome"], spent["bytes"]) == (O.OK, len(text))


EVENTS = {
    "events without text": b'data: {"choices":[]}\n\n',
    "tokens": said("a"),
    "pieces of a tool call": chunk(
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "x"}}]}
    ),
}


@measured
@pytest.mark.parametrize("kind", EVENTS)
async def test_as_many_events_as_are_taken_fit_in_memory(kind):
    n = 100_000  # a part of the cap, to be quick; what is fixed counts five times so
    script = endless(EVENTS[kind] * 200)
    spent = await cost(script, caps={"events": n}, max_tokens=n)
    assert spent["outcome"] == O.LIMIT_EXCEEDED
    # With output there are so many only where the request allowed for that.
    assert spent["grown"] * Caps().events / n < 2 * MOST_GROWN, spent


# By how often a kind is repeated: what is sent. Half a second and less for the longest.
GROWING = {
    "comments": (50_000, lambda n: COMMENT * n),
    "empty events": (20_000, lambda n: b"data:\n\n" * n),
    "words": (5_000, lambda n: b"".join(said(f"word{i} ") for i in range(n))),
    "one long line": (24, lambda n: b": " + BLOCK * n + b"\n\n"),
    "one long event": (20_000, lambda n: b"data: [\n" * n + b"\n"),
    "lines that are none": (50_000, lambda n: b"xyz\n" * n),
    "ends of lines": (100_000, lambda n: b"\r" * n),
    "many choices": (50_000, lambda n: b'data: {"choices":['
                     + b'{"delta":{"content":"a"}},' * n + b"{}]}\n\n"),
    "names of a tool": (2_000, lambda n: chunk({"tool_calls": [
        {"function": {"name": "f", "arguments": '{"k":"}"'}}]}) * n),
    "a tool's arguments": (4_000, lambda n: chunk({"tool_calls": [
        {"index": 0, "function": {"arguments": "x" * 300}}]}) * n),
}  # fmt: skip


@pytest.mark.parametrize("kind", GROWING)
def test_time_is_linear_in_what_comes(kind):
    n, made = GROWING[kind]

    def cpu_s(times):
        body = made(times) + b"".join(GOOD)
        reader = Reader(DIALECTS["generic"], stream=True, max_tokens=99_999, model="m")
        started = process_time()
        reader.head(0, 200, {"Content-Type": SSE})
        for at in range(0, len(body), 4_096):
            reader.feed(at, body[at : at + 4_096])
        assert reader.close(len(body)).outcome is O.OK
        return process_time() - started

    ratios = []
    while not ratios or (min(ratios) > 6.0 and len(ratios) < 3):
        with calm():  # as in a run: else the collector's passes grow with the heap
            once, four_times = cpu_s(n), cpu_s(4 * n)
        ratios.append(four_times / max(once, 0.01))
    # Four times as much takes four times as long; were it quadratic, sixteen times.
    assert min(ratios) < 8.0, ratios
