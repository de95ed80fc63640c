"""The engine: send a plan's requests when they are due, and lose none of them.

It sees neither the network nor the database. It is given `send`, which turns an
arrival into a Reply and never raises for what a host does, and `emit`, which takes
what became of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from compare.run.brake import NS, Brake
from compare.run.budget import Budget
from compare.run.clock import Clock
from compare.run.gate import Ceiling
from compare.run.rest import Left, Rest
from compare.run.sender import AHEAD_NS, Result, Send, Sender
from scenarios.plan import Block, Lane, Plan, Segment, Unit, lanes, shard
from scenarios.request import Arrival


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is one engine's part of a plan: sessions and slots index, index + of, ...

    `begin` waits until all engines may start a segment and returns that moment, in
    ns; None starts at once. `begun` is told of each block before it is sent.
    """

    index: int = 0
    of: int = 1
    begin: Callable[[Segment], Awaitable[int]] | None = None
    begun: Callable[[Block], None] = lambda _: None


class Engine:
    """One run of a plan. `stop` ends it early; `finish_now` ends it at once.

    `worst` gives the worst case of an arrival in nano-USD, `interrupt` ends every
    request in flight. `sent` and `in_flight` count requests. `part` is what this
    engine has to take care of: by default everything. `rest` is what is left of the
    plan: by default all of it. `budget` holds it back.
    """

    def __init__(
        self,
        plan: Plan,
        send: Send,
        emit: Callable[[Result], None],
        *,
        clock: Clock,
        budget: Budget | None = None,
        worst: Callable[[Arrival], int] | None = None,
        ceilings: Mapping[str, Ceiling] | None = None,
        interrupt: Callable[[], None] = lambda: None,
        part: Part | None = None,
        rest: Rest | None = None,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._part = part or Part()
        self._rest = rest or Rest()
        self._brake = Brake(clock, interrupt)
        self.budget = budget or Budget()
        self._sender = Sender(
            send,
            emit,
            clock=clock,
            brake=self._brake,
            budget=self.budget,
            worst=worst,
            ceilings=ceilings,
            begun=self._part.begun,
        )

    @property
    def sent(self) -> int:
        """Return how many requests have been sent."""
        return self._sender.sent

    @property
    def in_flight(self) -> int:
        """Return how many requests are under way."""
        return self._sender.in_flight

    @property
    def stopped(self) -> str | None:
        """Return why it was stopped, None while it was not."""
        return self._brake.why

    def stop(self, why: str = "interrupted") -> None:
        """Send nothing more; what is in flight may end within `DRAIN_S`."""
        self._brake.stop(why)

    def finish_now(self) -> None:
        """Send nothing more and end what is in flight; its rows are `interrupted`."""
        self._brake.finish_now("interrupted")

    def refuse(self, host: str) -> None:
        """Send no more to a host; what was planned for it is `policy_refused`."""
        self._sender.fuse.blown.add(host)

    def forgive(self) -> None:
        """Ask the hosts again that were out; the next refusal puts one out again."""
        self._sender.fuse.blown.clear()

    async def run(self) -> None:
        """Run what is left of each segment of the plan, one after the other."""
        for left in self._rest.of(self._plan):
            if self._brake.on:
                return
            await self._segment(left)

    async def _segment(self, left: Left) -> None:
        segment = left.segment
        if self._part.begin is None:
            start = self._clock.now()
        else:
            start = await self._part.begin(segment)
            if self._brake.on:
                return
        start -= int(left.ahead * NS)
        work = [self._lane(left, lane, start) for lane in lanes(self._plan)]
        await self.oversee(work, start, segment.duration)

    async def alone(self, segment: Segment, lane: Lane) -> None:
        """Run one segment for one lane, from now to its end, whatever others do."""
        await self._lane(Left(segment=segment), lane, self._clock.now())

    async def oversee(
        self,
        work: Sequence[Coroutine[Any, Any, None]],
        start: int,
        duration: float | None,
    ) -> None:
        """Run what sends, and see to its end: by itself, by `duration`, or by `stop`.

        Once nothing more is sent, requests in flight have `DRAIN_S` to end; then they
        are interrupted, and become replies within `SETTLE_S`.
        """
        await self._brake.oversee(work, start, duration)

    def _may_send(self, segment: Segment, start: int) -> bool:
        if self._brake.on:
            return False
        if segment.duration is None:
            return True
        return self._clock.now() < start + int(segment.duration * NS)

    async def _lane(self, left: Left, lane: Lane, start: int) -> None:
        mine = shard(self._part.index, self._part.of)
        work = self._rest.units(self._plan, left, lane, mine)
        if left.segment.rate is None:
            await self._closed(left.segment, lane, work, start)
        else:
            await self._open(left.segment, work, start)

    async def _closed(
        self, segment: Segment, lane: Lane, work: Iterator[Unit], start: int
    ) -> None:
        """Run slots side by side; each takes the next session when its last ended."""
        slots = segment.concurrency
        async with asyncio.TaskGroup() as group:
            for slot in self._slots(segment):
                opens = start + int(segment.ramp * NS * slot / slots)
                group.create_task(self._slot(segment, lane, work, start, opens))

    def _slots(self, segment: Segment) -> range:
        """Return which of a segment's slots are this engine's."""
        most = segment.concurrency
        if segment.n_blocks is not None:
            most = min(most, segment.n_blocks)
        return range(self._part.index, most, self._part.of)

    async def _slot(
        self,
        segment: Segment,
        lane: Lane,
        work: Iterator[Unit],
        start: int,
        opens: int,
    ) -> None:
        if opens > self._clock.now():
            await self.wait(opens)
        while self._may_send(segment, start):
            if segment.n_blocks is None and self._sender.fuse.blown.issuperset(lane):
                return  # nobody is left to ask, and without a count nothing is planned
            unit = next(work, None)
            if unit is None:
                return
            await self.ask(segment, unit, None)

    async def _open(self, segment: Segment, work: Iterator[Unit], start: int) -> None:
        """Send each session when it is due, whatever became of those before it."""
        flying: set[asyncio.Task[None]] = set()
        cap = len(self._slots(segment))
        async with asyncio.TaskGroup() as group:
            for unit in work:
                due = start + int((unit.due or 0.0) * NS)
                await self.wait(due - AHEAD_NS)
                if len(flying) >= cap:
                    await self.wait(due)  # until then one may end
                if self._brake.on:
                    break
                if not self._may_send(segment, start):
                    # This process fell behind until the time was up: our own doing.
                    self.drop(segment, unit, due, late=True)
                    continue
                if len(flying) >= cap:
                    self.drop(segment, unit, due)
                    continue
                task = group.create_task(self.ask(segment, unit, due))
                flying.add(task)
                task.add_done_callback(flying.discard)

    async def wait(self, moment: int) -> None:
        """Wait for a moment in ns, or until nothing more is to be sent."""
        await self._brake.wait(moment)

    def drop(
        self, segment: Segment, unit: Unit, due: int, *, late: bool = False
    ) -> None:
        """Note a session that found no slot: planned, never sent, but not lost.

        `late` flags one that this process did not get to before its time was up.
        """
        self._sender.drop(segment, unit, due, late=late)

    async def ask(self, segment: Segment, unit: Unit, due: int | None) -> None:
        """Send the turns of one session, each to all hosts at the same moment.

        `due` is when the first was planned, in ns; a later turn of an open loop is
        due a gap after the one before it ended.
        """
        await self._sender.ask(segment, unit, due)
