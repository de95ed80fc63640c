"""One probe while it goes: its sessions, and which of its hosts still answer."""

from typing import TYPE_CHECKING

import msgspec

from compare.run.probes import Probe
from compare.serve.grid import Course
from scenarios.plan import Plan, Segment, Unit, segments, units

if TYPE_CHECKING:
    from collections.abc import Iterator


class Line:
    """One probe while it goes: its course, its sessions, and who is still answering."""

    def __init__(self, probe: Probe, course: Course, plan: Plan) -> None:
        (segment,) = (s for s in segments(plan) if s.scenario.name == probe.scenario)
        self.probe = probe
        self.course = course
        self.segment: Segment = segment
        self.sessions: Iterator[Unit] = units(plan, segment, probe.providers)
        self.busy: dict[str, set[int]] = {}

    def parted(self, unit: Unit) -> tuple[Unit, Unit]:
        """Part a session: what free hosts are asked, and what busy ones are not."""
        found = []
        for busy in (False, True):
            blocks = (
                tuple(each for each in block if (each.provider in self.busy) == busy)
                for block in unit.blocks
            )
            kept = tuple(block for block in blocks if block)
            found.append(msgspec.structs.replace(unit, blocks=kept))
        return found[0], found[1]

    def begin(self, unit: Unit) -> None:
        """Hold the hosts of a session to be busy until each of its rows is heard of."""
        for block in unit.blocks:
            for each in block:
                self.busy.setdefault(each.provider, set()).add(each.block)

    def end(self, host: str, block: int) -> None:
        """Hear that a host has ended a block."""
        left = self.busy.get(host, set())
        left.discard(block)
        if not left:
            self.busy.pop(host, None)
