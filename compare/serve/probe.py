"""Probes: each asks its hosts at every point of its grid, until told to stop."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from compare.run.clock import Clock, RealClock
from compare.run.config import Job
from compare.run.engine import Engine
from compare.run.mistakes import JobError
from compare.run.sender import AHEAD_NS
from compare.serve.grid import NS, After, Course, Wall
from compare.serve.line import Line
from compare.serve.schedule import LEAD_NS, Timetable, points
from data.row import Row
from scenarios.plan import Plan, Segment, Unit

if TYPE_CHECKING:
    from compare.run.tally import Sending

ENDLESS = 10**9
"""Block numbers set aside for each probe."""
LOOK_S = 1.0
"""How often the clocks are compared."""
TURN_S = 10.0
"""The longest a block keeps others from their turn: silence spoils nobody's figures."""
FORGIVE_NS = 3600 * NS
"""How often a host that refuses the key is asked whether it still does."""


class Waking(Protocol):
    """What wakes probes: `Timetable`, or one whose time is virtual."""

    def add(self, name: str, after: After, wake: Callable[[], Awaitable[None]]) -> None:
        """Have a probe woken before each of its points."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    def again(self) -> None:
        """Look at the clock anew: it was set."""
        ...

    def stop(self) -> None:
        """Wake nobody any more."""
        ...


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """What may be spent, in nano-USD: in all, a UTC day, and what today has left."""

    run_nusd: int | None = None
    day_nusd: int | None = None
    left_nusd: int | None = None


def probing(job: Job, every: float | None = None) -> Job:
    """Return the job of its probes alone: their hosts and scenarios, no warm-up.

    `every` (seconds) goes before what the probes say. Raises JobError for a cron that
    does not parse, and for an `every` that is not above a probe's jitter.
    """
    probes = job.probes
    if every is not None:
        probes = tuple(
            msgspec.structs.replace(each, every=every, cron=None) for each in probes
        )
    for each in probes:
        if every is not None and each.jitter >= every:
            raise JobError(
                f"--every {every:g}s: must be above the jitter of {each.scenario!r}, "
                f"{each.jitter:g}s"
            )
        points(each, job.source or "command line")
    hosts = {name for each in probes for name in each.providers}
    asked = {each.scenario for each in probes}
    load = msgspec.structs.replace(
        job.load,
        rates=(),
        concurrencies=(len(probes),),
        max_requests=ENDLESS,
        duration=None,
        warmup=0,
        ramp=0.0,
        unpaired=False,
        sweep=False,
    )
    return msgspec.structs.replace(
        job,
        load=load,
        workers=1,
        probes=probes,
        providers=tuple(p for p in job.providers if p.name in hosts),
        scenarios=tuple(s for s in job.scenarios if s.name in asked),
        cold_scenarios=frozenset(p.scenario for p in probes if p.cold),
    )


class Prober:
    """Drives an engine through probes: `drive` it, and let it hear of each row.

    A probe's hosts go out together; one that still answers the point before is left
    out, with a `dropped` row, and nobody waits for it. At most `at_once` blocks of all
    probes are in flight. With `once` each probe is asked once and now; else `span`
    (seconds, None: for ever) is how long. `hourly` is told the time, ms of 1970, at the
    start and in each new hour. `engine` is there once it is about to go.
    """

    def __init__(
        self,
        plan: Plan,
        job: Job,
        *,
        once: bool = False,
        span: float | None = None,
        money: Money | None = None,
        hourly: Callable[[int], None] = lambda _: None,
        clock: Clock | None = None,
        wall: Wall | None = None,
        waking: Waking | None = None,
    ) -> None:
        self._once, self._span = once, span
        self._money = money or Money()
        self._hourly, self._hour = hourly, -1
        self._clock = clock or RealClock()
        self.wall = wall or Wall(self._clock)
        self._waking = waking or Timetable()
        self.engine: Sending | None = None
        self._turns = asyncio.Semaphore(job.at_once)
        self._day = _day_of(self.wall.now())
        self._forgiven = self._clock.now()
        where, now = job.source or "command line", self.wall.now()
        self._lines = {}
        for probe in job.probes:
            course = Course(points(probe, where, job.load.seed), now)
            self._lines[probe.scenario] = Line(probe, course, plan)

    def add(self, row: Row) -> None:
        """Hear of a row: its host is free for the next point."""
        self._lines[row.scenario].end(row.provider, row.block)

    def dated(self, moment: int) -> int:
        """Return what the wall clock shows at a moment of the run's clock."""
        return self.wall.at(moment)

    def first(self) -> int | None:
        """Return the first point of all probes, in ns of 1970."""
        found = [line.course.next() for line in self._lines.values()]
        return min((point for point in found if point is not None), default=None)

    async def drive(self, engine: Engine) -> None:
        """Make the engine send what is due, and see to its end."""
        money = self._money
        if money.day_nusd is not None:
            left = money.day_nusd if money.left_nusd is None else money.left_nusd
            engine.budget.renew(left, money.run_nusd)
        work = self._all_now(engine) if self._once else self._going(engine)
        await engine.oversee([work], self._clock.now(), None)

    async def _all_now(self, engine: Engine) -> None:
        async with asyncio.TaskGroup() as group:
            for line in self._lines.values():
                group.create_task(self._point(engine, line, self.wall.now()))

    async def _going(self, engine: Engine) -> None:
        now = self._clock.now()
        end = None if self._span is None else now + int(self._span * NS)
        async with asyncio.TaskGroup() as group:
            for name, line in self._lines.items():
                line.course.jump(self.wall.at(now))
                wake = self._waker(engine, line, group, end)
                self._waking.add(name, line.course.after, wake)
            self._waking.start()
            try:
                await self._watch(engine, end)
            finally:
                self._waking.stop()

    def _waker(
        self, engine: Engine, line: Line, group: asyncio.TaskGroup, end: int | None
    ) -> Callable[[], Awaitable[None]]:
        async def wake() -> None:
            if engine.stopped is not None:
                return
            due = line.course.due(self.wall.now(), 2 * LEAD_NS)
            for point in due.missed:
                engine.drop(
                    line.segment, next(line.sessions), self.wall.due(point), late=True
                )
            for point in due.points:
                if end is None or self.wall.due(point) <= end:
                    group.create_task(self._point(engine, line, point))

        return wake

    async def _watch(self, engine: Engine, end: int | None) -> None:
        """Mind the clocks until the time is up."""
        while engine.stopped is None:
            now = self._clock.now()
            if end is not None and now >= end:
                return
            self._tell_hour()
            soon = now + int(LOOK_S * NS)
            await engine.wait(soon if end is None else min(soon, end))
            if self.wall.look():
                for line in self._lines.values():
                    line.course.jump(self.wall.now())
                self._waking.again()

    def _tell_hour(self) -> None:
        now = self.wall.now()
        if now // (3600 * NS) != self._hour:
            self._hour = now // (3600 * NS)
            self._hourly(now // 1_000_000)

    def _renew(self, engine: Engine, point: int) -> None:
        """Give what each hour and each day gives, before a point is sent."""
        now = self._clock.now()
        if now - self._forgiven >= FORGIVE_NS:
            self._forgiven = now
            engine.forgive()
        day = _day_of(point)
        if self._money.day_nusd is not None and day > self._day:
            self._day = day
            engine.budget.renew(self._money.day_nusd, self._money.run_nusd)

    async def _point(self, engine: Engine, line: Line, point: int) -> None:
        """Ask the hosts of a probe that are free, in its turn among the others."""
        unit, due = next(line.sessions), self.wall.due(point)
        await engine.wait(due - AHEAD_NS)
        if engine.stopped is not None:
            return
        self._renew(engine, point)
        free, busy = line.parted(unit)
        if busy.blocks:
            engine.drop(line.segment, busy, due)
        if not free.blocks:
            return
        line.begin(free)
        try:
            await self._in_turn(engine, line.segment, free, due)
        finally:
            for block in free.blocks:
                for each in block:
                    line.end(each.provider, each.block)

    async def _in_turn(
        self, engine: Engine, segment: Segment, unit: Unit, due: int
    ) -> None:
        """Ask when it is this block's turn; a slow host keeps no other from its own."""
        async with asyncio.TaskGroup() as group, self._turns:
            if engine.stopped is None:
                asking = group.create_task(engine.ask(segment, unit, due))
                await asyncio.wait({asking}, timeout=TURN_S)


def _day_of(point: int) -> dt.date:
    """Return the UTC day of a moment in ns of 1970."""
    return dt.datetime.fromtimestamp(point / NS, dt.UTC).date()
