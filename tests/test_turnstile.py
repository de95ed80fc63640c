"""Heavy work passes one piece in each pass of the loop, in order."""

import asyncio

from providers.turnstile import Turnstile


async def test_one_task_passes_in_each_pass_of_the_loop_and_in_order():
    turnstile, passes, passed = Turnstile(), 0, []
    loop = asyncio.get_running_loop()

    def count():
        nonlocal passes
        passes += 1
        loop.call_soon(count)

    async def work(name):
        await turnstile.turn()
        passed.append((passes, name))

    loop.call_soon(count)
    await asyncio.gather(*(work(name) for name in range(50)))

    assert [name for _, name in passed] == list(range(50))
    at = [when for when, _ in passed]
    assert len(set(at)) == 50


async def test_whoever_has_a_turn_may_go_on():
    turnstile = Turnstile()
    await turnstile.turn()
    second = turnstile.turn()
    try:
        second.send(None)
    except StopIteration:
        return
    raise AssertionError("it had to wait for a second turn in one pass")


async def test_a_place_that_was_left_holds_nobody_up():
    turnstile, passed = Turnstile(), []

    async def work(name):
        await turnstile.turn()
        passed.append(name)

    tasks = [asyncio.create_task(work(name)) for name in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert passed == [0, 3]
    await asyncio.sleep(0)
    await asyncio.wait_for(turnstile.turn(), 5)
