"""A run's load shared among processes: one plan, every row once, one writer."""

import asyncio
import multiprocessing
import signal
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from time import perf_counter_ns

import msgspec

from compare.run import lost
from compare.run.attend import Emit, context
from compare.run.brake import SETTLE_S
from compare.run.calm import calm
from compare.run.fuse import Fuse
from compare.run.letters import Order, Report, Rows, framed, letters, read_report
from compare.run.measure import measure
from compare.run.mistakes import SetupError
from compare.run.monitor import Health, merged
from compare.run.prepare import Run
from compare.run.tally import Sending
from compare.run.worker import SIGNALS, Task, connected, work
from data.row import Row
from providers.outcome import Blame, Outcome
from providers.provider import ProviderError
from scenarios.plan import Plan, count

LEAD_NS = 50_000_000
"""How long before a segment's start the workers are told of it."""
LEAVE_S = 5.0
SLICE_ROWS = 100
FAULTS: dict[str, type[Exception]] = {
    "ProviderError": ProviderError,
    "SetupError": SetupError,
}
"""The user's mistakes that only a worker can find; all else is a bug of ours."""


async def spread(
    run: Run,
    keep: Emit,
    n: int,
    *,
    origin: int,
    limit_nusd: int | None = None,
    ready: Callable[[Sending], None] | None = None,
) -> tuple[str | None, int, Health | None]:
    """Send what a run plans from `n` processes and keep its rows here.

    Return why it stopped early (or None), how many workers were lost, and how the
    others fared together (None: there are none). The arguments are those of `attend`;
    each worker may spend an nth of `limit_nusd`. What a lost worker did not report is
    kept as `lost`: where the plan is counted and was not stopped, all the rest of its
    part, else what it had begun.
    """
    fleet = Fleet(run, keep, n, origin)
    if ready is not None:
        ready(fleet)
    try:
        await fleet.start(limit_nusd)
        with calm():
            await fleet.listen()
    finally:
        await fleet.leave()
    await fleet.account()
    return fleet.stopped, fleet.lost, fleet.health


