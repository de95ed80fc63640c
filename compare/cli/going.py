"""A run while it goes: how its progress is shown, its signals minded, its rows told."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from compare.cli.trust import Scales
    from compare.run.engine import Engine
    from compare.run.prepare import Run
    from compare.run.tally import Sending, Tally
    from data.row import CheckRow, Row
    from data.store import Store


ENDED = "ended"
"""Why a service stopped that was told to: its usual end, and no failure."""


class Beside(Protocol):
    """What stands beside a run: it hears of each row, and of the engine before any."""

    engine: "Sending | None"

    def add(self, row: "Row") -> None:
        """Hear of a row."""
        ...


class Driver(Beside, Protocol):
    """What stands beside a run and drives it, on a schedule of its own."""

    async def drive(self, engine: "Engine") -> None:
        """Make the engine send what is due."""
        ...

    @property
    def dated(self) -> "Callable[[int], int] | None":
        """Return what tells the wall clock's ns at a moment of the run's clock.

        None: its rows have no date.
        """
        ...


class Telling(NamedTuple):
    """How a run is told of, and in which files.

    `ui` is how progress is shown; with `verbose` each failure is told. At its end come
    table, verdict and thresholds, as JSON with `as_json`; with `end` False the caller
    tells of it. `junit` and `markdown` are what is written beside (- prints it). A
    `service` goes on until SIGTERM, which is then its usual end.
    """

    ui: str
    as_json: bool = False
    verbose: bool = False
    end: bool = True
    junit: Path | None = None
    markdown: Path | None = None
    service: bool = False


def conducted(
    ready: "Run",
    store: "Store",
    scales: "Scales",
    besides: "Sequence[Beside]",
    telling: Telling,
    how: dict[str, Any],
) -> tuple["Tally", str | None]:
    """Conduct a run, judged by its rows; return its tally and why it stopped early.

    Each of `besides` hears of its rows, `how` has what else `conduct` is to know.
    """
    from compare.cli.trust import run_loop

    weigh = scales.watched(tell_failure if telling.verbose else None)

    def watch(row: "Row") -> None:
        weigh(row)
        for each in besides:
            each.add(row)

    checked = Checked()
    how |= {"judge": scales.judge, "watch": watch, "graded": checked.add}
    found: tuple[Tally, str | None] = run_loop(
        _shown(ready, store, besides, telling, how)
    )
    checked.tell()
    return found


class Checked:
    """What came of the checks that had waited for the end of a run."""

    def __init__(self) -> None:
        self._passed = self._failed = self._unknown = 0
        self._why = ""

    def add(self, made: "Sequence[CheckRow]") -> None:
        """Count some."""
        for check in made:
            self._passed += check.passed == 1
            self._failed += check.passed == 0
            if check.passed is None:
                self._unknown += 1
                self._why = check.detail or ""

    def tell(self) -> None:
        """Say it, in a line, if there were any."""
        from compare.show.words import plain

        n = self._passed + self._failed + self._unknown
        if n:
            why = f", {self._unknown} not made: {plain(self._why)}" * bool(self._why)
            text = f"{n} check{'s' * (n > 1)} after the run: {self._passed} passed{why}"
            click.echo(text, err=True)


async def _shown(
    ready: "Run",
    store: "Store",
    besides: "Sequence[Beside]",
    telling: Telling,
    how: dict[str, Any],
) -> tuple["Tally", str | None]:
    """Conduct the run with its progress shown and its signals minded."""
    import asyncio

    from compare.cli.progress import progress
    from compare.run.conduct import conduct
    from compare.run.rest import missing

    planned = missing(ready.plan, ready.rest) if "drive" not in how else None
    going: asyncio.Queue[Any] = asyncio.Queue()

    def start(engine: Any, tally: Any) -> None:
        mind_signals(engine, service=telling.service)
        for each in besides:
            each.engine = engine
        going.put_nowait((engine, tally))

    task = asyncio.create_task(conduct(ready, store, ready=start, **how))
    first = asyncio.create_task(going.get())
    await asyncio.wait({task, first}, return_when=asyncio.FIRST_COMPLETED)
    if not first.done():
        first.cancel()
        return await task
    engine, tally = first.result()
    async with progress(engine, tally, telling.ui, planned):
        return await task


def tell_failure(row: "Row") -> None:
    """Print a request that failed, its host's words made safe for a terminal."""
    from compare.show.words import plain

    if row.outcome == "ok":
        return
    status = f" HTTP {row.http_status}" if row.http_status else ""
    words = f": {plain(row.error_excerpt)}" if row.error_excerpt else ""
    click.echo(
        f"{plain(row.provider)} block {row.block}: {row.outcome}{status}{words}",
        err=True,
    )


def mind_signals(engine: Any, *, service: bool = False) -> None:
    """Stop sending at the first Ctrl-C or SIGTERM, end everything at the second.

    To a `service` SIGTERM is its usual end.
    """
    import asyncio
    import signal

    def once(why: str) -> None:
        if engine.stopped is None:
            engine.stop(
                why
            )  # first of all: it holds whether or not anybody hears of it
            click.echo("stopping: waiting for what is in flight (again: now)", err=True)
        else:
            engine.finish_now()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        ends = service and number == signal.SIGTERM
        loop.add_signal_handler(number, once, ENDED if ends else "interrupted")
