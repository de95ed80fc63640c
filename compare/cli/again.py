"""What `--resume` needs: the run that is meant, and what is left of it."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from compare.run.config import Flags
    from compare.run.prepare import Run
    from compare.run.resume import Resumed
    from data.row import Row


def found(path: Path | None, flags: "Flags", db: Path, text: str) -> "Run":
    """Return the run that a text means, ready to go on.

    Raises JobError when it cannot be resumed, StoreError when it is not there.
    """
    from compare.run.config import Flags, read
    from compare.run.money import nusd
    from compare.run.resume import again
    from data import query

    with closing(query.open_reader(db)) as reader:
        record = query.run(reader, query.resolve(reader, text))
    if path is None and not flags.providers and (flags.thresholds or flags.slo):
        raise click.UsageError(
            "a run goes on with its own thresholds and objectives; judge it by others "
            "when it has ended: h2h compare RUN --threshold TEXT"
        )
    alone = path is None and flags == Flags(budget=flags.budget)
    if path is None and not flags.providers and not alone:
        raise click.UsageError(
            "with --resume alone only --budget may change: a run goes on as it began"
        )
    given = None if alone else read(path, flags)
    return again(record, given, nusd(flags.budget, "--budget"))


def left(
    run: "Run", db: Path, weighing: "Sequence[Callable[[Row], Any]]"
) -> tuple["Resumed", int | None]:
    """Return what is left of a run, and what may still be spent on it (nano-USD).

    Call it once the store is open: that may bring back a killed writer's last batch,
    and keeps others from going on with the run meanwhile. Each of `weighing` is given
    the rows that there are.
    """
    from compare.cli.budget import budget_left
    from compare.run.resume import Past, resumed, spent_nusd
    from data import query

    past = Past(run.plan)
    with closing(query.open_reader(db)) as reader:
        record = query.run(reader, run.run_id)
        for row in query.rows(reader, run.run_id):
            past.add(row)
            for weigh in weighing:
                weigh(row)
    after = resumed(run, record, past)
    limited = run.job.budget_nusd is not None
    return after, budget_left(run.job, db, spent_nusd(run, past) if limited else 0)


def tell(after: "Resumed") -> None:
    """Say what is about to be sent, and what is not as it would have been."""
    run, n = after.run, after.missing
    what = "the rest of its time" if n is None else f"{n:,} requests without a row"
    click.echo(f"resuming {run.run_id}: {what}", err=True)
    if after.parted:
        click.echo(
            f"{after.parted:,} blocks had rows of some hosts only: the others are "
            "asked now, not at the same moment",
            err=True,
        )
    if after.record.status == "crashed" and run.job.budget_nusd is not None:
        click.echo(
            "what was in flight when it crashed may have been billed; no row tells, "
            "and the budget does not know of it",
            err=True,
        )
