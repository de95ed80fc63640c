"""A stored job as a job file again: how somebody else makes the same run."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from compare.show.words import plain
from data.row import RunRow

CLASSES = ("input", "output", "cache_read", "cache_write")
ODD = (msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError)
"""What a job raises that was not written by us."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is made again: a command, and the job file that it takes.

    `job` is empty where the command takes none. `needs` is what the reader has to
    bring: keys by the names of their variables, files, and what was not stored.
    """

    command: str
    job: str = ""
    needs: tuple[str, ...] = ()


class _Scene(msgspec.Struct, frozen=True):
    name: str
    version: str
    source: str
    changes: str = "{}"


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a stored job."""

    providers: list[dict[str, Any]]
    scenarios: list[_Scene]
    load: dict[str, Any]
    connection: str = "warm"
    workers: int = 1
    deadlines: dict[str, float] = {}
    budget_nusd: int | None = None
    day_nusd: int | None = None
    thresholds: list[str] = []
    slo: dict[str, float] = {}


def recipe(run: RunRow) -> Recipe | None:
    """Return how a run is made again, None where its stored job does not tell.

    A new run draws a new salt, and takes listed prices as they are by then.
    """
    try:
        job = msgspec.json.decode(run.job, type=_Job)
        text = "\n".join(_lines(job, run))
        needs = tuple(dict.fromkeys(_needs(job)))
    except ODD:
        return None
    if run.kind == "demo":
        return Recipe(command=f"h2h demo -n {job.load.get('max_requests')}")
    verb = "probe" if run.kind == "probe" else "run"
    return Recipe(command=f"h2h {verb} job.toml", job=text, needs=needs)


def _lines(job: _Job, run: RunRow) -> Iterator[str]:
    yield f"# The job of run {plain(run.run_id)}."
    if job.thresholds:
        yield f"thresholds = {_toml(job.thresholds)}"
    given = _given_prices(run)
    for host in job.providers:
        yield from _section("[[provider]]", _host(host, given))
    for scene in job.scenarios:
        changes = msgspec.json.decode(scene.changes, type=dict[str, Any])
        yield from _section("[[scenario]]", {"name": scene.source, **changes})
    yield from _section("[load]", _load(job))
    yield from _section("[deadlines]", job.deadlines)
    limits = {"run": job.budget_nusd, "day": job.day_nusd}
    usd = {key: f"{Decimal(nusd).scaleb(-9):f}" for key, nusd in limits.items() if nusd}
    for head, table in (("[budget]", usd), ("[slo]", job.slo)):
        if table:
            yield from _section(head, table)


def _section(head: str, table: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", head)
    for key, value in table.items():
        if value is not None:
            yield f"{_key(key)} = {_toml(value)}"


def _host(host: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a host as a job file has it, without what was not stored."""
    hidden = {"withheld", "headers", *host.get("withheld", ())}
    found = {key: value for key, value in host.items() if key not in hidden}
    headers = {name: text for name, text in host["headers"].items() if text is not None}
    if headers:
        found["headers"] = headers
    if "extra_body" in found:
        found["extra_body"] = msgspec.json.decode(found["extra_body"])
    if host["name"] in given:
        found["price"] = given[host["name"]]
    return found


def _load(job: _Job) -> dict[str, Any]:
    """Return the load under the names of a job file."""
    named = {"rate": "rates", "concurrency": "concurrencies"}
    lists = {key: job.load.get(field) or None for key, field in named.items()}
    rest = {k: v for k, v in job.load.items() if k not in named.values()}
    return {**lists, **rest, "connection": job.connection, "workers": job.workers}


def _given_prices(run: RunRow) -> dict[str, dict[str, str]]:
    """Return by host the prices that the user gave; listed ones stand in the list."""
    prices = msgspec.json.decode(run.prices, type=dict[str, dict[str, Any]])
    return {
        host: {
            name: f"{Decimal(price[f'{name}_pusd']).scaleb(-6):f}"
            for name in CLASSES
            if price.get(f"{name}_pusd") is not None
        }
        for host, price in prices.items()
        if str(price.get("id")).startswith("given:")
    }


def _needs(job: _Job) -> Iterator[str]:
    for host in job.providers:
        name = plain(host["name"])
        named = [text for text in host["headers"].values() if text is not None]
        read = [text[4:] for text in named if text.startswith("env:")]
        keys = [host["api_key_env"]] if host.get("api_key_env") else []
        yield from (f"a key for {name} in {plain(each)}" for each in keys + read)
        for what in host.get("withheld", ()):
            yield f"{plain(what)} of {name}: it may hold a secret and was not stored"
        if "null" in host.get("extra_body", ""):
            yield f"what is null in extra_body of {name}: TOML has no word for it"
    for scene in job.scenarios:
        if scene.source != scene.name:
            version = plain(scene.version)
            yield f"the scenario file {plain(scene.source)} in version {version}"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _quoted(key)


def _toml(value: object) -> str:
    """Return JSON-able data as TOML on one line, without nulls, which that lacks."""
    if isinstance(value, Mapping):
        pairs = (f"{_key(k)} = {_toml(v)}" for k, v in value.items() if v is not None)
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(_toml(each) for each in value if each is not None)}]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    """Return a text of TOML in which every character can be seen."""
    shown = text.replace("\\", "\\\\").replace('"', '\\"')
    seen = (c if c.isprintable() else f"\\U{ord(c):08X}" for c in shown)
    return f'"{"".join(seen)}"'
