"""What checks say of a host as one flat line, for spreadsheets."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from compare.judge.accepted import Per
from compare.judge.fidelity import Share
from compare.judge.quality import Quality
from data.row import RunRow


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One Quality with its run, and a column for each figure in it.

    Of a share `_low` and `_high` are the ends of its interval and `_n` what it is a
    share of; of an amount per accepted answer `_unknown` counts the attempts whose
    amount is not in it. `faults` is a JSON list.
    """

    run_id: str
    started_at: str
    validity: str | None
    provider: str
    scenario: str
    step: int | None
    n: int
    n_accepted: int
    n_unchecked: int
    passed: float | None
    passed_low: float | None
    passed_high: float | None
    passed_n: int
    pass_at_1: float | None
    n_cases: int
    flips: float | None
    flips_low: float | None
    flips_high: float | None
    flips_n: int
    differs: float | None
    differs_low: float | None
    differs_high: float | None
    differs_n: int
    same: float | None
    same_low: float | None
    same_high: float | None
    same_n: int
    usd_per_accepted: float | None
    usd_low: float | None
    usd_high: float | None
    usd_unknown: int
    seconds_per_accepted: float | None
    seconds_low: float | None
    seconds_high: float | None
    seconds_unknown: int
    tokens_per_accepted: float | None
    tokens_low: float | None
    tokens_high: float | None
    tokens_unknown: int
    f1: float | None
    f1_low: float | None
    f1_high: float | None
    schema: float | None
    schema_low: float | None
    schema_high: float | None
    schema_n: int
    agree: float | None
    agree_low: float | None
    agree_high: float | None
    agree_n: int
    steps: float | None
    n_solved: int | None
    invalid: float | None
    invalid_low: float | None
    invalid_high: float | None
    invalid_n: int
    leaks: float | None
    leaks_low: float | None
    leaks_high: float | None
    leaks_n: int
    idle: float | None
    idle_low: float | None
    idle_high: float | None
    idle_n: int
    faults: str


NOTHING = Share(value=None, low=None, high=None, n=0)


def marks(run: RunRow, found: Iterable[Quality]) -> Iterator[Mark]:
    """Yield what the checks of a run say of its hosts, line by line."""
    for each in found:
        tools, taken, steps = each.tools, each.accepted, each.steps
        yield Mark(
            run_id=run.run_id,
            started_at=run.started_at,
            validity=run.validity,
            provider=each.provider,
            scenario=each.scenario,
            step=each.step,
            n=taken.n,
            n_accepted=taken.n_accepted,
            n_unchecked=taken.n_unchecked,
            pass_at_1=each.pass_at_1,
            n_cases=each.n_cases,
            **_share("passed", each.passed),
            **_share("flips", each.flips),
            **_share("differs", each.differs or NOTHING),
            **_share("same", each.same),
            **_per("usd", taken.usd),
            **_per("seconds", taken.seconds),
            **_per("tokens", taken.tokens),
            f1=tools.f1 if tools else None,
            f1_low=tools.low if tools else None,
            f1_high=tools.high if tools else None,
            **_share("schema", tools.schema if tools else NOTHING),
            **_share("agree", tools.agree if tools else NOTHING),
            steps=steps.median if steps else None,
            n_solved=steps.n_solved if steps else None,
            **_share("invalid", steps.invalid if steps else NOTHING),
            **_share("leaks", steps.leaks if steps else NOTHING),
            **_share("idle", steps.idle if steps else NOTHING),
            faults=msgspec.json.encode(each.faults).decode(),
        )


def _share(name: str, found: Share) -> dict[str, Any]:
    ends = {f"{name}_low": found.low, f"{name}_high": found.high}
    return {name: found.value, **ends, f"{name}_n": found.n}


def _per(name: str, found: Per) -> dict[str, Any]:
    ends = {f"{name}_low": found.low, f"{name}_high": found.high}
    return {
        f"{name}_per_accepted": found.value, **ends, f"{name}_unknown": found.n_unknown
    }  # fmt: skip
