"""`h2h providers`: the hosts known by name, and which keys are at hand."""

import os
from typing import TYPE_CHECKING

import click

from compare.cli.options import json_option, print_json

if TYPE_CHECKING:
    from providers.registry import Endpoint


@click.command()
@json_option
def providers(as_json: bool) -> None:
    """List the hosts that `-p NAME` knows; any other is given as NAME=BASE_URL."""
    import msgspec

    from compare.show import tables
    from providers.registry import endpoints

    found = list(endpoints().values())
    if as_json:
        print_json([msgspec.to_builtins(e) | {"key_set": _set(e)} for e in found])
        return
    lines = [(e.name, e.dialect, e.model or "(--model)", _key(e)) for e in found]
    headers = ("name", "dialect", "model", "key in")
    tables.console().print(tables.grid(headers, lines, left=(0, 1, 2, 3)))
    click.echo(
        "* is set here. Addresses: --json. openrouter@UPSTREAM pins OpenRouter to one."
    )


def _set(endpoint: "Endpoint") -> bool:
    # Whether it is set is all that is ever said of a key.
    variable = endpoint.api_key_env
    return variable is not None and any(
        os.environ.get(name) for name in (variable, f"{variable}_FILE")
    )


def _key(endpoint: "Endpoint") -> str:
    if endpoint.api_key_env is None:
        return "no key"
    return endpoint.api_key_env + (" *" if _set(endpoint) else "")
