"""Events that differ in one piece of text only, read as a list of texts.

A host builds the chunks of one stream alike: the same id, the same model, the same
fields in the same order. From one event that has been read with care its frame is
known, all that stands around its text, and the events that follow in this frame need
neither a look at their lines nor a JSON parser but for the texts themselves.
"""

from collections.abc import Sequence

from providers.dialect import Delta
from providers.frame import Frame, Run
from providers.plainchunk import END, START, PlainChunk, plain_chunks
from providers.shapes import Shapes

BETWEEN = END + START
"""What stands between two events of one line in a part that holds several."""
_SHORT = 4
_FRAMES, _FAILURES = 8, 16
"""After so many failures frames are looked for no more, and then nothing is."""


class Alike:
    """What is known of how one stream's events are alike."""

    __slots__ = ("_failures", "_frame", "_learning", "_shapes")

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._frame: Frame | None = None
        self._learning = False
        self._failures = 0

    @property
    def given_up(self) -> bool:
        """Return whether too little was alike for looking any further."""
        return self._failures >= _FAILURES

    def run(
        self, events: list[bytes], *, closing: bool
    ) -> Run | list[PlainChunk] | Delta | None:
        """Return what some events start with: a run, or plain chunks; None if neither.

        It is a Delta where their first came in an earlier stream, as what opens and
        what ends a stream did: once a stream is `closing` no run is looked for. Only
        what comes after its first event may become a frame, or after one on which a run
        ends, since these are seldom like what follows. A stream whose events keep
        differing in more than their text is taken as plain chunks.
        """
        if closing:
            return self._shapes.known(events[0])
        if self._frame is not None:
            run = self._frame.run(events)
            if run is None:
                self._frame = None
                return self._shapes.known(events[0])
            return run
        if not self._learning:
            self._learning = True
            return self._shapes.known(events[0])
        if self._failures < _FRAMES:
            return self._learned(events)
        chunks = plain_chunks(events)
        self._failures += not chunks
        return chunks or None

    def _learned(self, events: list[bytes]) -> Run | None:
        self._frame = self._shapes.frame(events[0])
        run = self._frame.run(events) if self._frame is not None else None
        self._failures += run is None or len(run.texts) < min(_SHORT, len(events))
        return run


def by_event(
    stamps: Sequence[int], parts: list[bytes]
) -> tuple[list[int], list[bytes]]:
    """Return parts cut between their events, each with the moment of its part."""
    moments, cut = [], []
    for at, part in zip(stamps, parts, strict=True):
        first, *more = part.split(BETWEEN)
        for event in more:
            cut.append(first + END)
            first = START + event
        cut.append(first)
        moments += [at] * (len(more) + 1)
    return moments, cut
