"""What each simulated host is like, as data: its wire quirks, speeds and prices."""

from difflib import get_close_matches
from typing import Literal

import msgspec

from providers.provider import ProviderError


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated host bills, in USD per million tokens."""

    input: float
    cached: float
    output: float


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of simulated host; every difference between hosts is a field here.

    Times are medians in ms; a sigma is that of a lognormal, 0 for no jitter.
    `slowdown` is the share by which each further request in flight slows all;
    beyond `slots` each one also queues for `queue_ms`. `headers_share` and
    `role_share` say after which share of the wait for the first token the headers
    and the role chunk leave. None means the host has no such thing.
    """

    name: str
    prefix: str = "/v1"
    ttft_ms: float
    ttft_sigma: float = 0.18
    gap_ms: float
    gap_sigma: float = 0.25
    tail_ms: float = 5.0
    slowdown: float = 0.01
    slots: int = 64
    queue_ms: float = 5.0
    headers_share: float = 0.5
    role_share: float = 0.5
    tokens: int = 48
    tokens_sigma: float = 0.15
    tokens_per_event: int = 1
    reasoning_tokens: int = 0
    reasoning_fields: tuple[str, ...] = ()
    effort_paths: tuple[tuple[str, ...], ...] = ()
    effort_off: tuple[str, ...] = ("none",)
    comment: bytes | None = None
    comment_every_ms: float = 100.0
    role_in_every_delta: bool = False
    usage_on_finish_chunk: bool = False
    usage_always: bool = False
    usage_null: bool = False
    usage_repeats_finish: bool = False
    states_reasoning: bool = False
    price: Price | None = None
    states_cost: bool = False
    upstream: str | None = None
    native_finish: bool = False
    fingerprint: str | None = None
    id_format: str = "chatcmpl-{hex}"
    id_header: str | None = None
    id_field: str | None = None
    error_shape: Literal["openai", "newapi", "openrouter", "zai"] = "openai"
    unknown_model_status: int = 404
    lists_models: bool = False
    ratelimit: tuple[tuple[str, str], ...] = ()
    ratelimit_on_refusal: tuple[tuple[str, str], ...] = ()
    cache_ttl_s: float = 300.0
    cache_speedup: float = 0.6
    tool_stream_key: str | None = None
    server: str = "uvicorn"


OURTOKEN = Profile(
    name="ourtoken",
    ttft_ms=240.0,
    gap_ms=9.0,
    headers_share=0.4,
    price=Price(input=0.84, cached=0.156, output=2.64),
    # That the gateway is of the New API kind is an inference from its 404 wording.
    id_header="X-Oneapi-Request-Id",
    error_shape="newapi",
    unknown_model_status=503,
    server="nginx",
)

OPENROUTER = Profile(
    name="openrouter",
    prefix="/api/v1",
    ttft_ms=320.0,
    gap_ms=10.0,
    tail_ms=15.0,
    headers_share=0.1,
    role_share=0.9,
    reasoning_tokens=8,
    reasoning_fields=("reasoning", "reasoning_details"),
    effort_paths=(("reasoning", "enabled"), ("reasoning", "effort")),
    comment=b": OPENROUTER PROCESSING\n\n",
    role_in_every_delta=True,
    usage_always=True,
    usage_repeats_finish=True,
    states_reasoning=True,
    price=Price(input=0.93, cached=0.18, output=3.00),
    states_cost=True,
    upstream="SimUpstream",
    native_finish=True,
    id_format="gen-{created}-{hex}",
    id_header="X-Generation-Id",
    error_shape="openrouter",
    unknown_model_status=400,
    lists_models=True,
    ratelimit_on_refusal=(
        ("X-RateLimit-Limit", "20"),
        ("X-RateLimit-Remaining", "0"),
        ("X-RateLimit-Reset", "{reset_epoch_ms}"),
    ),
    server="cloudflare",
)

ZAI = Profile(
    name="zai",
    prefix="/api/paas/v4",
    ttft_ms=280.0,
    gap_ms=7.0,
    headers_share=0.9,
    role_share=0.95,
    reasoning_tokens=12,
    reasoning_fields=("reasoning_content",),
    effort_paths=(("thinking", "type"), ("reasoning_effort",)),
    effort_off=("disabled", "none", "minimal"),
    role_in_every_delta=True,
    usage_on_finish_chunk=True,
    usage_always=True,
    states_reasoning=True,
    price=Price(input=1.40, cached=0.26, output=4.40),
    id_format="{stamp}{hex}",
    id_field="request_id",
    error_shape="zai",
    unknown_model_status=400,
    tool_stream_key="tool_stream",
    server="nginx",
)

GENERIC = Profile(
    name="generic",
    ttft_ms=50.0,
    gap_ms=5.0,
    tail_ms=2.0,
    usage_null=True,
    fingerprint="fp_sim",
    lists_models=True,
    ratelimit=(
        ("x-ratelimit-limit-requests", "1000"),
        ("x-ratelimit-remaining-requests", "{remaining}"),
        ("x-ratelimit-reset-requests", "60ms"),
        ("x-ratelimit-limit-tokens", "1000000"),
        ("x-ratelimit-remaining-tokens", "999000"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ),
)

# The yardstick: nothing is drawn, nothing depends on load or cache, so that what a
# client should measure is known before it measures.
EXACT = Profile(
    name="exact",
    ttft_ms=100.0,
    ttft_sigma=0.0,
    gap_ms=10.0,
    gap_sigma=0.0,
    slowdown=0.0,
    queue_ms=0.0,
    tokens=32,
    tokens_sigma=0.0,
    cache_speedup=0.0,
    fingerprint="fp_exact",
    lists_models=True,
)

PROFILES: dict[str, Profile] = {
    profile.name: profile for profile in (OURTOKEN, OPENROUTER, ZAI, GENERIC, EXACT)
}
"""The profiles by name."""


def profile_named(name: str) -> Profile:
    """Return the profile of that name. Raises ProviderError, with the nearest name."""
    if name not in PROFILES:
        raise ProviderError(unknown("profile", name, list(PROFILES)))
    return PROFILES[name]


def unknown(what: str, name: str, known: list[str]) -> str:
    """Return the message for a name that is not known: the nearest one, or all."""
    near = get_close_matches(name, known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    return f"simulated host: no {what} is called {name!r}; {remedy}"


def dialled(
    profile: Profile,
    *,
    ttft_ms: float | None = None,
    gap_ms: float | None = None,
    tokens: int | None = None,
    reasoning_tokens: int | None = None,
    cache_ttl_s: float | None = None,
) -> Profile:
    """Return the profile with some dials turned; None leaves a dial as it is.

    Times in ms and s, medians. Raises ProviderError on a value that makes no sense.
    """
    dials = {
        "ttft_ms": ttft_ms,
        "gap_ms": gap_ms,
        "tokens": tokens,
        "reasoning_tokens": reasoning_tokens,
        "cache_ttl_s": cache_ttl_s,
    }
    turned = {name: value for name, value in dials.items() if value is not None}
    for name, value in turned.items():
        least = 1 if name == "tokens" else 0
        # The comparison is this way round so that NaN is refused as well.
        if not least <= value < 1e9:
            raise ProviderError(
                f"simulated host {profile.name}: {name} is {value}; "
                f"give a number from {least} to 1e9"
            )
    return msgspec.structs.replace(profile, **turned)
