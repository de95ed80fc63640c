"""The job: a TOML file and the flags over it, checked whole before anything is sent."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from compare.run.choose import Choice, chosen, refuse_twice
from compare.run.hosts import host
from compare.run.mistakes import JobError
from compare.run.money import nusd, price_of_each, refuse_unpriced
from compare.run.probes import AT_ONCE, Known, Probe
from compare.run.probes import read as read_probes
from data.prices import Price
from providers.provider import Deadlines, Provider
from scenarios import load as loads
from scenarios import scenario as scenes
from scenarios.form import durations, refuse_unknown
from scenarios.load import Load
from scenarios.request import ScenarioError
from scenarios.scenario import Scenario

DEFAULT_SCENARIO = "chat-1k"
SECTIONS = (
    "provider", "scenario", "load", "deadlines", "budget", "probe", "slo", "store",
    "thresholds"
)  # fmt: skip
LISTS = {"provider", "scenario", "probe", "thresholds"}
OBJECTIVES = ("ttft", "ttfa", "ttft_due", "e2e", "e2e_due", "tpot")
LEAST_DAYS = 2
"""Figures over up to so many days are taken from rows."""
NOT_YET = ("alert", "serve")
"""Parts of the job file that this version cannot honour, and so does not accept."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run is made of, checked; keys are not read yet.

    `budget_nusd` and `day_nusd` are limits in nano-USD, None for none. With `cold`
    every request opens a connection of its own. `workers` is how many processes share
    the load. `deadlines` are those that the job itself names, in seconds: they go
    before a scenario file's, and a `[[scenario]]`'s go before them. `probes` and
    `at_once` (how many of their blocks may be in flight) are for probes alone, as is
    `cold_scenarios`: what is asked on a new connection each time. `thresholds` are kept
    as they were written; `slo` is in ms by metric. Rows of probes go once they are
    `keep_days` old, None: never.
    """

    providers: tuple[Provider, ...]
    prices: Mapping[str, Price]
    scenarios: tuple[Scenario, ...]
    load: Load
    deadlines: Mapping[str, float] = {}
    budget_nusd: int | None = None
    day_nusd: int | None = None
    tags: Mapping[str, str] = {}
    workers: int = 1
    probes: tuple[Probe, ...] = ()
    at_once: int = AT_ONCE
    keep_days: int | None = None
    cold: bool = False
    cold_scenarios: frozenset[str] = frozenset()
    thresholds: tuple[str, ...] = ()
    slo: Mapping[str, float] = {}
    source: str = ""


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line said; None or empty leaves the job file's word."""

    providers: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    model: str | None = None
    dialect: str | None = None
    api_key_env: tuple[str, ...] = ()
    prices: tuple[str, ...] = ()
    max_tokens: int | None = None
    budget: str | None = None
    tags: tuple[str, ...] = ()
    load: Mapping[str, Any] = {}
    cold: bool = False
    thresholds: tuple[str, ...] = ()
    slo: Mapping[str, float] = {}


def read(
    path: Path | None, flags: Flags, default_scenario: str = DEFAULT_SCENARIO
) -> Job:
    """Return the job that a file and the flags over it describe.

    Raises JobError, ScenarioError or PriceError, naming file, key and remedy.
    """
    table = _toml(path) if path else {}
    where = str(path) if path else "command line"
    found = [
        host(each, f"{where}: provider {each.name}")
        for each in chosen(table.get("provider", []), _choice(flags), where)
    ]
    providers = tuple(provider for provider, _ in found)
    refuse_twice([provider.name for provider in providers])
    given = {p.name: price for p, price in found if price is not None}
    shape = {**table.get("load", {}), **flags.load}
    connection = shape.pop("connection", "warm")
    budget = _budget(table.get("budget", {}), where)
    scenarios = _scenarios(table.get("scenario", []), flags, where, default_scenario)
    known = Known(
        providers=tuple(provider.name for provider in providers),
        scenarios=tuple(scene.name for scene in scenarios),
        whole=not (flags.providers or flags.scenarios),
    )
    probes, at_once = read_probes(table.get("probe", {}), known, where)
    job = Job(
        providers=providers,
        prices=price_of_each(providers, given, flags.prices),
        scenarios=scenarios,
        workers=_workers(shape.pop("workers", 1), f"{where}: load.workers"),
        load=loads.read(shape, f"{where}: load"),
        cold=flags.cold or _is_cold(connection, f"{where}: load.connection"),
        deadlines=_deadlines(table.get("deadlines", {}), where),
        tags=_tags(flags.tags),
        thresholds=_thresholds(table.get("thresholds", []), where) + flags.thresholds,
        slo=flags.slo or _slo(table.get("slo", {}), where),
        source=str(path) if path else "",
        budget_nusd=nusd(flags.budget, "--budget") or budget.get("run"),
        day_nusd=budget.get("day"),
        probes=probes,
        at_once=at_once,
        keep_days=_keep(table.get("store", {}), where),
    )
    if job.budget_nusd is not None or job.day_nusd is not None:
        refuse_unpriced(job.providers, job.prices)
    _refuse_idle_workers(job, where)
    return job


