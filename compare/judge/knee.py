"""Where more load stops to pay: the knee of a sweep."""

from collections.abc import Sequence

FEWEST = 3
CLEAR = 1.1
"""By this much the knee must stand out: in a flat sweep chance picks a greatest."""


def knee(rates: Sequence[float | None], times: Sequence[float | None]) -> int | None:
    """Return at which load step rate / time is greatest, None if at an end or unknown.

    `rates` are answers a second and `times` their medians, by rising load. The ratio is
    Kleinrock's power (Int. Conf. on Communications, 1979): below its maximum more load
    brings more than it costs, above it less. At the first or last step the knee lies
    outside of what was tried. None too where the rate did not rise to it, or the ratio
    is not `CLEAR` times that of both ends: nothing was seen to bend.
    """
    power = [
        (rate / time, n)
        for n, (rate, time) in enumerate(zip(rates, times, strict=True))
        if rate is not None and time
    ]
    if len(power) < FEWEST:
        return None
    (most, best), ends = max(power), (power[0], power[-1])
    first, rate = rates[power[0][1]], rates[best]
    rose = first is not None and rate is not None and rate >= CLEAR * first
    clear = all(most >= CLEAR * ratio for ratio, _ in ends)
    return best if rose and clear else None
