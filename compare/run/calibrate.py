"""Measure the bench's own error: a loopback host whose tokens say when they left."""

import asyncio
import math
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from time import monotonic

import msgspec

from compare.run.config import Job
from providers.provider import Provider
from providers.reply import Reply
from providers.wire import Wire
from scenarios.load import steps
from scenarios.request import Arrival, Request

ROOT = Path(__file__).resolve().parents[2]
LONGEST_S = 2.0
MEASURE_S = 0.8
FEWEST = 11
"""Answers below which nothing is said of the bench."""
MOST_STREAMS = 32
MS = 1_000_000

Started = tuple[subprocess.Popen[bytes], float]


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """How far the bench is off on this machine at `streams` streams, from `n` answers.

    Errors in ms, ours less the truth: as they are at p50, without their sign at p99.
    """

    streams: int
    n: int
    ttft_p50_ms: float
    ttft_p99_ms: float
    gap_p99_ms: float
    tpot_p99_ms: float


@contextmanager
def metronome() -> Iterator[Started]:
    """Start the host of a calibration in a process of its own and do not wait for it.

    It ends with the block, and with this process.
    """
    began = monotonic()
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(ROOT), known] if known else [str(ROOT)])
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "providers.simulator.metronome"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
    )
    try:
        yield process, began
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def streams_of(job: Job) -> int:
    """Return how many streams a job may have at once, at most 32.

    An open loop is taken for one whose answers last a second.
    """
    most = max(
        step.concurrency if step.rate is None else min(step.concurrency, step.rate)
        for step in steps(job.load)
    )
    return max(1, min(math.ceil(most * len(job.providers)), MOST_STREAMS))


async def calibrate(host: Started, streams: int) -> Floor | None:
    """Measure that host over the real wire with so many streams; None if it fails.

    Ends within 2 s of the host's start, and ends the host.
    """
    process, began = host
    errors: list[tuple[float, list[float], float]] = []
    try:
        async with asyncio.timeout(LONGEST_S - (monotonic() - began)):
            port = await asyncio.to_thread(_announced, process)
            if port is not None:
                await _measure(port, streams, errors)
    except TimeoutError:
        pass  # what was measured until now may be enough
    finally:
        # Or the thread would wait for its first word, and the loop's end for that.
        process.kill()
    return _floor(streams, errors) if len(errors) >= FEWEST else None


def _announced(process: subprocess.Popen[bytes]) -> int | None:
    line = process.stdout.readline() if process.stdout else b""
    return int(line) if line.strip().isdigit() else None


async def _measure(
    port: int, streams: int, errors: list[tuple[float, list[float], float]]
) -> None:
    provider = Provider(
        name="metronome",
        dialect="generic",
        base_url=f"http://127.0.0.1:{port}/v1",
        model="metronome",
    )
    end = monotonic() + MEASURE_S
    wire = Wire([provider], concurrency=streams)
    async with wire, asyncio.TaskGroup() as group:
        for nth in range(streams):
            group.create_task(_stream(wire, nth / streams, end, errors))


async def _stream(
    wire: Wire,
    offset: float,
    end: float,
    errors: list[tuple[float, list[float], float]],
) -> None:
    # Spread over the length of one answer, as the streams of a run soon are.
    await asyncio.sleep(offset * 0.06)
    async for reply in _replies(wire, end):
        found = _errors(reply)
        if found is not None:
            errors.append(found)


async def _replies(wire: Wire, end: float) -> AsyncIterator[Reply]:
    """Yield answers one after the other, without the first on a new connection."""
    arrival = _arrival()
    await wire.send(arrival)
    while monotonic() < end:
        yield await wire.send(arrival)


def _errors(reply: Reply) -> tuple[float, list[float], float] | None:
    """Return the errors of TTFT, gaps and TPOT in ms; None for a failed answer."""
    truth = [tuple(map(int, word.split(":"))) for word in reply.content.split()]
    times = [at for at, kind in reply.timeline if kind]
    sent = reply.stamps.sent
    if sent is None or len(truth) != len(times) or len(times) < 2:
        return None
    received, first = truth[0]
    wrote = [written for _, written in truth]
    gaps = zip(pairwise(times), pairwise(wrote), strict=True)
    span = (times[-1] - times[0]) - (wrote[-1] - wrote[0])
    return (
        ((times[0] - sent) - (first - received)) / MS,
        [((b - a) - (d - c)) / MS for (a, b), (c, d) in gaps],
        span / (len(times) - 1) / MS,
    )


def _floor(streams: int, errors: Sequence[tuple[float, list[float], float]]) -> Floor:
    ttft = [first for first, _, _ in errors]
    return Floor(
        streams=streams,
        n=len(errors),
        ttft_p50_ms=_quantile(ttft, 0.5),
        ttft_p99_ms=_quantile([abs(each) for each in ttft], 0.99),
        gap_p99_ms=_quantile([abs(gap) for _, gaps, _ in errors for gap in gaps], 0.99),
        tpot_p99_ms=_quantile([abs(each) for _, _, each in errors], 0.99),
    )


def _quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile by nearest rank: with few values p99 is the largest."""
    return sorted(values)[min(math.ceil(share * len(values)) - 1, len(values) - 1)]


def _arrival() -> Arrival:
    return Arrival(
        seq=0,
        block=0,
        step=0,
        phase="calibrate",
        scenario="metronome",
        scenario_version="1",
        case="1",
        provider="metronome",
        request=Request(
            messages=({"role": "user", "content": "Tick."},), max_tokens=1024
        ),
    )
