"""Whom to ask no more: a host that refuses our key, and hosts that never answer."""

from collections import Counter

from providers.outcome import Outcome

REFUSALS = 5
"""How many refusals of the key in a row end a host's part of a run."""

VAIN = 1_000
"""How many requests in a row without an answer from any host end a closed loop.

A host that refuses all in no time would be asked as fast as this machine can.
"""

SILENT = frozenset(
    {Outcome.DROPPED, Outcome.LOST, Outcome.INTERRUPTED, Outcome.POLICY_REFUSED}
)
"""Outcomes that say nothing of a key: it was not sent, or nobody heard the answer."""


class Fuse:
    """Counts each host's refusals of the key; `blown` names the hosts that are out.

    `vain` requests have failed, at any host, since one was answered.
    """

    def __init__(self) -> None:
        self.blown: set[str] = set()
        self.vain = 0
        self._in_a_row: Counter[str] = Counter()

    def note(self, host: str, outcome: str) -> bool:
        """Take an outcome in the order in which it came; True if it is one too many."""
        if outcome == Outcome.OK:
            self.vain = 0
        elif outcome not in SILENT:
            self.vain += 1
        if outcome != Outcome.AUTH_ERROR:
            if outcome not in SILENT:
                self._in_a_row[host] = 0
            return False
        self._in_a_row[host] += 1
        if self._in_a_row[host] < REFUSALS or host in self.blown:
            return False
        self.blown.add(host)
        return True
