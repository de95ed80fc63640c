"""What a run leaves with: an exit code, and a word about what it means."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from compare.cli.going import ENDED

if TYPE_CHECKING:
    from compare.judge.validity import Judgement
    from compare.run.prepare import Run
    from compare.run.tally import Tally

EXITS = {"interrupted": 130, "budget": 5, "store": 1, "threshold": 99}
"""The exit code of each reason to stop early."""


@contextlib.contextmanager
def heard_or_not() -> Iterator[None]:
    """Print a result whose exit code is known: a reader that leaves changes no code.

    So `h2h compare RUN | head -1` does not pass where a threshold failed.
    """
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich leaves by SystemExit
        drop_output()


def drop_output() -> None:
    """Send what is left to print nowhere: the interpreter would try once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def leave(
    ready: "Run",
    tally: "Tally",
    stopped: str | None,
    judged: "Judgement | None",
    *,
    held: bool = True,
) -> int:
    """Return the exit code of a finished run, saying aloud what it means.

    `stopped` is why it ended early (None: it did not), `judged` None where it was not,
    `held` whether all of its thresholds hold.
    """
    if stopped == ENDED:
        return 0
    if stopped == "interrupted":
        click.echo(
            f"interrupted: run {ready.run_id} keeps its rows"
            f"{_resumed(ready, 'sends the rest')}",
            err=True,
        )
        return 130
    if tally.unreached:
        click.echo(f"error: {_mend(ready, tally)}", err=True)
        return 3
    _tell_lost_address(ready, tally)
    if stopped == "budget":
        click.echo(
            "budget reached: the next request might have exceeded it"
            f"{_resumed(ready, '--budget USD goes on with more')}",
            err=True,
        )
    if stopped is None and not tally.rows and not ready.rest.done:
        click.echo("error: nothing was sent", err=True)
        return 4
    if stopped == "threshold":
        click.echo("stopped: a threshold has surely failed", err=True)
    if stopped == "vain":
        click.echo(
            "stopped: 1,000 requests in a row got no answer from any host"
            f"{_resumed(ready, 'goes on')}",
            err=True,
        )
    invalid = judged is not None and judged.validity == "invalid"
    if invalid and stopped in {None, "threshold", "vain"}:
        click.echo("the run is invalid: the reasons stand above its table", err=True)
        return 4
    return EXITS[stopped] if stopped in EXITS else 0 if held else EXITS["threshold"]


def _resumed(ready: "Run", what: str) -> str:
    """Return how a run is resumed, and what that does; nothing of what cannot be."""
    if ready.kind != "run":
        return ""
    return f"; h2h run --resume {ready.run_id} {what}"


def _tell_lost_address(ready: "Run", tally: "Tally") -> None:
    """Say of each host whose every answer was a plain HTTP error where to look."""
    for provider in ready.providers:
        if set(tally.by_host.get(provider.name, ())) == {"http_error"}:
            click.echo(
                f"{provider.name}: every answer was an HTTP error; is its base_url "
                f"right? {provider.base_url} (most hosts want /v1 at its end)",
                err=True,
            )


REMEDIES = {
    "auth_error": "the key was refused: check its variable and the account",
    "dns_error": "the host's name does not resolve: check base_url and the network",
    "connect_error": "nothing answers there: check base_url, the port and the network",
    "tls_error": "the certificate is not trusted: check base_url, or give ca_file",
    "model_not_found": "the model is not served there: check model",
}


def _mend(ready: "Run", tally: "Tally") -> str:
    """Return one line that says for each host what to mend."""
    urls = {provider.name: provider.base_url for provider in ready.providers}
    told = []
    for name, outcomes in tally.by_host.items():
        outcome = outcomes.most_common(1)[0][0]
        told.append(f"{name} ({urls[name]}): {outcome}, {REMEDIES[outcome]}")
    return "no request got through; " + "; ".join(told)
