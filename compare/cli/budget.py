"""What a run may still spend."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compare.run.config import Job


def budget_left(job: "Job", db: Path, spent_nusd: int = 0) -> int | None:
    """Return what may still be spent, in nano-USD; None for no limit.

    The lesser of the run's limit, of which `spent_nusd` is gone, and of the day's.
    """
    import datetime as dt

    from data import ledger, query

    limits = []
    if job.budget_nusd is not None:
        limits.append(max(job.budget_nusd - spent_nusd, 0))
    if job.day_nusd is not None:
        midnight = dt.datetime.now(dt.UTC).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        spent = 0
        if db.exists():
            spent = ledger.spent_nusd(query.open_reader(db), midnight)
        limits.append(max(job.day_nusd - spent, 0))
    return min(limits, default=None)
