"""Serves simulated hosts, and the faults of the catalogue, until told to stop."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path
from random import Random

import msgspec

from providers.provider import ProviderError
from providers.simulator.catalogue.index import find
from providers.simulator.catalogue.words import GOOD, streaming
from providers.simulator.host import SimulatedHost
from providers.simulator.player import Asked, ByteHost, Play
from providers.simulator.skill import read_skill
from scenarios.key import Key
from scenarios.scenario import load

Announce = Callable[[str, str], None]


def serve(
    profiles: Sequence[str],
    *,
    port: int = 0,
    seed: int = 1,
    fault: str | None = None,
    fault_share: float = 1.0,
    fault_after: int = 5,
    truth_file: str | Path | None = None,
    ttft_ms: float | None = None,
    gap_ms: float | None = None,
    tokens: int | None = None,
    cache_ttl_s: float | None = None,
    skill: str = "",
    answers: Sequence[str] = (),
    answers_seed: int = 0,
    until_stdin_closes: bool = False,
    announce: Announce | None = None,
) -> None:
    """Serve a host of each profile until SIGTERM or SIGINT; block until then.

    The first listens on `port`, the others on free ports; 0 means any free one. Once
    all listen, `announce` is told each profile and base URL; by default it writes a
    line of JSON to standard output. With `until_stdin_closes` the end of standard
    input ends it as well, so that a parent's death does. `skill` is as in `read_skill`;
    `answers` are the scenarios that the hosts know the answers to, with the values that
    a run of `answers_seed` draws. Raises ProviderError on a wrong name or dial,
    ScenarioError on a wrong scenario, OSError when a port or the truth file cannot be
    had.
    """
    key = Key(map(load, answers), answers_seed) if answers else None
    hosts = [
        SimulatedHost(
            profile,
            seed=seed,
            fault=fault,
            fault_share=fault_share,
            fault_after=fault_after,
            port=0 if nth else port,
            truth_file=truth_file,
            ttft_ms=ttft_ms,
            gap_ms=gap_ms,
            tokens=tokens,
            cache_ttl_s=cache_ttl_s,
            skill=read_skill(skill),
            answers=key,
        )
        for nth, profile in enumerate(profiles)
    ]
    named = [(host.profile.name, host) for host in hosts]
    asyncio.run(_run(named, until_stdin_closes, announce or print_line))


def serve_fault(
    name: str,
    *,
    port: int = 0,
    share: float = 1.0,
    seed: int = 1,
    announce: Announce | None = None,
) -> None:
    """Serve a fault of the catalogue as `serve` does a profile; see `fault_host`."""
    host = fault_host(name, port=port, share=share, seed=seed)
    asyncio.run(_run([(find(name)[0].slug, host)], False, announce or print_line))


def fault_host(
    name: str, *, port: int = 0, share: float = 1.0, seed: int = 1
) -> ByteHost:
    """Return the host that plays a fault's scripts in turn, one a request.

    Of the requests a seeded share is struck; the others get a good answer. Raises
    ProviderError on a name that is none or cannot be played, and on a share of a fault
    that strikes before there is a request.
    """
    fault, plays = find(name)
    if fault.at_connect and share < 1:
        raise ProviderError(
            f"fault {name} strikes a connection before its request: leave the share out"
        )
    turns, drawn, good = cycle(plays), Random(f"{seed}:fault"), streaming(*GOOD)

    def answer(_asked: Asked) -> Play:
        return next(turns) if drawn.random() < share else good

    first = plays[0] if fault.at_connect else ()
    return ByteHost(answer, at_connect=first, port=port)


def print_line(profile: str, base_url: str) -> None:
    """Write a host's profile and base URL to standard output, as a line of JSON."""
    line = msgspec.json.encode({"profile": profile, "base_url": base_url})
    sys.stdout.write(line.decode() + "\n")
    sys.stdout.flush()


async def _run(
    hosts: Sequence[tuple[str, SimulatedHost | ByteHost]],
    until_stdin_closes: bool,
    announce: Announce,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Windows has no signal handlers in a loop; there Ctrl-C ends asyncio.run.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        for _, host in hosts:
            await stack.enter_async_context(host)
        for name, host in hosts:
            announce(name, host.base_url)
        if until_stdin_closes:
            watch = threading.Thread(target=_watch, args=(loop, stop), daemon=True)
            watch.start()
        await stop.wait()


def _watch(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # os.read and not sys.stdin: the interpreter may exit while this thread waits,
    # and must not find the lock of a buffered stream held.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop may have ended first
        loop.call_soon_threadsafe(stop.set)
