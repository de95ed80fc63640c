"""Probes: which scenario is asked of which hosts, and when, as a job file says it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from compare.run.mistakes import JobError
from providers.registry import nearest
from scenarios.form import durations, refuse_unknown
from scenarios.request import ScenarioError

AT_ONCE = 4
SHORTEST_S = 0.1
KEYS = ("scenarios", "providers", "every", "cron", "jitter", "connection", "at_once")


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario that is asked of some hosts at every point of a grid.

    `every` is seconds between points, `cron` five fields in UTC; both None: the
    default. `jitter` is the most seconds by which a point is late on purpose. With
    `cold` each request opens a connection of its own.
    """

    scenario: str
    providers: tuple[str, ...]
    every: float | None = None
    cron: str | None = None
    jitter: float = 0.0
    cold: bool = False


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a job has: its hosts and scenarios by name.

    `whole` tells whether these are all of the file's; if not, flags chose among them,
    and a probe of the others is left out.
    """

    providers: tuple[str, ...]
    scenarios: tuple[str, ...]
    whole: bool = True


def read(found: object, known: Known, where: str) -> tuple[tuple[Probe, ...], int]:
    """Return the probes of a job, and how many of their blocks may be in flight.

    `found` is its [probe] table, or its list of [[probe]] tables. Each scenario of a
    table is a probe of its own. Raises JobError naming `where` and the key.
    """
    tables = _tables(found, where)
    several = len(tables) > 1
    made: list[Probe] = []
    at_once: set[int] = set()
    for number, table in enumerate(tables, 1):
        at = f"{where}: probe {number}" if several else f"{where}: probe"
        made += _probes(table, known, at)
        if "at_once" in table:
            at_once.add(_at_once(table["at_once"], f"{at}.at_once"))
    if len(at_once) > 1:
        raise JobError(f"{where}: probe.at_once is of all probes: give one figure")
    _refuse_shared(made, where)
    if not made:
        raise JobError(
            f"{where}: no probe is left of what -p and -s chose; name a scenario and a "
            "host of one [[probe]]"
        )
    return tuple(made), at_once.pop() if at_once else AT_ONCE


def _tables(found: object, where: str) -> Sequence[Mapping[str, Any]]:
    tables: list[Any] = found if isinstance(found, list) else [found]
    if not tables or not all(isinstance(table, Mapping) for table in tables):
        raise JobError(f"{where}: write probe as a table, [probe], or as [[probe]]")
    return tables


def _probes(table: Mapping[str, Any], known: Known, where: str) -> list[Probe]:
    try:
        refuse_unknown(table, KEYS, where)
        seconds = durations(table, ("every", "jitter"), where)
    except ScenarioError as error:
        raise JobError(str(error)) from None
    every, jitter = seconds.get("every"), seconds.get("jitter") or 0.0
    _refuse_times(table, every, jitter, where)
    connection = table.get("connection", "warm")
    if connection not in {"warm", "cold"}:
        raise JobError(f"{where}.connection: {connection!r} must be warm or cold")
    hosts = _chosen(table, "providers", known.providers, known, where)
    return [
        Probe(
            scenario=scenario,
            providers=hosts,
            every=every,
            cron=table.get("cron"),
            jitter=jitter,
            cold=connection == "cold",
        )
        for scenario in _chosen(table, "scenarios", known.scenarios, known, where)
        if hosts
    ]


def _refuse_times(
    table: Mapping[str, Any], every: float | None, jitter: float, where: str
) -> None:
    cron = table.get("cron")
    if every is not None and cron is not None:
        raise JobError(f"{where}: every and cron both say when: drop one")
    if cron is not None and not isinstance(cron, str):
        raise JobError(f'{where}.cron: write it as a text, such as "*/5 * * * *"')
    if every is not None:
        refuse_short(every, f"{where}.every")
    least = 60.0 if cron is not None else every
    if least is not None and jitter >= least:
        raise JobError(
            f"{where}.jitter: {jitter:g}s must be below the time between two points, "
            f"{least:g}s"
        )


def refuse_short(every: float, where: str) -> None:
    """Raise JobError for a time between points that no schedule keeps."""
    if not every >= SHORTEST_S:
        raise JobError(f'{where}: must be above 0, at least 100ms, such as "5m"')


def _chosen(
    table: Mapping[str, Any],
    key: str,
    there: tuple[str, ...],
    known: Known,
    where: str,
) -> tuple[str, ...]:
    """Return which of the job's hosts or scenarios a table names; without: all."""
    names = table.get(key)
    if names is None:
        return there
    if (
        not isinstance(names, list)
        or not names
        or not all(isinstance(name, str) for name in names)
    ):
        raise JobError(f'{where}.{key}: write a list of names, such as ["{there[0]}"]')
    for name in names:
        if name not in there and known.whole:
            table_name = key.removesuffix("s")
            raise JobError(
                f"{where}.{key}: {name!r} is not in the job's [[{table_name}]]; "
                f"{nearest(name, list(there))}"
            )
    return tuple(name for name in there if name in names)


def _refuse_shared(probes: Sequence[Probe], where: str) -> None:
    """Refuse one scenario in two probes: nothing in their rows would part them."""
    names = [probe.scenario for probe in probes]
    for name in names:
        if names.count(name) > 1:
            raise JobError(
                f"{where}: scenario {name!r} is in two probes, and rows are told apart "
                "by their scenario; take it out of one, or copy it to another name"
            )


def _at_once(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise JobError(f"{where}: {value!r} must be a whole number of at least 1")
    return value
