"""The one clock of a run, and the one way to wait for a moment on it."""

import asyncio
from time import perf_counter_ns
from typing import Protocol

GRAIN_NS = 1_000_000
"""How exact the timers of an event loop are."""


class Clock(Protocol):
    """Monotonic nanoseconds and a wait; tests give one whose time is virtual."""

    def now(self) -> int:
        """Return the present moment in ns; only differences mean anything."""
        ...

    async def until(self, moment: int) -> None:
        """Wait for a moment in ns; return at once when it is past."""
        ...


class RealClock:
    """`perf_counter_ns`, the clock of every stamp on the wire."""

    def now(self) -> int:
        """Return `perf_counter_ns`."""
        return perf_counter_ns()

    async def until(self, moment: int) -> None:
        """Sleep until the moment is reached, never less and about a ms more.

        The timers of an event loop count in ms and may be early.
        """
        while (left := moment - perf_counter_ns()) > 0:  # noqa: ASYNC110 - mostly once
            await asyncio.sleep(max(left, GRAIN_NS) / 1e9)
