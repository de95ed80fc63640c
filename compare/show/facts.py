"""How a run was measured, in words: its terms, its load, its machine, its state."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from compare.show.words import exactness, moment, named, plain
from data.row import RunRow

Fact = tuple[str, str]
"""What something is called, and what it is."""

DEFINITIONS: dict[str, str] = {
    "block": (
        "the same question, sent to every host at the same moment; hosts are "
        "compared within blocks, so that the hour and the line are the same for "
        "all"
    ),
    "TTFT, ttft": (
        "time to first token: from the request's bytes handed to the connected "
        "socket until the first reasoning, content or tool call that is not "
        "empty; opening a connection is not in it"
    ),
    "first answer, ttfa": ("the same, reasoning left out"),
    "end to end, e2e": (
        "until the last token; what a host sends after it does not count"
    ),
    "tpot": (
        "time per output token: (last - first token) / (tokens - 1), only where "
        "the stream was really streamed"
    ),
    "decode, decode_tps": ("1,000 / tpot: tokens a second of one stream"),
    "ttn(k)": (
        "time to the k-th token: how hosts are compared whose answers differ in length"
    ),
    "output, tokens": ("as the host counts them; unknown where it does not"),
    "cost": (
        "tokens x price by class (input, cached, written to the cache, output); "
        "USD as stated by host is the host's own word"
    ),
    "requests, ok": (
        "requests that a host answers for; the share of them that are whole "
        "answers. What was cut off by us or never left is in neither"
    ),
    "goodput": ("the share of requests that met every objective; a failure does not"),
    "checks passed": ("the share of answers that the scenario's own checks accept"),
    "cache hit": ("the share of prompt tokens that the host says it had cached"),
    "streamed": (
        "how answers came: true, coalesced (many tokens at once), buffered "
        "(nothing, then all), single_block or not_streamed"
    ),
    "achieved req/s, all streams tok/s": (
        "requests begun a second; tokens of all answers over the time from the "
        "first request to the last end"
    ),
    "p50, p95": (
        "the median and the 95th percentile of all answers, never of averages; "
        "n/a below the number of answers they need. With failures: a failure "
        "lasts for ever"
    ),
    "interval": (
        "95 %: of percentiles from order statistics, of contrasts as said below "
        "their table"
    ),
    "verdict": (
        "faster or slower where the ratio of medians is more than chance "
        "(corrected for the number of hosts) and more than the bench's own error; "
        "no difference shown is not equality"
    ),
}
"""What the words on the page mean."""

STATES = {
    "running": "This run is still going: what stands here is what it has measured so "
    "far.",
    "crashed": "This run crashed: it ended before all was sent, and was not judged.",
    "interrupted": "This run was interrupted: it ended before all was sent.",
}
WORTH = {
    "degraded": "This run is degraded: its figures are to be read with care.",
    "invalid": "This run is invalid: its figures are not to be relied on, and no "
    "verdict is given.",
}


class Banner(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be known before anything else: how grave, what, and why."""

    level: str
    text: str
    why: tuple[str, ...] = ()


def banners(run: RunRow, why: list[str], n: int) -> Iterator[Banner]:
    """Yield what a reader must know of a run first; `n` are its measured requests.

    `why` are the reasons that the run gives for not being simply valid.
    """
    if run.kind == "demo":
        yield Banner(
            level="note",
            text="The hosts are simulated: their speeds are invented and say nothing "
            "of the companies they are named for.",
        )
    if run.status in STATES:
        yield Banner(level="warning", text=STATES[run.status])
    if run.validity in WORTH:
        level = "error" if run.validity == "invalid" else "warning"
        yield Banner(level=level, text=WORTH[run.validity], why=tuple(why))
    if not n:
        yield Banner(level="warning", text="This run has no measured request.")


def of_run(run: RunRow) -> list[Fact]:
    """Return what is known of a run: when, how, by what, on what."""
    job = _table(run.job)
    found = [
        ("run", named(run)),
        ("started", moment(run.started_at)),
        ("ended", moment(run.ended_at) if run.ended_at else "not known"),
        ("state", f"{plain(run.status)}, {plain(run.validity or 'not judged')}"),
        ("bench", exactness(run)),
        ("load", _load(job)),
        ("seed", str(run.seed)),
        ("deadlines", _pairs(_part(job, "deadlines"), " s")),
        ("plan", plain(run.plan_hash, 80)),
        ("versions", _pairs(_table(run.versions))),
        ("machine", _pairs(_table(run.machine))),
        ("how the bench fared", _pairs(_table(run.health))),
        ("tags", _pairs(_table(run.tags))),
    ]
    found += [(f"scenario {name}", text) for name, text in _scenarios(job)]
    found += [(f"host {name}", text) for name, text in _hosts(job)]
    return [(name, text) for name, text in found if text]


def _load(job: Mapping[str, Any]) -> str:
    load = _part(job, "load")
    told = []
    if load.get("rates"):
        told.append(f"open loop, {_listed(load['rates'])} blocks/s, "
                    f"{plain(str(load.get('arrival')))} arrivals")  # fmt: skip
    if load.get("concurrencies"):
        told.append(f"{_listed(load['concurrencies'])} blocks in flight")
    if load.get("max_requests"):
        told.append(f"{load['max_requests']} blocks a scenario and step")
    if load.get("duration"):
        told.append(f"for {load['duration']} s")
    told.append(f"{load.get('warmup', 0)} of warm-up before")
    if load.get("unpaired"):
        told.append("each host at its own pace")
    told.append(f"{plain(str(job.get('connection', 'warm')))} connections")
    if job.get("workers", 1) != 1:
        told.append(f"{job['workers']} workers")
    return plain(", ".join(told), 400) if load else ""


def _scenarios(job: Mapping[str, Any]) -> Iterator[Fact]:
    for each in _tables(job.get("scenarios")):
        text = f"version {plain(str(each.get('version')))}"
        changes = (
            f", changed: {plain(str(each['changes']))}" if "changes" in each else ""
        )
        yield plain(str(each.get("name")), 60), text + changes


def _hosts(job: Mapping[str, Any]) -> Iterator[Fact]:
    for each in _tables(job.get("providers")):
        kept = ("model", "base_url", "dialect", "pin", "effort", "rpm", "concurrency")
        text = ", ".join(plain(str(each[key])) for key in kept if each.get(key))
        yield plain(str(each.get("name")), 60), text


def _pairs(table: Mapping[str, Any], unit: str = "") -> str:
    return ", ".join(
        f"{plain(key, 40)} {plain(_figure(value), 60)}{unit}"
        for key, value in table.items()
    )


def _figure(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _listed(values: object) -> str:
    many = values if isinstance(values, list) else [values]
    return ", ".join(plain(_figure(each), 20) for each in many)


def _part(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = table.get(name)
    return found if isinstance(found, dict) else {}


def _table(text: str | None) -> Mapping[str, Any]:
    found = msgspec.json.decode(text or "{}")
    return found if isinstance(found, dict) else {}


def _tables(found: object) -> list[Mapping[str, Any]]:
    listed = found if isinstance(found, list) else []
    return [each for each in listed if isinstance(each, dict)]
