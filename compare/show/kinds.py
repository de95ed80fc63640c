"""Every kind of chart: its name, what it shows and needs, and what draws it."""

from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from compare.show import (
    boxes,
    cache,
    calendar,
    ctxgrid,
    curves,
    findings,
    forest,
    money,
    outcomes,
    passing,
    prompts,
    streams,
    sweeps,
    times,
    turns,
    weekly,
)
from compare.show.panel import Panel
from compare.show.parts import legend_height
from compare.show.subject import Subject

Paint = Callable[[Figure, SubplotSpec, Panel], None]
Group = Literal["segment", "scenario", "step", "run"]
"""What a panel holds: one scenario at one load step, or all that share one of them."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of chart.

    `lacks` returns why a run has no data for it, or None; it is then left out unless
    it was named. `note` stands at the foot of the page, and below it what is `told` of
    the run. `height` is in inches. The head says who is ahead in the metrics that it
    `compares`, or else what is `found`.
    """

    title: str
    says: str
    paint: Paint
    height: Callable[[Panel], float]
    note: str = ""
    group: Group = "segment"
    compares: tuple[str, ...] = ()
    found: Callable[[Subject], str] = lambda _: ""
    told: Callable[[Subject], list[str]] = lambda _: []
    lacks: Callable[[Subject], str | None] = lambda _: None


def _rows(panel: Panel) -> float:
    return 0.85 + 0.5 * len(panel.hosts)


def _curve(panel: Panel) -> float:
    return 3.2 + legend_height(panel)


def _needs(metric: str, words: str) -> Callable[[Subject], str | None]:
    def lacks(subject: Subject) -> str | None:
        known = ~np.isnan(subject.frame.figures[metric][subject.frame.ok])
        return None if known.any() else words

    return lacks


def _lacks_contrasts(subject: Subject) -> str | None:
    if subject.refused:
        return f"the hosts cannot be compared: {subject.refused}"
    found = subject.comparison.contrasts if subject.comparison else []
    if any(each.estimate is not None for each in found):
        return None
    return "there are no two hosts with enough answers in the same blocks"


NO_FIRST = "no answer has a time to first token"
NO_LAST = "no request was ok"
BAND = "band: 95 % interval of the share at each time, one at a time (Wilson)"
ENDS = "a curve ends below 100 % where requests failed"

