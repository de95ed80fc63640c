"""Conduct one run: open the wire and the store, let the engine go, close both."""

import datetime as dt
import platform
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from importlib import metadata

import msgspec

from compare.run.budget import Budget, billed, worst_of
from compare.run.clock import Clock, RealClock
from compare.run.config import Job, redacted
from compare.run.engine import Engine, Result
from compare.run.gate import Ceiling
from compare.run.hosts import with_key
from compare.run.measure import Context, measure
from data.row import Row, RunRow
from data.store import Store
from providers.outcome import UNREACHED
from providers.provider import Deadlines, Provider
from providers.reply import Reply
from providers.wire import Wire
from scenarios.checks import Check
from scenarios.plan import Plan, plan_hash, segments
from scenarios.request import Arrival
from scenarios.scenario import checks_of

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Tally:
    """What has happened so far, for the progress line and the exit code."""

    def __init__(self) -> None:
        self.rows = 0
        self.outcomes: Counter[str] = Counter()
        self.by_host: dict[str, Counter[str]] = {}
        self.ttft_ms: dict[str, list[float]] = {}
        self.spent_nusd = 0
        self.reported_nusd = 0
        self.started = time.monotonic()

    def add(self, row: Row) -> None:
        """Count one row."""
        self.rows += 1
        self.outcomes[row.outcome] += 1
        self.by_host.setdefault(row.provider, Counter())[row.outcome] += 1
        self.spent_nusd += row.cost_nusd or 0
        if row.outcome == "ok" and row.first_token_ns and row.sent_ns:
            ttft = (row.first_token_ns - row.sent_ns) / 1e6
            self.ttft_ms.setdefault(row.provider, []).append(ttft)

    @property
    def unreached(self) -> bool:
        """Return whether no request got as far as being refused for its content."""
        return bool(self.rows) and all(o in UNREACHED for o in self.outcomes)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is about to go: its id, plan and job, with keys in the providers."""

    run_id: str
    kind: str
    plan: Plan
    job: Job
    providers: tuple[Provider, ...]


def prepare(job: Job, kind: str = "run", salt: str | None = None) -> Run:
    """Return a run of a job: a new id and salt, and the keys out of the environment.

    Raises SetupError when a key is missing; nothing has been sent then.
    """
    plan = Plan(
        scenarios=job.scenarios,
        providers=tuple(provider.name for provider in job.providers),
        load=job.load,
        salt=salt or secrets.token_hex(8),
    )
    return Run(
        run_id=new_id(),
        kind=kind,
        plan=plan,
        job=job,
        providers=tuple(with_key(provider) for provider in job.providers),
    )


def new_id() -> str:
    """Return a ULID: 48 bits of time in ms and 80 random bits, in Crockford base 32."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(CROCKFORD[number >> 5 * place & 31] for place in range(25, -1, -1))


async def conduct(
    run: Run,
    store: Store,
    *,
    ready: Callable[[Engine, Tally], None] | None = None,
    watch: Callable[[Row], None] | None = None,
    limit_nusd: int | None = None,
    drive: Callable[[Engine], Awaitable[None]] = Engine.run,
) -> tuple[Tally, str | None]:
    """Carry out a run and return its tally, and why it stopped early (or None).

    `ready` is given the engine and the tally just before the first request, to stop
    the one and look at the other; `watch` is given each row. `limit_nusd` is what may
    be spent. `drive` makes the engine go; by default it runs the whole plan.
    """
    clock, tally, budget = RealClock(), Tally(), Budget(limit_nusd)
    store.begin_run(_run_row(run))
    stopped: str | None = "crashed"
    try:
        async with Wire(
            run.providers,
            concurrency=_most_in_flight(run.plan),
            deadlines=run.job.deadlines,
            fresh=run.job.cold,
        ) as wire:
            engine = _engine(run, wire, store, clock, tally, budget, watch)
            if ready is not None:
                ready(engine, tally)
            await drive(engine)
            stopped = engine.stopped
    finally:
        status = {None: "done", "budget": "done"}.get(stopped, stopped or "done")
        store.end_run(
            run.run_id, status=status, validity=None, reasons="[]", ended_at=_now()
        )
    return tally, stopped


def _engine(
    run: Run,
    wire: Wire,
    store: Store,
    clock: Clock,
    tally: Tally,
    budget: Budget,
    watch: Callable[[Row], None] | None,
) -> Engine:
    context = Context(
        run_id=run.run_id,
        origin=clock.now(),
        providers={provider.name: provider for provider in run.providers},
        prices=run.job.prices,
        checks=_checks(run),
        seed=run.plan.seed,
    )
    patience = _patience(run.job)

    async def send(arrival: Arrival) -> Reply:
        return await wire.send(arrival, deadlines=patience[arrival.scenario])

    def emit(result: Result) -> None:
        row, checks = measure(result, context)
        budget.settle(result.worst_nusd, billed(row, result.worst_nusd))
        tally.add(row)
        store.emit(row, checks)
        if watch is not None:
            watch(row)
        if store.failed is not None:
            # Rows that cannot be kept are not worth their price: send no more.
            engine.stop("store")

    engine = Engine(
        run.plan,
        send,
        emit,
        clock=clock,
        budget=budget,
        worst=(
            worst_of(run.providers, run.job.prices)
            if budget.limit_nusd is not None
            else None
        ),
        ceilings={
            provider.name: Ceiling(rpm=provider.rpm, concurrency=provider.concurrency)
            for provider in run.providers
            if provider.rpm or provider.concurrency
        },
        interrupt=wire.interrupt,
    )
    return engine


def _checks(run: Run) -> Callable[[str, str], Sequence[Check]]:
    by_name = {scene.name: scene for scene in run.plan.scenarios}
    return lambda scenario, case: checks_of(by_name[scenario], case)


def _patience(job: Job) -> dict[str, Deadlines]:
    """Return the deadlines of each scenario: its own where it has them."""
    return {
        scene.name: msgspec.structs.replace(
            job.deadlines,
            **{
                name: value
                for name, value in msgspec.structs.asdict(scene.deadlines).items()
                if value is not None
            },
        )
        for scene in job.scenarios
    }


def _most_in_flight(plan: Plan) -> int:
    return max(segment.concurrency for segment in segments(plan))


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
    import os

    return {
        "system": platform.system(),
        "release": platform.release(),
        "arch": platform.machine(),
        "cpus": os.cpu_count(),
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
