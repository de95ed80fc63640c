"""Heavy work passes one piece in each pass of the loop, in order."""

import asyncio
from time import perf_counter_ns

import pytest

from providers.alarm import Alarm
from providers.turnstile import Turnstile


@pytest.fixture
async def turnstile():
    alarm = Alarm()
    yield Turnstile(alarm)
    alarm.close()


async def test_one_task_passes_in_each_pass_of_the_loop_and_in_order(turnstile):
    passes, passed = 0, []
    loop = asyncio.get_running_loop()

    def count():
        nonlocal passes
        passes += 1
        loop.call_soon(count)

    async def work(name):
        await turnstile.begin()
        passed.append((passes, name))

    loop.call_soon(count)
    await asyncio.gather(*(work(name) for name in range(50)))

    assert [name for _, name in passed] == list(range(50))
    at = [when for when, _ in passed]
    assert len(set(at)) == 50


async def test_who_begins_and_who_ends_pass_by_turns(turnstile):
    passed = []

    async def work(turn, name):
        await turn()
        passed.append(name)

    ends = [work(turnstile.end, f"end {n}") for n in range(4)]
    begins = [work(turnstile.begin, f"begin {n}") for n in range(2)]
    await asyncio.gather(*ends, *begins)

    assert passed == ["end 0", "begin 0", "end 1", "begin 1", "end 2", "end 3"]


async def test_what_is_due_goes_before_what_ends(turnstile):
    passed = []

    async def work(name):
        await turnstile.end()
        passed.append(name)

    moment = perf_counter_ns() + 200_000
    turnstile.alarm.call_at(moment, lambda: passed.append("due"))
    while perf_counter_ns() < moment:
        pass
    await work("end")

    assert passed == ["due", "end"]


async def test_whoever_has_a_turn_may_go_on(turnstile):
    await turnstile.end()
    second = turnstile.begin()
    try:
        second.send(None)
    except StopIteration:
        return
    raise AssertionError("it had to wait for a second turn in one pass")


async def test_a_place_that_was_left_holds_nobody_up(turnstile):
    passed = []

    async def work(name):
        await turnstile.begin()
        passed.append(name)

    tasks = [asyncio.create_task(work(name)) for name in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert passed == [0, 3]
    await asyncio.sleep(0)
    await asyncio.wait_for(turnstile.begin(), 5)
