"""Probes: each scenario once at every point of a fixed grid, until told to stop."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import msgspec

from compare.run.brake import NS
from compare.run.clock import RealClock
from compare.run.config import Job
from compare.run.engine import Engine
from scenarios.plan import Plan, Segment, Unit, segments, units

ENDLESS = 10**9
"""Block numbers set aside for each scenario of a probe."""


def probing(job: Job) -> Job:
    """Return the job with the load of a probe: one block at a time, no warm-up."""
    load = msgspec.structs.replace(
        job.load,
        rates=(),
        concurrencies=(1,),
        max_requests=ENDLESS,
        duration=None,
        warmup=0,
        ramp=0.0,
        unpaired=False,
        sweep=False,
    )
    return msgspec.structs.replace(job, load=load, cold=job.cold or job.cold_probe)


def probe(
    plan: Plan, every: float, span: float | None
) -> Callable[[Engine], Awaitable[None]]:
    """Return what drives an engine through a probe, `every` seconds for `span`.

    Grid points are start + k * every, without drift. The scenarios of one point take
    turns; their hosts go out together. A point that finds the last one still at work
    is not piled up: its requests become `dropped` rows.
    """

    async def drive(engine: Engine) -> None:
        clock = RealClock()
        start = clock.now()
        await engine.oversee([_grid(engine, plan, start, every, span)], start, None)

    return drive


async def _grid(
    engine: Engine, plan: Plan, start: int, every: float, span: float | None
) -> None:
    work = [(each, units(plan, each, plan.providers)) for each in segments(plan)]
    current: asyncio.Task[None] | None = None
    for point in itertools.count():
        offset = point * every
        if span is not None and offset >= span:
            break
        due = start + int(offset * NS)
        await engine.wait(due)
        if engine.stopped is not None:
            break
        turn = [(segment, next(sessions)) for segment, sessions in work]
        if current is not None and not current.done():
            for segment, unit in turn:
                engine.drop(segment, unit, due)
            continue
        current = asyncio.create_task(_point(engine, turn, due))
    if current is not None:
        await current


async def _point(engine: Engine, turn: list[tuple[Segment, Unit]], due: int) -> None:
    for segment, unit in turn:
        if engine.stopped is None:
            await engine.ask(segment, unit, due)
