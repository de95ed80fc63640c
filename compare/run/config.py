"""The job: a TOML file and the flags over it, checked whole before anything is sent."""

import datetime as dt
import tomllib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from compare.run.hosts import HostTable, ad_hoc, host, list_price, table_of
from compare.run.hosts import variable_name as _variable
from compare.run.mistakes import JobError
from data import prices
from data.prices import Price
from providers.provider import Deadlines, Provider, without_credentials
from providers.registry import endpoints, nearest
from providers.secret import redact
from scenarios import load as loads
from scenarios import scenario as scenes
from scenarios.form import durations, refuse_unknown
from scenarios.load import Load
from scenarios.request import ScenarioError
from scenarios.scenario import Scenario

DEFAULT_SCENARIO = "chat-1k"
SECTIONS = (
    "provider", "scenario", "load", "deadlines", "budget", "probe", "slo", "thresholds"
)  # fmt: skip
OBJECTIVES = ("ttft", "ttfa", "ttft_due", "e2e", "e2e_due", "tpot")
NOT_YET = ("alert", "store", "serve")
"""Parts of the job file that this version cannot honour, and so does not accept."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run is made of, checked; keys are not read yet.

    `budget_nusd` and `day_nusd` are limits in nano-USD, None for none. With `cold`
    every request opens a connection of its own. `workers` is how many processes share
    the load. `every` (seconds) and `cold_probe` are for probes alone. `thresholds` are
    kept as they were written; `slo` is in ms by metric.
    """

    providers: tuple[Provider, ...]
    prices: Mapping[str, Price]
    scenarios: tuple[Scenario, ...]
    load: Load
    deadlines: Deadlines
    budget_nusd: int | None = None
    day_nusd: int | None = None
    tags: Mapping[str, str] = {}
    workers: int = 1
    every: float | None = None
    cold: bool = False
    cold_probe: bool = False
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
    tables = _host_tables(table.get("provider", []), flags, where)
    chosen = [host(each, f"{where}: provider {each.name}") for each in tables]
    providers = tuple(provider for provider, _ in chosen)
    _refuse_twice([provider.name for provider in providers])
    given = {p.name: price for p, price in chosen if price is not None}
    budget = _budget(table.get("budget", {}), where)
    shape = {**table.get("load", {}), **flags.load}
    connection = shape.pop("connection", "warm")
    workers = shape.pop("workers", 1)
    job = Job(
        providers=providers,
        prices=_prices(providers, given, flags),
        scenarios=_scenarios(table.get("scenario", []), flags, where, default_scenario),
        load=loads.read(shape, f"{where}: load"),
        cold=flags.cold or _is_cold(connection, f"{where}: load.connection"),
        deadlines=_deadlines(table.get("deadlines", {}), where),
        budget_nusd=_nusd(flags.budget, "--budget") or budget.get("run"),
        day_nusd=budget.get("day"),
        tags=_tags(flags.tags),
        workers=_workers(workers, f"{where}: load.workers"),
        thresholds=(
            *_thresholds(table.get("thresholds", []), where),
            *flags.thresholds,
        ),
        slo=flags.slo or _slo(table.get("slo", {}), where),
        source=str(path) if path else "",
        **_probe(table.get("probe", {}), where),
    )
    _refuse_unpriced(job)
    _refuse_idle_workers(job, where)
    return job


def redacted(job: Job, salt: str) -> dict[str, Any]:
    """Return the job as JSON-able data without keys, and the salt of its prompts."""
    return {
        "providers": [_public(provider) for provider in job.providers],
        "scenarios": [
            {
                "name": s.name,
                "version": s.scenario_version,
                "source": Path(s.source).name,
            }
            for s in job.scenarios
        ],
        "load": msgspec.to_builtins(job.load),
        "connection": "cold" if job.cold else "warm",
        "workers": job.workers,
        "deadlines": msgspec.to_builtins(job.deadlines),
        "budget_nusd": job.budget_nusd,
        "thresholds": list(job.thresholds),
        "slo": dict(job.slo),
        "salt": salt,
        "source": Path(job.source).name,
    }


def _public(provider: Provider) -> dict[str, Any]:
    """Return what may be stored of a host: no key, no header's value, no password.

    Of `extra_body` the text is redacted, since a host may want a token in it.
    """
    facts = {
        name: value
        for name in HostTable.__struct_fields__
        if (value := getattr(provider, name, None)) not in (None, {}, ())
    }
    facts["headers"] = sorted(provider.headers)
    if provider.proxy:
        facts["proxy"] = without_credentials(provider.proxy)
    if provider.extra_body:
        facts["extra_body"] = redact(msgspec.json.encode(provider.extra_body).decode())
    return facts


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
    for key in set(SECTIONS) - {"provider", "scenario", "thresholds"}:
        if not isinstance(table.get(key, {}), dict):
            raise JobError(f"{path}: write {key} as a table, [{key}]")
    return table


