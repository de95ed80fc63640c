"""Judge whether a run can be trusted, from what it did and how the bench fared."""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

import msgspec

from compare.judge.stats import FLOORS_99
from data.row import Row
from providers.outcome import Flag, Outcome

VALID, DEGRADED, INVALID = "valid", "degraded", "invalid"

MS = 1_000_000
DELAY_MS = 10.0
RATE_GOOD, RATE_LEAST = 0.98, 0.90
LAG_SHARE = 0.05
CPU_SHARE = 0.85
CPU_SPAN_S = 1.0
"""A run that is shorter consists of its start: its share of CPU says nothing."""
MACHINE_SHARE = 0.95
STEP_MS = 1_000.0
"""A wall clock set by more may hide a pause that the monotonic clock did not see."""
ENOUGH_OK = FLOORS_99[0.5]

LONGEST = 100_000
"""Delays are counted in tenths of ms up to 10 s; longer ones all in the last place."""

Health = Mapping[str, float | None]


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run is not simply valid: a code, words, the figure and its bound.

    `bound` is None where any value at all is too much.
    """

    code: str
    text: str
    value: float | None = None
    bound: float | None = None


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """`valid`, `degraded` or `invalid`, and why."""

    validity: str
    reasons: tuple[Reason, ...]

    @property
    def json(self) -> str:
        """Return the reasons as a JSON list."""
        return msgspec.json.encode(self.reasons).decode()


class Pace(msgspec.Struct):
    """One open-loop load step: what was due and begun, and over which span (ns)."""

    asked: float
    due: int = 0
    begun: int = 0
    due_span: list[int] = msgspec.field(default_factory=list)
    begun_span: list[int] = msgspec.field(default_factory=list)

    def add(self, due: int, began: int | None) -> None:
        """Count one request; `began` is None when it never was."""
        self.due += 1
        _widen(self.due_span, due)
        if began is not None:
            self.begun += 1
            _widen(self.begun_span, began)

    @property
    def held(self) -> float | None:
        """Return the rate as a share of what was due in the same span, or None.

        What this process did not get to in time was due and not begun. None until two
        moments were due.
        """
        planned = _length(self.due_span)
        if not planned:
            return None
        return self.begun / self.due * planned / max(planned, _length(self.begun_span))


class Facts:
    """What the rows of a run say of the run itself, in memory that does not grow.

    Give it each row as it is made; warm-up counts only as sent. `ceilings` names the
    hosts that the user holds back: their waiting is no lateness of ours.
    """

    def __init__(self, ceilings: Collection[str] = ()) -> None:
        self._ceilings = frozenset(ceilings)
        self._ok: dict[tuple[str, str, str], int] = {}
        self._delays: Counter[int] = Counter()
        self.paces: dict[tuple[str, str], Pace] = {}
        self._open: dict[str, float | None] = {}
        self.sent = self.measured = self.dropped = self.lost = self.stepped = 0
        self.lagged = {True: 0, False: 0}
        self.late = 0
        self.loops = {True: 0, False: 0}

    def add(self, row: Row) -> None:
        """Count one row."""
        self.sent += row.sent_ns is not None
        if row.phase != "measure":
            return
        self.measured += 1
        self.dropped += row.outcome == Outcome.DROPPED
        self.lost += row.outcome == Outcome.LOST
        key = (row.provider, row.scenario, row.load)
        self._ok[key] = self._ok.get(key, 0) + (row.outcome == Outcome.OK)
        rate = self._rate(row.load)
        self.loops[rate is not None] += 1
        if row.flags != "[]":
            self.lagged[rate is not None] += f'"{Flag.LOOP_LAG}"' in row.flags
            self.stepped += f'"{Flag.CLOCK_STEP}"' in row.flags
            self.late += f'"{Flag.LATE_START}"' in row.flags
        if row.due_ns is not None:
            self._timed(row, row.due_ns, rate)

    def _timed(self, row: Row, due: int, rate: float | None) -> None:
        began = self._began(row)
        if began is not None:
            tenths = max(began - due, 0) * 10 // MS
            self._delays[min(tenths, LONGEST)] += 1
        if rate is not None:
            pace = self.paces.setdefault((row.scenario, row.load), Pace(asked=rate))
            # A drop for want of a slot was made on time: the cap is the user's.
            late = f'"{Flag.LATE_START}"' in row.flags
            capped = row.outcome == Outcome.DROPPED and not late
            pace.add(due, due if capped else began)

    def _began(self, row: Row) -> int | None:
        """Return when we had done our part: before any wait that is the host's."""
        if row.outcome in {Outcome.DROPPED, Outcome.LOST}:
            return None
        if row.sent_ns is None or row.provider in self._ceilings:
            return row.queued_ns
        opening = (row.dns_ns or 0) + (row.connect_ns or 0) + (row.tls_ns or 0)
        return row.sent_ns - opening

    def _rate(self, load: str) -> float | None:
        if load not in self._open:
            self._open[load] = msgspec.json.decode(load).get("rate")
        return self._open[load]

    def delay_ms(self, share: float) -> float | None:
        """Return a quantile of the schedule delay in ms; None where nothing was due.

        To a tenth of a ms, by nearest rank; 10,000 stands for anything longer.
        """
        left = math.ceil(share * self._delays.total())
        for tenths in sorted(self._delays):
            left -= self._delays[tenths]
            if left <= 0:
                return tenths / 10
        return None

    def scarce(self) -> list[int]:
        """Return the ok answers of each host, scenario and step that has too few."""
        return sorted(n for n in self._ok.values() if n < ENOUGH_OK)


