"""One worker of a fleet: attends to its part of a run and reports every row of it."""

import asyncio
import contextlib
import os
import signal
import socket
import traceback
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from compare.run.attend import attend
from compare.run.engine import Engine, Part
from compare.run.hosts import with_key
from compare.run.letters import Order, Report, framed, letters, packed, read_order
from compare.run.mistakes import SetupError
from compare.run.monitor import Monitor
from compare.run.prepare import Run
from data.row import CheckRow, Row
from providers.provider import Provider, ProviderError
from scenarios.plan import Block, Segment

BATCH_ROWS = 64
BATCH_S = 0.1
SIGNALS = {signal.SIGINT, signal.SIGTERM}
"""What a terminal or a service manager sends to all processes at once."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is made of: data alone, no key in it.

    `run` has its hosts as the job has them. `origin` is as in `attend`, `limit_nusd`
    is this worker's share of the budget.
    """

    run: Run
    index: int
    of: int
    origin: int
    limit_nusd: int | None = None


def work(pipe: socket.socket, task: Task) -> None:
    """Do a task in this process, reporting to and obeying who is behind the pipe.

    Signals are the parent's to mind: it passes on what they ask for. Without a parent
    the process ends at once.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    _loop(_work(pipe, task))


def _loop(main: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop
    except ImportError:  # Windows has no uvloop
        asyncio.run(main)
    else:
        uvloop.run(main)


async def connected(
    pipe: socket.socket,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return the streams of one end of a socket pair."""
    # uvloop takes a Unix socket for a TCP one and refuses its options.
    if hasattr(asyncio, "open_unix_connection"):
        return await asyncio.open_unix_connection(sock=pipe)
    return await asyncio.open_connection(sock=pipe)


async def _work(pipe: socket.socket, task: Task) -> None:
    reader, writer = await connected(pipe)
    worker = Worker(writer)
    beside = [asyncio.create_task(worker.obey(reader)),
              asyncio.create_task(worker.keep_reporting())]  # fmt: skip
    try:
        await worker.attend(task)
    except (SetupError, ProviderError) as error:
        worker.report(fault=(type(error).__name__, str(error)))
    except Exception:  # noqa: BLE001 - the parent raises it, whatever it is
        worker.report(fault=("", traceback.format_exc()))
    finally:
        for each in beside:
            each.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()
        await writer.wait_closed()


class Worker:
    """The worker's side of the pipe: rows wait for their batch, all else goes at once.

    The parent alone knows when a segment starts.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._engine: Engine | None = None
        self._stop: str | None = None
        self._refused: set[str] = set()
        self._start: asyncio.Future[int] | None = None
        self._rows: list[msgspec.Raw] = []
        self._begun: list[int] = []

    async def attend(self, task: Task) -> None:
        """Do the task, and report its end."""
        monitor = Monitor()
        stopped = await attend(
            own_part(task),
            self._emit,
            origin=task.origin,
            limit_nusd=task.limit_nusd,
            ready=self._ready,
            part=Part(
                index=task.index, of=task.of, begin=self._begin, begun=self._note
            ),
            monitor=monitor,
        )
        self.report(over=True, stopped=stopped, health=monitor.health())

    def _ready(self, engine: Engine) -> None:
        self._engine = engine
        for host in self._refused:
            engine.refuse(host)
        if self._stop is not None:
            engine.stop(self._stop)

    def _emit(self, row: Row, checks: Sequence[CheckRow]) -> None:
        # Packed one at a time: a batch packed whole would hold up the loop.
        self._rows.append(packed(row, checks))
        if len(self._rows) >= BATCH_ROWS:
            self.report()

    def _note(self, block: Block) -> None:
        self._begun += [arrival.seq for arrival in block]

    async def _begin(self, segment: Segment) -> int:
        """Wait until all workers may start; an order to stop ends the wait as well."""
        self._start = asyncio.get_running_loop().create_future()
        self.report(ready=True)
        return await self._start

    async def obey(self, reader: asyncio.StreamReader) -> None:
        """Do what the parent orders; end this process when the parent has ended."""
        async for letter in letters(reader):
            self._obey(read_order(letter))
        # Nobody is left to keep what is measured, so nothing more may be spent.
        os._exit(1)

    def _obey(self, order: Order) -> None:
        if order.stop is not None:
            self._stop = order.stop
            if self._engine is not None:
                self._engine.stop(order.stop)
        if order.finish and self._engine is not None:
            self._engine.finish_now()
        if order.refuse is not None:
            self._refused.add(order.refuse)
            if self._engine is not None:
                self._engine.refuse(order.refuse)
        elif self._start is not None and not self._start.done():
            self._start.set_result(order.start or 0)

    async def keep_reporting(self) -> None:
        """Report ten times a second, news or not."""
        while True:
            await asyncio.sleep(BATCH_S)
            self.report()

    def report(self, **news: Any) -> None:
        """Send what has not been sent yet, and the news."""
        engine = self._engine
        if engine is not None:
            news = {"sent": engine.sent, "in_flight": engine.in_flight,
                    "stopped": engine.stopped} | news  # fmt: skip
        rows, begun = tuple(self._rows), tuple(self._begun)
        self._rows.clear()
        self._begun.clear()
        self._writer.write(framed(Report(rows=rows, begun=begun, **news)))


def own_part(task: Task) -> Run:
    """Return a worker's run: its hosts with their keys and its share of their ceilings.

    Raises SetupError for a key that this process cannot read.
    """
    hosts = (_share(each, task.index, task.of) for each in task.run.job.providers)
    return msgspec.structs.replace(
        task.run, providers=tuple(with_key(host) for host in hosts)
    )


def _share(provider: Provider, index: int, of: int) -> Provider:
    rpm, slots = provider.rpm, provider.concurrency
    return msgspec.structs.replace(
        provider,
        rpm=None if rpm is None else rpm / of,
        concurrency=None if slots is None else len(range(index, slots, of)),
    )
