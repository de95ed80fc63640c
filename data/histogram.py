"""Histograms that merge: times in buckets whose width is a share of the time.

Bucket i holds times in (G**(i - 1), G**i] microseconds, and stands for the middle of
these two in ratio, so what is read from it is within `ERROR` of the true time
(Masson, Rim, Lee: DDSketch, VLDB 2019, section 2).
"""

import math
import struct
from collections import Counter
from collections.abc import Iterable

ERROR = 0.01
GROWTH = (1 + ERROR) / (1 - ERROR)
_LOG = math.log(GROWTH)
ENTRY = struct.Struct("<HI")
"""How a bucket is stored: its number and its count, in order of the numbers."""

LAST, MOST = 0xFFFF, 0xFFFF_FFFF

Buckets = Counter[int]
"""How many times are in each bucket, by its number."""


def bucket(ms: float) -> int:
    """Return the bucket of a time; all up to a microsecond are in the first."""
    us = ms * 1000
    return min(max(math.ceil(math.log(us) / _LOG), 0), LAST) if us > 1 else 0


def middle(number: int) -> float:
    """Return the time in ms that a bucket stands for."""
    return 2 * math.exp(number * _LOG) / (GROWTH + 1) / 1000


def pack(buckets: Buckets) -> bytes:
    """Return buckets as they are stored; nothing for none."""
    return b"".join(
        ENTRY.pack(number, min(n, MOST)) for number, n in sorted(buckets.items()) if n
    )


def unpack(blob: bytes) -> Buckets:
    """Return what `pack` was given; ValueError for what is no histogram."""
    if len(blob) % ENTRY.size:
        raise ValueError("not a histogram: it is cut short")
    return Counter(dict(ENTRY.iter_unpack(blob)))


def of(times_ms: Iterable[float | None]) -> Buckets:
    """Return the histogram of some times; unknown ones are not in it."""
    return Counter(bucket(ms) for ms in times_ms if ms is not None)


def quantile(buckets: Buckets, q: float) -> float | None:
    """Return a quantile (0 to 1) in ms; None of no times.

    That of rank ceil(q * n), the least time that a share of q does not exceed: one
    that was really seen, within `ERROR`.
    """
    total = buckets.total()
    if not total:
        return None
    rank, seen = max(math.ceil(q * total), 1), 0
    for number, n in sorted(buckets.items()):
        seen += n
        if seen >= rank:
            return middle(number)
    return None
