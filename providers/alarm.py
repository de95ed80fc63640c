"""Moments kept to some 0.1 ms: the timers of event loops count whole milliseconds."""

import asyncio
import contextlib
import ctypes
import heapq
import itertools
import os
import sys
from collections.abc import Callable
from time import perf_counter_ns

NS = 1_000_000_000
GRAIN_NS = 1_000_000
"""How early the timers of an event loop may be."""

_MONOTONIC = 1
_ABSOLUTE = 1


class Alarm:
    """Call back at moments of `perf_counter_ns`, in their order, never early.

    The calls come from the running loop, between its other callbacks. `close` frees
    what the system gave; what still waits then is never called.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._timer = _timer(self.ring)

    def call_at(self, moment: int, call: Callable[[], None]) -> None:
        """Call back once at a moment in ns, or in the loop's next pass if it is past.

        What is called must not raise.
        """
        heapq.heappush(self._waiting, (moment, next(self._number), call))
        if self._waiting[0][0] == moment:
            self._timer.set(moment)

    def ring(self) -> None:
        """Call what is due. To be called before work that takes long, too."""
        waiting = self._waiting
        if not waiting or waiting[0][0] > perf_counter_ns():
            return
        while waiting and waiting[0][0] <= perf_counter_ns():
            heapq.heappop(waiting)[2]()
        self._timer.set(waiting[0][0] if waiting else None)

    def close(self) -> None:
        """Give back what the system gave."""
        self._waiting.clear()
        self._timer.close()


class _Spec(ctypes.Structure):
    """What timerfd_settime(2) takes: an interval and a moment, (s, ns) each."""

    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every", "s", "ns")]


class _Kernel:
    """A timer of the Linux kernel: exact, and it costs nothing until it fires.

    `perf_counter_ns` is CLOCK_MONOTONIC there.
    """

    def __init__(self, fired: Callable[[], None]) -> None:
        # Not CDLL, which would let another thread go on in the middle of each call.
        self._c = ctypes.PyDLL(None, use_errno=True)
        flags = os.O_NONBLOCK | os.O_CLOEXEC
        self._fd = self._c.timerfd_create(_MONOTONIC, flags)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "no timer to be had")
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, fired)

    def set(self, moment: int | None) -> None:
        """Fire at a moment, or not at all; what was set before is forgotten."""
        # A moment of 0 would stop the timer, as None does.
        s, ns = divmod(moment or 0, NS)
        spec = _Spec(0, 0, s, ns)
        self._c.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(spec), None)

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)


class _Loop:
    """The loop's own timer, and from a ms before the moment a look in each pass."""

    def __init__(self, fired: Callable[[], None]) -> None:
        self._fired = fired
        self._handle: asyncio.Handle | None = None

    def set(self, moment: int | None) -> None:
        self.close()
        if moment is None:
            return
        left = moment - perf_counter_ns()
        loop = asyncio.get_running_loop()
        if left > GRAIN_NS:
            wait = (left - GRAIN_NS) / NS
            self._handle = loop.call_later(wait, self.set, moment)
        elif left > 0:
            self._handle = loop.call_soon(self.set, moment)
        else:
            self._handle = loop.call_soon(self._fired)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()


def _timer(fired: Callable[[], None]) -> _Kernel | _Loop:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # a sandbox may have none
            return _Kernel(fired)
    return _Loop(fired)
