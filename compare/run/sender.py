"""Send a session: each block to all its hosts at one moment, and a row for each."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from compare.run.brake import NS, Brake
from compare.run.budget import Budget
from compare.run.clock import Clock
from compare.run.fuse import VAIN, Fuse
from compare.run.gate import Ceiling, Gate
from compare.run.seats import Seats
from providers.outcome import BLAME, Blame, Flag, Outcome
from providers.reply import Reply
from providers.start import Start
from scenarios.answer import Verdict
from scenarios.plan import Block, Segment, Unit
from scenarios.request import Arrival

AHEAD_NS = 5_000_000
"""How long before it is due a block of an open loop is made ready."""

Send = Callable[[Arrival, Start], Awaitable[Reply]]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one arrival. `due` and `queued` are ns of the run's clock.

    `verdicts` are those of a live session that it ended.
    """

    arrival: Arrival
    segment: Segment
    reply: Reply
    due: int | None
    queued: int | None
    worst_nusd: int = 0
    verdicts: tuple[Verdict, ...] = ()


class Sender:
    """Sends blocks. It is given `send`, and hands what became of each to `emit`.

    `worst` gives the worst case of an arrival in nano-USD, `begun` is told of each
    block before it is sent. `sent` and `in_flight` count requests.
    """

    def __init__(
        self,
        send: Send,
        emit: Callable[[Result], None],
        *,
        clock: Clock,
        brake: Brake,
        budget: Budget | None,
        worst: Callable[[Arrival], int] | None,
        ceilings: Mapping[str, Ceiling] | None,
        begun: Callable[[Block], None],
    ) -> None:
        self._send = send
        self._emit = emit
        self._clock = clock
        self._brake = brake
        self._budget = budget or Budget()
        self._worst = worst or (lambda _: 0)
        self._begun = begun
        self._gates = {
            name: Gate(ceiling) for name, ceiling in (ceilings or {}).items()
        }
        self._seats = Seats()
        self.fuse = Fuse()
        self.in_flight = 0
        self.sent = 0

    def drop(
        self, segment: Segment, unit: Unit, due: int, *, late: bool = False
    ) -> None:
        """Note a session that found no slot: planned, never sent, but not lost.

        `late` flags one that this process did not get to before its time was up.
        """
        flags = frozenset({Flag.LATE_START}) if late else frozenset()
        live = segment.scenario.loop is not None
        for block in unit.blocks[:1] if live else unit.blocks:
            for arrival in block:
                self._note(segment, arrival, Outcome.DROPPED, due, None, flags=flags)

    async def ask(self, segment: Segment, unit: Unit, due: int | None) -> None:
        """Send the turns of one session, each to all hosts at the same moment.

        `due` is when the first was planned, in ns; a later turn of an open loop is
        due a gap after the one before it ended.
        """
        try:
            await self._turns(segment, unit, due)
        finally:
            self._seats.clear(unit)

    async def _turns(self, segment: Segment, unit: Unit, due: int | None) -> None:
        for turn, planned in enumerate(unit.blocks):
            block = self._seats.deal(segment, planned)
            if not block:
                return
            if turn:
                moment = self._clock.now() + int(unit.pause(block) * NS)
                due = None if due is None else moment
                await self._brake.wait(moment if due is None else moment - AHEAD_NS)
                if self._brake.on:
                    return
            if due is not None and self._ceiled(block):
                await self._brake.wait(due)  # a ceiling counts what is sent
                if self._brake.on:
                    return
            held = {arrival.seq: self._worst(arrival) for arrival in block}
            if not await self._afford(due, sum(held.values())):
                if self._budget.renewable:  # not today: each is a row, and no end
                    self._refuse(segment, block, due)
                    continue
                return
            try:
                await self._block(segment, block, due, held)
            finally:
                for worst_nusd in held.values():  # of those that never came to be sent
                    self._budget.settle(worst_nusd, 0)

    def _refuse(self, segment: Segment, block: Block, due: int | None) -> None:
        for arrival in block:
            self._note(segment, arrival, Outcome.POLICY_REFUSED, due, None)

    async def _afford(self, due: int | None, worst_nusd: int) -> bool:
        """Reserve a block's worst case, or stop the run when the budget is reached.

        What is due at a moment never waits for replies, nor for their change.
        """
        if due is None:
            affordable = await self._budget.reserve_or_wait(worst_nusd)
        else:
            affordable = self._budget.reserve(worst_nusd)
        if not affordable and not self._budget.renewable:
            self._brake.stop("budget")
        return affordable

    async def _block(
        self, segment: Segment, block: Block, due: int | None, held: dict[int, int]
    ) -> None:
        """Send a block; each result takes its worst case out of `held`."""
        queued = max(self._clock.now(), due or 0)  # made ready ahead is not waiting
        block = self._allowed(segment, block, due, queued, held)
        if not block:
            await asyncio.sleep(0)  # a block that is not sent must not hold up the loop
            return
        self._begun(block)
        entered: dict[str, Gate] = {}
        try:
            if not await self._admitted(block, entered):
                for each in block:
                    worst = held.pop(each.seq)
                    self._note(segment, each, Outcome.INTERRUPTED, due, queued, worst)
                return
            start = Start(due, len(block))
            if len(block) == 1:  # a lone host needs no task of its own
                await self._one(segment, block[0], start, queued, held, entered)
                return
            async with asyncio.TaskGroup() as group:
                for each in block:
                    group.create_task(
                        self._one(segment, each, start, queued, held, entered)
                    )
        finally:
            for gate in entered.values():  # of those that never came to be sent
                gate.leave()

    def _allowed(
        self,
        segment: Segment,
        block: Block,
        due: int | None,
        queued: int,
        held: dict[int, int],
    ) -> Block:
        """Return a block without the hosts that are out; those get their rows here."""
        if not self.fuse.blown:
            return block
        for arrival in block:
            if arrival.provider in self.fuse.blown:
                worst = held.pop(arrival.seq)
                self._seats.leave(arrival)
                self._note(
                    segment, arrival, Outcome.POLICY_REFUSED, due, queued, worst,
                    blame=Blame.ACCOUNT,
                )  # fmt: skip
        return tuple(each for each in block if each.provider not in self.fuse.blown)

    def _ceiled(self, block: Block) -> bool:
        return any(each.provider in self._gates for each in block)

    async def _admitted(self, block: Block, entered: dict[str, Gate]) -> bool:
        """Wait for the gates of a block; False when the run stopped before they opened.

        All open before anything is sent: a block's hosts are asked at one moment.
        """
        if not self._ceiled(block):
            return True
        wanted = [each.provider for each in block if each.provider in self._gates]
        return await self._brake.unless_stopped(self._enter(wanted, entered))

    async def _enter(self, hosts: list[str], entered: dict[str, Gate]) -> None:
        for host in hosts:
            await self._gates[host].enter()
            entered[host] = self._gates[host]

    async def _one(
        self,
        segment: Segment,
        arrival: Arrival,
        start: Start,
        queued: int,
        held: dict[int, int],
        entered: dict[str, Gate],
    ) -> None:
        due, worst_nusd = start.moment, held.pop(arrival.seq)
        self.in_flight += 1
        self.sent += 1
        gate = entered.pop(arrival.provider, None)
        try:
            reply = await self._send(arrival, start)
        except asyncio.CancelledError:
            # Cancelled from outside: the request was sent, so it still is a row.
            self._note(segment, arrival, Outcome.INTERRUPTED, due, queued, worst_nusd)
            raise
        finally:
            self.in_flight -= 1
            if gate is not None:
                gate.leave()
        self.fuse.note(arrival.provider, reply.outcome)
        if self.fuse.vain >= VAIN and due is None:
            self._brake.stop("vain")
        self._emit(
            Result(
                arrival=arrival,
                segment=segment,
                reply=reply,
                due=due,
                queued=queued,
                worst_nusd=worst_nusd,
                verdicts=self._seats.take(arrival, reply),
            )
        )

    def _note(
        self,
        segment: Segment,
        arrival: Arrival,
        outcome: Outcome,
        due: int | None,
        queued: int | None,
        worst_nusd: int = 0,
        flags: frozenset[Flag] = frozenset(),
        blame: Blame | None = None,
    ) -> None:
        """Hand on a result of a request that has no reply."""
        reply = Reply(outcome=outcome, blame=blame or BLAME[outcome], flags=flags)
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
