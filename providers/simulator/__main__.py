"""Serves simulated hosts from the command line: python -m providers.simulator."""

import argparse
import sys

from providers.provider import ProviderError
from providers.simulator.faults import FAULTS
from providers.simulator.profile import PROFILES
from providers.simulator.serve import serve
from scenarios.request import ScenarioError


def main(arguments: list[str] | None = None) -> int:
    """Serve what the arguments say; return the exit code, 0 or 2 for wrong usage."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        serve(
            given.profiles,
            port=given.port,
            seed=given.seed,
            fault=given.fault,
            fault_share=given.fault_share,
            fault_after=given.fault_after,
            truth_file=given.truth,
            ttft_ms=given.ttft_ms,
            gap_ms=given.gap_ms,
            tokens=given.tokens,
            cache_ttl_s=given.cache_ttl_s,
            skill=given.skill,
            answers=[name for name in given.answers.split(",") if name],
            answers_seed=given.answers_seed,
            until_stdin_closes=given.until_stdin_closes,
        )
    except (ProviderError, ScenarioError, OSError, OverflowError) as error:
        parser.error(str(error))
    return 0


def _parser() -> argparse.ArgumentParser:
    faults = "\n".join(f"  {name:20} {what}" for name, what in FAULTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m providers.simulator",
        description="Serve simulated hosts on loopback, one line of JSON for each.",
        epilog=f"faults:\n{faults}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = ", ".join(PROFILES)
    parser.add_argument("profiles", nargs="+", metavar="PROFILE", help=known)
    parser.add_argument("--port", type=int, default=0, help="port of the first host")
    parser.add_argument("--seed", type=int, default=1, help="seed of all that is drawn")
    parser.add_argument("--fault", metavar="NAME", help="what goes wrong (see below)")
    parser.add_argument(
        "--fault-share", type=float, default=1.0, help="share of requests it strikes"
    )
    parser.add_argument(
        "--fault-after", type=int, default=5, help="tokens before it strikes"
    )
    parser.add_argument("--truth", metavar="FILE", help="append the truth as JSONL")
    parser.add_argument("--ttft-ms", type=float, help="median time to first token")
    parser.add_argument("--gap-ms", type=float, help="median time between tokens")
    parser.add_argument("--tokens", type=int, help="median length of an answer")
    parser.add_argument(
        "--cache-ttl-s", type=float, help="how long a prompt is kept unused"
    )
    parser.add_argument(
        "--skill", default="", help="how able and honest, such as right=0.8,leaks=0.1"
    )
    parser.add_argument(
        "--answers", default="", metavar="NAME[,NAME]", help="scenarios that are known"
    )
    parser.add_argument(
        "--answers-seed", type=int, default=0, help="seed of the run that asks them"
    )
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="end when standard input does",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
