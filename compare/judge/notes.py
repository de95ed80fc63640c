"""Find the caveats of a comparison in its rows, its contrasts and its run."""

import datetime as dt
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from compare.judge.blocks import alike, blocks_of
from compare.judge.caveats import Caveat, Note
from compare.judge.contrast import TOO_FEW, matched, unmatched
from compare.judge.frame import Floats, Frame, Segment
from compare.judge.pair import Contrast, base
from compare.judge.stats import interval, percentile
from compare.judge.tally import OK
from data.row import RunRow

ERROR_SHARE = 0.01
LENGTH_SHARE = 0.02
"""Answers that differ in length by less are equal work."""
LABEL_SHARE = 0.05
FIRST = 20
SLOW = 1.1
LINKED = 0.2
"""Blocks in a row whose ratios correlate by more are not independent."""
UNLIKE_SHARE = 0.5
"""Two runs whose shares of new connections differ by more are not alike in them."""
OLD_DAYS = 30

TIMES = ("ttft", "ttfa", "ttn", "e2e", "tpot", "decode_tps")
PER_TOKEN = ("tpot", "decode_tps")

REASONS = {
    "schedule_delay": Caveat.LATE_SCHEDULE,
    "rate": Caveat.LATE_SCHEDULE,
    "loop_lag": Caveat.LATE_SCHEDULE,
    "cpu": Caveat.CLIENT_SATURATED,
    "machine_cpu": Caveat.CLIENT_SATURATED,
}
"""What a run's reasons mean for its times."""


def of_run(run: RunRow) -> Iterator[Note]:
    """Yield what a run says of itself that spoils its figures."""
    if run.status == "running":
        yield Note(caveat=Caveat.STILL_RUNNING, text="this is what is there so far")
    if run.validity == "invalid":
        yield Note(caveat=Caveat.RUN_INVALID, text=f"run {run.run_id} is invalid")
    for reason in json.loads(run.reasons or "[]"):
        code = reason.get("code") if isinstance(reason, dict) else None
        if code in REASONS:
            text = str(reason.get("text", code))
            yield Note(caveat=REASONS[code], text=text, metrics=TIMES)
    if run.floor is None:
        text = "the bench's own error was not measured"
        yield Note(caveat=Caveat.NOT_CALIBRATED, text=text, metrics=TIMES)
    job = json.loads(run.job or "{}")
    if (job.get("load") or {}).get("unpaired"):
        text = "hosts were asked the same, each at its own pace"
        yield Note(caveat=Caveat.UNPAIRED, text=text)
    for host in job.get("providers") or []:
        if isinstance(host, dict) and host.get("extra_body"):
            text = f"{host.get('name')} was sent fields of its own (extra_body)"
            yield Note(
                caveat=Caveat.EXTRA_BODY, text=text, hosts=(str(host.get("name")),)
            )
    yield from _prices(run)


def _prices(run: RunRow) -> Iterator[Note]:
    try:
        began = dt.date.fromisoformat(run.started_at[:10])
    except ValueError:
        return  # a file from elsewhere, whose run began nobody knows when
    for host, price in json.loads(run.prices or "{}").items():
        seen = price.get("date") if isinstance(price, dict) else None
        age = (began - dt.date.fromisoformat(seen)).days if seen else 0
        if age > OLD_DAYS:
            yield Note(
                caveat=Caveat.PRICE_OLD,
                text=f"the price of {host} was {age} days old",
                hosts=(host,),
                metrics=("cost",),
            )


def of_rows(frame: Frame, named: Mapping[str, str] | None = None) -> Iterator[Note]:
    """Yield what a frame's rows show host by host.

    `named` gives hosts other names in the notes, as two runs need.
    """
    for segment in frame.segments:
        for host in frame.hosts_of(segment):
            name = (named or {}).get(host, host)
            yield from _of_host(frame, segment, host, name)


