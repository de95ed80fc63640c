"""The engine: send a plan's requests when they are due, and lose none of them.

It sees neither the network nor the database. It is given `send`, which turns an
arrival into a Reply and never raises for what a host does, and `emit`, which takes
what became of it.
"""

import asyncio
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any

import msgspec

from compare.run.budget import Budget
from compare.run.clock import Clock
from compare.run.gate import Ceiling, Gate, enter_all
from providers.outcome import BLAME, Flag, Outcome
from providers.reply import Reply
from scenarios.plan import (
    Block,
    Lane,
    Plan,
    Segment,
    Unit,
    lanes,
    segments,
    shard,
    units,
)
from scenarios.request import Arrival

Send = Callable[[Arrival], Awaitable[Reply]]

NS = 1_000_000_000
DRAIN_S = 30.0
"""How long requests in flight may go on once nothing more is sent."""
SETTLE_S = 5.0
"""How long interrupted requests have to become replies before they are cancelled."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one arrival. `due` and `queued` are ns of the run's clock."""

    arrival: Arrival
    segment: Segment
    reply: Reply
    due: int | None
    queued: int | None
    worst_nusd: int = 0


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
    engine has to take care of: by default everything.
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
    ) -> None:
        self._plan = plan
        self._send = send
        self._emit = emit
        self._clock = clock
        self._budget = budget or Budget()
        self._worst = worst or (lambda _: 0)
        self._interrupt = interrupt
        self._part = part or Part()
        self._gates = {
            name: Gate(ceiling) for name, ceiling in (ceilings or {}).items()
        }
        self._stopping = asyncio.Event()
        self._finishing = asyncio.Event()
        self.in_flight = 0
        self.sent = 0
        self.stopped: str | None = None

    def stop(self, why: str = "interrupted") -> None:
        """Send nothing more; what is in flight may end within `DRAIN_S`."""
        self.stopped = self.stopped or why
        self._stopping.set()

    def finish_now(self) -> None:
        """Send nothing more and end what is in flight; its rows are `interrupted`."""
        self.stop()
        self._finishing.set()

    async def run(self) -> None:
        """Run every segment of the plan, one after the other."""
        for segment in segments(self._plan):
            if self._stopping.is_set():
                return
            await self._segment(segment)

    async def _segment(self, segment: Segment) -> None:
        if self._part.begin is None:
            start = self._clock.now()
        else:
            start = await self._part.begin(segment)
            if self._stopping.is_set():
                return
        work = [self._lane(segment, lane, start) for lane in lanes(self._plan)]
        await self.oversee(work, start, segment.duration)

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
        tasks = [asyncio.create_task(each) for each in work]
        try:
            await self._until_over(tasks, start, duration)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_over(
        self, tasks: list[asyncio.Task[None]], start: int, duration: float | None
    ) -> None:
        everything: asyncio.Future[Any] = asyncio.gather(*tasks)
        over: asyncio.Future[Any] = asyncio.create_task(
            self._sending_over(start, duration)
        )
        try:
            await asyncio.wait({everything, over}, return_when=asyncio.FIRST_COMPLETED)
            if not everything.done():
                grace: asyncio.Future[Any] = asyncio.create_task(self._finishing.wait())
                await asyncio.wait(
                    {everything, grace},
                    timeout=DRAIN_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                grace.cancel()
            if not everything.done():
                self._interrupt()
                await asyncio.wait({everything}, timeout=SETTLE_S)
            if everything.done():
                everything.result()
        finally:
            over.cancel()
            everything.cancel()
            await asyncio.gather(everything, over, return_exceptions=True)

    async def _sending_over(self, start: int, duration: float | None) -> None:
        """Return when nothing more is to be sent: stopped, or the time is up."""
        waits: set[asyncio.Task[Any]]
        waits = {asyncio.create_task(self._stopping.wait())}
        if duration is not None:
            end = start + int(duration * NS)
            waits.add(asyncio.create_task(self._reach(end)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _reach(self, moment: int) -> bool:
        await self._clock.until(moment)
        return True

    def _may_send(self, segment: Segment, start: int) -> bool:
        if self._stopping.is_set():
            return False
        if segment.duration is None:
            return True
        return self._clock.now() < start + int(segment.duration * NS)

    async def _lane(self, segment: Segment, lane: Lane, start: int) -> None:
        work = units(self._plan, segment, lane, shard(self._part.index, self._part.of))
        if segment.rate is None:
            await self._closed(segment, work, start)
        else:
            await self._open(segment, work, start)

    async def _closed(self, segment: Segment, work: Iterator[Unit], start: int) -> None:
        """Run slots side by side; each takes the next session when its last ended."""
        slots = segment.concurrency
        async with asyncio.TaskGroup() as group:
            for slot in self._slots(segment):
                opens = start + int(segment.ramp * NS * slot / slots)
                group.create_task(self._slot(segment, work, start, opens))

    def _slots(self, segment: Segment) -> range:
        """Return which of a segment's slots are this engine's."""
        most = segment.concurrency
        if segment.n_blocks is not None:
            most = min(most, segment.n_blocks)
        return range(self._part.index, most, self._part.of)

    async def _slot(
        self, segment: Segment, work: Iterator[Unit], start: int, opens: int
    ) -> None:
        if opens > self._clock.now():
            await self.wait(opens)
        while self._may_send(segment, start):
            unit = next(work, None)
            if unit is None:
                return
            await self.ask(segment, unit, None)

    async def _open(self, segment: Segment, work: Iterator[Unit], start: int) -> None:
        """Send each session when it is due, whatever became of those before it."""
        blocks: set[asyncio.Task[None]] = set()
        cap = len(self._slots(segment))
        try:
            for unit in work:
                due = start + int((unit.due or 0.0) * NS)
                await self.wait(due)
                if self._stopping.is_set():
                    break
                if not self._may_send(segment, start):
                    # This process fell behind until the time was up: our own doing.
                    self.drop(segment, unit, due, late=True)
                    continue
                if len(blocks) >= cap:
                    self.drop(segment, unit, due)
                    continue
                task = asyncio.create_task(self.ask(segment, unit, due))
                blocks.add(task)
                task.add_done_callback(blocks.discard)
            while blocks:
                await asyncio.gather(*blocks)
        finally:
            for task in blocks:
                task.cancel()

    async def wait(self, moment: int) -> None:
        """Wait for a moment in ns, or until nothing more is to be sent."""
        if self._clock.now() >= moment:
            # Late already: let replies be read before the next one is sent.
            await asyncio.sleep(0)
            return
        reach: asyncio.Task[Any] = asyncio.create_task(self._reach(moment))
        stop: asyncio.Task[Any] = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({reach, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reach.cancel()
            stop.cancel()

    def drop(
        self, segment: Segment, unit: Unit, due: int, *, late: bool = False
    ) -> None:
        """Note a session that found no slot: planned, never sent, but not lost.

        `late` flags one that this process did not get to before its time was up.
        """
        flags = frozenset({Flag.LATE_START}) if late else frozenset()
        for block in unit.blocks:
            for arrival in block:
                self._note(segment, arrival, Outcome.DROPPED, due, None, flags=flags)

    def _note(
        self,
        segment: Segment,
        arrival: Arrival,
        outcome: Outcome,
        due: int | None,
        queued: int | None,
        worst_nusd: int = 0,
        flags: frozenset[Flag] = frozenset(),
    ) -> None:
        self._emit(
            Result(
                arrival=arrival,
                segment=segment,
                reply=Reply(outcome=outcome, blame=BLAME[outcome], flags=flags),
                due=due,
                queued=queued,
                worst_nusd=worst_nusd,
            )
        )

    async def ask(self, segment: Segment, unit: Unit, due: int | None) -> None:
        """Send the turns of one session, each to all hosts at the same moment.

        `due` is when the first was planned, in ns; a later turn of an open loop is
        due a gap after the one before it ended.
        """
        for turn, block in enumerate(unit.blocks):
            if turn:
                due = None if due is None else self._clock.now() + int(unit.gap * NS)
                await self.wait(self._clock.now() + int(unit.gap * NS))
                if self._stopping.is_set():
                    return
            worst = {arrival.seq: self._worst(arrival) for arrival in block}
            if not await self._afford(segment, sum(worst.values())):
                return
            await self._block(segment, block, due, worst)

    async def _afford(self, segment: Segment, worst_nusd: int) -> bool:
        """Reserve a block's worst case, or stop the run when the budget is reached.

        An open loop never waits for replies, so it does not wait for their change.
        """
        if segment.rate is None:
            affordable = await self._budget.reserve_or_wait(worst_nusd)
        else:
            affordable = self._budget.reserve(worst_nusd)
        if not affordable:
            self.stop("budget")
        return affordable

    async def _block(
        self, segment: Segment, block: Block, due: int | None, worst: dict[int, int]
    ) -> None:
        self._part.begun(block)
        queued = self._clock.now()
        gates = [g for a in block if (g := self._gates.get(a.provider)) is not None]
        if gates and not await self._admitted(gates):
            for arrival in block:
                held = worst[arrival.seq]
                self._note(segment, arrival, Outcome.INTERRUPTED, due, queued, held)
            return
        if len(block) == 1:  # a lone host needs no task of its own
            (arrival,) = block
            await self._one(segment, arrival, due, queued, worst[arrival.seq])
            return
        async with asyncio.TaskGroup() as group:
            for arrival in block:
                group.create_task(
                    self._one(segment, arrival, due, queued, worst[arrival.seq])
                )

    async def _one(
        self,
        segment: Segment,
        arrival: Arrival,
        due: int | None,
        queued: int,
        worst_nusd: int,
    ) -> None:
        gate = self._gates.get(arrival.provider)
        self.in_flight += 1
        self.sent += 1
        try:
            reply = await self._send(arrival)
        except asyncio.CancelledError:
            # Cancelled from outside: the request was sent, so it still is a row.
            self._note(segment, arrival, Outcome.INTERRUPTED, due, queued, worst_nusd)
            raise
        finally:
            self.in_flight -= 1
            if gate is not None:
                gate.leave()
        self._emit(
            Result(
                arrival=arrival,
                segment=segment,
                reply=reply,
                due=due,
                queued=queued,
                worst_nusd=worst_nusd,
            )
        )

    async def _admitted(self, gates: list[Gate]) -> bool:
        """Wait for the gates of a block; False when the run stopped before they opened.

        All open before anything is sent: a block's hosts are asked at one moment.
        """
        enter: asyncio.Task[Any] = asyncio.create_task(enter_all(gates))
        stop: asyncio.Task[Any] = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({enter, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            if not enter.done():
                enter.cancel()
        return enter.done()
