"""What charts are drawn of: a run, its rows as columns, and what is said of them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from compare.judge.comparable import unlike
from compare.judge.comparison import (
    Comparison,
    Judged,
    More,
    nothing_more,
    objectives_of,
    quality_of,
)
from compare.judge.frame import Floats, Frame, Segment
from compare.judge.quality import Quality
from compare.judge.summary import Summary, summarise
from compare.show.letters import spelt
from compare.show.words import labels, names_in
from data.prices import Price
from data.row import RunRow
from data.verdicts import Verdicts
from scenarios.load import Load, steps
from scenarios.request import ScenarioError

NAMES = 26
MOST = 12
"""Hosts that are drawn: more than these nobody tells apart."""

GAPS = ("gap_p50_ns", "gap_max_ns")


class Step(msgspec.Struct, frozen=True):
    """A load step in words, and in numbers if it is known: so many `unit`s."""

    label: str
    amount: float | None = None
    unit: str = ""


class Subject(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A run and its measured rows; `comparison` is None where nobody compared.

    `refused` says why the hosts could not be compared. `more` and `verdicts` are
    those of a `Judged`.
    """

    run: RunRow
    frame: Frame
    comparison: Comparison | None = None
    refused: str = ""
    more: More = nothing_more
    verdicts: Callable[[], Sequence[Verdicts]] = tuple

    @cached_property
    def hosts(self) -> dict[str, str]:
        """Return the label of every host, in the order that decides its look."""
        planned = names_in(self.run.providers)
        names = list(dict.fromkeys([*planned, *self.frame.hosts]))
        return labels(names, NAMES, spelt)

    @cached_property
    def drawn(self) -> dict[str, str]:
        """Return the labels of those hosts that charts show.

        Of many those with most requests, the first ones of equals, and the reference.
        """
        frame = self.frame
        asked = {
            name: sum(len(frame.rows(segment, name)) for segment in frame.segments)
            for name in self.hosts
        }
        reference = self.comparison.reference if self.comparison else None
        first = sorted(asked, key=lambda name: (name != reference, -asked[name]))
        chosen = set(first[:MOST])
        return {name: label for name, label in self.hosts.items() if name in chosen}

    @cached_property
    def unlike(self) -> list[str]:
        """Return how the hosts were asked unlike things, a phrase each."""
        return unlike(self.frame)

    @cached_property
    def objectives(self) -> dict[str, float]:
        """Return what a good request keeps, in ms by metric."""
        if self.comparison is not None:
            return dict(self.comparison.objectives)
        return objectives_of(self.run)

    @cached_property
    def summaries(self) -> dict[tuple[Segment, str], Summary]:
        """Return what is said of each host in each segment."""
        found = self.comparison.summaries if self.comparison else None
        if found is None:
            found = summarise(self.frame, self.objectives)
        return {(Segment(s.scenario, s.step), s.provider): s for s in found}

    @cached_property
    def qualities(self) -> dict[tuple[Segment, str], Quality]:
        """Return what checks say of each host in each segment."""
        if self.comparison is not None:
            found = self.comparison.qualities
        else:
            known = Judged(self.run, self.frame, tuple, self.more, self.verdicts)
            found = quality_of(known)
        return {(Segment(q.scenario, q.step), q.provider): q for q in found}

    @cached_property
    def prices(self) -> dict[str, Price]:
        """Return the prices that the run was charged by, by host."""
        return prices_of(self.run)

    @cached_property
    def steps(self) -> dict[int | None, Step]:
        """Return the load steps; rows number them, the job says what was asked for."""
        seen = {segment.step for segment in self.frame.segments}
        job = msgspec.json.decode(self.run.job or "{}")
        load = job.get("load") if isinstance(job, dict) else None
        asked = _asked(load) if isinstance(load, dict) else []
        return {
            step: asked[step]
            if step is not None and 0 <= step < len(asked)
            else Step(f"step {step}")
            for step in sorted(seen, key=lambda n: n or 0)
        }

    @cached_property
    def gaps(self) -> dict[str, Floats]:
        """Return each row's median and longest gap between chunks, in ms."""
        return {name: ns / 1e6 for name, ns in self._columns(GAPS).items()}

    @cached_property
    def turns(self) -> Floats:
        """Return which turn of its session each row is, NaN where it has one alone."""
        return self._columns(("turn",))["turn"]

    def _columns(self, names: Sequence[str]) -> dict[str, Floats]:
        """Return columns of numbers of the rows of the frame, NaN where unknown."""
        found = {name: np.full(len(self.frame), np.nan) for name in names}
        for batch in self.more(("seq", *names), None):
            seq = np.array(batch[0])
            rows = np.searchsorted(self.frame.seq, seq)
            # A run that goes on may have more rows by now than were judged.
            known = rows < len(self.frame)
            known[known] = self.frame.seq[rows[known]] == seq[known]
            for name, column in zip(names, batch[1:], strict=True):
                found[name][rows[known]] = np.array(column, dtype=np.float64)[known]
        return found


def prices_of(run: RunRow) -> dict[str, Price]:
    """Return the prices that a run was charged by, by host."""
    listed = msgspec.json.decode(run.prices or "{}")
    found = {}
    for host, price in listed.items():
        # A file from elsewhere may hold anything: what is no price is none.
        with suppress(msgspec.ValidationError):
            found[host] = msgspec.convert(price, Price)
    return found


def subject(
    found: Judged, comparison: Comparison | None = None, *, refused: str = ""
) -> Subject:
    """Return what charts of a run are drawn of.

    `comparison` is that of this run's hosts (`judge.comparison.within`); without it
    the contrasts are not drawn, and `refused` says why.
    """
    return Subject(
        run=found.run,
        frame=found.frame,
        comparison=comparison,
        refused=refused,
        more=found.more,
        verdicts=found.verdicts,
    )


def _asked(load: dict[str, object]) -> list[Step]:
    if load.get("sweep"):
        load = _swept(load)
    rates = [Step(f"{n:g} blocks/s", n, "blocks/s") for n in _many(load.get("rates"))]
    slots = [
        Step(f"concurrency {n:g}", n, "concurrency")
        for n in _many(load.get("concurrencies"))
    ]
    return max(rates, slots, key=len)


def _swept(load: dict[str, object]) -> dict[str, object]:
    """Return a sweep's load with all that it may have tried in place of its ends."""
    try:
        found = steps(msgspec.convert(load, Load))
    except (msgspec.ValidationError, ScenarioError):
        return {}  # a file from elsewhere may hold anything
    key = "rates" if load.get("rates") else "concurrencies"
    return {key: [s.concurrency if s.rate is None else s.rate for s in found]}


def _many(given: Any) -> list[float]:
    listed = given if isinstance(given, list) else []
    return [float(n) for n in listed if isinstance(n, int | float)]
