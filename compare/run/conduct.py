"""Conduct one run: its line in `runs`, its rows in the store, its tally."""

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
from compare.run.config import redacted
from compare.run.engine import Engine
from compare.run.fleet import spread
from compare.run.monitor import Health, Monitor
from compare.run.prepare import Run
from compare.run.tally import Sending, Tally
from data.row import CheckRow, Row, RunRow
from data.store import Store
from providers.secret import forms, mask
from scenarios.plan import plan_hash

Judge = Callable[[Health | None, int, str | None], tuple[str, str]]
"""From how the bench fared (None: unknown) and how many of its workers were lost, to a
validity and its reasons, as a JSON list."""


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
) -> tuple[Tally, str | None]:
    """Carry out a run and return its tally, and why it stopped early (or None).

    `ready` is given the engine and the tally just before the first request, to stop
    the one and look at the other; `watch` is given each row. `limit_nusd` is what may
    be spent. `drive` makes the engine go; by default it runs the whole plan. `judge`
    says at the end what the run is worth; without it nobody does. `floor` is the
    bench's own error, JSON, None when it was not measured.
    """
    tally = Tally()
    monitor = monitor or Monitor()
    engines: list[Sending] = []

    def begin(engine: Sending) -> None:
        engines.append(engine)
        if ready is not None:
            ready(engine, tally)

    def keep(row: Row, checks: Sequence[CheckRow]) -> None:
        tally.add(row)
        store.emit(row, checks)
        if watch is not None:
            watch(row)
        if store.failed is not None:
            # Rows that cannot be kept are not worth their price: send no more.
            engines[0].stop("store")

    store.begin_run(_run_row(run, floor))
    stopped: str | None = "crashed"
    health: Health | None = None
    try:
        if run.job.workers > 1 and drive is Engine.run:
            stopped, tally.lost_workers, health = await spread(
                run,
                keep,
                run.job.workers,
                origin=perf_counter_ns(),
                limit_nusd=limit_nusd,
                ready=begin,
            )
        else:
            stopped = await attend(
                run,
                keep,
                origin=perf_counter_ns(),
                limit_nusd=limit_nusd,
                ready=begin,
                drive=drive,
                monitor=monitor,
            )
            health = monitor.health()
    finally:
        status = stopped if stopped in {"interrupted", "crashed"} else "done"
        judged = None
        if judge is not None and stopped != "crashed":
            judged = judge(health, tally.lost_workers, stopped)
        store.end_run(
            run.run_id,
            status=status,
            validity=judged[0] if judged else None,
            reasons=judged[1] if judged else "[]",
            ended_at=_now(),
            health=None if health is None else _json(health),
        )
    return tally, stopped


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


def _run_row(run: Run, floor: str | None) -> RunRow:
    secrets = (secret for provider in run.providers for secret in provider.secrets)
    # A key may stand in the job by mistake: in `extra_body`, a tag, a model's name.
    hidden = partial(mask, spelled=forms(secrets))
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
        scenarios=_json([scene.name for scene in run.plan.scenarios]),
        seed=run.plan.seed,
        floor=floor,
    )


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
