"""A loop whose time is virtual, and a scripted `send`."""

import asyncio
import selectors
from collections.abc import Awaitable
from typing import Any

from providers.outcome import Outcome
from providers.reply import Reply, Stamps
from providers.start import Start
from scenarios.request import Arrival

NS = 1_000_000_000


class _Skip(selectors.DefaultSelector):
    """A selector that never waits: it moves the loop's time on instead."""

    loop: "VirtualLoop"

    def select(self, timeout=None):
        if timeout:
            self.loop.moment += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which nothing takes time but what is waited for."""

    def __init__(self) -> None:
        selector = _Skip()
        super().__init__(selector)
        selector.loop = self
        self.moment = 1000.0

    def time(self) -> float:
        return getattr(self, "moment", 0.0)


class VirtualClock:
    """The run's clock on a virtual loop."""

    def now(self) -> int:
        return round(asyncio.get_running_loop().time() * NS)

    async def until(self, moment: int) -> None:
        await asyncio.sleep(max(0.0, (moment - self.now()) / NS))


def virtually(main: Awaitable[Any]) -> Any:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class Hosts:
    """A scripted `send`: each request takes what `seconds` says and is logged."""

    def __init__(self, seconds):
        self._seconds = seconds
        self.log: list[tuple[float, Arrival]] = []
        self.flying: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self._waits: set[asyncio.Future[None]] = set()
        self.start: float | None = None

    async def send(self, arrival: Arrival, start: Start) -> Reply:
        if start.moment is not None:
            await VirtualClock().until(start.moment)
        loop = asyncio.get_running_loop()
        if self.start is None:
            self.start = loop.time()
        name = arrival.provider
        self.flying[name] = self.flying.get(name, 0) + 1
        self.most[name] = max(self.most.get(name, 0), self.flying[name])
        began = VirtualClock().now()
        self.log.append((loop.time() - self.start, arrival))
        took = (
            self._seconds
            if isinstance(self._seconds, float)
            else self._seconds(arrival)
        )
        over = loop.create_future()
        timer = loop.call_later(took, over.cancel)
        self._waits.add(over)
        outcome = Outcome.OK
        try:
            await asyncio.wait({over})
            if not over.cancelled():
                outcome = Outcome.INTERRUPTED
        finally:
            timer.cancel()
            self._waits.discard(over)
            self.flying[name] -= 1
        return Reply(
            outcome=outcome, stamps=Stamps(sent=began, end=VirtualClock().now())
        )

    def interrupt(self) -> None:
        for over in tuple(self._waits):
            if not over.done():
                over.set_result(None)
