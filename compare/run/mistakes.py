"""The user's mistakes: each message names file, key and remedy."""


class JobError(Exception):
    """A job file or a flag is wrong (exit code 2)."""


class SetupError(Exception):
    """The job is right, but something it needs is not there (exit code 3)."""
