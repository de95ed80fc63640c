"""The load: how many blocks, how fast or how many at once, and when each is due."""

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, get_args

import msgspec

from scenarios import sweep
from scenarios.form import durations, nearest, parse_duration, refuse_unknown, shaped
from scenarios.request import ScenarioError
from scenarios.trace import Trace

__all__ = ["Arrivals", "Load", "Step", "parse_duration", "read", "steps", "times"]

Arrivals = Literal["constant", "poisson", "gamma"]

DEFAULT_BLOCKS: Final = 100
OPEN_LOOP_CAP: Final = 1000
MOST_SLOTS: Final = 100_000
MOST_PER_S: Final = 100_000.0
MOST_BLOCKS: Final = 10**15
STARTS_PER_S: Final = 200
LONGEST_RAMP_S: Final = 5.0

SWEPT: Final = (1, 256)
"""The ends of a sweep that names none."""

_LISTS: Final[dict[str, tuple[str, Any]]] = {
    "rate": ("rates", tuple[float, ...]),
    "concurrency": ("concurrencies", tuple[int, ...]),
}


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """The load of a run; raises ScenarioError when it is made of impossible figures.

    `rates` (blocks a second) makes the loop open; without it the loop is closed.
    `duration` and `ramp` are seconds, `max_requests` and `warmup` blocks a scenario
    and step. None is "not asked for": see `n_blocks`, `steps` and `Step.ramp`. With
    `sweep` the two rates or concurrencies are the ends of a search, and not paired.
    """

    rates: tuple[float, ...] = ()
    concurrencies: tuple[int, ...] = ()
    arrival: Arrivals = "constant"
    burstiness: float = 1.0
    duration: float | None = None
    max_requests: int | None = None
    warmup: int = 0
    seed: int = 0
    ramp: float | None = None
    unpaired: bool = False
    sweep: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be run, naming the key."""
        for fault in _faults(self):
            raise ScenarioError(f"load: {fault}")

    @property
    def n_blocks(self) -> int | None:
        """Return the measured blocks of a step; None when `duration` alone decides."""
        if self.max_requests is None and self.duration is None:
            return DEFAULT_BLOCKS
        return self.max_requests


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One load step: blocks a second (None: closed loop) and blocks in flight.

    `ramp` is in seconds: over it a closed loop opens its slots evenly, and the rate
    of an open one rises from 0.
    """

    index: int
    rate: float | None
    concurrency: int
    ramp: float


def steps(load: Load) -> list[Step]:
    """Return the load steps, one for each rate or concurrency in its list.

    A closed loop has one block in flight unless told otherwise, and takes 200 starts
    a second; an open loop has at most 1000 in flight and no ramp of its own. Those of
    a sweep are all that it may try.
    """
    cap = OPEN_LOOP_CAP if load.rates else 1
    rates: tuple[float | None, ...] = load.rates or (None,)
    slots = load.concurrencies or (cap,)
    if load.sweep and load.rates:
        rates = sweep.grid(load.rates[0], load.rates[-1], whole=False)
    elif load.sweep:
        slots = tuple(int(n) for n in sweep.grid(slots[0], slots[-1], whole=True))
    n = max(len(rates), len(slots))
    pairs = zip(_stretched(rates, n), _stretched(slots, n), strict=True)
    return [
        Step(index=i, rate=rate, concurrency=c, ramp=_ramp(load, rate, c))
        for i, (rate, c) in enumerate(pairs)
    ]


def blocks(load: Load, step: Step) -> int | None:
    """Return the measured blocks of a step; None when `duration` alone decides.

    In a sweep they are as many as it takes for the load to show what it does.
    """
    if load.n_blocks is None or not load.sweep:
        return load.n_blocks
    return max(load.n_blocks, sweep.least(step.rate, step.concurrency))


def shape(
    load: Load, step: Step, trace: Trace | None
) -> tuple[int | None, float | None, int]:
    """Return the blocks, the rate and the slots of a step; a trace has its own.

    None as in `blocks`, and for the rate of a closed loop.
    """
    if trace is None:
        return blocks(load, step), step.rate, step.concurrency
    slots = step.concurrency if load.concurrencies else OPEN_LOOP_CAP
    n = min(load.max_requests or len(trace.asked), len(trace.asked))
    return n, step.rate or trace.rate, slots


def refuse_replay(load: Load, traces: Sequence[str]) -> None:
    """Raise ScenarioError for a load that says when to ask what traces say themselves.

    `traces` are the names of scenarios that are traces; there may be none.
    """
    given = {
        "arrival": load.arrival != "constant",
        "warmup": load.warmup > 0,
        "ramp": bool(load.ramp),
        "sweep": load.sweep,
        "the list of concurrencies": len(load.concurrencies) > 1,
    }
    for what, is_given in given.items():
        if is_given and traces:
            raise ScenarioError(
                f"scenario {traces[0]!r} is a trace, which says when to ask: drop "
                f"{what} (a rate makes it faster or slower)"
            )


def kept(load: Load) -> dict[str, Any]:
    """Return a load as it is stored and hashed: JSON-able, no sweep where none is."""
    table: dict[str, Any] = msgspec.to_builtins(load)
    if not load.sweep:
        del table["sweep"]
    return table


