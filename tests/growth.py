"""How the time of work grows with its size, on a machine that does other things."""

from compare.run.calm import calm

TRIES = 5


def growth(cost, small, large, floor=0.005):
    """Return how many times longer a large piece of work takes than a small one.

    `cost` gives the CPU seconds of a piece of work; what takes less than `floor` counts
    as that. The least of several tries: what comes between makes a try longer only.
    """
    cost(small)
    with calm():  # as in a run: else the collector's passes grow with the heap
        ones, others = zip(
            *((cost(small), cost(large)) for _ in range(TRIES)), strict=True
        )
    return min(others) / max(min(ones), floor)
