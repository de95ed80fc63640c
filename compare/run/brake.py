"""When a run ends: by itself, when its time is up, or when it is told to stop."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from compare.run.clock import Clock

NS = 1_000_000_000
SOON_NS = 50_000_000
"""A wait so short is not broken off by a stop: to watch for one costs more."""
DRAIN_S = 30.0
"""How long requests in flight may go on once nothing more is sent."""
SETTLE_S = 5.0
"""How long interrupted requests have to become replies before they are cancelled."""


class Brake:
    """Waits for moments, and ends what sends. `why` is None until it was stopped.

    `interrupt` ends every request in flight.
    """

    def __init__(self, clock: Clock, interrupt: Callable[[], None]) -> None:
        self._clock = clock
        self._interrupt = interrupt
        self._stopping = asyncio.Event()
        self._finishing = asyncio.Event()
        self.why: str | None = None

    @property
    def on(self) -> bool:
        """Return whether nothing more may be sent."""
        return self._stopping.is_set()

    def stop(self, why: str) -> None:
        """Send nothing more; what is in flight may end within `DRAIN_S`."""
        self.why = self.why or why
        self._stopping.set()

    def finish_now(self, why: str) -> None:
        """Send nothing more and end what is in flight."""
        self.stop(why)
        self._finishing.set()

    async def wait(self, moment: int) -> None:
        """Wait for a moment in ns, or until nothing more is to be sent."""
        if self._clock.now() >= moment:
            # Late already: let replies be read before the next one is sent.
            await asyncio.sleep(0)
            return
        if moment - self._clock.now() < SOON_NS:
            await self._clock.until(moment)
            return
        await self.unless_stopped(self._clock.until(moment - SOON_NS // 2))
        if not self.on:
            await self._clock.until(moment)

    async def unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Wait for some work; False when the run stopped before it was done.

        Work that is not done has ended, cancelled, when this returns.
        """
        task = asyncio.create_task(work)
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if task.cancelled():
            return False
        task.result()
        return True

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
                await self._drained(everything)
            if not everything.done():
                self._interrupt()
                await asyncio.wait({everything}, timeout=SETTLE_S)
            if everything.done():
                everything.result()
        finally:
            over.cancel()
            everything.cancel()
            await asyncio.gather(everything, over, return_exceptions=True)

    async def _drained(self, everything: asyncio.Future[Any]) -> None:
        """Wait until all has ended, its grace is over, or it is to end at once."""
        finishing: asyncio.Future[Any] = asyncio.create_task(self._finishing.wait())
        try:
            await asyncio.wait(
                {everything, finishing},
                timeout=DRAIN_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            finishing.cancel()

    async def _sending_over(self, start: int, duration: float | None) -> None:
        """Return when nothing more is to be sent: stopped, or the time is up."""
        if duration is None:
            await self._stopping.wait()
        else:
            await self.unless_stopped(self._clock.until(start + int(duration * NS)))
