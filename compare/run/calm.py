"""What Python does of its own accord, kept from stalling what is being measured."""

import contextlib
import gc
import sys
from collections.abc import Iterator

YOUNG = 10_000
"""Net allocations before young objects are looked through (Python's own: 700).

A pass takes about 1 ms for so many; for five times as many it took 9.
"""
OLD = 100
"""How often each generation is looked through before the next one is (Python: 10)."""
SWITCH_S = 0.0001
"""How long one thread may keep another from going on (Python's own: 5 ms)."""


@contextlib.contextmanager
def calm() -> Iterator[None]:
    """Keep the collector and the threads from holding the event loop up.

    The collector walks nothing that was there before, and looks less often. Requests
    leave few cycles behind: memory stays flat, while with Python's own thresholds a
    busy loop spends a tenth of its time here, at moments nobody chose.

    The loop and the thread that stores rows soon make way for each other: else the
    loop would stand still for up to 5 ms, and a busy one would let rows pile up.
    """
    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, OLD, OLD)
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
