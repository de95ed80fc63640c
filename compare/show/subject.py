"""What charts are drawn of: a run, its rows as columns, and what is said of them."""

from functools import cached_property

import msgspec

from compare.judge.comparison import Comparison, Judged, objectives_of
from compare.judge.frame import Frame, Segment
from compare.judge.summary import Summary, summarise
from compare.show.words import labels, names_in
from data.row import RunRow

NAMES = 26


class Subject(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A run and its measured rows; `comparison` is None where nobody compared.

    `refused` says why the hosts could not be compared.
    """

    run: RunRow
    frame: Frame
    comparison: Comparison | None = None
    refused: str = ""

    @cached_property
    def hosts(self) -> dict[str, str]:
        """Return the label of every host, in the order that decides its look."""
        planned = names_in(self.run.providers)
        return labels(list(dict.fromkeys([*planned, *self.frame.hosts])), NAMES)

    @cached_property
    def summaries(self) -> dict[tuple[Segment, str], Summary]:
        """Return what is said of each host in each segment."""
        found = self.comparison.summaries if self.comparison else None
        if found is None:
            found = summarise(self.frame, objectives_of(self.run))
        return {(Segment(s.scenario, s.step), s.provider): s for s in found}


def subject(
    found: Judged, comparison: Comparison | None = None, *, refused: str = ""
) -> Subject:
    """Return what charts of a run are drawn of.

    `comparison` is that of this run's hosts (`judge.comparison.within`); without it
    the contrasts are not drawn, and `refused` says why.
    """
    return Subject(
        run=found.run, frame=found.frame, comparison=comparison, refused=refused
    )
