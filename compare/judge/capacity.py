"""The highest load that a host keeps up with: what a sweep came to."""

from collections.abc import Mapping

import msgspec

from compare.judge.frame import Frame, Ints, Segment
from compare.judge.sample import goodput
from compare.judge.stats import share_interval
from providers.outcome import Outcome
from scenarios.load import Load, steps

TARGET = 0.95
"""A load is kept up with while such a share of requests meets every objective."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One load that was tried: `n_good` of `n` requests met every objective.

    `load` is blocks a second or in flight. What found no slot is not good, since the
    load was not kept up with, and neither are the `n_unknown` answers that lack a
    figure of an objective. `low` and `high` are the 95 % Wilson interval of the share,
    None of none.
    """

    step: int
    load: float
    n_good: int
    n: int
    n_unknown: int
    low: float | None
    high: float | None

    @property
    def kept(self) -> bool:
        """Return whether the load was kept up with, as far as can be seen."""
        return self.n > 0 and self.n_good >= TARGET * self.n


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """The highest load at which `TARGET` of a host's requests met every objective.

    `found` is None where there is none such: `why` says so. At `sure` and at `fails`
    it is beyond chance (95 % interval of the share wholly on one side) that the load
    is kept up with, and is not: the truth lies between them. None: no load that was
    tried is so sure.
    """

    provider: str
    scenario: str
    unit: str
    found: float | None
    sure: float | None
    fails: float | None
    why: str
    tried: tuple[Tried, ...]


def tried(
    frame: Frame, rows: Ints, step: int, load: float, objectives: Mapping[str, float]
) -> Tried:
    """Return what came of one load, by a host's rows of its step."""
    found = goodput(frame, rows, objectives)
    n = found.n + frame.tally(rows).outcomes.get(Outcome.DROPPED, 0)
    low, high = share_interval(found.n_good, n)
    return Tried(
        step=step,
        load=load,
        n_good=found.n_good,
        n=n,
        n_unknown=found.n_unknown,
        low=low,
        high=high,
    )


def capacities(
    frame: Frame, load: Load, objectives: Mapping[str, float]
) -> list[Capacity]:
    """Return what each host of a sweep keeps up with, in each scenario."""
    loads = loads_of(load)
    by_host: dict[tuple[str, str], list[Tried]] = {}
    for segment in frame.segments:
        for host in frame.hosts_of(segment):
            at = _tried(frame, segment, host, loads, objectives)
            by_host.setdefault((segment.scenario, host), []).extend(at)
    return [
        _capacity(host, scenario, found, load, loads)
        for (scenario, host), found in by_host.items()
    ]


def loads_of(load: Load) -> list[float]:
    """Return the load of each step of a sweep: blocks a second, or in flight."""
    return [s.concurrency if s.rate is None else s.rate for s in steps(load)]


def _tried(
    frame: Frame,
    segment: Segment,
    host: str,
    loads: list[float],
    objectives: Mapping[str, float],
) -> list[Tried]:
    step = segment.step
    if step is None or not 0 <= step < len(loads):
        return []
    return [tried(frame, frame.rows(segment, host), step, loads[step], objectives)]


def _capacity(
    host: str, scenario: str, found: list[Tried], load: Load, loads: list[float]
) -> Capacity:
    found = sorted(found, key=lambda each: each.load)
    kept = [each for each in found if each.kept]
    lost = [each for each in found if not each.kept]
    best = max(kept, key=lambda each: each.load, default=None)
    least = min(lost, key=lambda each: each.load, default=None)
    why = _why_none(best, least, loads)
    sure = [t.load for t in found if t.low is not None and t.low >= TARGET]
    fails = [t.load for t in found if t.high is not None and t.high < TARGET]
    return Capacity(
        provider=host,
        scenario=scenario,
        unit="blocks/s" if load.rates else "in flight",
        found=None if why or best is None else best.load,
        sure=max(sure, default=None),
        fails=min(fails, default=None),
        why=why,
        tried=tuple(found),
    )


def _why_none(best: Tried | None, least: Tried | None, loads: list[float]) -> str:
    """Return why no highest load was found; empty if one was."""
    if best is None and least is None:
        return "no load was tried"
    if best is None and least is not None and least.n_unknown:
        n, of = least.n_unknown, least.n
        return f"{n:,} of {of:,} answers lack a figure that the objectives need"
    if best is None:
        return "even the lowest load is too much"
    if least is None:
        highest = best.load >= loads[-1]
        return "even the highest load is kept up with" if highest else "cut short"
    if least.load < best.load:
        return "it kept up with a higher load than one that was too much"
    return "" if least.step == best.step + 1 else "cut short"
