"""What a run says of itself: how exact its bench is, and what the run is worth."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from compare.judge.validity import Judgement
    from compare.run.calibrate import Started
    from compare.run.config import Job
    from compare.run.monitor import Health
    from compare.run.prepare import Run
    from data.row import Row


class Scales:
    """Weighs a run as its rows come; `judgement` is there once it has ended."""

    def __init__(self, run: "Run") -> None:
        from compare.judge.validity import Facts

        self._facts = Facts(run.held_back)
        self.judgement: Judgement | None = None

    def watched(self, also: Callable[["Row"], None] | None) -> Callable[["Row"], None]:
        """Return what is to be given each row: the facts, and another watcher."""

        def watch(row: "Row") -> None:
            self._facts.add(row)
            if also is not None:
                also(row)

        return watch

    def judge(
        self, health: "Health | None", lost: int, stopped: str | None
    ) -> tuple[str, str]:
        """Return the validity and its reasons, as JSON; a spent budget is told too."""
        import msgspec

        from compare.judge.validity import EARLY, judge

        numbers = None if health is None else msgspec.structs.asdict(health)
        found = judge(self._facts, numbers, lost)
        if stopped in EARLY:
            why = (*found.reasons, EARLY[stopped])
            found = msgspec.structs.replace(found, reasons=why)
        self.judgement = found
        return found.validity, found.json


@contextmanager
def metronome(wanted: bool) -> Iterator["Started | None"]:
    """Have the host of the calibration start while the rest is made ready."""
    from compare.run import calibrate

    if not wanted:
        yield None
        return
    with calibrate.metronome() as host:
        yield host


def floor_of(host: "Started | None", job: "Job") -> str | None:
    """Measure the bench's own error; None when it is not wished or did not work."""
    import msgspec

    from compare.run.calibrate import calibrate, streams_of

    if host is None:
        return None
    floor = run_loop(calibrate(host, streams_of(job)))
    if floor is None:
        click.echo("calibration failed: the bench's own error is not known", err=True)
        return None
    return msgspec.json.encode(floor).decode()


def run_loop(main: Any) -> Any:
    """Run a coroutine to its end on the quickest event loop there is."""
    try:
        import uvloop
    except ImportError:  # Windows has no uvloop
        import asyncio

        return asyncio.run(main)
    return uvloop.run(main)
