"""`h2h selftest`: prove on this machine what is claimed of the bench."""

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from compare.cli.options import json_option, print_json

if TYPE_CHECKING:
    from compare.run.claims import Claim


@click.command()
@json_option
def selftest(as_json: bool) -> int:
    """Prove the bench's claims against simulated hosts that know the truth.

    Times, token counts, cost, outcomes, arrivals, pairing, and that a killed run
    loses nothing: each with the error measured here and now and its bound. Takes
    about ten seconds; nothing leaves the machine. Ends with 4 if a claim fails.
    """
    from compare.cli.trust import run_loop

    with tempfile.TemporaryDirectory(prefix="h2h-selftest-") as folder:
        claims = run_loop(_proved(Path(folder), aloud=not as_json))
    failed = sum(not claim.holds for claim in claims)
    if as_json:
        import msgspec

        lines = [msgspec.to_builtins(each) for each in claims]
        print_json({"holds": not failed, "claims": lines})
    else:
        click.echo(f"\n{len(claims) - failed} of {len(claims)} claims hold")
    return 4 if failed else 0


async def _proved(folder: Path, *, aloud: bool) -> "list[Claim]":
    from compare.run.selftest import prove

    found = []
    async for claim in prove(folder):
        found.append(claim)
        if aloud:
            click.echo(_line(claim))
    return found


def _line(claim: "Claim") -> str:
    """Return a claim in one line of text, led by a tick or a cross."""
    measured = "n/a" if claim.measured is None else f"{claim.measured:.3g}"
    figure = f"{measured} {claim.unit} (bound {claim.bound:.3g})"
    return f"{_mark(claim.holds)} {claim.name:<24}{figure:<27}{claim.detail}"


def _mark(holds: bool) -> str:
    """Return a tick or a cross, or words where the output cannot show them."""
    mark, word = ("✓", "ok  ") if holds else ("✗", "FAIL")
    try:
        mark.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return word
    return mark
