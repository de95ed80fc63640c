"""What a simulated host can be told to do wrong, by name."""

from random import Random

import msgspec

from providers.provider import ProviderError
from providers.simulator.profile import unknown

FAULTS: dict[str, str] = {
    "http_429_rate": "HTTP 429: the client's own rate limit, with Retry-After",
    "http_429_overloaded": "HTTP 429: the host is overloaded",
    "http_429_quota": "HTTP 429: the wallet or the plan is used up",
    "http_429_account": "HTTP 429: the account is restricted",
    "http_402": "HTTP 402: not enough credit",
    "http_401": "HTTP 401: the key is not accepted",
    "http_500": "HTTP 500 with a JSON error",
    "http_502_html": "HTTP 502 with a gateway's HTML page",
    "stall": "goes silent after some tokens, connection open",
    "cut": "closes the connection after some tokens, without an end",
    "reset": "resets the connection (RST) after some tokens",
    "mid_stream_error": "sends an error object after some tokens, and ends",
    "error_in_200": "HTTP 200 with a JSON error as its body",
    "garbage": "HTTP 200 with bytes that are no event stream",
    "html_200": "HTTP 200 with an HTML page",
    "empty": "HTTP 200 with an empty body",
    "fake_stream": "says nothing, then the whole answer in one chunk",
    "coalesced": "sends 8 tokens an event, in bursts",
    "no_usage": "leaves the usage out",
    "no_done": "leaves the closing [DONE] out",
    "slow": "takes five times as long",
}
"""Each fault's name and what it does."""

SLOW_FACTOR = 5.0

TOKENS_PER_EVENT = {"coalesced": 8, "fake_stream": 1 << 40}
"""Faults that only change how many tokens share an event."""

ENDINGS = frozenset({"stall", "cut", "reset", "mid_stream_error"})
"""Faults that strike a stream after some tokens."""

BODIES = frozenset({"error_in_200", "garbage", "html_200", "empty"})
"""Faults that answer HTTP 200 with something that is no answer."""


class Ills(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong with a host: a fault, for a share of requests, after k tokens.

    Without a fault (None) nothing does. Raises ProviderError on an unknown fault
    and on a share that is none.
    """

    fault: str | None = None
    share: float = 1.0
    after: int = 5

    def __post_init__(self) -> None:
        if self.fault is not None and self.fault not in FAULTS:
            raise ProviderError(unknown("fault", self.fault, list(FAULTS)))
        if not 0.0 <= self.share <= 1.0:
            raise ProviderError(
                f"simulated host: fault_share is {self.share}; give a share, 0 to 1"
            )
        if self.after < 0:
            raise ProviderError(
                f"simulated host: fault_after is {self.after}; give 0 or more tokens"
            )

    def strikes(self, seed: int, profile: str, digest: str, nth: int) -> bool:
        """Return whether the n-th request with this body is among the faulty share.

        The draw depends on what was asked and how often, not on the order in which
        concurrent requests arrive, so that a repeated run has the same faults.
        """
        drawn = Random(f"{seed}:{profile}:{digest}:{nth}:fault").random()
        return self.fault is not None and drawn < self.share
