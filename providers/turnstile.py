"""The turnstile: heavy work passes in pieces, with a look at the sockets between."""

import asyncio
from collections import deque
from typing import Any


class Turnstile:
    """Let one task through in each pass of the event loop.

    A loop runs all that is ready before it looks at its sockets again. When hundreds
    of requests begin or end at one moment, the first tokens of some would wait for the
    work of all others, and their stamps would tell of that.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._taken = False
        self._through: asyncio.Task[Any] | None = None

    async def turn(self) -> None:
        """Wait for one's turn; in order, and at once when nobody passed just now.

        Who has had a turn in this pass may go on.
        """
        task = asyncio.current_task()
        if not self._taken:
            self._taken = True
            asyncio.get_running_loop().call_soon(self._next)
        elif self._through is not task:
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            await place
        self._through = task

    def _next(self) -> None:
        self._through = None
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():  # else whoever waited has left
                place.set_result(None)
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._taken = False
