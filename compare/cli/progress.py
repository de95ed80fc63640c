"""The progress of a run: live on a terminal, a plain line every few seconds off one."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from compare.run.tally import Sending, Tally

LIVE_S = 0.25
PLAIN_S = 5.0


@asynccontextmanager
async def progress(
    engine: "Sending", tally: "Tally", ui: str, planned: int | None
) -> AsyncIterator[None]:
    """Show how a run goes while the block runs; always on stderr."""
    kind = chosen(ui, sys.stderr)
    if kind == "none":
        yield
        return
    show = _live if kind == "live" else _plain
    task = asyncio.create_task(show(engine, tally, planned))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def chosen(ui: str, stream: TextIO) -> str:
    """Return `live`, `plain` or `none`: `auto` is live only on a terminal."""
    import os

    if ui != "auto":
        return ui
    able = stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}
    return "live" if able else "plain"


def line(engine: "Sending", tally: "Tally", planned: int | None) -> str:
    """Return the progress in one line of at most 80 columns for up to 3 hosts."""
    seconds = max(loop_seconds(tally), 1e-9)
    ok = tally.outcomes.get("ok", 0)
    parts = [
        f"{engine.sent}{f'/{planned}' if planned else ''} sent",
        f"{ok} ok",
        f"{tally.rows - ok} bad",
        f"{engine.in_flight} open",
        f"{tally.rows / seconds:.1f}/s",
    ]
    if tally.spent_nusd:
        parts.append(f"${tally.spent_nusd / 1e9:.3f}")
    return ", ".join(parts)


def hosts(tally: "Tally") -> str:
    """Return the hosts' TTFT p50 so far, in one line."""
    return "  ".join(
        f"{name} {median(values):.0f} ms"
        for name, values in sorted(tally.ttft_ms.items())
        if values
    )


def loop_seconds(tally: "Tally") -> float:
    """Return the seconds since the run began."""
    import time

    return time.monotonic() - tally.started


async def _plain(engine: "Sending", tally: "Tally", planned: int | None) -> None:
    while True:
        await asyncio.sleep(PLAIN_S)
        ttft = "/".join(f"{median(values):.0f}" for values in tally.ttft_ms.values())
        print(
            f"{loop_seconds(tally):4.0f}s {line(engine, tally, planned)}"
            + (f", TTFT {ttft} ms" if ttft else ""),
            file=sys.stderr,
            flush=True,
        )


async def _live(engine: "Sending", tally: "Tally", planned: int | None) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(
        console=Console(stderr=True), refresh_per_second=1 / LIVE_S, transient=True
    ) as live:
        while True:
            text = f"{line(engine, tally, planned)}\nTTFT p50  {hosts(tally) or '-'}"
            live.update(Text(text))
            await asyncio.sleep(LIVE_S)
