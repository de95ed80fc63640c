"""Attend to one process's part of a run: its wire, its engine, its rows."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import cache

import msgspec

from compare.run.budget import Budget, billed, worst_of
from compare.run.calm import calm
from compare.run.clock import RealClock
from compare.run.config import Job
from compare.run.engine import Engine, Part
from compare.run.gate import Ceiling
from compare.run.measure import Context, measure
from compare.run.monitor import Monitor, marked
from compare.run.prepare import Run
from compare.run.sender import Result
from data.row import CheckRow, Row
from providers.provider import Deadlines
from providers.reply import Reply
from providers.start import Start
from providers.wire import Wire
from scenarios.checks import Check
from scenarios.plan import Plan, segments
from scenarios.request import Arrival
from scenarios.scenario import checks_of

Emit = Callable[[Row, Sequence[CheckRow]], None]
Drive = Callable[[Engine], Awaitable[None]]


async def attend(
    run: Run,
    emit: Emit,
    *,
    origin: int,
    limit_nusd: int | None = None,
    ready: Callable[[Engine], None] | None = None,
    drive: Drive = Engine.run,
    part: Part | None = None,
    monitor: Monitor | None = None,
) -> str | None:
    """Send what a run plans and emit its rows; return why it stopped early, or None.

    `origin` is the run's start on the monotonic clock, in ns. `limit_nusd` is what may
    be spent. `ready` is given the engine just before the first request. `drive` makes
    it go; by default it runs the whole plan, or this process's `part` of it.
    `monitor` watches this process meanwhile.
    """
    async with AsyncExitStack() as wires:
        wire = await wires.enter_async_context(_wire(run, fresh=run.job.cold))
        cold = wire
        if run.job.cold_scenarios and not run.job.cold:
            cold = await wires.enter_async_context(_wire(run, fresh=True))
        watch, mine = monitor or Monitor(), part or Part()
        pair = (wire, cold)
        engine = _engine(run, pair, emit, origin, Budget(limit_nusd), mine, watch)
        if ready is not None:
            ready(engine)
        with calm(), watch:
            await drive(engine)
        return engine.stopped


def context(run: Run, origin: int, worker: int = 0) -> Context:
    """Return what the rows of one process share; `origin` is as in `attend`."""
    return Context(
        run_id=run.run_id,
        origin=origin,
        providers={provider.name: provider for provider in run.providers},
        prices=run.job.prices,
        checks=_checks(run),
        seed=run.plan.seed,
        worker=worker,
        deadlines={
            scene: msgspec.json.encode(limits).decode()
            for scene, limits in _patience(run.job).items()
        },
    )


def _engine(
    run: Run,
    wires: tuple[Wire, Wire],
    emit: Emit,
    origin: int,
    budget: Budget,
    part: Part,
    watch: Monitor,
) -> Engine:
    shared = context(run, origin, part.index)
    patience = _patience(run.job)
    warm, cold = wires

    def interrupt() -> None:
        for wire in {warm, cold}:
            wire.interrupt()

    async def send(arrival: Arrival, start: Start) -> Reply:
        deadlines = patience[arrival.scenario]
        wire = cold if arrival.scenario in run.job.cold_scenarios else warm
        return await wire.send(arrival, start=start, deadlines=deadlines)

    def take(result: Result) -> None:
        row, checks = measure(marked(result, watch, run.held_back), shared)
        budget.settle(result.worst_nusd, billed(row, result.worst_nusd))
        emit(row, checks)

    return Engine(
        run.plan,
        send,
        take,
        clock=RealClock(),
        budget=budget,
        worst=(
            worst_of(run.providers, run.job.prices)
            if budget.limit_nusd is not None
            else None
        ),
        ceilings={
            provider.name: Ceiling(rpm=provider.rpm, concurrency=provider.concurrency)
            for provider in run.providers
            if provider.rpm or provider.concurrency
        },
        interrupt=interrupt,
        part=part,
        rest=run.rest,
    )


def _checks(run: Run) -> Callable[[str, str], Sequence[Check]]:
    by_name = {scene.name: scene for scene in run.plan.scenarios}

    @cache
    def checks(scenario: str, case: str) -> Sequence[Check]:
        return checks_of(by_name[scenario], case)

    return checks


def _patience(job: Job) -> dict[str, Deadlines]:
    """Return the deadlines of each scenario: the nearest word on each of them holds.

    That is the job's `[[scenario]]`, else the job, else the scenario's file.
    """
    found = {}
    for scene in job.scenarios:
        own = msgspec.structs.asdict(scene.deadlines)
        in_file = {name: value for name, value in own.items() if value is not None}
        changed = {name: own[name] for name in scene.changes.get("deadlines", ())}
        found[scene.name] = Deadlines(**{**in_file, **job.deadlines, **changed})
    return found


def _wire(run: Run, *, fresh: bool) -> Wire:
    most = _most_in_flight(run.plan)
    return Wire(run.providers, concurrency=most, fresh=fresh)


def _most_in_flight(plan: Plan) -> int:
    return max(segment.concurrency for segment in segments(plan))
