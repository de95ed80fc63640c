"""The known hosts and dialects, by name."""

import difflib
import tomllib
from functools import cache
from importlib import resources

import msgspec

from providers.dialect import Dialect
from providers.generic import EFFORT, Generic
from providers.openrouter import OpenRouter
from providers.ourtoken import OurToken
from providers.provider import Provider, ProviderError
from providers.zai import Zai

DIALECTS: dict[str, Dialect] = {
    each.name: each for each in (Generic(), OurToken(), OpenRouter(), Zai())
}
AUTO = "openrouter-auto"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A host of endpoints.toml; an empty `model` is for the user to name."""

    name: str
    dialect: str
    base_url: str
    model: str = ""
    api_key_env: str | None = None
    effort: str | None = None
    max_tokens_field: str = "max_tokens"
    stream_usage: str = "include_usage"
    note: str = ""


@cache
def endpoints() -> dict[str, Endpoint]:
    """Return the hosts that head-to-head knows, by name."""
    text = resources.files("providers").joinpath("endpoints.toml").read_text("utf-8")
    listed = msgspec.convert(tomllib.loads(text)["endpoint"], list[Endpoint])
    return {endpoint.name: endpoint for endpoint in listed}


def nearest(name: str, known: list[str]) -> str:
    """Return a phrase that offers the nearest known name, or lists them all."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def dialect(name: str) -> Dialect:
    """Return a dialect by name; raise ProviderError with the nearest for another."""
    if name not in DIALECTS:
        hint = nearest(name, list(DIALECTS))
        raise ProviderError(f"unknown dialect {name!r}: {hint}")
    return DIALECTS[name]


def effort_style(name: str) -> str:
    """Return the name of an effort style; raise ProviderError for an unknown one."""
    if name not in EFFORT:
        raise ProviderError(
            f"unknown effort_style {name!r}: {nearest(name, list(EFFORT))}"
        )
    return name


def known(name: str) -> Provider:
    """Return a known host as a provider without its key.

    `openrouter@TAG` is OpenRouter pinned to one upstream. Plain `openrouter` is
    refused, since unpinned it is another product. Raises ProviderError.
    """
    host, _, pin = name.partition("@")
    if host == "openrouter" and not pin:
        raise ProviderError(
            "openrouter routes to many hosts: name one (openrouter@deepinfra/fp8) "
            f"or take the router itself ({AUTO})"
        )
    listed = endpoints().get(AUTO if host == "openrouter" else name)
    if listed is None:
        hint = nearest(name, list(endpoints()))
        raise ProviderError(
            f"unknown host {name!r}: {hint} (or give its address: -p {name}=BASE_URL)"
        )
    return Provider(
        name=name,
        dialect=listed.dialect,
        base_url=listed.base_url,
        model=listed.model,
        api_key_env=listed.api_key_env,
        pin=pin or None,
        effort_style=listed.effort,
        max_tokens_field=listed.max_tokens_field,
        stream_usage=listed.stream_usage,
    )
