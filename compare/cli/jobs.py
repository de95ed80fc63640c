"""The flags that make a job, shared by every verb that sends requests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

LOAD_FLAGS = (
    "rate",
    "concurrency",
    "arrival",
    "burstiness",
    "max_requests",
    "duration",
    "warmup",
    "seed",
    "ramp",
    "unpaired",
    "sweep",
    "workers",
)


def _refuse_key(context: click.Context, _option: click.Parameter, value: Any) -> None:
    if value is not None:
        raise click.UsageError(
            "a key is never accepted on the command line, where every process can "
            "read it: export it and name the variable with --api-key-env",
            context,
        )


WHO = (
    click.argument("job", required=False, type=click.Path(path_type=Path)),
    click.option(
        "-p",
        "--provider",
        "providers",
        multiple=True,
        metavar="NAME[=BASE_URL]",
        help="A known host, one of the job file, or any address. Repeatable.",
    ),
    click.option(
        "-s",
        "--scenario",
        "scenarios",
        multiple=True,
        metavar="NAME|PATH",
        help="A built-in scenario, a TOML file or a JSONL of messages. Repeatable.",
    ),
    click.option("--model", help="The model id at all ad-hoc hosts."),
    click.option("--dialect", help="The dialect of ad-hoc hosts (default: generic)."),
    click.option(
        "--api-key-env",
        multiple=True,
        metavar="[NAME=]VAR",
        help="The environment variable that holds a host's key. Repeatable.",
    ),
    click.option(
        "--api-key",
        hidden=True,
        expose_value=False,
        callback=_refuse_key,
        is_eager=True,
    ),
    click.option(
        "--price",
        "prices",
        multiple=True,
        metavar="NAME=IN,OUT,CACHED",
        help="A host's price in USD per 1M tokens. Repeatable.",
    ),
    click.option(
        "--max-tokens", type=click.IntRange(1, 10**9), help="Overrides the scenario's."
    ),
    click.option(
        "--budget", metavar="USD", help="Stop before the worst case could exceed this."
    ),
    click.option("--tag", "tags", multiple=True, metavar="K=V", help="Mark the run."),
)

LOAD = (
    click.option(
        "-c",
        "--concurrency",
        metavar="N[,N...]",
        help="Blocks in flight (closed loop). A list makes one load step each.",
    ),
    click.option(
        "--rate",
        "--request-rate",
        "rate",
        metavar="R[,R...]",
        help="Blocks a second (open loop). A list makes one load step each.",
    ),
    click.option(
        "--arrival",
        metavar="constant|poisson|gamma",
        help="When an open loop's blocks are due (default: constant).",
    ),
    click.option(
        "--burstiness", type=float, help="Shape of gamma arrivals; 1: Poisson."
    ),
    click.option(
        "-n",
        "--max-requests",
        type=click.IntRange(1),
        help="Measured blocks a scenario and step (default: 100).",
    ),
    click.option(
        "--duration",
        "--max-seconds",
        "duration",
        metavar="TIME",
        help="How long each scenario and step sends: 30, 30s, 5m, 1h30m.",
    ),
    click.option(
        "--warmup", type=click.IntRange(0), help="Blocks sent first, not measured."
    ),
    click.option(
        "--seed", type=int, help="Orders cases, hosts and arrivals (default: 0)."
    ),
    click.option(
        "--ramp", metavar="TIME", help="Open slots, or raise the rate, over this time."
    ),
    click.option(
        "--hard-start", is_flag=True, help="Open all slots at once (--ramp 0)."
    ),
    click.option(
        "--unpaired",
        is_flag=True,
        default=None,
        help="Free the hosts from each other, to find their capacity.",
    ),
    click.option(
        "--sweep",
        is_flag=True,
        default=None,
        help="Find the highest load between the two ends of --rate or -c (default: "
        "1,256) that meets --goodput or [slo].",
    ),
    click.option(
        "--workers",
        type=click.IntRange(1),
        help="Share the load among so many processes (default: 1).",
    ),
)


cold = click.option(
    "--cold", is_flag=True, help="Open a new connection for every request."
)


def who(function: F) -> F:
    """Add the flags that name hosts, scenarios, keys, prices and limits."""
    return _with(WHO, function)


def load(function: F) -> F:
    """Add the flags that shape the load."""
    return _with(LOAD, function)


def flags_of(values: dict[str, Any]) -> Any:
    """Return compare.run.config.Flags from the values that click collected."""
    from compare.run.config import Flags

    given = {
        name: values.pop(name)
        for name in ("providers", "scenarios", "model", "dialect", "api_key_env",
                     "prices", "max_tokens", "budget", "tags")
    }  # fmt: skip
    shape = {name: values.pop(name, None) for name in LOAD_FLAGS}
    if values.pop("hard_start", False):
        shape["ramp"] = "0"
    wanted = {name: value for name, value in shape.items() if value is not None}
    objectives = values.pop("goodput", None)
    if objectives is not None:
        from compare.judge.grammar import parse_objectives

        given["slo"] = parse_objectives(objectives)
    given["thresholds"] = values.pop("thresholds", ())
    return Flags(**given, load=wanted, cold=values.pop("cold", False))


def _with(options: tuple[Any, ...], function: F) -> F:
    for option in reversed(options):
        function = option(function)
    return function
