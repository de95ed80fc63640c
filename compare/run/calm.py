"""Garbage collection that does not stall what is being measured."""

import contextlib
import gc
from collections.abc import Iterator

YOUNG = 50_000
"""Net allocations before young objects are looked through (Python's own: 700)."""
OLD = 100
"""Young passes before the old ones are: with frozen modules they are few."""


@contextlib.contextmanager
def calm() -> Iterator[None]:
    """Keep the collector from walking everything that was there before, and less often.

    Requests leave few cycles behind: memory stays flat, while with Python's own
    thresholds a busy loop spends a tenth of its time here, at moments nobody chose.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, OLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
