"""What else is to be said of a run, beside the figures that it is judged by."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from compare.judge.validity import DEGRADED, VALID, Judgement, Reason
from data.row import Row
from providers.outcome import Blame, Outcome

EARLY = {
    "budget": Reason(
        code="budget_reached",
        text="its budget was reached: not all of the plan was sent",
    ),
    "vain": Reason(
        code="no_answers",
        text="1,000 requests in a row got no answer: not all of the plan was sent",
    ),
    "threshold": Reason(
        code="threshold_failed", text="a threshold failed: not all of the plan was sent"
    ),
}
"""Why a run ended before its plan: no fault of it, but later readers should know."""


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """One time that a run was taken up again, after a break.

    `at` is UTC in ISO 8601; `from_ns` and `to_ns`, from the run's start, are the break;
    `missing` requests had no row (None: a duration decides) and `parted` blocks had
    some of their rows and not all.
    """

    at: str
    from_ns: int
    to_ns: int
    missing: int | None
    parted: int


class Withheld:
    """Counts, by host, what was not sent since the host refused the key too often."""

    def __init__(self) -> None:
        self.by_host: Counter[str] = Counter()

    def add(self, row: Row) -> bool:
        """Count one row; True when it is the first of its host that was withheld."""
        if row.outcome != Outcome.POLICY_REFUSED or row.blame != Blame.ACCOUNT:
            return False
        self.by_host[row.provider] += 1
        return self.by_host[row.provider] == 1


def remarked(
    judgement: Judgement,
    *,
    stopped: str | None = None,
    withheld: Mapping[str, int] | None = None,
    breaks: Sequence[Break] = (),
) -> Judgement:
    """Return a judgement with what else is to be said of its run.

    `stopped` is why it ended early (None: it did not), `withheld` counts by host what
    was not sent after refusals of the key, `breaks` are those after which it was
    resumed.
    Blocks that were asked in two parts degrade a run: their hosts share no moment.
    """
    told = [EARLY[stopped]] if stopped in EARLY else []
    told += _withheld(withheld or {})
    told += _breaks(breaks)
    parted = any(each.parted for each in breaks)
    worse = parted and judgement.validity == VALID
    return Judgement(
        validity=DEGRADED if worse else judgement.validity,
        reasons=(*judgement.reasons, *told),
    )


def _withheld(by_host: Mapping[str, int]) -> Iterator[Reason]:
    for host, n in sorted(by_host.items()):
        text = f"{host} refused the key again and again: {n:,} requests were not sent"
        yield Reason(code="host_stopped", text=text, value=n)


def _breaks(breaks: Sequence[Break]) -> Iterator[Reason]:
    if not breaks:
        return
    seconds = sum(each.to_ns - each.from_ns for each in breaks) / 1e9
    parted = sum(each.parted for each in breaks)
    times = "once" if len(breaks) == 1 else f"{len(breaks)} times"
    text = (
        f"resumed {times}, after {seconds:,.0f} s without sending, which the rates "
        "over the whole run leave out"
    )
    if parted:
        text += f"; {parted:,} blocks were asked in two parts, not at one moment"
    yield Reason(code="resumed", text=text, value=float(parted), bound=None)
