"""Conduct one run: its line in `runs`, its rows in the store, its tally."""

import asyncio
import datetime as dt
import os
import platform
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from time import perf_counter_ns

import msgspec

from compare.run.attend import Drive, attend
from compare.run.engine import Engine
from compare.run.fleet import spread
from compare.run.grade import grade
from compare.run.monitor import Health, Monitor, merged
from compare.run.prepare import Run
from compare.run.record import redacted
from compare.run.resume import Resumed
from compare.run.tally import Sending, Tally
from data.row import CheckRow, Row, RunRow
from data.store import Store
from providers.secret import hide
from scenarios.plan import plan_hash
from scenarios.scenario import Scenario

Judge = Callable[[Health | None, int, str | None, str], tuple[str, str]]
"""From how the bench fared (None: unknown), how many of its workers were lost, why it
stopped early and each time that it was resumed (as in `runs.resumed`), to a validity
and its reasons, as a JSON list."""

STATUS = {"interrupted": "interrupted", "store": "interrupted", "crashed": "crashed"}
"""The status of a run by why it stopped early; of all others it is `done`."""


async def conduct(
    run: Run,
    store: Store,
    *,
    ready: Callable[[Sending, Tally], None] | None = None,
    watch: Callable[[Row], None] | None = None,
    limit_nusd: int | None = None,
    drive: Drive = Engine.run,
    monitor: Monitor | None = None,
    judge: Judge | None = None,
    floor: str | None = None,
    after: Resumed | None = None,
    graded: Callable[[Sequence[CheckRow]], None] | None = None,
    dated: Callable[[int], int] | None = None,
) -> tuple[Tally, str | None]:
    """Carry out a run and return its tally, and why it stopped early (or None).

    `ready` is given the engine and the tally just before the first request, to stop
    the one and look at the other; `watch` is given each row. `limit_nusd` is what may
    be spent. `drive` makes the engine go; by default it runs the whole plan. `judge`
    says at the end what the run is worth; without it nobody does. `floor` is the
    bench's own error, JSON, None when it was not measured. `after` is what was there
    of a run that is resumed. `graded` is told of the checks that are made when all is
    sent, unless the run was interrupted: then they wait. `dated` gives what the wall
    clock (ns of 1970, UTC) shows at a moment of the run's clock: each row of a service
    has its own date, since the wall clock may be set meanwhile.
    """
    origin = perf_counter_ns() if after is None else after.origin()
    desk = _Desk(run, store, ready, watch, dated and (lambda ns: dated(origin + ns)))
    resumed = "[]" if after is None else after.history(origin)
    if after is None:
        store.begin_run(_run_row(run, floor))
    else:
        store.resume_run(run.run_id, resumed)
    stopped: str | None = "crashed"
    health: Health | None = None
    try:
        if run.job.workers > 1 and drive is Engine.run:
            stopped, health = await desk.spread(origin, limit_nusd)
        else:
            monitor = monitor or Monitor()
            stopped = await desk.attend(origin, limit_nusd, drive, monitor)
            health = monitor.health()
        if stopped not in STATUS:
            told = graded or (lambda _: None)
            whole = await asyncio.to_thread(grade, run, store, told, desk.interrupted)
            stopped = stopped if whole else "interrupted"
    finally:
        health = _whole(health, after)
        verdict = _judged(judge, health, desk.tally.lost_workers, stopped, resumed)
        store.end_run(
            run.run_id,
            status=STATUS.get(stopped or "", "done"),
            validity=verdict[0],
            reasons=verdict[1],
            ended_at=_now(),
            health=None if health is None else _json(health),
        )
    return desk.tally, stopped


