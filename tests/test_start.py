"""Requests go at their moment, and those of a block together."""

import asyncio
import sys
from functools import partial
from time import perf_counter_ns

import pytest
import uvloop
from byteserver import FIN, GOOD, ByteServer, arrival, provider, stream

from providers import alarm as alarms
from providers.alarm import Alarm
from providers.outcome import Outcome
from providers.provider import Deadlines
from providers.start import Start
from providers.wire import Wire

MS = 1_000_000
LOOPS = [uvloop.new_event_loop, asyncio.SelectorEventLoop]
TIMERS = [
    pytest.param(
        alarms._Kernel,
        marks=pytest.mark.skipif(sys.platform != "linux", reason="a Linux timer"),
    ),
    alarms._Loop,
]


def soon(ms):
    return perf_counter_ns() + round(ms * MS)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("timer", TIMERS)
def test_an_alarm_rings_in_order_and_never_early(loop, timer, monkeypatch):
    monkeypatch.setattr(alarms, "_timer", timer)
    rung = []

    async def main():
        alarm, over = Alarm(), asyncio.Event()
        now = perf_counter_ns()
        moments = [now + round(ms * MS) for ms in (3.1, 0.4, 7, 0.45, -1, 5)]
        for moment in moments:
            alarm.call_at(moment, lambda m=moment: rung.append((m, perf_counter_ns())))
        alarm.call_at(max(moments), over.set)
        await over.wait()
        alarm.close()
        return sorted(moments)

    with asyncio.Runner(loop_factory=loop) as runner:
        moments = runner.run(main())
    assert [moment for moment, _ in rung] == moments
    assert all(at >= moment for moment, at in rung)


@pytest.mark.skipif(sys.platform != "linux", reason="a Linux timer")
def test_an_alarm_is_more_exact_than_the_timers_of_the_loop():
    late = []

    async def main():
        alarm = Alarm()
        for n in range(60):
            rung = asyncio.Event()
            moment = soon(1 + n / 37)
            alarm.call_at(moment, rung.set)
            await rung.wait()
            late.append(perf_counter_ns() - moment)
        alarm.close()

    uvloop.run(main())
    assert sorted(late)[15] < 0.5 * MS  # a quarter of them: testing machines are busy


async def test_a_closed_alarm_calls_nobody():
    alarm = Alarm()
    alarm.call_at(soon(1), pytest.fail)
    alarm.close()
    await asyncio.sleep(0.005)


@pytest.fixture
async def alarm():
    found = Alarm()
    yield found
    found.close()


async def test_a_block_starts_when_the_last_is_ready_or_has_left(alarm):
    start, gone = Start(None, 3), []
    first = asyncio.create_task(start.go(partial(gone.append, "a"), alarm))
    await asyncio.sleep(0)
    assert not gone
    start.leave(alarm)
    await start.go(partial(gone.append, "c"), alarm)

    assert gone == ["a", "c"]
    await first


async def test_whoever_stops_waiting_for_the_start_is_not_sent(alarm):
    start, gone = Start(None, 2), []
    first = asyncio.create_task(start.go(partial(gone.append, "a"), alarm))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await start.go(partial(gone.append, "b"), alarm)

    assert gone == ["b"]


async def test_what_goes_wrong_at_the_start_is_raised_where_it_belongs(alarm):
    def broken():
        raise ValueError("a bug")

    start, gone = Start(soon(1), 2), []
    both = start.go(broken, alarm), start.go(partial(gone.append, "b"), alarm)
    found = await asyncio.gather(*both, return_exceptions=True)

    assert [str(each) for each in found] == ["a bug", "None"]
    assert gone == ["b"]


async def taken(wire):
    """Wait until a connection of the pool is taken; return what aiohttp has of it."""
    connector = wire._lines["host"].post._connector
    while not connector._acquired:  # noqa: ASYNC110
        await asyncio.sleep(0)
    (held,) = connector._acquired
    return held


