"""`h2h scenarios`: the built-in ones, one of them in full, and whether checks hold."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from compare.cli.options import json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scenarios.proof import Flaw
    from scenarios.scenario import Scenario


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def scenarios(context: click.Context, as_json: bool) -> None:
    """List the built-in scenarios; `scenarios show NAME` prints one."""
    if context.invoked_subcommand is not None:
        return
    from compare.show import tables
    from scenarios.request import ScenarioError
    from scenarios.scenario import library, load

    found, lacking = [], []
    for name in library():
        try:
            found.append(load(name))
        except ScenarioError as error:  # it takes an extra that is not installed
            lacking.append(str(error))
    if lacking:
        click.echo("\n".join(lacking), err=True)
    if as_json:
        print_json([_facts(scenario) for scenario in found])
        return
    lines = [
        (s.name, str(s.turns), str(len(s.cases)), _most(s), s.description)
        for s in found
    ]
    headers = ("name", "turns", "cases", "max tokens", "what it asks")
    tables.console().print(tables.grid(headers, lines, left=(0, 4)))


@scenarios.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Print the scenario NAME (or the file of that path): its size, worst cases, text.

    The worst case is what a request, and a pass through all cases, can cost at most at
    each known host with a list price.
    """
    import msgspec

    from compare.cli.worth import worth
    from compare.show.words import plain
    from scenarios.scenario import load

    scenario = load(name)
    sizes = worth(scenario)
    if as_json:
        print_json(_facts(scenario) | msgspec.to_builtins(scenario) | {"worth": sizes})
        return
    source = Path(scenario.source)
    click.echo(f"# {plain(str(source))}, version {scenario.scenario_version}")
    for line in _told(scenario, sizes):
        click.echo(f"# {line}")
    for line in source.read_text(encoding="utf-8").splitlines():
        # What a line holds is the user's business, what it does to a terminal ours.
        click.echo("".join(c for c in line if c.isprintable() or c == "\t"))


@scenarios.command()
@click.argument("names", nargs=-1, metavar="[NAME|PATH]...")
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="Draw each case's values so many times.",
)
@json_option
def check(names: tuple[str, ...], seeds: int, as_json: bool) -> int:
    """Try the checks of scenarios (default: all built-in ones) on known answers.

    Reference solutions run against their own tests in the sandbox, expected tool calls
    are held to the tools' schemas, and each case's `good` and `bad` answers to its
    checks. Ends with 2 when one is wrong, with 3 where there is no sandbox.
    """
    import msgspec

    from compare.run.mistakes import SetupError
    from scenarios.proof import flaws
    from scenarios.sandbox import NoSandboxError
    from scenarios.scenario import library, load

    chosen = [load(name) for name in names or library()]
    found = []
    for scenario in chosen:
        try:
            wrong = list(flaws(scenario, range(seeds)))
        except NoSandboxError as error:
            raise SetupError(f"scenario {scenario.name}: {error}") from None
        except ImportError:
            raise SetupError(
                f"scenario {scenario.name}: to hold tool calls to their schemas needs "
                "jsonschema-rs; install head-to-head[quality]"
            ) from None
        if not as_json:
            _say(scenario, wrong)
        found.append(
            {
                "name": scenario.name,
                "cases": len(scenario.cases),
                "flaws": msgspec.to_builtins(wrong),
            }
        )
    if as_json:
        print_json(found)
    return 2 if any(each["flaws"] for each in found) else 0


def _say(scenario: "Scenario", wrong: "Sequence[Flaw]") -> None:
    """Print a line for a scenario, and one for each flaw of its checks."""
    from compare.show.words import plain

    n = len(scenario.cases)
    said = f"{len(wrong)} flaws" if wrong else "sound"
    click.echo(f"{plain(scenario.name):<20}  {n:>4} cases  {said}")
    for flaw in wrong:
        click.echo(f"  {plain(flaw.case)}, seed {flaw.seed}: {plain(flaw.what, 400)}")


def _told(scenario: "Scenario", sizes: dict[str, Any]) -> "Iterator[str]":
    """Yield what there is to know of a scenario before it is asked, a line each."""
    asked = f"{len(scenario.cases)} cases, {scenario.turns} turns each"
    if scenario.trace:
        n, rate = len(scenario.trace.asked), scenario.trace.rate
        asked = f"a trace of {n:,} requests, {rate:.3g} a second; the first of them"
    yield f"shape: {asked}: {sizes['requests']} requests a pass to each host"
    yield (
        f"prompt: about {_span(sizes['prompt_tokens_about'])} tokens (at most"
        f" {_span(sizes['prompt_bytes'])}); answer: at most {_most(scenario)}"
    )
    width = max((len(host["provider"]) for host in sizes["hosts"]), default=0)
    for host in sizes["hosts"]:
        yield (
            f"worst case at {host['provider']:<{width}}  ${host['worst_usd']:.6f} a"
            f" request  ${host['worst_usd_pass']:.4f} a pass  {host['model']}"
        )


def _span(ends: "Sequence[int]") -> str:
    low, high = ends
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _most(scenario: "Scenario") -> str:
    """Return the largest `max_tokens` of a scenario's cases."""
    usual = scenario.request.max_tokens
    if scenario.trace:
        return f"{max(each.max_tokens for each in scenario.trace.asked):,}"
    return f"{max(case.max_tokens or usual for case in scenario.cases):,}"


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
