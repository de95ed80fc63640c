"""`h2h simulate`: serve a simulated host for anybody's client tests."""

from pathlib import Path

import click


@click.command()
@click.argument("profile", default="generic")
@click.option("--host", hidden=True, default="127.0.0.1")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="0: any free one."
)
@click.option("--fault", metavar="NAME", help="Fail in this way; see --list-faults.")
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
    "--truth",
    type=click.Path(path_type=Path),
    help="Append what was sent and when to this JSONL file.",
)
@click.option("--list-faults", is_flag=True, help="List the faults and leave.")
def simulate(
    profile: str,
    host: str,
    port: int,
    fault: str | None,
    fault_share: float,
    seed: int,
    ttft_ms: float | None,
    gap_ms: float | None,
    tokens: int | None,
    truth: Path | None,
    list_faults: bool,
) -> None:
    """Serve a simulated host on loopback until Ctrl-C.

    PROFILE is ourtoken, openrouter, zai, generic, or exact, whose times are fixed.
    """
    from providers.simulator.faults import FAULTS
    from providers.simulator.serve import serve

    del host
    if list_faults:
        width = max(map(len, FAULTS))
        for name, words in FAULTS.items():
            click.echo(f"{name:<{width}}  {words}")
        return
    serve(
        [profile],
        port=port,
        seed=seed,
        fault=fault,
        fault_share=fault_share,
        truth_file=truth,
        ttft_ms=ttft_ms,
        gap_ms=gap_ms,
        tokens=tokens,
        announce=_announce,
    )


def _announce(profile: str, base_url: str) -> None:
    click.echo(f"{profile} at {base_url}")
    click.echo(f"try: h2h run -p {profile}={base_url} --model glm-5.2 -s ping -n 20")