KINDS: dict[str, Kind] = {
    "ttft-ecdf": Kind(
        title="How soon the first token comes",
        says="the share of requests that had their first token by each time",
        paint=curves.ttft_ecdf,
        height=_curve,
        note=f"{ENDS} · {BAND}",
        lacks=_needs("ttft", NO_FIRST),
        compares=("ttft",),
    ),
    "e2e-ecdf": Kind(
        title="How soon the whole answer is there",
        says="the share of requests that had their last token by each time",
        paint=curves.e2e_ecdf,
        height=_curve,
        note=f"{ENDS} · {BAND}",
        lacks=_needs("e2e", NO_LAST),
        compares=("e2e",),
    ),
    "contrasts": Kind(
        title="Hosts against the reference",
        says="ratios of medians to the reference with their intervals and verdicts",
        paint=forest.forest,
        height=forest.forest_height,
        note="median of a host / of the reference, in the blocks that both answered · "
        "bar: 95 % interval (bootstrap over blocks; from 20,000 on a large-sample "
        "formula) · filled: a verdict, corrected for the number of hosts; open: none · "
        "[a]: caveats, as h2h compare has them",
        told=forest.shared_caveats,
        lacks=_lacks_contrasts,
        compares=tuple(findings.PLACES),
    ),
    "percentiles": Kind(
        title="Percentiles of latency",
        says="p50, p90, p95 and p99 of both times with their intervals",
        paint=boxes.percentiles,
        height=lambda panel: 0.85 + 0.85 * len(panel.hosts),
        note="bar: 95 % interval from order statistics · n/a: too few answers for it · "
        "open mark: the same percentile with each failure counted as endless",
        lacks=_needs("e2e", NO_LAST),
        compares=("ttft", "e2e"),
    ),
    "latency-box": Kind(
        title="Latency of single answers",
        says="each answer's times, and the middle half of them",
        paint=boxes.latency_box,
        height=_rows,
        note="dot: one answer · T: median (from 11 answers) and its 95 % interval · "
        "box: middle half (from 24) · whiskers: 5 % to 95 % (from 130)",
        lacks=_needs("e2e", NO_LAST),
        compares=("ttft", "e2e"),
    ),
    "throughput": Kind(
        title="Throughput",
        says="decode speed, or over a sweep what all streams reach, with the knee",
        paint=sweeps.throughput,
        height=sweeps.throughput_height,
        group="scenario",
        lacks=_needs("tokens", "no answer has a token count"),
        compares=("tpot",),
    ),
    "prompt-length": Kind(
        title="Time to first token against the length of the prompt",
        says="times to first token over the prompts' tokens, with medians by length",
        paint=prompts.prompt_length,
        height=lambda panel: 3.6 + legend_height(panel),
        note="dot: one answer (at most 200 a host) · mark: median of a class of "
            "lengths, from 11 answers, with its 95 % interval",
        group="step",
        lacks=prompts.lacks_lengths,
    ),
    "ctx-grid": Kind(
        title="What is found in long prompts",
        says="the share of right answers by depth and length of the prompt",
        paint=ctxgrid.ctx_grid,
        height=ctxgrid.ctx_grid_height,
        note="right / checked answers, and the 95 % interval of their share (Wilson) · "
        "darker: more of them right · -: not asked",
        lacks=ctxgrid.lacks_ladder,
    ),
    "raster": Kind(
        title="Token by token",
        says="some requests from the middle of the run, each event with output a tick",
        paint=streams.raster,
        height=streams.raster_height,
        note="a line: one request, blocks from the middle of the run · "
        "tick: an event with output · x: failed",
        lacks=streams.lacks_timelines,
    ),
    "gaps": Kind(
        title="Gaps within answers",
        says="the share of answers whose median and longest gap exceed each length",
        paint=streams.gaps,
        height=lambda panel: 3.1 + legend_height(panel, lines=True),
        note="gaps are between events that carried output: a chunk may hold "
        "several tokens · of ok answers only · band: 95 % interval (Wilson)",
        lacks=streams.lacks_gaps,
    ),
    "errors": Kind(
        title="What became of the requests",
        says="every outcome of every host with its count",
        paint=outcomes.errors,
        height=lambda panel: (
            0.75 + 0.6 * len(panel.hosts) + outcomes.outcomes_height(panel)
        ),
        note="line: 95 % interval of the share that was ok, of ok + failed (Wilson)",
        found=findings.failed,
    ),
    "cost-speed": Kind(
        title="Cost against speed",
        says="what 1,000 requests cost against the median time of one",
        paint=money.cost_speed,
        height=money.cost_speed_height,
        note="dashed, filled marks: hosts that no other beats in both respects, as "
        "measured · bars: 95 % intervals, upright of the median (order statistics), "
        "level of the mean cost (bootstrap; from 20,000 on a large-sample formula)",
        told=money.priced,
        lacks=money.lacks_prices,
    ),
    "cost-cache": Kind(
        title="Cost against cache hits",
        says="what 1,000 answers cost by cache hit rate, and where hosts break even",
        paint=cache.cost_cache,
        height=cache.cost_cache_height,
        note="by list price, at each host's own mean tokens an answer; writing the "
        "cache is not in it · mark on a line: the hit rate that was measured · ring: "
        "break-even",
        told=money.priced,
        lacks=cache.lacks_cache_prices,
    ),
    "accepted": Kind(
        title="For one accepted answer",
        says="USD and seconds spent for each accepted answer, failures included",
        paint=money.per_accepted,
        height=money.accepted_height,
        note="all that was charged and waited for, over the accepted answers · "
        "line: 95 % interval, from 24 requests",
        told=money.priced,
        lacks=_needs("e2e", NO_LAST),
    ),
    "pass-rate": Kind(
        title="Answers that pass their checks",
        says="the share of checked answers that passed, beside each host's own noise",
        paint=passing.pass_rate,
        height=passing.pass_rate_height,
        note="bar: 95 % interval (Wilson) · what was not checked counts neither way · "
        "unlike the reference: blocks in which the two are judged differently; unlike "
        "itself: pairs of answers to one case",
        lacks=passing.lacks_checks,
    ),
    "quality-price": Kind(
        title="Quality against price",
        says="the share of answers that passed against what an attempt costs",
        paint=passing.quality_price,
        height=passing.quality_price_height,
        note="filled marks: hosts that no other beats in both respects · upright bar: "
        "95 % interval of the share (Wilson) · an attempt is a request, or a session "
        "where whole sessions are judged",
        told=money.priced,
        lacks=passing.lacks_priced_checks,
    ),
    "turns": Kind(
        title="Sessions turn by turn",
        says="time to first token, cost and cache hits by the turn of a session",
        paint=turns.turns,
        height=turns.turns_height,
        note="dot: one answer · line: median (from 11 answers), mean cost in USD, "
        "cached / prompt tokens of all requests of a turn · no 95 % intervals",
        lacks=turns.lacks_turns,
    ),
    "over-time": Kind(
        title="Time to first token over the run",
        says="times to first token, their medians and failures in the run's course",
        paint=times.over_time,
        height=lambda panel: _curve(panel) + times.failed_height(panel),
        note="line: medians of equal spans with their 95 % interval, broken where "
        "fewer than 11 answers came, or more failed · x: a failure, and below the "
        "share that failed in equal spans with its 95 % interval (Wilson) · grey: not "
        "sending",
        compares=("ttft",),
    ),
    "hour-of-week": Kind(
        title="By hour of the week",
        says="median time to first token and success share by hour of the week (UTC)",
        paint=weekly.hour_of_week,
        height=weekly.hour_of_week_height,
        note="blank: fewer than 11 answers (times), or no request (ok) · wide "
        "interval: 95 % interval of the median (order statistics) wider than half of "
        "it, or of the share that was ok (Wilson) than 10 points",
        lacks=weekly.lacks_a_day,
    ),
    "calendar": Kind(
        title="Availability",
        says="the share of requests that was ok, day by day or hour by hour",
        paint=calendar.calendar,
        height=calendar.calendar_height,
        note="ok / (ok + failed): what was our own doing is left out · dot: nothing "
        "was asked · low cell: so few requests that the 95 % interval (Wilson) is "
        "wider than 10 points · at the right: all of them, with that interval",
        lacks=calendar.lacks_hours,
        found=findings.failed,
    ),
}  # fmt: skip
"""Every kind of chart by the name it has on the command line."""

COMPARED = frozenset(name for name, kind in KINDS.items() if kind.compares)
"""The kinds that say who is ahead: they need a comparison, the others none."""
