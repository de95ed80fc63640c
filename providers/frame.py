"""What stands around the texts of like events: the frame of one stream's chunks."""

import re
from itertools import takewhile

import msgspec

from providers.plainchunk import PlainChunk, PlainDelta, plain_chunk
from providers.reply import Kind

_INTERIOR = re.compile(rb'(?:[^"\\]|\\.)*')
_PROBE = "\u2713"
_FIELDS = {
    "content": Kind.CONTENT,
    "reasoning_content": Kind.REASONING,
    "reasoning": Kind.REASONING,
}
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