def judge(facts: Facts, health: Health | None = None, lost: int = 0) -> Judgement:
    """Return what a run is worth.

    `health` has the numbers of how the bench fared (None: nothing is known of it);
    `lost` is how many of its workers died.
    """
    fared = health or {}
    breaks, flaws = list(_breaks(facts, fared)), list(_flaws(facts, fared, lost))
    validity = INVALID if breaks else DEGRADED if flaws else VALID
    return Judgement(validity=validity, reasons=(*breaks, *flaws))


def _breaks(facts: Facts, fared: Health) -> Iterator[Reason]:
    """Yield what makes a run invalid."""
    if not facts.sent:
        yield _reason("nothing_sent", "nothing was sent", 0, 1)
    asleep = fared.get("asleep_s") or 0.0
    if asleep:
        text = f"the machine slept for {asleep:.1f} s during the run"
        yield _reason("suspend", text, asleep, None)
    step = fared.get("clock_step_max_ms") or 0.0
    if step > STEP_MS:
        text = f"the wall clock was set by {step / 1e3:,.1f} s during the run"
        yield _reason("clock_step", text, step, STEP_MS)
    worst = _worst_pace(facts)
    if worst is not None and worst[0] < RATE_LEAST:
        yield _rate(worst, RATE_LEAST)
    share = _share(facts.lagged[True], facts.loops[True])
    if share > LAG_SHARE:
        yield _lag(share, fared, LAG_SHARE)


def _flaws(facts: Facts, fared: Health, lost: int) -> Iterator[Reason]:
    """Yield what degrades a run."""
    yield from _pace_flaws(facts)
    lagging = facts.lagged[True] + facts.lagged[False]
    if lagging and _share(facts.lagged[True], facts.loops[True]) <= LAG_SHARE:
        yield _lag(_share(lagging, facts.measured), fared, None)
    for name, code, what, bound in (
        ("cpu_share", "cpu", "the generator used", CPU_SHARE),
        (
            "machine_share",
            "machine_cpu",
            "all of the machine together used",
            MACHINE_SHARE,
        ),
    ):
        share = fared.get(name)
        long = (fared.get("span_s") or 0.0) >= CPU_SPAN_S
        if share is not None and share > bound and long:
            text = f"{what} {_percent(share)} of its CPU (above {_percent(bound)})"
            yield _reason(code, text, share, bound)
    if lost or facts.lost:
        text = f"{lost} workers and {facts.lost:,} of their requests were lost"
        yield _reason("lost", text, max(lost, 1), None)
    step = fared.get("clock_step_max_ms") or 0.0
    if 0 < step <= STEP_MS:
        text = f"the wall clock was set by {step:.0f} ms during the run"
        yield _reason("clock_step", text, step, 50.0)
    scarce = facts.scarce()
    if scarce and facts.sent:
        text = (
            f"too few samples: a host and load step has {scarce[0]} ok answers "
            f"(a median needs {ENOUGH_OK})"
        )
        yield _reason("too_few_samples", text, scarce[0], ENOUGH_OK)


def _pace_flaws(facts: Facts) -> Iterator[Reason]:
    delay = facts.delay_ms(0.5)
    if delay is not None and delay >= DELAY_MS:
        text = (
            f"requests left {delay:,.1f} ms after they were due (median; "
            f"p99 {facts.delay_ms(0.99):,.1f}; must be under {DELAY_MS:.0f})"
        )
        yield _reason("schedule_delay", text, delay, DELAY_MS)
    worst = _worst_pace(facts)
    if worst is not None and RATE_LEAST <= worst[0] < RATE_GOOD:
        yield _rate(worst, RATE_GOOD)
    if facts.dropped:
        text = (
            f"{facts.dropped:,} of {facts.measured:,} requests were dropped: "
            "no slot was free when they were due"
        )
        yield _reason("dropped", text, facts.dropped, None)


def _worst_pace(facts: Facts) -> tuple[float, float] | None:
    """Return the least share of the asked rate that a step held, and that rate."""
    held = [(p.held, p.asked) for p in facts.paces.values() if p.held is not None]
    return min(held, default=None)


def _rate(worst: tuple[float, float], bound: float) -> Reason:
    share, asked = worst
    text = (
        f"held {share * asked:,.1f} of {asked:,.1f} blocks a second, "
        f"{_percent(share)} of what was due (at least {_percent(bound)})"
    )
    return _reason("rate", text, share, bound)


def _lag(share: float, fared: Health, bound: float | None) -> Reason:
    longest = fared.get("lag_max_ms") or 0.0
    most = f"at most {_percent(bound)}" if bound else "none should"
    # What was watched may be less than the run: one that was resumed, or a worker lost.
    known = f", longest {longest:,.0f} ms" if longest > 10 else ""
    text = (
        f"{_percent(share)} of requests met a late event loop "
        f"(over 10 ms{known}; {most})"
    )
    return _reason("loop_lag", text, share, bound)


def _reason(code: str, text: str, value: float, bound: float | None) -> Reason:
    return Reason(code=code, text=text, value=value, bound=bound)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %".replace(".0 %", " %")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _widen(span: list[int], moment: int) -> None:
    """Let a span, [] or [first, last], take in one more moment."""
    span[:] = [min(moment, *span[:1]), max(moment, *span[1:])] if span else [moment] * 2


def _length(span: list[int]) -> int:
    return span[1] - span[0] if span else 0
