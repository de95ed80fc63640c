"""A stream's whole course, event by event, in one to three bytes an event."""

from collections.abc import Iterator, Sequence

KINDS = frozenset(range(4))
US = 1_000

_LONGEST = 10
"""Bytes of the longest varint that is read: more than 64 bits are never written."""


def pack(events: Sequence[tuple[int, int]], origin_ns: int) -> bytes:
    """Return (ns, kind) pairs as varints of (gap in microseconds << 2 | kind).

    Stamps are on any clock that `origin_ns` is on; kinds are 0 to 3. A stamp before
    its predecessor (or the origin) counts as gap 0. ValueError for another kind.
    """
    if not {kind for _, kind in events} <= KINDS:
        raise ValueError(f"an event kind is not one of {sorted(KINDS)}")
    # The moment is rounded, not the gap: rounded gaps would add up to a drift.
    start_ns = origin_ns - US // 2
    packed = bytearray()
    add = packed.append
    last_us, last_ns = 0, origin_ns
    for at_ns, kind in events:
        if at_ns == last_ns:  # many events come in one read
            add(kind)
            continue
        at_us = max((at_ns - start_ns) // US, last_us)
        value = (at_us - last_us) << 2 | kind
        while value > 0x7F:
            add(value & 0x7F | 0x80)
            value >>= 7
        add(value)
        last_us, last_ns = at_us, at_ns
    return bytes(packed)


def unpack(blob: bytes, origin_ns: int) -> list[tuple[int, int]]:
    """Return the (ns, kind) pairs of a packed timeline, each within 1 us.

    ValueError when the blob is cut short or is no timeline.
    """
    at_us = 0
    events = []
    for value in _varints(blob):
        at_us += value >> 2
        events.append((origin_ns + at_us * US, value & 3))
    return events


def _varints(blob: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in blob:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0
        elif shift >= 7 * _LONGEST:
            raise ValueError("not a timeline: a number longer than 64 bits")
    if shift:
        raise ValueError("timeline cut short: the last number has no end")
