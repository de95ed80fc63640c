"""The timetable: APScheduler wakes each probe a little before it is due."""

import datetime as dt
import re
from collections.abc import Awaitable, Callable

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from compare.run.mistakes import JobError
from compare.run.probes import Probe
from compare.serve.grid import NS, After, jittered, regular

DEFAULT_EVERY_S = 300.0
LEAD_NS = 100_000_000
"""How long before its point a probe is woken. The timers of a loop count in ms."""

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
US = dt.timedelta(microseconds=1)


def points(probe: Probe, where: str, seed: int = 0) -> After:
    """Return the points at which a probe is due; JobError for a cron that has none."""
    if probe.cron is not None:
        after = _cron(probe.cron, f"{where}: probe.cron")
    else:
        after = regular(round((probe.every or DEFAULT_EVERY_S) * NS))
    return jittered(after, round(probe.jitter * NS), f"{seed}/{probe.scenario}")


class Timetable:
    """Wakes probes: each is named, has its points and what is to be called for it."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone=dt.UTC)

    def add(self, name: str, after: After, wake: Callable[[], Awaitable[None]]) -> None:
        """Have a probe woken before each of its points."""
        # `wake` looks itself which points are due, so what is late is one call.
        self._scheduler.add_job(
            wake, _Points(after), id=name, coalesce=True, misfire_grace_time=None
        )

    def start(self) -> None:
        """Begin, inside a running loop."""
        self._scheduler.start()

    def again(self) -> None:
        """Look at the clock anew: it was set, and each probe waits for another time."""
        for job in self._scheduler.get_jobs():
            now = dt.datetime.now(dt.UTC)
            job.modify(next_run_time=job.trigger.get_next_fire_time(None, now))

    def stop(self) -> None:
        """Wake nobody any more."""
        self._scheduler.shutdown(wait=False)


class _Points(BaseTrigger):  # type: ignore[misc]  # the package has no types
    """A trigger that fires `LEAD_NS` before the points of a grid."""

    def __init__(self, after: After) -> None:
        self._after = after

    def get_next_fire_time(
        self, previous: dt.datetime | None, now: dt.datetime
    ) -> dt.datetime | None:
        """Return the next time to fire: after `now`, however long ago the last was."""
        since = now if previous is None else max(previous, now)
        # A microsecond more, to which times are cut: no point is met twice.
        point = self._after((since - EPOCH) // US * 1000 + LEAD_NS + 1000)
        if point is None:
            return None
        return EPOCH + dt.timedelta(microseconds=(point - LEAD_NS) // 1000)


def _cron(text: str, where: str) -> After:
    fields = text.split()
    if len(fields) != 5:
        raise _odd(where, text, f"{len(fields)} fields, not 5")
    minute, hour, day, month, weekday = fields
    if day != "*" and weekday != "*":
        raise _odd(where, text, "a day of the month and one of the week")
    try:
        trigger = CronTrigger(
            minute=minute,
            hour=hour,
            day=day,
            month=month,
            day_of_week=_weekdays(weekday),
            timezone=dt.UTC,
        )
    except ValueError as error:
        raise _odd(where, text, str(error)) from None

    def after(moment: int) -> int | None:
        # Cut to a microsecond and one more: strictly after.
        since = EPOCH + dt.timedelta(microseconds=moment // 1000 + 1)
        found = trigger.get_next_fire_time(None, since)
        return None if found is None else (found - EPOCH) // US * 1000

    if after(0) is None:
        raise _odd(where, text, "no such date ever comes")
    return after


def _weekdays(text: str) -> str:
    """Return a cron's days of the week by name: numbers begin with Sunday there."""
    found: list[str] = []
    for part in text.lower().split(","):
        span, slash, step = part.partition("/")
        match = re.fullmatch(r"([0-7])(?:-([0-7]))?", span)
        if match is None and not slash:
            found.append(part)
            continue
        if span == "*":
            first, last = 0, 6
        elif match is None:
            raise ValueError(f"{part!r} for the day of the week; use 0-6 or mon-sun")
        else:
            first = int(match[1])
            last = int(match[2]) if match[2] else 6 if slash else first
        if first > last or (slash and not re.fullmatch("[1-7]", step)):
            raise ValueError(f"{part!r} for the day of the week; use 0-6 or mon-sun")
        found += [DAYS[day % 7] for day in range(first, last + 1, int(step or 1))]
    return ",".join(found)


def _odd(where: str, text: str, why: str) -> JobError:
    return JobError(
        f"{where}: {text!r} is no cron ({why}); write minute, hour, day, month and "
        'weekday, in UTC: "*/5 * * * *"'
    )
