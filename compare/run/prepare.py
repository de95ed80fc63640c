"""From a job to a run that is about to go: its id, its plan and its keys."""

import secrets
import time
from collections.abc import Callable

import msgspec

from compare.run.config import Job
from compare.run.hosts import with_key
from compare.run.rest import Rest
from providers.provider import Provider
from scenarios.plan import Plan

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is about to go: its id, plan and job, with keys in the providers.

    `rest` is what is left of the plan: all of it, unless the run is resumed.
    """

    run_id: str
    kind: str
    plan: Plan
    job: Job
    providers: tuple[Provider, ...]
    rest: Rest = Rest()

    @property
    def held_back(self) -> frozenset[str]:
        """Return the hosts whose requests may wait for a ceiling that the user set.

        The hosts of a block go out together, so one host's ceiling holds back all.
        """
        ceiled = frozenset(p.name for p in self.providers if p.rpm or p.concurrency)
        whole = ceiled and not self.plan.load.unpaired
        return frozenset(self.plan.providers) if whole else ceiled


def prepare(
    job: Job, kind: str = "run", salt: str | None = None, run_id: str | None = None
) -> Run:
    """Return a run of a job: by default with a new id and salt; keys are read here.

    Raises SetupError when a key is missing; nothing has been sent then.
    """
    plan = Plan(
        scenarios=job.scenarios,
        providers=tuple(provider.name for provider in job.providers),
        load=job.load,
        salt=salt or secrets.token_hex(8),
    )
    return Run(
        run_id=run_id or new_id(),
        kind=kind,
        plan=plan,
        job=job,
        providers=tuple(with_key(provider) for provider in job.providers),
    )


class Ids:
    """ULIDs: 48 bits of time in ms and 80 random bits, in Crockford base 32.

    Each is greater than the one before, even when the clock was set back meanwhile.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self._last = 0

    def new(self) -> str:
        """Return the next id."""
        number = (self._clock_ns() // 1_000_000) << 80 | secrets.randbits(80)
        self._last = number = max(number, self._last + 1)
        return "".join(
            CROCKFORD[number >> 5 * place & 31] for place in range(25, -1, -1)
        )


new_id = Ids().new