def _of_host(frame: Frame, segment: Segment, host: str, name: str) -> Iterator[Note]:
    rows = frame.rows(segment, host)
    counts = frame.tally(rows)
    ok = [(kind, n) for kind, n in frame.kinds_of(rows) if kind.outcome == OK]
    n_ok = max(counts.n_ok, 1)

    def note(caveat: Caveat, text: str, metrics: tuple[str, ...]) -> Note:
        return Note(
            caveat=caveat, text=f"{name}: {text}", scenario=segment.scenario,
            step=segment.step, hosts=(name,), metrics=metrics,
        )  # fmt: skip

    judged = counts.n_ok + counts.n_failed
    if counts.n_failed > ERROR_SHARE * judged:
        text = f"{counts.n_failed:,} of {judged:,} requests failed"
        yield note(Caveat.ERRORS, text, TIMES)
    if counts.n_interrupted:
        text = f"{counts.n_interrupted:,} requests were cut off by us"
        yield note(Caveat.INTERRUPTED, text, TIMES)
    unlabelled = {"true", None}
    odd = sum(n for kind, n in ok if kind.stream_label not in unlabelled)
    if odd > LABEL_SHARE * n_ok:
        text = f"{odd:,} of {counts.n_ok:,} answers were not truly streamed"
        yield note(Caveat.NOT_TRULY_STREAMED, text, PER_TOKEN)
    untold = counts.n_ok - len(frame.values("tokens", rows))
    if untold > LABEL_SHARE * n_ok:
        text = f"{untold:,} of {counts.n_ok:,} answers have no token count"
        yield note(Caveat.OUTPUT_UNKNOWN, text, ("e2e", "cost", *PER_TOKEN))
    asked = frame.asked.get((segment, host), ())
    wished = {each.effort_requested for each in asked} - {None, "default"}
    unsure = sum(n for kind, n in ok if kind.effort_verified != 1)
    if wished and unsure:
        text = f"{unsure:,} of {counts.n_ok:,} answers do not show the wished effort"
        yield note(Caveat.EFFORT_UNVERIFIED, text, (*TIMES, "cost"))
    ttft = frame.values("ttft", rows)
    slow = _slow_start(ttft)
    if slow:
        text = f"its first {FIRST} answers took {slow:.1f} times as long to begin"
        yield note(Caveat.FIRST_REQUESTS_SLOW, text, ("ttft", "ttfa", "e2e"))


def _slow_start(values: Floats) -> float | None:
    """Return how much slower the first answers were, None if that may be chance."""
    if len(values) < 3 * FIRST:
        return None
    usual = percentile(values[FIRST:], 0.5)
    low = interval(values[:FIRST], 0.5)[0]
    if not usual or low is None or low <= SLOW * usual:
        return None
    return percentile(values[:FIRST], 0.5) / usual


def of_contrasts(found: Iterable[Contrast]) -> Iterator[Note]:
    """Yield what contrasts show of themselves, a note for each pair of hosts."""
    pairs: dict[tuple[str, int | None, str, str], list[Contrast]] = {}
    for each in found:
        key = (each.scenario, each.step, each.provider, each.reference)
        pairs.setdefault(key, []).append(each)
    for (scenario, step, host, reference), made in pairs.items():
        where: dict[str, Any] = {"scenario": scenario, "step": step, "hosts": (host,)}
        few = [each for each in made if each.verdict == TOO_FEW]
        if few:
            told = ", ".join(
                f"{each.metric} {each.n_blocks} of {each.n_blocks + each.need_more}"
                for each in few
                if each.need_more
            )
            yield Note(caveat=Caveat.TOO_FEW_SAMPLES, text=f"{host}: {told}",
                       metrics=_bases(few), **where)  # fmt: skip
        below = [each for each in made if each.below_floor]
        if below:
            told = ", ".join(each.metric for each in below)
            text = f"{host}: medians nearer than the bench's own error: {told}"
            yield Note(caveat=Caveat.BELOW_FLOOR, text=text, metrics=_bases(below),
                       **where)  # fmt: skip
        if any(each.metric == "tokens" and differs(each) for each in made):
            text = f"answers of {host} and {reference} differ in length"
            yield Note(caveat=Caveat.UNEQUAL_OUTPUT, text=text, metrics=("e2e",),
                       **where)  # fmt: skip


def _bases(found: Iterable[Contrast]) -> tuple[str, ...]:
    return tuple(base(each.metric) for each in found)


def differs(tokens: Contrast) -> bool:
    """Tell whether a contrast of tokens shows that the work was not equal."""
    sides = [(tokens.estimate, tokens.low, tokens.high)]
    sides += [(each.estimate, each.low, each.high) for each in tokens.also]
    return any(
        value is not None and low is not None and high is not None
        and not low <= 1 <= high and abs(value - 1) >= LENGTH_SHARE
        for value, low, high in sides
    )  # fmt: skip


