"""Money that cannot be overspent: the worst case is held back before sending."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import msgspec

from data import prices
from data.prices import Price
from data.row import Row
from providers.provider import Provider
from providers.registry import dialect
from scenarios.request import Arrival

# A chat template adds tokens around each message; none is known to add more.
TEMPLATE_TOKENS = 64


class Budget:
    """The money of one run in nano-USD. Without a limit it only counts.

    `spent` is certain or, where a host may have billed what it did not state, the
    whole reservation. `held` is reserved for requests in flight. `renewable` tells
    whether what it refuses today it may allow tomorrow: a day's budget binds.
    """

    def __init__(self, limit_nusd: int | None = None) -> None:
        self.limit_nusd = limit_nusd
        self.spent_nusd = 0
        self.held_nusd = 0
        self.exhausted = False
        self.renewable = False
        self._changed = asyncio.Event()

    def renew(self, day_nusd: int, most_nusd: int | None) -> None:
        """Begin a day: `day_nusd` more may be spent, of the run's `most_nusd` in all.

        What is in flight was reserved the day before and stays that day's.
        """
        today = self.spent_nusd + self.held_nusd + day_nusd
        self.renewable = most_nusd is None or today < most_nusd
        self.limit_nusd = today if most_nusd is None else min(today, most_nusd)

    def reserve(self, worst_nusd: int) -> bool:
        """Hold back the worst case of some requests; False when it does not fit."""
        limit = self.limit_nusd
        if limit is not None and self.spent_nusd + self.held_nusd + worst_nusd > limit:
            return False
        self.held_nusd += worst_nusd
        return True

    async def reserve_or_wait(self, worst_nusd: int) -> bool:
        """Reserve, waiting while what is in flight may still give money back.

        False, and `exhausted`, when the worst case does not fit with nothing held.
        """
        while not self.reserve(worst_nusd):
            if not self.held_nusd:
                self.exhausted = True
                return False
            self._changed.clear()
            await self._changed.wait()
        return True

    def settle(self, worst_nusd: int, true_nusd: int | None) -> None:
        """Release a reservation and book the true cost; None books the worst case."""
        self.held_nusd -= worst_nusd
        self.spent_nusd += worst_nusd if true_nusd is None else true_nusd
        self._changed.set()


def worst_of(
    providers: Iterable[Provider], listed: Mapping[str, Price]
) -> Callable[[Arrival], int]:
    """Return what gives an arrival's worst case in nano-USD, 0 without a price.

    A prompt has at most as many tokens as bytes (byte-level tokenizers), plus what a
    chat template adds; the answer has at most max_tokens.
    """
    by_name = {provider.name: provider for provider in providers}

    def worst(arrival: Arrival) -> int:
        price = listed.get(arrival.provider)
        if price is None:
            return 0
        provider = by_name[arrival.provider]
        body = dialect(provider.dialect).body(arrival.request, provider)
        tokens = len(msgspec.json.encode(body)) + TEMPLATE_TOKENS + arrival.grown
        return prices.worst_case(price, tokens, arrival.request.max_tokens) or 0

    return worst


def billed(row: Row, worst_nusd: int) -> int | None:
    """Return what to book for a row: its cost, 0 if surely unbilled, None if unsure.

    A host that got the request and stated no usage may have billed it: the whole
    reservation stays booked. One that refused it, or never got it, bills nothing.
    """
    if row.cost_nusd is not None:
        return max(row.cost_nusd, row.cost_reported_nusd or 0)
    if row.cost_reported_nusd is not None:
        return max(row.cost_reported_nusd, worst_nusd)
    refused = row.http_status is not None and row.http_status >= 300
    unsent = row.sent_ns is None
    return 0 if refused or unsent else None
