"""Where more load stops to pay: the knee of a sweep."""

from collections.abc import Sequence

FEWEST = 3


def knee(rates: Sequence[float | None], times: Sequence[float | None]) -> int | None:
    """Return at which load step rate / time is greatest, None if at an end or unknown.

    `rates` are answers a second and `times` their medians, by rising load. The ratio is
    Kleinrock's power (Int. Conf. on Communications, 1979): below its maximum more load
    brings more than it costs, above it less. At the first or last step the knee lies
    outside of what was tried.
    """
    power = [
        (rate / time, n)
        for n, (rate, time) in enumerate(zip(rates, times, strict=True))
        if rate is not None and time
    ]
    if len(power) < FEWEST:
        return None
    best = max(power)[1]
    return None if best in {power[0][1], power[-1][1]} else best
