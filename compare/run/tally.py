"""What has happened so far in a run, in a few numbers."""

import time
from collections import Counter, defaultdict, deque
from typing import Protocol

from data.row import Row
from providers.outcome import UNREACHED, Blame, Outcome

RECENT = 1000


class Sending(Protocol):
    """What sends a run's requests, in this process or in several."""

    @property
    def stopped(self) -> str | None:
        """Return why it was stopped early, None while it was not."""
        ...

    @property
    def sent(self) -> int:
        """Return how many requests have been sent."""
        ...

    @property
    def in_flight(self) -> int:
        """Return how many requests are under way."""
        ...

    def stop(self, why: str = "interrupted") -> None:
        """Send nothing more; what is in flight may end."""
        ...

    def finish_now(self) -> None:
        """Send nothing more and end what is in flight."""
        ...


class Tally:
    """The run so far, for its progress line and its exit code.

    `ttft_ms` holds the last 1,000 of each host: memory stays flat however long it runs.
    `lost_workers` is how many processes of the run died before their work was done.
    `withheld` rows were not sent, since their host had refused the key too often; they
    stand in no outcome.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.outcomes: Counter[str] = Counter()
        self.by_host: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.ttft_ms: defaultdict[str, deque[float]] = defaultdict(_recent)
        self.spent_nusd = 0
        self.withheld = 0
        self.lost_workers = 0
        self.started = time.monotonic()

    def add(self, row: Row) -> None:
        """Count one row."""
        self.rows += 1
        if row.outcome == Outcome.POLICY_REFUSED and row.blame == Blame.ACCOUNT:
            self.withheld += 1
            return
        self.outcomes[row.outcome] += 1
        self.by_host[row.provider][row.outcome] += 1
        self.spent_nusd += row.cost_nusd or 0
        if row.outcome == "ok" and row.first_token_ns and row.sent_ns:
            ttft = (row.first_token_ns - row.sent_ns) / 1e6
            self.ttft_ms[row.provider].append(ttft)

    @property
    def unreached(self) -> bool:
        """Return whether no request got as far as being refused for its content."""
        return bool(self.rows) and all(o in UNREACHED for o in self.outcomes)


def _recent() -> deque[float]:
    return deque(maxlen=RECENT)
