"""Runs of events that differ in one piece of text only, read as a list of texts.

A host builds the chunks of one stream alike: the same id, the same model, the same
fields in the same order. From one event that has been read with care its frame is
known, all that stands around its text, and the events that follow in this frame need
no JSON parser but for the texts themselves.
"""

import re
from collections.abc import Sequence

import msgspec

from providers.plainchunk import PlainChunk, plain_chunk
from providers.reply import Kind

_INTERIOR = re.compile(rb'(?:[^"\\]|\\.)*')
_PROBE = "\u2713"
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

    def run(self, events: Sequence[bytes]) -> Run | None:
        """Return the run of this frame that some events start with.

        None when a text in it is not the inside of a JSON string.
        """
        start, end = self.start, self.end
        a, b = len(start), -len(end)
        texts = [event[a:b] for event in events]
        if start + (end + start).join(texts) + end != b"".join(events):
            n = next(n for n, event in enumerate(events) if not self._frames(event))
            texts = texts[:n]
        strings = _strings(texts)
        return Run(self.chunk, self.kind, strings) if strings else None

    def _frames(self, event: bytes) -> bool:
        start, end = self.start, self.end
        long_enough = len(event) >= len(start) + len(end)
        return long_enough and event.startswith(start) and event.endswith(end)


def frame_of(event: bytes, chunk: PlainChunk) -> Frame | None:
    """Return the frame of an event that was read as this chunk; None if unsure."""
    delta = chunk.choices[0].delta
    given = [
        (name, kind)
        for name, kind in (
            ("content", Kind.CONTENT),
            ("reasoning_content", Kind.REASONING),
            ("reasoning", Kind.REASONING),
        )
        if getattr(delta, name)
    ]
    if len(given) != 1:
        return None
    name, kind = given[0]
    text = getattr(delta, name).encode("utf-8", "replace")
    found = re.search(rb'"%b": ?"' % name.encode(), event)
    if found is None or not event.startswith(text + b'"', found.end()):
        return None
    start, end = event[: found.end()], event[found.end() + len(text) :]
    # The text might stand somewhere else too: put another there, and look.
    probed = plain_chunk(start + _PROBE.encode() + end)
    if probed is None or getattr(probed.choices[0].delta, name) != _PROBE:
        return None
    return Frame(start, end, chunk, kind)


def _strings(texts: list[bytes]) -> list[str]:
    """Return the strings that some insides of JSON strings mean; none if any is not."""
    if b'"' in b"".join(texts) and not all(map(_INTERIOR.fullmatch, texts)):
        return []
    try:
        strings = _decoder.decode(b'["' + b'","'.join(texts) + b'"]')
    except (msgspec.DecodeError, ValueError):
        return []
    # A text without a quote can only swallow the next one: the count tells.
    return strings if len(strings) == len(texts) else []