def _known_keys(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    try:
        refuse_unknown(table, known, where)
    except ScenarioError as error:
        raise JobError(str(error)) from None


# ---------------------------------------------------------------------- hosts


def _host_tables(
    rows: list[dict[str, Any]], flags: Flags, where: str
) -> list[HostTable]:
    """Return the chosen hosts in order: the flags' choice, or all of the file."""
    in_file = {}
    for number, row in enumerate(rows, 1):
        each = table_of(row, f"{where}: provider {row.get('name', number)}")
        in_file[each.name] = each
    if len(in_file) < len(rows):
        _refuse_twice([row["name"] for row in rows])
    if not flags.providers:
        if not in_file:
            raise JobError(
                "no host to measure: name some with -p NAME or -p NAME=BASE_URL "
                "(h2h providers lists the known ones; h2h demo needs none)"
            )
        tables = list(in_file.values())
    else:
        tables = [_from_flag(text, in_file, flags, where) for text in flags.providers]
    return _with_key_names(tables, flags)


def _from_flag(
    text: str, in_file: Mapping[str, HostTable], flags: Flags, where: str
) -> HostTable:
    name, url = ad_hoc(text)
    if url is not None:
        return HostTable(
            name=name,
            base_url=url,
            model=flags.model,
            dialect=flags.dialect or "generic",
        )
    if name in in_file:
        return in_file[name]
    if in_file and name not in endpoints() and not name.startswith("openrouter@"):
        hint = nearest(name, [*in_file, *endpoints()])
        raise JobError(f"-p {name}: neither in {where} nor known: {hint}")
    listed = endpoints().get(name)
    wants_model = listed is not None and not listed.model
    return HostTable(name=name, model=flags.model if wants_model else None)


def _with_key_names(tables: list[HostTable], flags: Flags) -> list[HostTable]:
    """Apply --api-key-env: NAME=VAR, or VAR alone for the one ad-hoc host."""
    named: dict[str, str] = {}
    for text in flags.api_key_env:
        name, equals, variable = text.partition("=")
        if not equals:
            own = [ad_hoc(each)[0] for each in flags.providers if "=" in each]
            if len(own) != 1:
                raise JobError(
                    f"--api-key-env needs NAME=VARIABLE with {len(own)} ad-hoc hosts"
                )
            name, variable = own[0], text
        named[name] = _variable(variable, "--api-key-env")
    for name in named:
        if name not in {table.name for table in tables}:
            hint = nearest(name, [table.name for table in tables])
            raise JobError(f"--api-key-env {name}: no such host in this run: {hint}")
    return [
        msgspec.structs.replace(table, api_key_env=named[table.name])
        if table.name in named
        else table
        for table in tables
    ]


def _refuse_twice(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise JobError(f"host {name!r} is named twice: give one another name")


# ---------------------------------------------------------------------- money


def _prices(
    providers: tuple[Provider, ...], given: dict[str, Price], flags: Flags
) -> dict[str, Price]:
    """Return the price of each host: --price, else the job's, else the price list."""
    listed, today = prices.load(), dt.datetime.now(dt.UTC).date()
    found = {
        provider.name: price
        for provider in providers
        if (price := list_price(provider, listed, today)) is not None
    }
    found |= given
    names = [provider.name for provider in providers]
    for text in flags.prices:
        price = prices.parse(text)
        if price.host not in names:
            hint = nearest(price.host, names)
            raise JobError(f"--price {price.host}: no such host in this run: {hint}")
        found[price.host] = price
    return found


def _budget(table: Mapping[str, Any], where: str) -> dict[str, int]:
    _known_keys(table, ("run", "day"), f"{where}: budget")
    limits = {
        key: _nusd(value, f"{where}: budget.{key}") for key, value in table.items()
    }
    return {key: value for key, value in limits.items() if value is not None}


def _nusd(value: object, where: str) -> int | None:
    if value is None:
        return None
    try:
        usd = Decimal(str(value).removeprefix("$"))
    except InvalidOperation:
        usd = Decimal(0)
    if isinstance(value, bool) or not usd.is_finite() or not 0 < usd < 10**9:
        raise JobError(f"{where}: {value!r} is no amount; give USD above 0, such as 5")
    return int(usd.scaleb(9))


def _refuse_unpriced(job: Job) -> None:
    """Refuse a budget that could not be kept: a host without a price has no bound."""
    if job.budget_nusd is None and job.day_nusd is None:
        return
    for provider in job.providers:
        price = job.prices.get(provider.name)
        if price is None or prices.worst_case(price, 1, 1) is None:
            raise JobError(
                f"a budget needs a price for host {provider.name!r} "
                f"(model {provider.model!r}): give --price "
                f"{provider.name}=INPUT,OUTPUT,CACHED in USD per 1M tokens, or price "
                "in its [[provider]]"
            )


# ------------------------------------------------------------- all the rest


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


def _deadlines(table: Mapping[str, Any], where: str) -> Deadlines:
    where = f"{where}: deadlines"
    fields = Deadlines.__struct_fields__
    _known_keys(table, fields, where)
    seconds = durations(table, fields, where)
    for key, value in seconds.items():
        if not value > 0:
            raise JobError(f'{where}.{key}: must be above 0, such as "10s"')
    return Deadlines(**seconds)


def _tags(texts: tuple[str, ...]) -> dict[str, str]:
    tags = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise JobError(f"--tag {text!r}: expected KEY=VALUE")
        tags[key] = value
    return tags


def _probe(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    where = f"{where}: probe"
    _known_keys(table, ("every", "connection"), where)
    seconds = durations(table, ("every",), where)
    if seconds.get("every") is not None and not seconds["every"] > 0:
        raise JobError(f'{where}.every: must be above 0, such as "5m"')
    cold = _is_cold(table.get("connection", "warm"), f"{where}.connection")
    return {"every": seconds.get("every"), "cold_probe": cold}


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
