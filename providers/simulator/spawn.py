"""Starts simulated hosts in a process of their own, and ends them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from providers.provider import ProviderError
from providers.simulator.profile import profile_named

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 5.0


@contextmanager
def spawn(
    profiles: Sequence[str], **dials: float | str | Path | None
) -> Iterator[dict[str, str]]:
    """Run simulated hosts in a subprocess; yield the base URL of each profile.

    The dials are the options of `python -m providers.simulator`, with underscores:
    port, seed, fault, fault_share, fault_after, truth, ttft_ms, gap_ms, tokens,
    cache_ttl_s, skill, answers, answers_seed; None leaves one out. The hosts end with
    the block, and with this process. Raises ProviderError when a profile is unknown or
    named twice, or the hosts do not start.
    """
    for profile in profiles:
        profile_named(profile)
    if len(set(profiles)) != len(profiles):
        raise ProviderError(
            f"simulated hosts {', '.join(profiles)}: name each profile once"
        )
    process = _started(profiles, dials)
    try:
        yield _announced(process, profiles)
    finally:
        _end(process)


def _started(
    profiles: Sequence[str], dials: dict[str, float | str | Path | None]
) -> subprocess.Popen[bytes]:
    options = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in dials.items()
        if value is not None
    ]
    # -P keeps a folder called `providers` in the current directory from being run.
    command = [sys.executable, "-P", "-m", "providers.simulator", *profiles, *options]
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(ROOT), known] if known else [str(ROOT)])
    return subprocess.Popen(  # noqa: S603 - our own module, no shell
        [*command, "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
    )


def _announced(
    process: subprocess.Popen[bytes], profiles: Sequence[str]
) -> dict[str, str]:
    """Return the base URLs, as soon as the process has said them all."""
    said: dict[str, str] = {}
    for _ in profiles:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise ProviderError(
                f"the simulated hosts {', '.join(profiles)} did not start; "
                "what they wrote to standard error says why"
            )
        host = msgspec.json.decode(line, type=dict[str, str])
        said[host["profile"]] = host["base_url"]
    return said


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
