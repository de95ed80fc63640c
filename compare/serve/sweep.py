"""Sweeps: try one load after the other, by what came of the last one, for each host."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from compare.judge.capacity import Tried, loads_of, tried
from compare.judge.frame import COLUMNS, read
from compare.run.clock import Clock, RealClock
from compare.run.engine import Engine
from data.row import Row
from scenarios.plan import Plan, Segment, segments
from scenarios.sweep import search

if TYPE_CHECKING:
    from compare.run.tally import Sending


class Sweep:
    """One sweep of a plan whose load is one; give it each row of the run.

    Hosts are searched side by side, each at its own loads: none waits for another.
    Scenarios come one after the other. `told` hears of each load that was tried. Its
    rows have no date, which those of probes alone have.
    """

    dated: Callable[[int], int] | None = None

    def __init__(
        self,
        plan: Plan,
        objectives: Mapping[str, float],
        told: Callable[[str, Tried], None] = lambda *_: None,
        clock: Clock | None = None,
    ) -> None:
        self._plan = plan
        self._objectives = objectives
        self._told = told
        self._clock = clock or RealClock()
        self._loads = loads_of(plan.load)
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self.engine: Sending | None = None

    def add(self, row: Row) -> None:
        """Take in one row of the run."""
        if row.phase == "measure":
            self._rows[row.provider].append(row)

    async def drive(self, engine: Engine) -> None:
        """Drive an engine through the sweep, until all hosts are done or it stops."""
        steps: dict[str, dict[int, list[Segment]]] = {}
        for segment in segments(self._plan):
            parts = steps.setdefault(segment.scenario.name, {})
            parts.setdefault(segment.step, []).append(segment)
        for parts in steps.values():
            hosts = [self._host(engine, name, parts) for name in self._plan.providers]
            await engine.oversee(hosts, self._clock.now(), None)
            if engine.stopped is not None:
                return

    async def _host(
        self, engine: Engine, name: str, steps: Mapping[int, list[Segment]]
    ) -> None:
        """Search one host's highest load; `steps` has the segments of each."""
        course = search(self._loads)
        at: int | None = next(course)
        while at is not None:
            self._rows[name].clear()
            for segment in steps[at]:
                await engine.alone(segment, (name,))
            if engine.stopped is not None:
                return  # a load that was broken off says nothing
            found = self._tried(name, at)
            self._told(name, found)
            try:
                at = course.send(found.kept)
            except StopIteration:
                at = None

    def _tried(self, name: str, step: int) -> Tried:
        lines = [
            tuple(getattr(row, column) for column in COLUMNS)
            for row in self._rows.pop(name, [])
        ]
        frame = read([list(zip(*lines, strict=True))] if lines else [])
        rows = frame.kind[:0] if not len(frame) else frame.rows(frame.segments[0], name)
        return tried(frame, rows, step, self._loads[step], self._objectives)
