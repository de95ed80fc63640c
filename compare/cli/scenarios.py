"""`h2h scenarios`: the built-in scenarios, and one of them in full."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from compare.cli.options import json_option, print_json

if TYPE_CHECKING:
    from scenarios.scenario import Scenario


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def scenarios(context: click.Context, as_json: bool) -> None:
    """List the built-in scenarios; `scenarios show NAME` prints one."""
    if context.invoked_subcommand is not None:
        return
    from compare.show import tables
    from scenarios.scenario import library, load

    found = [load(name) for name in library()]
    if as_json:
        print_json([_facts(scenario) for scenario in found])
        return
    lines = [
        (s.name, str(s.turns), str(s.request.max_tokens), s.description) for s in found
    ]
    headers = ("name", "turns", "max tokens", "what it asks")
    tables.console().print(tables.grid(headers, lines, left=(0, 3)))


@scenarios.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Print the scenario NAME (or the file of that path) as it is written."""
    import msgspec

    from compare.show.words import plain
    from scenarios.scenario import load

    scenario = load(name)
    if as_json:
        print_json(_facts(scenario) | msgspec.to_builtins(scenario))
        return
    source = Path(scenario.source)
    click.echo(f"# {plain(str(source))}, version {scenario.scenario_version}")
    for line in source.read_text(encoding="utf-8").splitlines():
        # What a line holds is the user's business, what it does to a terminal ours.
        click.echo("".join(c for c in line if c.isprintable() or c == "\t"))


def _facts(scenario: "Scenario") -> dict[str, Any]:
    return {
        "name": scenario.name,
        "version": scenario.scenario_version,
        "description": scenario.description,
        "turns": scenario.turns,
        "cases": len(scenario.cases),
        "max_tokens": scenario.request.max_tokens,
        "prompt_tokens": scenario.prompt.tokens,
        "stream": scenario.request.stream,
    }
