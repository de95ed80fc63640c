"""The turnstile: heavy work passes in pieces, with a look at the sockets between."""

import asyncio
from collections import deque
from typing import Any

from providers.alarm import Alarm

Line = deque[asyncio.Future[None]]


class Turnstile:
    """Let one task through in each pass of the event loop.

    A loop runs all that is ready before it looks at its sockets again. When hundreds
    of requests begin or end at one moment, the first tokens of some would wait for the
    work of all others, and their stamps would tell of that. Who begins and who ends
    pass by turns, so that none is made ready late because many others end; whatever
    `alarm` has to call by then goes before either.
    """

    def __init__(self, alarm: Alarm) -> None:
        self.alarm = alarm
        self._begins: Line = deque()
        self._ends: Line = deque()
        self._next_line, self._other_line = self._begins, self._ends
        self._taken = False
        self._through: asyncio.Task[Any] | None = None

    async def begin(self) -> None:
        """Wait for one's turn to begin; at once when nobody passed just now.

        Who has had a turn in this pass may go on.
        """
        await self._turn(self._begins)

    async def end(self) -> None:
        """Wait for one's turn to end, likewise."""
        await self._turn(self._ends)

    async def _turn(self, line: Line) -> None:
        task = asyncio.current_task()
        if not self._taken:
            self._taken = True
            asyncio.get_running_loop().call_soon(self._next)
        elif self._through is not task:
            place = asyncio.get_running_loop().create_future()
            line.append(place)
            await place
        self._through = task
        self.alarm.ring()

    def _next(self) -> None:
        self._through = None
        while line := self._next_line or self._other_line:
            place = line.popleft()
            if not place.done():  # else whoever waited has left
                self._next_line, self._other_line = self._other_line, self._next_line
                place.set_result(None)
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._taken = False
