"""What spoils a comparison, where, and what to do about it."""

from enum import StrEnum

import msgspec

from compare.judge.pair import Contrast, base


class Caveat(StrEnum):
    """A reason to trust a figure less; `ADVICE` says what to do."""

    RUN_INVALID = "run_invalid"
    STILL_RUNNING = "still_running"
    COMPARED_ANYWAY = "compared_anyway"
    SEPARATE_RUNS = "separate_runs"
    ONLY_IN_ONE = "only_in_one"
    UNLIKE_LOAD = "unlike_load"
    UNPAIRED = "unpaired"
    TOO_FEW_SAMPLES = "too_few_samples"
    LATE_SCHEDULE = "late_schedule"
    CLIENT_SATURATED = "client_saturated"
    NOT_CALIBRATED = "not_calibrated"
    BELOW_FLOOR = "below_floor"
    ERRORS = "errors"
    INTERRUPTED = "interrupted"
    UNEQUAL_OUTPUT = "unequal_output"
    OUTPUT_UNKNOWN = "output_unknown"
    NOT_TRULY_STREAMED = "not_truly_streamed"
    CONNECTIONS_DIFFER = "connections_differ"
    FIRST_REQUESTS_SLOW = "first_requests_slow"
    UNSTEADY = "unsteady"
    EFFORT_UNVERIFIED = "effort_unverified"
    PRICE_OLD = "price_old"
    EXTRA_BODY = "extra_body"


ADVICE: dict[Caveat, str] = {
    Caveat.RUN_INVALID: "no verdict is given; mend what stands above and run again",
    Caveat.STILL_RUNNING: "wait for its end",
    Caveat.COMPARED_ANYWAY: "the difference may be in what was asked; ask alike",
    Caveat.SEPARATE_RUNS: "a change, of whatever cause; ask all in one run to compare "
    "hosts",
    Caveat.ONLY_IN_ONE: "no change is shown there, and no threshold on one passes",
    Caveat.UNLIKE_LOAD: "run both at the same rate and concurrency",
    Caveat.UNPAIRED: "for latency leave --unpaired away: pairs then share the moment",
    Caveat.TOO_FEW_SAMPLES: "ask for more with -n",
    Caveat.LATE_SCHEDULE: "lower --rate, or give the machine room",
    Caveat.CLIENT_SATURATED: "give the machine room, or spread it with --workers",
    Caveat.NOT_CALIBRATED: "leave --no-calibrate away",
    Caveat.BELOW_FLOOR: "the bench is no finer than this: it is no difference",
    Caveat.ERRORS: "times are those of answers; look at what failed before deciding",
    Caveat.INTERRUPTED: "percentiles are lower bounds; let the run end",
    Caveat.UNEQUAL_OUTPUT: "shorter answers end sooner: look at ttn and tpot",
    Caveat.OUTPUT_UNKNOWN: "that the work was equal is not known; ask for usage "
    "(stream_usage)",
    Caveat.NOT_TRULY_STREAMED: "its per-token figures are of the rest",
    Caveat.CONNECTIONS_DIFFER: "compare with --cold, where all open new ones",
    Caveat.FIRST_REQUESTS_SLOW: "use --warmup 20",
    Caveat.UNSTEADY: "the interval is too narrow; run longer, at several hours",
    Caveat.EFFORT_UNVERIFIED: "it may have thought more or less than it was asked to",
    Caveat.PRICE_OLD: "look the price up, and give it with --price",
    Caveat.EXTRA_BODY: "see that extra_body changes nothing that matters",
}
"""What to do about each caveat."""

WITHHOLDING = frozenset({Caveat.RUN_INVALID, Caveat.UNEQUAL_OUTPUT})
"""Those that leave no verdict on what they spoil."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One caveat found: its facts, and what it spoils.

    None and empty mean all: any scenario, any load step, every host, every metric.
    """

    caveat: Caveat
    text: str
    scenario: str | None = None
    step: int | None = None
    hosts: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()

    @property
    def advice(self) -> str:
        """Return what to do about it."""
        return ADVICE[self.caveat]

    def spoils(self, contrast: Contrast) -> bool:
        """Tell whether a contrast is to be read with this."""
        pair = {contrast.provider, contrast.reference}
        return (
            self.scenario in (None, contrast.scenario)
            and (self.scenario is None or self.step == contrast.step)
            and (not self.hosts or bool(pair & set(self.hosts)))
            and (not self.metrics or base(contrast.metric) in self.metrics)
        )


def withheld(found: list[Contrast], notes: list[Note]) -> list[Contrast]:
    """Return contrasts without the verdicts that a caveat leaves no room for."""
    strict = [note for note in notes if note.caveat in WITHHOLDING]
    return [
        msgspec.structs.replace(each, verdict=None)
        if any(note.spoils(each) for note in strict)
        else each
        for each in found
    ]
