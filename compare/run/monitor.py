"""Watch the bench itself while it measures: its loop, its CPU and its clocks."""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Self

import msgspec

from compare.run.sender import Result
from providers.outcome import Flag
from providers.reply import Stamps

MS = 1_000_000
PERIOD_NS = 10 * MS
LAG_NS = 10 * MS
GRAIN_NS = 1 * MS
"""Timers of event loops count in ms: so much lateness is theirs, not the loop's."""
STEP_NS = 50 * MS
WINDOW_NS = 1_000 * MS
KEPT = 256
"""Intervals kept. Rows are looked at as they end, so only the newest matter."""

Interval = tuple[int, int]
Count = Callable[[], int]


def machine_ticks() -> tuple[int, int] | None:
    """Return the (busy, total) CPU ticks of the machine since it began; None off Linux.

    Waiting for a disk counts as idle; the first eight columns are those that add up.
    """
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
        ticks = [int(word) for word in line.split()[1:9]]
    except (OSError, ValueError):
        return None
    idle = sum(ticks[3:5])
    return sum(ticks) - idle, sum(ticks)


def _boot_clock() -> Count | None:
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return None if clock is None else lambda: time.clock_gettime_ns(clock)


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """Where the monitor reads from, in ns; tests give clocks that misbehave.

    `boot` counts on while the machine sleeps, unlike `mono`; None: there is none.
    """

    mono: Count = time.perf_counter_ns
    wall: Count = time.time_ns
    boot: Count | None = msgspec.field(default_factory=_boot_clock)
    cpu: Count = time.process_time_ns
    machine: Callable[[], tuple[int, int] | None] = machine_ticks


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How one process fared: numbers alone, of a run or of one worker's part of it.

    Shares of CPU are of one core for the process, of all cores for the machine; None
    where the system does not tell. `lags` counts times the event loop was more than
    10 ms late, `clock_steps` those the wall clock left the monotonic one by over 50 ms.
    """

    span_s: float
    cpu_share: float
    cpu_peak: float
    machine_share: float | None
    ticks: int
    lags: int
    lag_max_ms: float
    lag_ms: float
    clock_steps: int
    clock_step_max_ms: float
    asleep_s: float
    gc_pauses: int
    gc_max_ms: float
    gc_ms: float


class Monitor:
    """Sample the running loop until the block ends; `health` sums it up.

    The sampler is a timer of 10 ms that notes how late it fires. Enter it inside a
    running loop; `tick` is what the timer does.
    """

    def __init__(self, clocks: Clocks | None = None) -> None:
        self._clocks = clocks or Clocks()
        self._lags: deque[Interval] = deque(maxlen=KEPT)
        self._steps: deque[Interval] = deque(maxlen=KEPT)
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = self._n_lags = self._n_steps = self._n_gc = 0
        self._lag_max = self._lag_sum = self._step_max = self._asleep = 0
        self._gc_began = self._gc_max = self._gc_sum = 0
        self._peak = 0.0
        self.begin()

    def begin(self) -> None:
        """Take the readings that all others are held against."""
        clocks = self._clocks
        self._before = clocks.mono()
        self._wall, self._boot = clocks.wall(), clocks.boot and clocks.boot()
        self._start = self._last = self._window = clocks.mono()
        self._expected = self._start + PERIOD_NS
        self._cpu = self._window_cpu = clocks.cpu()
        self._machine = clocks.machine()

    def __enter__(self) -> Self:
        self.begin()
        gc.callbacks.append(self._collected)
        self._again()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        gc.callbacks.remove(self._collected)
        self.tick()

    def _fire(self) -> None:
        self.tick()
        self._again()

    def _again(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PERIOD_NS / 1e9, self._fire)

    def tick(self) -> None:
        """Note how late this call is, and what the clocks have done since the last."""
        now = self._look()
        late = now - self._expected - GRAIN_NS
        if late > LAG_NS:
            self._lags.append((self._expected, now))
            self._n_lags += 1
            self._lag_max = max(self._lag_max, late)
            self._lag_sum += late
        if now - self._window >= WINDOW_NS:
            self._close_window(now)
        self._ticks += 1
        self._expected = now + PERIOD_NS

    def lagged(self, begin: int, end: int | None) -> bool:
        """Tell whether the loop was late within a span that just ended (None: now).

        A lag that the sampler has not seen yet, since it is late itself, counts too.
        """
        now = self._clocks.mono()
        last = now if end is None else end
        if now - self._expected - GRAIN_NS > LAG_NS and last >= self._expected:
            return True
        return _overlaps(self._lags, begin, last)

    def stepped(self, begin: int, end: int | None) -> bool:
        """Tell whether the wall clock was set within a span that just ended."""
        now = self._look()
        return _overlaps(self._steps, begin, now if end is None else end)

    def health(self) -> Health:
        """Return how the process has fared since the monitor began."""
        span = max(self._clocks.mono() - self._start, 1)
        share = (self._clocks.cpu() - self._cpu) / span
        return Health(
            span_s=span / 1e9,
            cpu_share=share,
            cpu_peak=max(self._peak, share),
            machine_share=self._machine_share(),
            ticks=self._ticks,
            lags=self._n_lags,
            lag_max_ms=self._lag_max / MS,
            lag_ms=self._lag_sum / MS,
            clock_steps=self._n_steps,
            clock_step_max_ms=self._step_max / MS,
            asleep_s=self._asleep / 1e9,
            gc_pauses=self._n_gc,
            gc_max_ms=self._gc_max / MS,
            gc_ms=self._gc_sum / MS,
        )

    def _look(self) -> int:
        """Compare the clocks since the last look; return the monotonic one."""
        clocks = self._clocks
        before = clocks.mono()
        wall, boot = clocks.wall(), clocks.boot and clocks.boot()
        now = clocks.mono()
        # The process may be held up between two readings: a step is only what no
        # moment between the first and the last of each look explains.
        least, most = before - self._last, now - self._before
        drift = _beyond(wall - self._wall, least, most)
        if drift > STEP_NS:
            self._steps.append((self._before, now))
            self._n_steps += 1
            self._step_max = max(self._step_max, drift)
        if boot is not None and self._boot is not None:
            slept = boot - self._boot - most
            self._asleep += slept if slept > STEP_NS else 0
        self._before, self._last, self._wall, self._boot = before, now, wall, boot
        return now

    def _close_window(self, now: int) -> None:
        cpu = self._clocks.cpu()
        share = (cpu - self._window_cpu) / (now - self._window)
        self._peak = max(self._peak, share)
        self._window, self._window_cpu = now, cpu

    def _machine_share(self) -> float | None:
        ticks = self._clocks.machine()
        if ticks is None or self._machine is None or ticks[1] <= self._machine[1]:
            return None
        return (ticks[0] - self._machine[0]) / (ticks[1] - self._machine[1])

    def _collected(self, phase: str, _info: dict[str, Any]) -> None:
        now = self._clocks.mono()
        if phase == "start":
            self._gc_began = now
            return
        took = now - self._gc_began
        self._n_gc += 1
        self._gc_max = max(self._gc_max, took)
        self._gc_sum += took


def merged(parts: Iterable[Health]) -> Health | None:
    """Return the health of several processes as one; None for none.

    Counts and times add up; shares, spans and maxima are those of the worst process,
    since each has a core of its own to fill.
    """
    found = list(parts)
    if not found:
        return None
    worst = {"span_s", "cpu_share", "cpu_peak", "lag_max_ms", "clock_step_max_ms",
             "asleep_s", "gc_max_ms", "clock_steps"}  # fmt: skip
    told = [each.machine_share for each in found if each.machine_share is not None]
    fields = {
        name: (max if name in worst else sum)(getattr(each, name) for each in found)
        for name in Health.__struct_fields__
        if name != "machine_share"
    }
    return Health(**fields, machine_share=max(told, default=None))


def marked(result: Result, monitor: Monitor, ceilings: Collection[str]) -> Result:
    """Return a result with the flags of what befell the bench while it went.

    It went from the moment it was planned for: our lateness before it was sent is part
    of it. Hosts in `ceilings` are asked late by the user's own wish: not ours.
    """
    stamps, ceiled = result.reply.stamps, result.arrival.provider in ceilings
    planned = result.queued if result.due is None else result.due
    flags: set[Flag] = set()
    begin = stamps.sent if ceiled or planned is None else planned
    if begin is not None:
        if monitor.lagged(begin, stamps.end):
            flags.add(Flag.LOOP_LAG)
        if monitor.stepped(begin, stamps.end):
            flags.add(Flag.CLOCK_STEP)
    if not ceiled and planned is not None and _late_ns(stamps, planned) > LAG_NS:
        flags.add(Flag.LATE_START)
    if not flags:
        return result
    reply = msgspec.structs.replace(result.reply, flags=result.reply.flags | flags)
    return msgspec.structs.replace(result, reply=reply)


def _late_ns(stamps: Stamps, planned: int) -> int:
    """Return how late a request was handed over, but for opening its connection."""
    if stamps.sent is None:
        return 0
    opening = (stamps.dns or 0) + (stamps.connect or 0) + (stamps.tls or 0)
    return stamps.sent - opening - planned


def _beyond(value: int, low: int, high: int) -> int:
    """Return by how much a value lies outside a range, 0 within it."""
    return max(low - value, value - high, 0)


def _overlaps(intervals: deque[Interval], begin: int, end: int) -> bool:
    """Tell whether a span meets an interval; they are in order and never overlap."""
    for start, stop in reversed(intervals):
        if start <= end:
            return stop >= begin
    return False
