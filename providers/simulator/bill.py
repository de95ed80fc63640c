"""What a simulated request costs, and how its host states the counts."""

from typing import Any

import msgspec

from providers.simulator.profile import Price, Profile


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts; `cached` is part of `prompt`, `reasoning` of `completion`."""

    prompt: int
    cached: int
    completion: int
    reasoning: int


def cost_usd(price: Price | None, counts: Counts | None) -> float | None:
    """Return the bill in USD: 0 for a refused request, None without a price."""
    if price is None:
        return None
    if counts is None:
        return 0.0
    # Whole nano-USD a token keep the sum exact; USD per million has three decimals.
    nano = (
        round(price.input * 1000) * (counts.prompt - counts.cached)
        + round(price.cached * 1000) * counts.cached
        + round(price.output * 1000) * counts.completion
    )
    return nano / 1e9


def usage_object(profile: Profile, counts: Counts) -> dict[str, Any]:
    """Return the `usage` that this host states for these counts."""
    usage: dict[str, Any] = {
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.completion,
        "total_tokens": counts.prompt + counts.completion,
        "prompt_tokens_details": {"cached_tokens": counts.cached},
    }
    if profile.states_reasoning:
        usage["completion_tokens_details"] = {"reasoning_tokens": counts.reasoning}
    if profile.states_cost:
        cost = cost_usd(profile.price, counts)
        usage["cost"] = cost
        usage["is_byok"] = False
        usage["cost_details"] = {"upstream_inference_cost": cost}
        usage["prompt_tokens_details"]["cache_write_tokens"] = 0
    return usage
