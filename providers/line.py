"""A line: all that is fixed for one provider during a run, its connections included."""

import math
import ssl
from importlib.metadata import version
from typing import Self

import msgspec
from yarl import URL

from providers.dialect import Dialect
from providers.egress import gate
from providers.post import Connector, Post
from providers.provider import Provider, ProviderError, chat_url
from providers.registry import dialect
from providers.resolver import Resolver
from providers.shapes import Shapes

KEEPALIVE_S = 60.0


class Line(msgspec.Struct, frozen=True):
    """One provider, ready to be asked."""

    provider: Provider
    dialect: Dialect
    post: Post
    secure: bool
    shapes: Shapes

    @classmethod
    def open(cls, provider: Provider, *, concurrency: int, fresh: bool) -> Self:
        """Return the line of a provider; no connection is made yet.

        `concurrency` is how many requests may be in flight, `fresh` whether each has a
        connection of its own. Raises ProviderError.
        """
        url = URL(chat_url(provider.base_url))
        connector = Connector(
            limit=max(concurrency, 1),
            force_close=fresh,
            use_dns_cache=not fresh,
            timeout_ceil_threshold=math.inf,
            ssl=_trust(provider),
            socket_factory=gate(provider),
            resolver=Resolver(),
            **({} if fresh else {"keepalive_timeout": KEEPALIVE_S}),
        )
        post = Post(url, _headers(provider), connector, provider.proxy)
        spoken = dialect(provider.dialect)
        secure = url.scheme == "https"
        return cls(provider, spoken, post, secure, Shapes(spoken))


def _headers(provider: Provider) -> dict[str, str]:
    headers = {
        "User-Agent": f"head-to-head/{version('head-to-head')}",
        "Accept": "text/event-stream, application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
    }
    if provider.api_key is not None:
        headers["Authorization"] = f"Bearer {provider.api_key.reveal()}"
    headers |= dialect(provider.dialect).headers(provider)
    own = {name: value.reveal() for name, value in provider.secret_headers.items()}
    return headers | provider.headers | own


def _trust(provider: Provider) -> ssl.SSLContext | bool:
    """Return whom to trust: the system's authorities, and the user's CA file."""
    if provider.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=provider.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ProviderError(
            f"ca_file {provider.ca_file!r} of host {provider.name!r} cannot be used "
            f"({error.strerror or error}): give a readable PEM file"
        ) from None
