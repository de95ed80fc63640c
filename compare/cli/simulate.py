"""`h2h simulate`: serve a simulated host for anybody's client tests."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from providers.simulator.catalogue.fault import Fault


@click.command()
@click.argument("profile", default="generic")
@click.option("--host", hidden=True, default="127.0.0.1")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="0: any free one."
)
@click.option(
    "--fault",
    metavar="NAME",
    help="Fail in this way: a fault's number or name; see --list-faults.",
)
@click.option(
    "--fault-share",
    type=click.FloatRange(0, 1),
    default=1.0,
    help="The share of requests that the fault strikes (default: all).",
)
@click.option("--seed", type=int, default=1, help="Draws times and texts (default: 1).")
@click.option("--ttft-ms", type=float, help="The typical time to the first token.")
@click.option("--gap-ms", type=float, help="The typical gap between tokens.")
@click.option(
    "--tokens", type=click.IntRange(1), help="The typical length of an answer."
)
@click.option(
    "--skill",
    default="",
    metavar="NAME=VALUE,...",
    help="How able and honest it is: right, mistakes, leaks, context, max_tokens, "
    "system_tokens, inflation, replicas.",
)
@click.option(
    "-s",
    "--answers",
    multiple=True,
    metavar="SCENARIO",
    help="Know the answers to this scenario. Repeatable.",
)
@click.option(
    "--answers-seed",
    type=int,
    default=0,
    help="The seed of the run that asks them (default: 0).",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    help="Append what was sent and when to this JSONL file.",
)
@click.option("--list-faults", is_flag=True, help="List the faults and leave.")
@click.pass_context
def simulate(
    ctx: click.Context,
    profile: str,
    host: str,
    port: int,
    fault: str | None,
    fault_share: float,
    seed: int,
    ttft_ms: float | None,
    gap_ms: float | None,
    tokens: int | None,
    skill: str,
    answers: tuple[str, ...],
    answers_seed: int,
    truth: Path | None,
    list_faults: bool,
) -> None:
    """Serve a simulated host on loopback until Ctrl-C.

    PROFILE is ourtoken, openrouter, zai, generic, or exact, whose times are fixed.
    Most faults are scripts of bytes, the same whatever the profile.
    """
    from providers.simulator.catalogue.index import find, of_a_profile
    from providers.simulator.serve import serve, serve_fault

    del host
    if list_faults:
        click.echo("\n".join(_fault_lines()))
        return
    own = None if fault is None else of_a_profile(fault)
    if fault is not None and own is None:
        find(fault)
        _refuse_dials(ctx, fault)
        share = fault_share
        serve_fault(fault, port=port, share=share, seed=seed, announce=_announce)
        return
    serve(
        [profile],
        port=port,
        seed=seed,
        fault=own,
        fault_share=fault_share,
        truth_file=truth,
        ttft_ms=ttft_ms,
        gap_ms=gap_ms,
        tokens=tokens,
        skill=skill,
        answers=answers,
        answers_seed=answers_seed,
        announce=_announce,
    )


def _refuse_dials(ctx: click.Context, fault: str) -> None:
    """Refuse what a fault's script has no use for: ignored, it would seem honoured."""
    for name in ("profile", "ttft_ms", "gap_ms", "tokens", "skill", "answers", "truth"):
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            spelled = "PROFILE" if name == "profile" else f"--{name.replace('_', '-')}"
            raise click.UsageError(
                f"fault {fault} is a script of fixed bytes: leave {spelled} out"
            )


def _fault_lines() -> list[str]:
    """Return a line for each fault: number, name, what it is, and the right outcome."""
    from providers.simulator.catalogue.index import CATALOGUE
    from providers.simulator.faults import FAULTS

    numbered = {fault.slug for fault in CATALOGUE}
    width = max(map(len, (*numbered, *FAULTS)))
    rows: list[tuple[int | str, str, str]] = [
        (fault.number, fault.slug, f"{fault.title} -> {_after(fault)}")
        for fault in CATALOGUE
    ]
    rows += [("-", name, FAULTS[name]) for name in FAULTS if name not in numbered]
    return [f"{number:>3}  {slug:<{width}}  {words}" for number, slug, words in rows]


def _after(fault: "Fault") -> str:
    return fault.outcome if fault.plays else f"- ({fault.why_not})"


def _announce(profile: str, base_url: str) -> None:
    click.echo(f"{profile} at {base_url}")
    click.echo(f"try: h2h run -p {profile}={base_url} --model glm-5.2 -s ping -n 20")
