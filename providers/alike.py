"""Events that differ in one piece of text only, read as a list of texts.

A host builds the chunks of one stream alike: the same id, the same model, the same
fields in the same order. From one event that has been read with care its frame is
known, all that stands around its text, and the events that follow in this frame need
neither a look at their lines nor a JSON parser but for the texts themselves.
"""

import re
from collections.abc import Sequence
from itertools import takewhile

import msgspec

from providers.dialect import Delta
from providers.plainchunk import (
    END,
    START,
    PlainChunk,
    PlainDelta,
    plain_chunk,
    plain_chunks,
)
from providers.reply import Kind
from providers.shapes import Shapes

_INTERIOR = re.compile(rb'(?:[^"\\]|\\.)*')
BETWEEN = END + START
"""What stands between two events of one line in a part that holds several."""
_PROBE = "\u2713"
_FIELDS = {
    "content": Kind.CONTENT,
    "reasoning_content": Kind.REASONING,
    "reasoning": Kind.REASONING,
}
_SHORT = 4
_FRAMES, _FAILURES = 8, 16
"""After so many failures frames are looked for no more, and then nothing is."""
_decoder = msgspec.json.Decoder(list[str])


class Run(msgspec.Struct, frozen=True):
    """Chunks like `chunk` but for their texts, all of one kind: content or thoughts."""

    chunk: PlainChunk
    kind: Kind
    texts: list[str]


class Frame(msgspec.Struct, frozen=True):
    """What stands before and after the text in like events."""

    start: bytes
    end: bytes
    chunk: PlainChunk
    kind: Kind

    def run(self, events: list[bytes]) -> Run | None:
        """Return the run of this frame that some events start with, None without one.

        None too when a text in it is not the inside of a JSON string.
        """
        if not self._frames(events[0]):
            return None
        n = len(events)
        while not self._frames(events[n - 1]):
            n -= 1  # most often a run goes on until the closing events
        events = events[:n]
        start, end = self.start, self.end
        a, b = len(start), -len(end)
        texts = [event[a:b] for event in events]
        if start + (end + start).join(texts) + end != b"".join(events):
            n = next(n for n, event in enumerate(events) if not self._frames(event))
            texts = texts[:n]
        if b"\n" in b"".join(texts):  # several events came in one part
            texts = list(takewhile(lambda text: b"\n" not in text, texts))
        strings = _strings(texts) if texts else []
        return Run(self.chunk, self.kind, strings) if strings else None

    def _frames(self, event: bytes) -> bool:
        start, end = self.start, self.end
        long_enough = len(event) >= len(start) + len(end)
        return long_enough and event.startswith(start) and event.endswith(end)


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
        self._frame = frame_of(events[0])
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


def frame_of(event: bytes) -> Frame | None:
    """Return the frame of an event, None unless it is plain, and certain."""
    chunk = plain_chunk(event)
    name = _only_text(chunk.choices[0].delta) if chunk is not None else None
    if chunk is None or name is None:
        return None
    text = getattr(chunk.choices[0].delta, name).encode("utf-8", "replace")
    key = b'"%b":' % name.encode()
    begin = event.find(key) + len(key)
    begin += event.startswith(b" ", begin) + 1
    if not event.startswith(b'"%b"' % text, begin - 1):
        return None
    start, end = event[:begin], event[begin + len(text) :]
    # The text might stand somewhere else too: put another there, and look.
    probed = plain_chunk(start + _PROBE.encode() + end)
    if probed is None or _only_text(probed.choices[0].delta) != name:
        return None
    if getattr(probed.choices[0].delta, name) != _PROBE:
        return None
    return Frame(start, end, chunk, _FIELDS[name])


def _only_text(delta: PlainDelta) -> str | None:
    """Return the name of the one field of a delta that has any text, else None."""
    names = [name for name in _FIELDS if getattr(delta, name)]
    return names[0] if len(names) == 1 else None


def _strings(texts: list[bytes]) -> list[str]:
    """Return the strings that some insides of JSON strings mean; none if any is not."""
    quoted = b'["' + b'","'.join(texts) + b'"]'
    quotes = quoted.count(b'"') - 2 * len(texts)
    if quotes and not all(map(_INTERIOR.fullmatch, texts)):
        return []
    try:
        strings = _decoder.decode(quoted)
    except (msgspec.DecodeError, ValueError):
        return []
    # A text without a quote can only swallow the next one: the count tells.
    return strings if len(strings) == len(texts) else []
