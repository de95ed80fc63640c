"""Conduct one run: its line in `runs`, its rows in the store, its tally."""

import datetime as dt
import os
import platform
import sqlite3
from collections.abc import Callable, Sequence
from importlib import metadata
from time import perf_counter_ns

import msgspec

from compare.run.attend import Drive, attend
from compare.run.config import redacted
from compare.run.engine import Engine
from compare.run.prepare import Run
from compare.run.tally import Tally
from data.row import CheckRow, Row, RunRow
from data.store import Store
from scenarios.plan import plan_hash


async def conduct(
    run: Run,
    store: Store,
    *,
    ready: Callable[[Engine, Tally], None] | None = None,
    watch: Callable[[Row], None] | None = None,
    limit_nusd: int | None = None,
    drive: Drive = Engine.run,
) -> tuple[Tally, str | None]:
    """Carry out a run and return its tally, and why it stopped early (or None).

    `ready` is given the engine and the tally just before the first request, to stop
    the one and look at the other; `watch` is given each row. `limit_nusd` is what may
    be spent. `drive` makes the engine go; by default it runs the whole plan.
    """
    tally = Tally()
    engines: list[Engine] = []

    def begin(engine: Engine) -> None:
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

    store.begin_run(_run_row(run))
    stopped: str | None = "crashed"
    try:
        stopped = await attend(
            run,
            keep,
            origin=perf_counter_ns(),
            limit_nusd=limit_nusd,
            ready=begin,
            drive=drive,
        )
    finally:
        status = stopped if stopped in {"interrupted", "crashed"} else "done"
        store.end_run(
            run.run_id, status=status, validity=None, reasons="[]", ended_at=_now()
        )
    return tally, stopped


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


def _run_row(run: Run) -> RunRow:
    job = redacted(run.job, run.plan.salt)
    priced = {name: msgspec.to_builtins(p) for name, p in run.job.prices.items()}
    return RunRow(
        run_id=run.run_id,
        kind=run.kind,
        started_at=_now(),
        status="running",
        plan_hash=plan_hash(run.plan),
        job=_json(job),
        versions=_json(_versions()),
        machine=_json(_machine()),
        tags=_json(run.job.tags),
        prices=_json(priced),
        providers=_json(run.plan.providers),
        scenarios=_json([scene.name for scene in run.plan.scenarios]),
        seed=run.plan.seed,
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
