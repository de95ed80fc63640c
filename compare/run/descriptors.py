"""Room for a run's connections: each needs a file descriptor of this process."""

from compare.run.config import Job
from compare.run.mistakes import SetupError
from scenarios.load import steps

SPARE = 64
"""For the database, the pipes, the terminal and what libraries hold open."""


def needed(job: Job) -> int:
    """Return how many open files a run may come to need: one a request in flight."""
    most = max(step.concurrency for step in steps(job.load))
    return most * len(job.providers) + SPARE


def make_room(n: int) -> None:
    """Raise this process's soft limit of open files to `n`, where it is lower.

    SetupError when the hard limit does not allow it. Where there is no such limit
    nothing is done.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= n:
        return
    if hard != resource.RLIM_INFINITY and hard < n:
        raise SetupError(
            f"this load may need {n:,} open files and this process may have "
            f"{hard:,}: lower --concurrency (in an open loop it caps what is in "
            "flight), or raise the hard limit (ulimit -Hn)"
        )
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, hard))
    except (OSError, ValueError) as why:
        raise SetupError(
            f"this load may need {n:,} open files, and the limit cannot be raised from "
            f"{soft:,} ({why}): lower --concurrency"
        ) from None