class Member:
    """One worker as the parent knows it; `open` holds what it began and not ended."""

    def __init__(
        self,
        process: SpawnProcess,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process = process
        self.reader = reader
        self.writer = writer
        self.open: set[int] = set()
        self.sent = 0
        self.in_flight = 0
        self.ready = False
        self.over = False
        self.lost = False
        self.health: Health | None = None

    def order(self, order: Order) -> None:
        """Send an order; to a worker that has ended it means nothing."""
        if not (self.over or self.lost):
            self.writer.write(framed(order))


class Fleet:
    """All workers of a run; `stop` and `finish_now` are as the engine's."""

    def __init__(self, run: Run, keep: Emit, n: int, origin: int) -> None:
        self._run = run
        self._keep = keep
        self._n = n
        self._origin = origin
        self._members: list[Member] = []
        self._kept = bytearray(_counted(run.plan))
        for seq in run.rest.done if self._kept else ():
            self._kept[seq] = True
        self._fuse = Fuse()
        self._killing: asyncio.TimerHandle | None = None
        self.stopped: str | None = None

    @property
    def sent(self) -> int:
        """Return how many requests all workers have sent, as last reported."""
        return sum(member.sent for member in self._members)

    @property
    def in_flight(self) -> int:
        """Return how many requests are under way, as last reported."""
        return sum(member.in_flight for member in self._members)

    @property
    def lost(self) -> int:
        """Return how many workers died before their work was over."""
        return sum(member.lost for member in self._members)

    @property
    def health(self) -> Health | None:
        """Return how the workers that came to their end fared, as one."""
        told = (member.health for member in self._members)
        return merged(each for each in told if each is not None)

    def stop(self, why: str = "interrupted") -> None:
        """Have no worker send anything more; what is in flight may end."""
        self.stopped = self.stopped or why
        for member in self._members:
            member.order(Order(stop=self.stopped))

    def finish_now(self) -> None:
        """Have every worker end what is in flight, and end those that do not."""
        self.stop()
        for member in self._members:
            member.order(Order(finish=True))
        loop = asyncio.get_running_loop()
        self._killing = loop.call_later(2 * SETTLE_S, self._kill)

    async def start(self, limit_nusd: int | None) -> None:
        """Start the workers, each with its share of the budget."""
        # It unblocks signals when it starts, so it must not start among the workers.
        resource_tracker.ensure_running()
        for index in range(self._n):
            # Keys never leave this process: a worker reads its own.
            bare = msgspec.structs.replace(self._run, providers=())
            task = Task(
                run=bare,
                index=index,
                of=self._n,
                origin=self._origin,
                limit_nusd=None if limit_nusd is None else limit_nusd // self._n,
            )
            ours, process = _spawned(task)
            self._members.append(Member(process, *await connected(ours)))
        if self.stopped is not None:
            self.stop(self.stopped)

    async def listen(self) -> None:
        """Take the workers' reports until the last of them has ended."""
        tasks = [asyncio.create_task(self._listen(each)) for each in self._members]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, member: Member) -> None:
        async for letter in letters(member.reader):
            self._take(member, read_report(letter))
        if not member.over:
            member.lost, member.in_flight = True, 0
            await self._lose(member, member.open)
            self._start_if_ready()

    def _take(self, member: Member, report: Report[Rows]) -> None:
        if report.fault is not None:
            kind, text = report.fault
            raise FAULTS.get(kind, RuntimeError)(text)
        member.sent, member.in_flight = report.sent, report.in_flight
        member.open.update(report.begun)
        for row, checks in report.rows:
            self._note(member, row.seq)
            self._keep(row, checks)
            self._mind(row)
        if report.stopped is not None and self.stopped is None:
            # One share of the budget is spent: at less than the whole load the others
            # would measure something else.
            self.stop(report.stopped)
        member.over, member.health = report.over, report.health
        member.ready |= report.ready
        if report.over or report.ready:
            self._start_if_ready()

    def _mind(self, row: Row) -> None:
        """Have no worker ask a host that has refused the key too often in all."""
        told = row.outcome == Outcome.POLICY_REFUSED and row.blame == Blame.ACCOUNT
        fresh = told and row.provider not in self._fuse.blown
        if self._fuse.note(row.provider, row.outcome) or fresh:
            self._fuse.blown.add(row.provider)
            for member in self._members:
                member.order(Order(refuse=row.provider))

    def _note(self, member: Member, seq: int) -> None:
        member.open.discard(seq)
        if self._kept:
            self._kept[seq] = True

    def _start_if_ready(self) -> None:
        """Start the next segment in all workers once the last of them waits for it."""
        going = [each for each in self._members if not (each.over or each.lost)]
        if all(member.ready for member in going):
            start = perf_counter_ns() + LEAD_NS
            for member in going:
                member.ready = False
                member.order(Order(start=start))

    async def account(self) -> None:
        """Keep a row for each request that a counted plan had left for lost workers."""
        if self.stopped is not None or not self._kept:
            return
        for index, member in enumerate(self._members):
            if member.lost:
                part = lost.numbers(self._run.plan, index, self._n)
                await self._lose(member, {seq for seq in part if not self._kept[seq]})

    async def _lose(self, member: Member, seqs: Collection[int]) -> None:
        """Keep a `lost` row for each of these requests of a worker."""
        index = self._members.index(member)
        shared = context(self._run, self._origin, index)
        found = lost.results(self._run.plan, frozenset(seqs))
        for number, result in enumerate(found):
            self._note(member, result.arrival.seq)
            self._keep(*measure(result, shared))
            if number % SLICE_ROWS == 0:
                # Making prompts anew takes time that the other workers' rows need too.
                await asyncio.sleep(0)

    def _kill(self) -> None:
        for member in self._members:
            if not member.over and member.process.is_alive():
                member.process.kill()

    async def leave(self) -> None:
        """End every worker that has not ended by itself."""
        if self._killing is not None:
            self._killing.cancel()
        for member in self._members:
            member.writer.close()
            if member.over:
                member.process.join(LEAVE_S)
            member.process.kill()
            member.process.join()
        closing = (member.writer.wait_closed() for member in self._members)
        await asyncio.gather(*closing, return_exceptions=True)


def _counted(plan: Plan) -> int:
    """Return how many requests a plan has, 0 where that is not known beforehand."""
    blocks = None if plan.load.duration is not None else count(plan)
    return (blocks or 0) * len(plan.providers)


def _spawned(task: Task) -> tuple[socket.socket, SpawnProcess]:
    """Start a worker; return our end of its pipe and its process."""
    ours, theirs = socket.socketpair()
    process = multiprocessing.get_context("spawn").Process(
        target=work, args=(theirs, task), name=f"h2h worker {task.index}", daemon=True
    )
    with theirs, _held_signals():
        process.start()
    return ours, process


@contextmanager
def _held_signals() -> Iterator[None]:
    """Have a process that is started meanwhile begin with signals held back.

    Else Ctrl-C could meet a worker that does not ignore it yet.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