async def test_a_request_goes_at_its_start_over_a_connection_taken_ahead():
    async with (
        ByteServer([stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        await wire.send(arrival())
        moment = soon(20)
        send = asyncio.create_task(wire.send(arrival(), start=Start(moment)))
        await taken(wire)
        assert perf_counter_ns() < moment
        assert len(server.requests) == 1
        reply = await send
    assert moment <= reply.stamps.sent
    assert (reply.outcome, reply.conn_reused) == (Outcome.OK, True)


async def test_no_connection_is_opened_before_the_start():
    async with (
        ByteServer([stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        send = asyncio.create_task(wire.send(arrival(), start=Start(soon(30))))
        await asyncio.sleep(0.01)
        assert not server.connections
        reply = await send
    assert reply.outcome is Outcome.OK
    assert reply.stamps.connect


async def test_a_connection_that_its_host_closes_before_the_start_is_replaced():
    closing = asyncio.Event()
    async with (
        ByteServer([stream(*GOOD), closing, FIN], [stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        await wire.send(arrival())
        start = Start(None, 2)
        send = asyncio.create_task(wire.send(arrival(), start=start))
        held = await taken(wire)
        closing.set()
        while held.is_connected():  # noqa: ASYNC110
            await asyncio.sleep(0)
        start.leave(wire._turnstile.alarm)
        reply = await send
    assert server.connections == 2
    assert (reply.outcome, reply.conn_reused) == (Outcome.OK, False)


async def test_a_request_that_is_interrupted_before_its_start_is_never_sent():
    async with (
        ByteServer([stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        await wire.send(arrival())
        send = asyncio.create_task(wire.send(arrival(), start=Start(soon(3_600_000))))
        await taken(wire)
        wire.interrupt()
        reply = await send
        again = await wire.send(arrival())
    assert (reply.outcome, reply.stamps.sent) == (Outcome.INTERRUPTED, None)
    assert server.connections == 1  # what was held is in the pool again
    assert (again.outcome, len(server.requests)) == (Outcome.OK, 2)


async def test_an_interruption_at_the_very_moment_of_the_start_ends_the_request():
    """The bytes are gone, but the task that waits for the start has not woken yet."""
    async with (
        ByteServer([stream(*GOOD)], [asyncio.Event()]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        await wire.send(arrival())
        start = Start(None, 2)
        send = asyncio.create_task(wire.send(arrival(), start=start))
        await taken(wire)
        start.leave(wire._turnstile.alarm)
        wire.interrupt()
        reply = await asyncio.wait_for(send, 5)
    assert reply.outcome is Outcome.INTERRUPTED
    assert reply.stamps.sent is not None


async def test_deadlines_count_from_the_start():
    short = Deadlines(connect=0.02, headers=5, first_token=5, token_gap=5, total=5)
    async with (
        ByteServer([stream(*GOOD)]) as server,
        Wire([provider(server.url)], concurrency=1) as wire,
    ):
        start = Start(soon(80))
        reply = await wire.send(arrival(), start=start, deadlines=short)
    assert reply.outcome is Outcome.OK


async def test_a_block_goes_to_all_hosts_in_one_go():
    names = ("a", "b", "c")
    async with (
        ByteServer([stream(*GOOD)]) as server,
        Wire([provider(server.url, name=n) for n in names], concurrency=1) as wire,
    ):
        passes, loop = [], asyncio.get_running_loop()

        def note():
            passes.append(perf_counter_ns())
            loop.call_soon(note)

        async def block(start):
            sends = (wire.send(arrival(name), start=start) for name in names)
            return [reply.stamps.sent for reply in await asyncio.gather(*sends)]

        for name in names:
            await wire.send(arrival(name))
        loop.call_soon(note)
        sent = await block(Start(None, 3))
    assert not [at for at in passes if min(sent) < at < max(sent)]
