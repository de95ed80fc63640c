"""Events: what changed at a host, and alerts that began and ended."""

import msgspec


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event: a line of the table `events`.

    `at_ms` is when, ms of 1970 (UTC). `kind` is `change`, `alert` (one began) or
    `resolved` (it ended). `subject` is what changed, or the alert's name. `before` and
    `after` are texts with their unit, None where there is none; `n` rows tell of it.
    `scenario` is None where it is of all. `text` says it in a sentence.
    """

    event_id: str
    at_ms: int
    kind: str
    provider: str
    scenario: str | None = None
    subject: str
    before: str | None = None
    after: str | None = None
    n: int | None = None
    text: str
