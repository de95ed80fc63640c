"""The start of a block: its requests go together, and not before they are due."""

import asyncio
from collections.abc import Callable
from time import perf_counter_ns

from providers.alarm import Alarm


class Start:
    """The common start of `parties` requests.

    They go in one go, once each is ready or has left, and not before `moment`, in ns
    of `perf_counter_ns`; None is as soon as they are ready.
    """

    def __init__(self, moment: int | None = None, parties: int = 1) -> None:
        self.moment = moment
        self._missing = parties
        self._ready: list[tuple[asyncio.Future[None], Callable[[], None]]] = []

    async def go(self, send: Callable[[], None], alarm: Alarm) -> None:
        """Wait for the start, at which `send` is called; raise what it raises."""
        place = asyncio.get_running_loop().create_future()
        self._ready.append((place, send))
        self.leave(alarm)
        await place

    def leave(self, alarm: Alarm) -> None:
        """Let the others start without one that will not be ready."""
        self._missing -= 1
        if self._missing > 0 or not self._ready:
            return
        if self.moment is None or self.moment <= perf_counter_ns():
            self._fire()
        else:
            alarm.call_at(self.moment, self._fire)

    def _fire(self) -> None:
        for place, send in self._ready:
            if place.done():
                continue  # whoever waited has left
            try:
                send()
            except Exception as error:  # noqa: BLE001 - it is raised where `go` waits
                place.set_exception(error)
            else:
                place.set_result(None)
        self._ready.clear()
