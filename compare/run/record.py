"""What a database keeps of a job, without keys, and the job again from that."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from compare.run.config import Job
from compare.run.hosts import HostTable
from compare.run.mistakes import JobError
from compare.run.probes import AT_ONCE, Probe
from data.prices import Price
from providers.provider import Provider, without_credentials
from providers.secret import redact
from scenarios import load as loads
from scenarios import scenario as scenes
from scenarios.load import Load
from scenarios.scenario import Scenario

SPARED = ("salt", "source", "budget_nusd", "day_nusd", "probes", "at_once")
"""What may differ between a run and the job that resumes it."""


def redacted(job: Job, salt: str) -> dict[str, Any]:
    """Return the job as JSON-able data without keys, and the salt of its prompts."""
    return {
        "providers": [_public(provider) for provider in job.providers],
        "scenarios": [_reference(scene) for scene in job.scenarios],
        "load": loads.kept(job.load),
        "connection": "cold" if job.cold else "warm",
        "probes": msgspec.to_builtins(job.probes),
        "at_once": job.at_once,
        "workers": job.workers,
        "deadlines": dict(job.deadlines),
        "budget_nusd": job.budget_nusd,
        "day_nusd": job.day_nusd,
        "thresholds": list(job.thresholds),
        "slo": dict(job.slo),
        "salt": salt,
        "source": Path(job.source).name,
    }


def restored(kept: Mapping[str, Any], prices: Mapping[str, Any], where: str) -> Job:
    """Return the job that `redacted` was given; `prices` are those of its run.

    Raises JobError where something that the job needs was not kept, and ScenarioError
    for a scenario file that is gone; both name `where`.
    """
    try:
        return Job(
            providers=tuple(_provider(facts, where) for facts in kept["providers"]),
            prices=charged(prices),
            scenarios=tuple(_scenario(facts) for facts in kept["scenarios"]),
            load=msgspec.convert(kept["load"], Load),
            deadlines=msgspec.convert(kept["deadlines"], dict[str, float]),
            budget_nusd=kept["budget_nusd"],
            day_nusd=kept["day_nusd"],
            thresholds=tuple(kept["thresholds"]),
            slo=kept["slo"],
            workers=kept["workers"],
            cold=kept["connection"] == "cold",
            probes=msgspec.convert(kept.get("probes", ()), tuple[Probe, ...]),
            at_once=kept.get("at_once", AT_ONCE),
            source=kept["source"],
        )
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise JobError(f"{where}: its stored job cannot be read ({error})") from None


def charged(prices: Mapping[str, Any]) -> dict[str, Price]:
    """Return the prices that a run was charged by, as they were then, by host."""
    return {name: msgspec.convert(price, Price) for name, price in prices.items()}


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Return the keys, dotted, in which two redacted jobs are not the same job."""
    return sorted(
        key.removeprefix(".")
        for key in _unlike(_as_read(ours), _as_read(theirs), "")
        if key.removeprefix(".") not in SPARED
    )


def _as_read(job: Mapping[str, Any]) -> Any:
    """Return a redacted job as it comes back from where it is stored."""
    return msgspec.json.decode(msgspec.json.encode(job))


def _unlike(one: Any, other: Any, at: str) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in {*one, *other}:
            yield from _unlike(one.get(key), other.get(key), f"{at}.{key}")
    elif _named(one) and _named(other):
        ours, theirs = ({each["name"]: each for each in side} for side in (one, other))
        yield from _unlike(ours, theirs, at)
        if ours.keys() == theirs.keys() and [*ours] != [*theirs]:
            yield f"{at} (their order)"
    elif one != other:
        yield at


def _named(value: Any) -> bool:
    """Return whether a value is a list of tables that have names."""
    return isinstance(value, list) and all(
        isinstance(v, dict) and "name" in v for v in value
    )


def _public(provider: Provider) -> dict[str, Any]:
    """Return what may be stored of a host: no key, no header's value, no password.

    A header that names a variable is stored as it stands, any other as None. Of
    `extra_body` the text is redacted, since a host may want a token in it.
    """
    facts = {
        name: value
        for name in HostTable.__struct_fields__
        if (value := getattr(provider, name, None)) not in (None, {}, ())
    }
    facts["headers"] = {
        name: value if value.startswith("env:") else None
        for name, value in sorted(provider.headers.items())
    }
    if provider.proxy:
        facts["proxy"] = without_credentials(provider.proxy)
    if provider.extra_body:
        facts["extra_body"] = _masked(provider.extra_body)
    if withheld := _withheld(provider):
        facts["withheld"] = withheld
    return facts


def _withheld(provider: Provider) -> list[str]:
    """Return what of a host is not stored, since it may be a secret."""
    literal = (
        f"headers.{name}"
        for name, value in sorted(provider.headers.items())
        if not value.startswith("env:")
    )
    proxy, body = provider.proxy, provider.extra_body
    cut = proxy is not None and without_credentials(proxy) != proxy
    masked = bool(body) and _masked(body) != _json(body)
    return [*literal, *(["proxy"] if cut else []), *(["extra_body"] if masked else [])]


def _provider(facts: Mapping[str, Any], where: str) -> Provider:
    if facts.get("withheld"):
        raise JobError(
            f"{where}: host {facts['name']!r}: {', '.join(facts['withheld'])} may hold "
            "a secret and is not stored; name the job as well: "
            "h2h run JOB.toml --resume RUN"
        )
    given = {k: v for k, v in facts.items() if k in Provider.__struct_fields__}
    if "extra_body" in given:
        given["extra_body"] = msgspec.json.decode(given["extra_body"])
    return Provider(**given)


def _reference(scenario: Scenario) -> dict[str, Any]:
    """Return where a scenario's text stands, and what was changed: not the text."""
    found: dict[str, Any] = {
        "name": scenario.name,
        "version": scenario.scenario_version,
        "source": scenes.word(scenario),
    }
    if scenario.changes:
        found["changes"] = _masked(scenario.changes)
    return found


def _scenario(facts: Mapping[str, Any]) -> Scenario:
    scenario = scenes.load(facts["source"])
    if "changes" not in facts:
        return scenario
    return scenes.override(scenario, **msgspec.json.decode(facts["changes"]))


def _masked(value: object) -> str:
    return redact(_json(value))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
