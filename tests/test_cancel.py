"""Cancelled at any await: nothing is left open, and what was sent is a row."""

import asyncio
import contextlib
from collections import Counter
from functools import partial
from pathlib import Path
from time import perf_counter_ns

import pytest
from byteserver import GOOD, ByteServer, stream
from fakes import Hosts, VirtualClock, virtually
from test_fleet import job_of, plan_of
from test_wire import arrival, provider

from compare.run import attend as attending
from compare.run.attend import attend
from compare.run.budget import Budget
from compare.run.engine import Engine
from compare.run.gate import Ceiling
from compare.run.prepare import prepare
from providers.outcome import Outcome
from providers.wire import Wire


class Stepped:
    """A coroutine that tells each time that it is about to suspend."""

    def __init__(self, coro, suspending):
        self._coro, self._suspending = coro, suspending

    def __await__(self):
        steps, value, error = self._coro.__await__(), None, None
        while True:
            try:
                waits = steps.send(value) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value
            self._suspending()
            value, error = None, None
            try:
                value = yield waits
            except BaseException as caught:  # noqa: BLE001 - passed on, as it came
                error = caught


async def stepped(coro, suspending):
    return await Stepped(coro, suspending)


def named(task):
    """Return what a task runs, for who reads a failure."""
    frame = task.get_coro().cr_frame
    coro = frame.f_locals.get("coro") if frame else None
    return getattr(coro, "__qualname__", repr(task))


def of_the_server(coro):
    """Return whether a coroutine serves a connection: in the loop of its client."""
    return coro.__qualname__.endswith((".serve", "._serve", "._accept_connection2"))


async def cancelled_at(k, work):
    """Run `work` and cancel it when it, or a task of its, suspends for the k-th time.

    Return how often they did.
    """
    loop, seen = asyncio.get_running_loop(), 0

    def suspending():
        nonlocal seen
        seen += 1
        if seen == k:
            main.cancel()

    def factory(loop, coro, **options):
        counted = coro if of_the_server(coro) else stepped(coro, suspending)
        return asyncio.Task(counted, loop=loop, **options)

    before = asyncio.all_tasks()
    main = loop.create_task(stepped(work, suspending))
    loop.set_task_factory(factory)
    try:
        await asyncio.wait({main})
    finally:
        loop.set_task_factory(None)
    new = asyncio.all_tasks() - before
    left = {task for task in new if not of_the_server(task.get_coro())}
    assert not left, f"cancelled at {k}: {[*map(named, left)]}"
    if not main.cancelled():
        main.result()
    return seen


LOADS = {
    "closed": {"max_requests": 4, "concurrencies": (2,), "ramp": 0.1},
    "open": {"max_requests": 4, "rates": (3.0,), "concurrencies": (2,)},
    "for a time": {"duration": 1.5, "concurrencies": (2,), "ramp": 0.0},
    "unpaired": {"max_requests": 3, "unpaired": True},
}


class Attempt:
    """One run of a plan in virtual time, cancelled at its k-th suspension."""

    def __init__(self, plan, k):
        self.hosts, self.results, self.budget = Hosts(0.5), [], Budget(10_000)
        self.suspended = virtually(self.run(plan, k))

    async def run(self, plan, k):
        self.engine = Engine(
            plan, self.hosts.send, self.emit, clock=VirtualClock(), budget=self.budget,
            worst=lambda _: 100, ceilings={"a": Ceiling(concurrency=1)},
            interrupt=self.hosts.interrupt,
        )  # fmt: skip
        return await cancelled_at(k, self.engine.run())

    def emit(self, result):
        self.results.append(result)
        self.budget.settle(result.worst_nusd, 1)


@pytest.mark.parametrize("load", LOADS)
def test_a_run_may_be_cancelled_at_any_await_of_any_of_its_tasks(load):
    k, plan = 1, plan_of(**LOADS[load])
    while (tried := Attempt(plan, k)).suspended >= k:
        rows = Counter(result.arrival.seq for result in tried.results)
        sent = Counter(arrival.seq for _, arrival in tried.hosts.log)
        assert not sent - rows, f"sent and no row, cancelled at {k}"
        assert max(rows.values(), default=1) == 1
        assert not +Counter(tried.hosts.flying)
        assert tried.engine.in_flight == 0
        slots = tried.engine._sender._gates["a"]._slots
        assert slots._value == 1, f"a slot is left, cancelled at {k}"
        assert tried.budget.held_nusd == 0, f"money is held, cancelled at {k}"
        k += 1
    assert k > 15
    assert len(tried.results) >= len(tried.hosts.log) > 5


def sockets():
    """Return how many sockets this process has open (Linux)."""
    found = 0
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them
            found += str(path.readlink()).startswith("socket:")
    return found


async def settled(n):
    """Wait until no more sockets are open than there were."""
    for _ in range(400):
        if sockets() <= n:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{sockets() - n} sockets left open")


async def test_a_request_may_be_cancelled_at_any_await():
    async with ByteServer([stream(*GOOD)]) as server:
        before, k, suspended = sockets(), 0, 0
        while suspended >= k:
            k += 1
            async with Wire([provider(server.url)], concurrency=1) as wire:
                suspended = await cancelled_at(k, wire.send(arrival()))
                (line,) = wire._lines.values()
                assert not wire._live
                assert not line.post._connector._acquired, f"cancelled at {k}"
                again = await asyncio.wait_for(wire.send(arrival()), 5)
                assert again.outcome is Outcome.OK, f"cancelled at {k}"
            await settled(before)
    assert k > 2


async def test_a_run_on_the_wire_may_be_cancelled_at_any_await(monkeypatch):
    # Each try would have the collector walk all that the tests have imported.
    monkeypatch.setattr(attending, "calm", contextlib.nullcontext)
    async with ByteServer([stream(*GOOD)]) as server:
        job = job_of(server.url, max_requests=2, concurrency="2")
        before, k, suspended = sockets(), 0, 0
        while suspended >= k:
            k += 1
            rows, sent = [], len(server.requests)
            keep = partial(keep_in, rows)
            work = attend(prepare(job), keep, origin=perf_counter_ns())
            suspended = await cancelled_at(k, work)
            await settled(before)
            assert len(server.requests) - sent <= len(rows), f"cancelled at {k}"
            assert len({row.seq for row in rows}) == len(rows)
            assert {row.outcome for row in rows} <= {"ok", "interrupted"}
    assert k > 20
    assert len(rows) == 4


def keep_in(rows, row, checks):
    rows.append(row)
