"""When each token of an answer leaves, drawn before the first one does."""

from random import Random

from providers.simulator.profile import Profile

MS = 1_000_000


def load_factor(profile: Profile, in_flight: int) -> float:
    """Return by how much the requests in flight (this one included) slow a host."""
    return 1.0 + profile.slowdown * max(0, in_flight - 1)


def queue_ns(profile: Profile, in_flight: int) -> int:
    """Return how long a request queues for a slot before its work begins, in ns."""
    return round(max(0, in_flight - profile.slots) * profile.queue_ms * MS)


def token_times(
    profile: Profile,
    rng: Random,
    n_tokens: int,
    *,
    factor: float = 1.0,
    cached_share: float = 0.0,
    queued_ns: int = 0,
) -> list[int]:
    """Return when each token leaves, in ns from the moment of the request.

    There is always at least one time, that of the first token, even for an answer
    without tokens. The times are absolute, so that lateness never adds up.
    """
    known = 1.0 - profile.cache_speedup * cached_share
    at = queued_ns + _drawn(rng, profile.ttft_ms, profile.ttft_sigma) * factor * known
    times = [round(at)]
    for _ in range(n_tokens - 1):
        at += _drawn(rng, profile.gap_ms, profile.gap_sigma) * factor
        times.append(round(at))
    return times


def _drawn(rng: Random, median_ms: float, sigma: float) -> float:
    """Return a lognormal duration in ns; exactly the median when sigma is 0."""
    return median_ms * MS * (rng.lognormvariate(0.0, sigma) if sigma else 1.0)
