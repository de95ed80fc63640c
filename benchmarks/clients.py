"""Clients to set head-to-head against: `python -m benchmarks.clients NAME ...`.

Each sends `--requests` streaming requests over `--streams` connections and prints one
JSON line: requests a second, CPU seconds per 1,000 requests, peak RSS in MiB, and what
it measured of TTFT and TPOT (ms) where it measures.
"""

import argparse
import asyncio
import importlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BODY = json.dumps(
    {"model": "mock", "messages": [{"role": "user", "content": "hi"}], "stream": True,
     "stream_options": {"include_usage": True}, "max_tokens": 4096}
).encode()  # fmt: skip


class Counter(asyncio.Protocol):
    """The floor: bytes are counted, and the end of each response is looked for."""

    def __init__(self, request: bytes, over: Callable[[], bool], done: Any) -> None:
        self.request, self.over, self.done = request, over, done
        self.tail, self.bytes = b"", 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        self.tail = (self.tail + data)[-5:]
        if self.tail == b"0\r\n\r\n":
            self.tail = b""
            if self.over():
                self.transport.close()
                self.done.set_result(None)
            else:
                self.transport.write(self.request)


async def floor(url: str, n: int, streams: int) -> dict[str, Any]:
    """Count bytes on raw sockets: the least that Python and uvloop can do."""
    parts = urlsplit(url)
    request = (
        f"POST {parts.path}/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    ).encode() + BODY
    left = n - streams
    loop = asyncio.get_running_loop()

    def over() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    waits = []
    for _ in range(streams):
        done = loop.create_future()
        await loop.create_connection(
            lambda done=done: Counter(request, over, done), parts.hostname, parts.port
        )
        waits.append(done)
    await asyncio.gather(*waits)
    return {}


async def plain(url: str, n: int, streams: int) -> dict[str, Any]:
    """Read with plain aiohttp, parse each event with orjson, and keep nothing."""
    import aiohttp
    import orjson

    left = n
    ttfts: list[float] = []

    async def one(session: aiohttp.ClientSession) -> None:
        start, first, rest = time.perf_counter(), None, b""
        async with session.post(
            f"{url}/chat/completions",
            data=BODY,
            headers={"Content-Type": "application/json"},
        ) as response:
            async for data in response.content.iter_any():
                *lines, rest = (rest + data).split(b"\n\n")
                for line in lines:
                    if line == b"data: [DONE]":
                        continue
                    choices = orjson.loads(line[6:])["choices"]
                    if first is None and choices and choices[0]["delta"].get("content"):
                        first = time.perf_counter()
        ttfts.append(((first or 0) - start) * 1e3)

    async def slot(session: aiohttp.ClientSession) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await one(session)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(slot(session) for _ in range(streams)))
    return {"ttft": spread(ttfts)}


async def h2h(url: str, n: int, streams: int) -> dict[str, Any]:
    """Run head-to-head itself, rows in SQLite and the writer included.

    Its time and its CPU end when all rows are stored: reading them is the check.
    """
    from compare.run.conduct import conduct
    from compare.run.config import Flags, read
    from compare.run.prepare import prepare
    from data import query
    from data.store import Store

    scenario = Path(tempfile.mkdtemp()) / "load.toml"
    scenario.write_text(
        'name = "load"\n[request]\nmax_tokens = 4096\n[prompt]\nuser = "hi"\n'
    )
    flags = Flags(
        providers=(f"mock={url}",),
        model="mock",
        scenarios=(str(scenario),),
        load={"concurrency": str(streams), "max_requests": n, "ramp": "0"},
    )
    start = time.perf_counter()
    run = prepare(read(None, flags))
    db = scenario.with_name("h2h.db")
    with Store.open(db) as store:
        tally, _ = await conduct(run, store)
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    timings = query.timings(query.open_reader(db), run.run_id)
    assert len(timings) == n
    return {
        "ok": tally.outcomes["ok"],
        "ttft": spread([t.ttft_ms for t in timings if t.ttft_ms is not None]),
        "tpot": spread([t.tpot_ms for t in timings if t.tpot_ms is not None]),
        "seconds": seconds,
        "cpu": used.ru_utime + used.ru_stime,
        "bytes_a_row": round(db.stat().st_size / n),
    }


CLIENTS: dict[str, Callable[[str, int, int], Awaitable[dict[str, Any]]]] = {
    "floor": floor,
    "plain": plain,
    "h2h": h2h,
}


def spread(values: list[float]) -> dict[str, float] | None:
    """Return the p50 and p99 of some values, None of none."""
    ordered = sorted(values)
    if not ordered:
        return None
    at = {"p50": 0.5, "p99": 0.99}
    return {k: round(ordered[int(q * (len(ordered) - 1))], 3) for k, q in at.items()}


def cpu() -> float:
    """Return the CPU seconds that this process and those that it ended have used."""
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def ready(client: str) -> None:
    """Import what a client needs: its cost is that of requests, not of imports."""
    needed = {
        "plain": ["aiohttp", "orjson"],
        "h2h": ["compare.run.conduct", "data.query"],
    }
    for module in needed.get(client, []):
        importlib.import_module(module)


def main() -> None:
    """Run one client and print what it cost."""
    import uvloop

    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("--url", required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--streams", type=int, required=True)
    given = parser.parse_args()
    ready(given.client)
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    found = uvloop.run(CLIENTS[given.client](given.url, given.requests, given.streams))
    seconds = found.pop("seconds", time.perf_counter() - start)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = found.pop("cpu", used.ru_utime + used.ru_stime)
    cpu -= before.ru_utime + before.ru_stime
    json.dump(
        {
            "client": given.client,
            "requests_per_s": round(given.requests / seconds),
            "cpu_s_per_1000": round(cpu / given.requests * 1000, 4),
            "peak_mib": round(used.ru_maxrss / 1024, 1),
            **found,
        },
        sys.stdout,
    )
    print()


if __name__ == "__main__":
    main()
