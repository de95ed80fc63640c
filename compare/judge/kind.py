"""What many rows have in common, and what is never pooled."""

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """What many rows have in common; the fields are columns of `requests`.

    `load` is the JSON of the load step.
    """

    provider: str
    scenario: str
    turn: int | None
    load: str
    outcome: str
    blame: str | None
    stream_label: str | None
    conn_reused: int | None
    effort_verified: int | None = None

    @property
    def asked(self) -> str:
        """Return what was asked: the scenario, and which turn of several."""
        if self.turn is None:
            return self.scenario
        return f"{self.scenario} turn {self.turn}"

    @property
    def step(self) -> int | None:
        """Return the number of the load step, None where `load` has none."""
        return step_of(self.load)


def step_of(load: str) -> int | None:
    """Return the number of a load step out of its JSON, None where it has none."""
    step = msgspec.json.decode(load or "{}").get("step")
    return step if isinstance(step, int) else None


class Segment(msgspec.Struct, frozen=True):
    """What is never pooled with anything else: one scenario (turn) at one load step."""

    scenario: str
    step: int | None


class Asked(msgspec.Struct, frozen=True):
    """What a host was asked for in a segment; the fields are columns of `requests`.

    `case_id` is None where a run asked the same in all cases.
    """

    scenario_version: str
    params: str
    effort_requested: str | None
    max_tokens: int
    model_requested: str
    case_id: str | None = None
