"""How the time of work grows with its size, on a machine that does other things."""

from compare.run.calm import calm

TRIES = 5


def assert_growth(cost, small, large, *, below, floor=0.005):
    """Assert that a large piece of work takes not that many times as long as a small.

    `cost` gives the CPU seconds of a piece of work; what takes less than `floor` counts
    as that. The least of several tries: what comes between makes a try longer only. So
    the first one that will do is the last.
    """
    ones, others = [cost(small)], []
    with calm():  # as in a run: else the collector's passes grow with the heap
        for _ in range(TRIES):
            ones += [cost(small), cost(small)]
            others.append(cost(large))
            times = min(others) / max(min(ones[1:]), floor)
            if times < below:
                return
    raise AssertionError(f"{times:.1f} times as long, not below {below}")
