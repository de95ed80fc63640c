"""The one wire: a request goes out, and whatever comes of it comes back as a Reply."""

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from providers.alarm import Alarm
from providers.exchange import Exchange
from providers.line import Line
from providers.outcome import Outcome
from providers.provider import Caps, Deadlines, Provider
from providers.reply import Reply
from providers.start import Start
from providers.turnstile import Turnstile
from scenarios.request import Arrival


class Wire:
    """Send requests to a run's providers and read their replies.

    `concurrency` is the most requests that one provider may have in flight; the
    connection pool is never smaller. With `fresh` each request opens a connection
    of its own. Use it as an async context manager; entering raises ProviderError
    when a provider cannot be used.
    """

    def __init__(
        self,
        providers: Iterable[Provider],
        *,
        concurrency: int,
        deadlines: Deadlines | None = None,
        caps: Caps | None = None,
        fresh: bool = False,
    ) -> None:
        self._providers = tuple(providers)
        self._concurrency = concurrency
        self._deadlines = deadlines or Deadlines()
        self._caps = caps or Caps()
        self._fresh = fresh
        self._lines: dict[str, Line] = {}
        self._live: set[Exchange] = set()

    async def __aenter__(self) -> Self:
        self._turnstile = Turnstile(Alarm())
        try:
            for provider in self._providers:
                self._lines[provider.name] = Line.open(
                    provider, concurrency=self._concurrency, fresh=self._fresh
                )
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection, even when cancelled meanwhile."""
        self._turnstile.alarm.close()
        posts = [line.post for line in self._lines.values()]
        self._lines.clear()
        closing = asyncio.gather(*(post.close() for post in posts))
        try:
            await asyncio.shield(closing)
        finally:
            await closing

    def interrupt(self) -> None:
        """End every request in flight now; each becomes an `interrupted` reply."""
        for exchange in tuple(self._live):
            exchange.end(Outcome.INTERRUPTED)

    async def send(
        self,
        arrival: Arrival,
        *,
        start: Start | None = None,
        deadlines: Deadlines | None = None,
    ) -> Reply:
        """Send one request and return its Reply; a failure is a Reply too.

        It is made ready at once and handed over at its `start`: by default, when it is
        ready. Deadlines count from then on.
        """
        line = self._lines[arrival.provider]
        exchange = Exchange(
            line,
            arrival,
            start or Start(),
            deadlines or self._deadlines,
            self._caps,
            self._turnstile,
        )
        self._live.add(exchange)
        try:
            return await exchange.run()
        finally:
            self._live.discard(exchange)
