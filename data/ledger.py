"""What was sent and spent by day, host and model: the requests of all runs together."""

import datetime as dt
import sqlite3

import msgspec

from data.query import ask


class DayUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What one model at one host was sent and charged on one UTC day, if known.

    Sums leave unknown values out and are None when all are unknown; `n_unpriced`
    requests have no computed cost. Warm-up counts: it is charged too.
    """

    day: str
    provider: str
    model: str
    requests: int
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    cost_reported_usd: float | None
    n_unpriced: int


# `at_s` is the second since 1970 (UTC) at which a request was really sent. Runs that
# ended before `since` are not read; the minute allows for a wall clock that was set.
_SENT = """
WITH begun AS (
    SELECT run_id, (julianday(started_at) - 2440587.5) * 86400 AS began_s
    FROM runs
    WHERE :since IS NULL OR ended_at IS NULL
        OR (julianday(ended_at) - 2440587.5) * 86400 >= :since - 60
),
sent AS (
    SELECT began_s + sent_ns / 1e9 AS at_s, requests.*
    FROM begun JOIN requests USING (run_id)
    WHERE sent_ns IS NOT NULL
        AND (:since IS NULL OR began_s + sent_ns / 1e9 >= :since)
)
"""

_USAGE = """
SELECT
    coalesce(date(at_s, 'unixepoch'), 'unknown') AS day,
    provider,
    model_requested AS model,
    count(*) AS requests,
    sum(prompt_tokens) AS prompt_tokens,
    sum(cached_tokens) AS cached_tokens,
    sum(completion_tokens) AS completion_tokens,
    sum(cost_nusd) / 1e9 AS cost_usd,
    sum(cost_reported_nusd) / 1e9 AS cost_reported_usd,
    sum(cost_nusd IS NULL) AS n_unpriced
FROM sent
GROUP BY day, provider, model_requested
ORDER BY day, provider, model_requested
"""

# What simulated hosts of a demo charge is nobody's money.
_SPENT = """
SELECT sum(max(coalesce(cost_nusd, 0), coalesce(cost_reported_nusd, 0)))
FROM sent
WHERE run_id NOT IN (SELECT run_id FROM runs WHERE kind = 'demo')
"""


def usage(db: sqlite3.Connection, since: dt.datetime | None = None) -> list[DayUsage]:
    """Return what was sent by UTC day, host and model, oldest day first.

    `since` (aware) leaves out what was sent before. Requests that never reached the
    socket are not in it.
    """
    names = DayUsage.__struct_fields__
    found = ask(db, _SENT + _USAGE, _since(since))
    return [DayUsage(**dict(zip(names, line, strict=True))) for line in found]


def spent_nusd(db: sqlite3.Connection, since: dt.datetime | None = None) -> int:
    """Return the nano-USD spent since a moment (aware), for a budget.

    The larger of computed and host-stated cost counts; a request without either adds
    nothing (`usage` counts those as unpriced). A demo's simulated cost is left out.
    """
    ((spent,),) = ask(db, _SENT + _SPENT, _since(since))
    return int(spent or 0)


def _since(since: dt.datetime | None) -> dict[str, float | None]:
    return {"since": None if since is None else since.timestamp()}