def of_pairs(frame: Frame, reference: str) -> Iterator[Note]:
    """Yield what only blocks show: unlike connections, and time's own marks."""
    for segment in frame.segments:
        hosts = frame.hosts_of(segment)
        if reference not in hosts:
            continue
        blocks = blocks_of(frame, segment, hosts)
        for host in (each for each in hosts if each != reference):
            where: dict[str, Any] = {"scenario": segment.scenario, "step": segment.step,
                     "hosts": (host,)}  # fmt: skip
            usable, kept = alike(blocks, host, reference)
            if not kept:
                text = f"{host} and {reference} used unlike connections (new, reused)"
                yield Note(caveat=Caveat.CONNECTIONS_DIFFER, text=text, **where)
            for metric in ("ttft", "e2e"):
                ours, theirs = (blocks.figure(h, metric) for h in (host, reference))
                r = _linked(ours[usable], theirs[usable])
                if r is not None:
                    text = f"{metric}: {host}'s blocks resemble their neighbours (r ="
                    yield Note(caveat=Caveat.UNSTEADY, text=f"{text} {r:.2f})",
                               metrics=(metric,), **where)  # fmt: skip


def of_connections(
    a: Frame, b: Frame, pairs: Sequence[tuple[str, str]], runs: tuple[str, str]
) -> Iterator[Note]:
    """Yield where one run's host was on new connections and the other's on reused ones.

    `pairs` are hosts of B and of A. Two runs share no block, so nothing is left out.
    """
    for segment in b.segments:
        for host, other in pairs:
            new = _share_new(b, segment, host), _share_new(a, segment, other)
            if None in new or abs((new[0] or 0.0) - (new[1] or 0.0)) <= UNLIKE_SHARE:
                continue
            names = (f"{host}@{runs[1]}", f"{other}@{runs[0]}")
            text = f"{names[0]} and {names[1]} used unlike connections (new, reused)"
            yield Note(caveat=Caveat.CONNECTIONS_DIFFER, text=text, hosts=names[:1],
                       scenario=segment.scenario, step=segment.step)  # fmt: skip


def _share_new(frame: Frame, segment: Segment, host: str) -> float | None:
    """Return which share of the answers opened a connection, None if not known."""
    rows = frame.rows(segment, host)
    known = [(kind.conn_reused, n) for kind, n in frame.kinds_of(rows[frame.ok[rows]])
             if kind.conn_reused is not None]  # fmt: skip
    whole = sum(n for _, n in known)
    return sum(n for reused, n in known if not reused) / whole if whole else None


def _linked(ours: Floats, theirs: Floats) -> float | None:
    """Return how much neighbouring ratios correlate, None if it may be chance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(ours / theirs)
    logs = logs[np.isfinite(logs)]
    if len(logs) < 30:
        return None
    ranks = np.argsort(np.argsort(logs)).astype(
        float
    )  # one stray block decides nothing
    if not np.ptp(logs):
        return None
    r = float(np.corrcoef(ranks[:-1], ranks[1:])[0, 1])
    return r if r > max(LINKED, 3 / len(logs) ** 0.5) else None


def of_missing(
    a: Frame, b: Frame, reference: str | None, runs: tuple[str, str]
) -> Iterator[Note]:
    """Yield what only one of two runs asked: nothing is contrasted there."""
    pairs, alone = matched(a, b, reference), unmatched(a, b, reference)
    for run, frame, other, side in ((runs[0], a, b, 1), (runs[1], b, a, 0)):
        told = {host: [host] for host in alone if host in frame.hosts}
        for pair in pairs:
            for segment in frame.segments:
                asked = len(frame.rows(segment, pair[side]))
                if asked and not len(other.rows(segment, pair[1 - side])):
                    step = "" if segment.step is None else f" step {segment.step}"
                    words = f"{segment.scenario}{step} of {pair[side]}"
                    told.setdefault(pair[side], []).append(words)
        if told:
            words = ", ".join(dict.fromkeys(itertools.chain(*told.values())))
            names = tuple(f"{host}@{run}" for host in told)
            yield Note(caveat=Caveat.ONLY_IN_ONE, text=f"only in {run}: {words}",
                       hosts=names)  # fmt: skip


def unlike_loads(a: RunRow, b: RunRow) -> Sequence[Note]:
    """Return a note when two runs were not made at the same load."""
    loads = [json.loads(run.job or "{}").get("load") or {} for run in (a, b)]
    keys = ("rates", "concurrencies", "arrival", "burstiness", "unpaired")
    differing = [k for k in keys if loads[0].get(k) != loads[1].get(k)]
    if not differing or not all(loads):
        return []
    text = f"the runs differ in their load: {', '.join(differing)}"
    return [Note(caveat=Caveat.UNLIKE_LOAD, text=text)]
