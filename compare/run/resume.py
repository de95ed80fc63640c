"""Take a run up again: what it planned and has no row for, as it was begun."""

import datetime as dt
import json
from time import perf_counter_ns
from typing import Any

import msgspec

from compare.run import lost
from compare.run.budget import billed, worst_of
from compare.run.config import Job
from compare.run.mistakes import JobError
from compare.run.prepare import Run, prepare
from compare.run.record import charged, differences, redacted, restored
from compare.run.rest import Rest, missing, parted, segment_of
from data.row import Row, RunRow
from scenarios.plan import Plan, plan_hash, segments


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is about to go on, and what was there of it.

    `missing` requests have no row (None: a duration decides), `parted` blocks have
    some of theirs. `last_ns` is the latest stamp of its rows.
    """

    run: Run
    record: RunRow
    missing: int | None
    parted: int
    last_ns: int

    def origin(self) -> int:
        """Return the run's start on this process's monotonic clock, in ns.

        The wall clock says how long ago that was, unless it was set back: no stamp to
        come is before one that is stored.
        """
        began = dt.datetime.fromisoformat(self.record.started_at)
        age = (dt.datetime.now(dt.UTC) - began) / dt.timedelta(microseconds=1)
        return perf_counter_ns() - max(int(age * 1000), self.last_ns)

    def history(self, origin: int) -> str:
        """Return each time that the run was resumed, this one included, as JSON."""
        now = {
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "from_ns": self.last_ns,
            "to_ns": perf_counter_ns() - origin,
            "missing": self.missing,
            "parted": self.parted,
        }
        return json.dumps([*json.loads(self.record.resumed), now])


class Past:
    """What the rows of a run say of how far it came; give it each of them.

    `done` are their numbers, `last_ns` is their latest stamp, `spent_nusd` what they
    cost for sure. `unsure` has what their host stated, or 0, of those that it may have
    billed for more. `spans` are the first and the last moment at which something was
    begun, by segment.
    """

    def __init__(self, plan: Plan) -> None:
        self._starts = [segment.first_block for segment in segments(plan)]
        self._hosts = len(plan.providers)
        self.done: set[int] = set()
        self.last_ns = 0
        self.spent_nusd = 0
        self.unsure: dict[int, int] = {}
        self.spans: dict[int, tuple[int, int]] = {}

    def add(self, row: Row) -> None:
        """Take one row."""
        self.done.add(row.seq)
        stamps = (row.queued_ns, row.sent_ns, row.end_ns)
        self.last_ns = max(self.last_ns, *(at for at in stamps if at is not None), 0)
        if row.cost_nusd is None and billed(row, 1) != 0:
            self.unsure[row.seq] = row.cost_reported_nusd or 0
        else:
            self.spent_nusd += billed(row, 0) or 0
        if row.queued_ns is not None:
            index = segment_of(self._starts, row.seq // self._hosts)
            first, last = self.spans.get(index, (row.queued_ns, row.queued_ns))
            span = min(first, row.queued_ns), max(last, row.queued_ns)
            self.spans[index] = span


def again(record: RunRow, given: Job | None, budget_nusd: int | None = None) -> Run:
    """Return the run of a stored record, its plan proved to be the same one.

    `given` is the job as the user named it once more; None takes the stored one.
    `budget_nusd`, where given, replaces the run's limit. Raises JobError when the run
    cannot be resumed or the plan has changed, ScenarioError and SetupError as a new
    run would.
    """
    where = f"run {record.run_id}"
    _refuse_kind(record, where)
    kept: dict[str, Any] = json.loads(record.job)
    salt = str(kept.get("salt", ""))
    job = given or restored(kept, json.loads(record.prices), where)
    if given is not None:
        _refuse_other(given, record, kept, where)
        job = msgspec.structs.replace(given, prices=charged(json.loads(record.prices)))
    if budget_nusd is not None:
        job = msgspec.structs.replace(job, budget_nusd=budget_nusd)
    _refuse_changed(job, kept, where)
    run = prepare(job, record.kind, salt, record.run_id)
    if plan_hash(run.plan) != record.plan_hash:
        raise JobError(f"{where}: its plan cannot be made again; start a new run")
    return run


def resumed(run: Run, record: RunRow, past: Past) -> Resumed:
    """Return what is left of a run; JobError when it is complete.

    One that died between its last row and its end has nothing left but to be judged.
    """
    rest = Rest(done=frozenset(past.done), spent=_spent(run.plan, record, past))
    over = record.status == "done" and not rest.of(run.plan)
    if over or _timed_out(run.plan, record):
        raise JobError(
            f"run {record.run_id}: complete, every request that it planned has its "
            "row; start a new run"
        )
    return Resumed(
        run=msgspec.structs.replace(run, rest=rest),
        record=record,
        missing=missing(run.plan, rest),
        parted=parted(run.plan, past.done),
        last_ns=past.last_ns,
    )


def spent_nusd(run: Run, past: Past) -> int:
    """Return what a run has cost so far, in nano-USD, for its budget.

    What a host may have billed without saying so counts with its worst case.
    """
    worst = worst_of(run.providers, run.job.prices)
    arrivals = (result.arrival for result in lost.results(run.plan, past.unsure))
    return past.spent_nusd + sum(
        max(worst(each), past.unsure[each.seq]) for each in arrivals
    )


def _refuse_kind(record: RunRow, where: str) -> None:
    if record.status == "running":
        raise JobError(f"{where}: still going; there is nothing to resume")
    if record.kind == "sweep":
        raise JobError(
            f"{where}: a sweep cannot be resumed: which load comes next hangs on the "
            "last one as a whole; start another sweep"
        )
    if record.kind != "run":
        raise JobError(
            f"{where}: a {record.kind} cannot be resumed, only what h2h run began; "
            f"start another {record.kind}"
        )


def _refuse_other(given: Job, record: RunRow, kept: dict[str, Any], where: str) -> None:
    """Refuse a job that is not the one the run was begun with."""
    ours = {**redacted(given, ""), "tags": dict(given.tags)}
    theirs = {**kept, "tags": json.loads(record.tags)}
    found = [key for key in differences(ours, theirs) if not _versions(key)]
    if found:
        raise JobError(
            f"{where}: the job has changed since it began ({', '.join(found)}); leave "
            "the job out to go on as it was begun, or start a new run"
        )


def _refuse_changed(job: Job, kept: dict[str, Any], where: str) -> None:
    """Refuse scenarios whose content is not what the run began with."""
    versions = {each["name"]: each["version"] for each in kept["scenarios"]}
    for scene in job.scenarios:
        began = versions.get(scene.name)
        if began != scene.scenario_version:
            raise JobError(
                f"{where}: scenario {scene.name!r} ({scene.source}) has changed "
                f"since it began, from {began} to {scene.scenario_version}; put it "
                "back as it was, or start a new run"
            )


def _versions(key: str) -> bool:
    """Return whether a key is a scenario's version, which is told by itself."""
    return key.startswith("scenarios.") and key.endswith(".version")


def _timed_out(plan: Plan, record: RunRow) -> bool:
    """Return whether a run came to its end by its duration: then that was its plan."""
    codes = {reason.get("code") for reason in json.loads(record.reasons)}
    early = codes & {"budget_reached", "no_answers", "threshold_failed"}
    ended = record.status == "done" and not early
    return ended and plan.load.duration is not None and not plan.load.rates


def _spent(plan: Plan, record: RunRow, past: Past) -> dict[int, float]:
    """Return how long each segment of a run has been sending, in s.

    One that was followed by another had all its time; of the last one, breaks within
    it do not count.
    """
    breaks = [(b["from_ns"], b["to_ns"]) for b in json.loads(record.resumed)]
    latest = max(past.spans, default=-1)
    spent = {}
    for segment in segments(plan):
        if segment.duration is not None and segment.index < latest:
            spent[segment.index] = segment.duration
    if latest >= 0:
        first, last = past.spans[latest]
        idle = sum(to - since for since, to in breaks if first <= since and to <= last)
        spent[latest] = (last - first - idle) / 1e9
    return spent
