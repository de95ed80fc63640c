"""A process that sends one request, and tells what it cost: `hungry.py JSON`.

The JSON has `url`, and may have `caps` and `max_tokens`. What is told, as JSON: the
outcome, the bytes that came, by how many bytes the process grew at its peak, and the
seconds of CPU that it took.
"""

import asyncio
import json
import resource
import sys
from pathlib import Path
from time import process_time

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from byteserver import arrival, provider  # noqa: E402 - found by the path above

from providers.provider import Caps, Deadlines  # noqa: E402 - as above
from providers.wire import Wire  # noqa: E402 - as above


def forget_peak():
    """Let the peak of this process's memory begin anew."""
    Path("/proc/self/clear_refs").write_text("5")


def memory(name):
    """Return a figure of this process's memory in bytes: VmRSS, or VmHWM, its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(name))
    return int(line.split()[1]) * 1024


async def main(url, caps=None, max_tokens=64):
    limits = Caps(**(caps or {}))
    async with Wire(
        [provider(url)], concurrency=1, caps=limits, deadlines=Deadlines(total=60)
    ) as wire:
        await wire.send(arrival())  # a good answer: all that is loaded is loaded
        forget_peak()
        before, started = memory("VmRSS"), process_time()
        reply = await wire.send(arrival(max_tokens=max_tokens))
        return {
            "outcome": reply.outcome,
            "bytes": reply.bytes_received,
            "grown": memory("VmHWM") - before,
            "cpu_s": process_time() - started,
            "kept": len(reply.content) + len(reply.timeline),
            "flags": sorted(reply.flags),
        }


resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))  # should all else fail
print(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
