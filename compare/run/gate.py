"""A host's ceiling: what a key allows, kept without pacing the load."""

import asyncio
from typing import Any

import msgspec
from asyncio_throttle import Throttler  # type: ignore[attr-defined]  # no __all__


class Ceiling(msgspec.Struct, frozen=True, kw_only=True):
    """What a host's key allows: requests a minute, and requests at once."""

    rpm: float | None = None
    concurrency: int | None = None


class Gate:
    """A host's ceiling. The wait in it falls between `queued` and `sent`: visible.

    The throttler polls, is unfair and counts starts only, so just one waiter at a
    time stands in it, behind a fair lock; it limits a key's rate, never paces a load.
    """

    def __init__(self, ceiling: Ceiling) -> None:
        self._turn = asyncio.Lock()
        self._slots = (
            asyncio.Semaphore(ceiling.concurrency) if ceiling.concurrency else None
        )
        self._throttler: Any = None
        if ceiling.rpm:
            period = 60.0 / ceiling.rpm
            self._throttler = Throttler(
                rate_limit=1, period=period, retry_interval=min(period / 20, 0.25)
            )

    async def enter(self) -> None:
        """Wait until the host's key allows one more request."""
        if self._slots is not None:
            await self._slots.acquire()
        if self._throttler is None:
            return
        try:
            async with self._turn:
                await self._throttler.acquire()
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Give the place back."""
        if self._slots is not None:
            self._slots.release()