def times(
    rate: float, arrival: Arrivals, burstiness: float, ramp: float, rng: random.Random
) -> Iterator[float]:
    """Yield for ever the seconds from a step's start at which something is due.

    Unit-rate arrivals are mapped through the inverse of the rate's integral, which is
    rate*t^2/(2*ramp) up to the ramp's end and rate*(t - ramp/2) after it; the gaps
    are 1, exponential, or gamma of shape `burstiness` and mean 1 (1 is Poisson, less
    is burstier). Constant arrivals start at 0 and are i/rate without summed error.
    """
    for position in _positions(arrival, burstiness, rng):
        if position < rate * ramp / 2:
            yield math.sqrt(2 * ramp * position / rate)
        else:
            yield ramp / 2 + position / rate


def read(table: Mapping[str, Any], where: str) -> Load:
    """Return the load that a table `[load]` or the flags of that name describe.

    The keys are rate, concurrency, arrival, burstiness, duration, max_requests,
    warmup, seed, ramp, unpaired and sweep; None is as good as absent. `rate` and
    `concurrency` may be a number, a list, or a text such as "1,8,64"; durations are
    as in `parse_duration`. Raises ScenarioError naming `where` and the key.
    """
    given = {key: value for key, value in table.items() if value is not None}
    known = {*Load.__struct_fields__, *_LISTS} - {field for field, _ in _LISTS.values()}
    refuse_unknown(given, known, where)
    for key, (field, shape) in _LISTS.items():
        if key in given:
            at = f"{where}.{key}"
            given[field] = shaped(_numbers(given.pop(key), at), shape, at)
    given = durations(given, ("duration", "ramp"), where)
    if given.get("sweep"):
        given["unpaired"] = True
        if "rates" not in given:
            given.setdefault("concurrencies", SWEPT)
    try:
        return shaped(given, Load, where)
    except ScenarioError as error:
        told = str(error).removeprefix("load: ")
        raise ScenarioError(
            told if told.startswith(where) else f"{where}: {told}"
        ) from None


def _positions(
    arrival: Arrivals, burstiness: float, rng: random.Random
) -> Iterator[float]:
    if arrival == "constant":
        return map(float, itertools.count())
    if arrival == "poisson":
        return itertools.accumulate(rng.expovariate(1.0) for _ in itertools.count())
    gaps = (rng.gammavariate(burstiness, 1 / burstiness) for _ in itertools.count())
    return itertools.accumulate(gaps)


def _ramp(load: Load, rate: float | None, concurrency: int) -> float:
    if load.ramp is not None:
        return load.ramp
    return 0.0 if rate else min(concurrency / STARTS_PER_S, LONGEST_RAMP_S)


def _stretched(values: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    return values * n if len(values) == 1 else values


def _faults(load: Load) -> Iterator[str]:
    for key, values, holds, rule in _bounds(load):
        for value in values:
            if value is not None and not holds(value):
                yield f"{key} must be {rule}, not {value}"
    n, m = len(load.rates), len(load.concurrencies)
    if load.sweep:
        ends = load.rates or load.concurrencies
        key, other = ("rate", m) if load.rates else ("concurrency", n)
        if len(ends) != 2 or not ends[0] < ends[1]:
            yield f"a sweep needs two ends of {key}, lower and higher, such as 1,64"
        if load.rates and other > 1:
            yield "a sweep of rates takes one concurrency: the most in flight"
        return
    if n > 1 and m > 1:
        yield f"rate lists {n} values and concurrency {m}; sweep one, fix the other"
    if load.arrival not in get_args(Arrivals):
        remedy = nearest(str(load.arrival), get_args(Arrivals))
        yield f"no arrival named {load.arrival!r}; {remedy}"
    if load.arrival != "constant" and not load.rates:
        yield f"arrival {load.arrival} needs a rate: without one the loop is closed"
    if load.burstiness != 1 and load.arrival != "gamma":
        yield f"burstiness is for arrival gamma, not {load.arrival}; set one of them"


def _bounds(
    load: Load,
) -> list[tuple[str, tuple[Any, ...], Callable[[float], bool], str]]:
    return [
        ("rate", load.rates, lambda r: 0 < r <= MOST_PER_S, "above 0, at most 100000"),
        ("concurrency", load.concurrencies, _slots, "1 to 100000"),
        ("burstiness", (load.burstiness,), _positive, "above 0 and finite"),
        ("duration", (load.duration,), _positive, "above 0 and finite"),
        (
            "max_requests",
            (load.max_requests,),
            lambda n: 1 <= n <= MOST_BLOCKS,
            f"1 to {MOST_BLOCKS}",
        ),
        ("warmup", (load.warmup,), lambda n: 0 <= n <= MOST_BLOCKS, "0 or more"),
        ("seed", (load.seed,), lambda n: abs(n) < 2**63, "a 64-bit integer"),
        ("ramp", (load.ramp,), lambda s: 0 <= s < math.inf, "0 or more and finite"),
    ]


def _positive(value: float) -> bool:
    return 0 < value < math.inf


def _slots(value: float) -> bool:
    return 1 <= value <= MOST_SLOTS


def _numbers(value: object, where: str) -> list[object]:
    if isinstance(value, list | tuple) and value:
        return list(value)
    if isinstance(value, str):
        try:
            return [_number(part) for part in value.split(",")]
        except ValueError:
            value = repr(value)
    elif isinstance(value, int | float):
        return [value]
    raise ScenarioError(f"{where}: {value} is no number or list; write 8 or 1,8,64")


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)
