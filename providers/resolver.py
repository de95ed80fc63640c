"""Names are looked up in threads of each host's own."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from aiohttp import ThreadedResolver

THREADS = 4


class _Names:
    """As much of an event loop as a resolver needs, with threads of its own."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="resolver")

    async def getaddrinfo(self, host: str, port: int, **options: Any) -> Any:
        return await self._call(partial(socket.getaddrinfo, host, port, **options))

    async def getnameinfo(self, address: Any, flags: int = 0) -> Any:
        return await self._call(partial(socket.getnameinfo, address, flags))

    async def _call(self, work: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)


class Resolver(ThreadedResolver):
    """aiohttp's resolver, whose lookups hold up nobody else's when they hang."""

    def __init__(self) -> None:
        self._names = _Names()
        super().__init__(self._names)  # type: ignore[arg-type]  # all of it it uses

    async def close(self) -> None:
        """Begin no further lookup; those that hang are left to themselves."""
        self._names.pool.shutdown(wait=False, cancel_futures=True)