def _choice(flags: Flags) -> Choice:
    return Choice(
        names=flags.providers,
        model=flags.model,
        dialect=flags.dialect,
        keys=flags.api_key_env,
    )


def _toml(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise JobError(
            f"{path}: no such job file; write one with h2h init -o {path}"
        ) from None
    except (OSError, ValueError) as error:
        raise JobError(f"{path}: cannot be read as TOML: {error}") from None
    for key in NOT_YET:
        if key in table:
            raise JobError(
                f"{path}: [{key}] is not supported by this version and would be "
                "ignored; take it out"
            )
    _known_keys(table, SECTIONS, str(path))
    for key in ("provider", "scenario"):
        rows = table.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
            raise JobError(f"{path}: write {key} as [[{key}]], once for each")
    for key in set(SECTIONS) - LISTS:
        if not isinstance(table.get(key, {}), dict):
            raise JobError(f"{path}: write {key} as a table, [{key}]")
    return table


def _known_keys(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    try:
        refuse_unknown(table, known, where)
    except ScenarioError as error:
        raise JobError(str(error)) from None


def _scenarios(
    rows: list[dict[str, Any]], flags: Flags, where: str, default: str
) -> tuple[Scenario, ...]:
    """Return the chosen scenarios with their overrides: the flags', or the file's."""
    in_file: dict[str, dict[str, Any]] = {}
    for row in rows:
        if not isinstance(row.get("name"), str):
            raise JobError(f"{where}: each [[scenario]] needs a name or a path")
        in_file[row["name"]] = {k: v for k, v in row.items() if k != "name"}
    names = flags.scenarios or tuple(in_file) or (default,)
    chosen = []
    for name in names:
        changes = dict(in_file.get(name, {}))
        if flags.max_tokens is not None:
            changes["max_tokens"] = flags.max_tokens
        scene = scenes.load(name)
        chosen.append(scenes.override(scene, **changes) if changes else scene)
    return tuple(chosen)


def _budget(table: Mapping[str, Any], where: str) -> dict[str, int | None]:
    _known_keys(table, ("run", "day"), f"{where}: budget")
    return {key: nusd(table[key], f"{where}: budget.{key}") for key in table}


def _deadlines(table: Mapping[str, Any], where: str) -> dict[str, float]:
    where = f"{where}: deadlines"
    fields = Deadlines.__struct_fields__
    _known_keys(table, fields, where)
    seconds: dict[str, float] = durations(table, fields, where)
    for key, value in seconds.items():
        if not value > 0:
            raise JobError(f'{where}.{key}: must be above 0, such as "10s"')
    return seconds


def _tags(texts: tuple[str, ...]) -> dict[str, str]:
    tags = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise JobError(f"--tag {text!r}: expected KEY=VALUE")
        tags[key] = value
    return tags


def _keep(table: Mapping[str, Any], where: str) -> int | None:
    """Return for how many days rows of probes are kept, None for ever."""
    _known_keys(table, ("keep",), f"{where}: store")
    if "keep" not in table:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,4})d", str(table["keep"]))
    if found is None or int(found[1]) < LEAST_DAYS:
        raise JobError(
            f"{where}: store.keep: {table['keep']!r} must be whole days, at least "
            f'{LEAST_DAYS}, such as "30d"'
        )
    return int(found[1])


def _thresholds(found: object, where: str) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise JobError(
            f'{where}: write thresholds as a list of texts, ["errors<1%"], above the '
            "first table"
        )
    return tuple(found)


def _slo(table: Mapping[str, Any], where: str) -> dict[str, float]:
    """Return what a good request keeps, in ms: numbers are ms, texts have a unit."""
    where = f"{where}: slo"
    _known_keys(table, OBJECTIVES, where)
    texts = {key: value for key, value in table.items() if isinstance(value, str)}
    found = {key: 1000 * s for key, s in durations(texts, OBJECTIVES, where).items()}
    for key, value in {**table, **found}.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise JobError(f'{where}.{key}: {value!r} is no time; write 500 or "500ms"')
        found[key] = float(value)
    return found


def _workers(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise JobError(f"{where}: {value!r} must be a whole number of at least 1")
    return value


def _refuse_idle_workers(job: Job, where: str) -> None:
    """Refuse workers among which what may be in flight cannot be shared out."""
    shared = {"concurrency": min(step.concurrency for step in loads.steps(job.load))}
    shared |= {
        f"concurrency of host {provider.name!r}": provider.concurrency
        for provider in job.providers
        if provider.concurrency is not None
    }
    for what, slots in shared.items():
        if slots < job.workers:
            raise JobError(
                f"{where}: load.workers: {job.workers} workers cannot share a "
                f"{what} of {slots}; give each at least one, or take fewer workers"
            )


def _is_cold(connection: object, where: str) -> bool:
    """Return whether every request opens a connection of its own."""
    if connection not in {"warm", "cold"}:
        raise JobError(f"{where}: {connection!r} must be warm or cold")
    return connection == "cold"
