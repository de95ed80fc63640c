"""When a probe is due: points on the wall clock, whenever the service began."""

import random
from collections.abc import Callable
from time import time_ns

import msgspec

from compare.run.clock import Clock

NS = 1_000_000_000
STEP_NS = 50_000_000
"""A wall clock that has left the monotonic one by more than this was set."""
STEADY_NS = 1_000_000
TRIES = 3

After = Callable[[int], int | None]
"""From a moment of the wall clock to the first point after it, None for no more."""


def jittered(after: After, jitter_ns: int, seed: str) -> After:
    """Return the points of a grid, each late by a part of `jitter_ns` of its own.

    How late is a pure function of the seed and the point: the same after a restart.
    The grid's points are further apart than `jitter_ns`, so they keep their order.
    """

    def moved(moment: int) -> int | None:
        point = after(moment - jitter_ns)
        while point is not None:
            late = random.Random(f"{seed}/{point}").random()
            if (found := point + int(late * jitter_ns)) > moment:
                return found
            point = after(point)
        return None

    return moved if jitter_ns else after


def regular(every_ns: int) -> After:
    """Return the multiples of a time since 1970 (UTC): no drift, whenever it began."""
    return lambda moment: (moment // every_ns + 1) * every_ns


class Due(msgspec.Struct, frozen=True):
    """What a probe has to do: points to send at, and points that went by unsent."""

    points: tuple[int, ...]
    missed: tuple[int, ...]


class Course:
    """A probe's way along its grid: every point is taken once, by `due`, in order.

    `after` gives the points; those up to `start` are not its own.
    """

    def __init__(self, after: After, start: int) -> None:
        self.after = after
        self._last = start

    def due(self, now: int, ahead: int) -> Due:
        """Return the points up to `ahead` after `now` that were not taken yet.

        Of those that are past only the newest is still worth sending.
        """
        found: list[int] = []
        while (point := self.after(self._last)) is not None and point <= now + ahead:
            found.append(point)
            self._last = point
        past = [point for point in found if point <= now]
        return Due(
            points=tuple(found[max(len(past) - 1, 0) :]), missed=tuple(past[:-1])
        )

    def jump(self, now: int) -> None:
        """Go on from a moment of a clock that was set: nothing between is due."""
        self._last = now

    def next(self) -> int | None:
        """Return the next point that is not taken yet."""
        return self.after(self._last)


class Wall:
    """The wall clock, held to the monotonic one until it is seen to have been set.

    `look` takes over what it was set to. Moments are ns: of 1970 (UTC) here, of the
    run's clock in `due` and for `at`.
    """

    def __init__(self, clock: Clock, read: Callable[[], int] = time_ns) -> None:
        self._clock = clock
        self._read = read
        self._offset = self._seen()

    def now(self) -> int:
        """Return the present moment."""
        return self._clock.now() + self._offset

    def at(self, moment: int) -> int:
        """Return what the wall clock shows at a moment of the run's clock."""
        return moment + self._offset

    def due(self, point: int) -> int:
        """Return the moment of the run's clock that the wall clock calls `point`."""
        return point - self._offset

    def look(self) -> int:
        """Return by how many ns the clock was set since the last look, 0 if it was not.

        A machine that slept looks like a clock that was set forward.
        """
        step = self._seen() - self._offset
        if abs(step) <= STEP_NS:
            return 0
        self._offset += step
        return step

    def _seen(self) -> int:
        """Read both clocks at one moment, as nearly as a busy machine allows."""
        found = []
        for _ in range(TRIES):
            before = self._clock.now()
            wall = self._read()
            took = self._clock.now() - before
            found.append((took, wall - before - took // 2))
            if took < STEADY_NS:
                break
        return min(found)[1]