class _Desk:
    """Where the rows of a run come in: counted, stored, and shown to who watches."""

    def __init__(
        self,
        run: Run,
        store: Store,
        ready: Callable[[Sending, Tally], None] | None,
        watch: Callable[[Row], None] | None,
        dated: Callable[[int], int] | None,
    ) -> None:
        self._dated = dated
        self._run = run
        self._store = store
        self.tally = Tally()
        self._ready = ready
        self._watch = watch
        self._engine: Sending | None = None

    def begin(self, engine: Sending) -> None:
        """Take note of what sends, just before the first request."""
        self._engine = engine
        if self._ready is not None:
            self._ready(engine, self.tally)

    def keep(self, row: Row, checks: Sequence[CheckRow]) -> None:
        """Take one row."""
        if self._dated is not None:
            row = _with_date(row, self._dated)
        self.tally.add(row)
        self._store.emit(row, checks)
        if self._watch is not None:
            self._watch(row)
        if self._store.failed is not None and self._engine is not None:
            # Rows that cannot be kept are not worth their price: send no more.
            self._engine.stop("store")

    def interrupted(self) -> bool:
        """Tell whether somebody has asked that the run should end."""
        return self._engine is not None and self._engine.stopped == "interrupted"

    async def attend(
        self, origin: int, limit_nusd: int | None, drive: Drive, monitor: Monitor
    ) -> str | None:
        """Send the run from this process; return why it stopped early, if it did."""
        return await attend(
            self._run,
            self.keep,
            origin=origin,
            limit_nusd=limit_nusd,
            ready=self.begin,
            drive=drive,
            monitor=monitor,
        )

    async def spread(
        self, origin: int, limit_nusd: int | None
    ) -> tuple[str | None, Health | None]:
        """Share the run among its workers; return why it stopped, and their health."""
        run, workers = self._run, self._run.job.workers
        stopped, self.tally.lost_workers, health = await spread(
            run,
            self.keep,
            workers,
            origin=origin,
            limit_nusd=limit_nusd,
            ready=self.begin,
        )
        return stopped, health


def _with_date(row: Row, dated: Callable[[int], int]) -> Row:
    """Return a row with the date at which it was due, or else came about."""
    stamps = (row.due_ns, row.sent_ns, row.queued_ns, row.end_ns)
    moment = next((each for each in stamps if each is not None), None)
    if moment is None:
        return row
    return msgspec.structs.replace(row, at_ms=dated(moment) // 1_000_000)


def _judged(
    judge: Judge | None,
    health: Health | None,
    lost: int,
    stopped: str | None,
    resumed: str,
) -> tuple[str | None, str]:
    """Return the validity and the reasons of a run, None and none if nobody judges."""
    if judge is None or stopped == "crashed":
        return None, "[]"
    return judge(health, lost, stopped, resumed)


def _whole(health: Health | None, after: Resumed | None) -> Health | None:
    """Return how the bench fared in all parts of a run of which that is known."""
    earlier = None if after is None else after.record.health
    parts = [] if earlier is None else [msgspec.json.decode(earlier, type=Health)]
    return merged([*parts, *([] if health is None else [health])])


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


def _run_row(run: Run, floor: str | None) -> RunRow:
    secrets = tuple(key for provider in run.providers for key in provider.secrets)
    # A key may stand in the job by mistake: in `extra_body`, a tag, a model's name.
    hidden = partial(hide, secrets=secrets)
    priced = {name: msgspec.to_builtins(p) for name, p in run.job.prices.items()}
    return RunRow(
        run_id=run.run_id,
        kind=run.kind,
        started_at=_now(),
        status="running",
        plan_hash=plan_hash(run.plan),
        job=hidden(_json(redacted(run.job, run.plan.salt))),
        versions=_json(_versions()),
        machine=_json(_machine()),
        tags=hidden(_json(run.job.tags)),
        prices=_json(priced),
        providers=_json(run.plan.providers),
        scenarios=_json([_named(scene) for scene in run.plan.scenarios]),
        seed=run.plan.seed,
        floor=floor,
    )


def _named(scene: Scenario) -> str | dict[str, object]:
    """Return a scenario's name, in a table where sessions are judged whole or live."""
    if not scene.whole:
        return scene.name
    live = {"live": True} if scene.loop else {}
    return {"name": scene.name, "whole": True, **live}


def _versions() -> dict[str, str]:
    ours = ("head-to-head", "aiohttp", "msgspec", "sqlite-utils")
    return {name: metadata.version(name) for name in ours} | {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def _machine() -> dict[str, str | int | None]:
    return {
        "system": platform.system(),
        "release": platform.release(),
        "arch": platform.machine(),
        "cpus": os.cpu_count(),
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
