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
        from compare.judge.remarks import Withheld
        from compare.judge.validity import Facts

        self._facts = Facts(run.held_back)
        self._withheld = Withheld()
        self.judgement: Judgement | None = None

    def add(self, row: "Row") -> bool:
        """Weigh one row; True when it is the first of its host that was withheld."""
        self._facts.add(row)
        return self._withheld.add(row)

    def watched(self, also: Callable[["Row"], None] | None) -> Callable[["Row"], None]:
        """Return what is to be given each row: the facts, and another watcher."""

        def watch(row: "Row") -> None:
            if self.add(row):
                _tell_withheld(row.provider)
            if also is not None:
                also(row)

        return watch

    def judge(
        self,
        health: "Health | None",
        lost: int,
        stopped: str | None,
        resumed: str = "[]",
    ) -> tuple[str, str]:
        """Return the validity and its reasons, as JSON, with what else is to be told.

        `resumed` is as in the run's line.
        """
        import msgspec

        from compare.judge.remarks import Break, remarked
        from compare.judge.validity import judge

        numbers = None if health is None else msgspec.structs.asdict(health)
        self.judgement = remarked(
            judge(self._facts, numbers, lost),
            stopped=stopped,
            withheld=self._withheld.by_host,
            breaks=msgspec.json.decode(resumed, type=list[Break]),
        )
        return self.judgement.validity, self.judgement.json


def _tell_withheld(host: str) -> None:
    from compare.show.words import plain

    click.echo(
        f"{plain(host)} keeps refusing the key: it is sent nothing more in this run; "
        "check its variable and the account",
        err=True,
    )


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
