"""A host as the user configured it: where it is and what is asked of it."""

import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import msgspec

from providers.secret import Secret, redact

CHAT_PATH = "/chat/completions"
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


class ProviderError(Exception):
    """A host is configured wrongly; the message names file, key and remedy."""


class Deadlines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long each part of a request may take, in seconds.

    `token_gap` is between data events: keep-alive comments do not extend it.
    """

    connect: float = 10.0
    headers: float = 60.0
    first_token: float = 300.0
    token_gap: float = 60.0
    total: float = 900.0


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """How much one response may send before it is cut off (`limit_exceeded`)."""

    body_bytes: int = 64 << 20
    line_bytes: int = 8 << 20
    events: int = 500_000
    error_bytes: int = 64 << 10
    kept_bytes: int = 16 << 20


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One host and the model asked of it.

    `pin` names the upstream that a router must use. `effort_style` says how this
    host spells the wish to think less or more. `rpm` is the key's ceiling of
    requests a minute. None means not set; `model` and `base_url` are always there.
    """

    name: str
    dialect: str
    base_url: str
    model: str
    api_key: Secret | None = None
    api_key_env: str | None = None
    pin: str | None = None
    effort: str | None = None
    effort_style: str | None = None
    max_tokens_field: str = "max_tokens"
    stream_usage: str = "include_usage"
    rpm: float | None = None
    concurrency: int | None = None
    headers: dict[str, str] = {}
    secret_headers: dict[str, Secret] = {}
    extra_body: dict[str, Any] = {}
    ca_file: str | None = None
    proxy: str | None = None
    allow_private: bool = False

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Return every value that must not show anywhere."""
        keys = () if self.api_key is None else (self.api_key,)
        passwords = _passwords(self.proxy) if self.proxy else ()
        return (*keys, *passwords, *self.secret_headers.values())

    def __repr__(self) -> str:
        # A proxy's address may hold a password, and a body's extras a token.
        return f"Provider({self.name!r}, model={self.model!r})"


@lru_cache(maxsize=64)
def _passwords(url: str) -> tuple[Secret, ...]:
    """Return the password in a URL, as it stands there and as it is sent."""
    password = urlsplit(url).password
    if not password:
        return ()
    return tuple(Secret(each) for each in sorted({password, unquote(password)}))


def chat_url(base_url: str) -> str:
    """Return the URL of chat completions under a base URL in any usual spelling.

    `https://host/v1`, `.../v1/` and `.../v1/chat/completions` mean the same.
    Raises ProviderError when the URL is not http(s), has no host or carries
    credentials or a query.
    """
    url = _split(base_url)
    if url.username or url.password or url.query or url.fragment:
        raise ProviderError(
            f"base_url of host {url.hostname} must not carry credentials, a query or "
            "a fragment: put the key in an environment variable (api_key_env)"
        )
    path = url.path.rstrip("/").removesuffix(CHAT_PATH).rstrip("/")
    return urlunsplit((url.scheme, url.netloc, path + CHAT_PATH, "", ""))


def check_proxy(proxy: str) -> None:
    """Raise ProviderError when a proxy's URL is none that requests can go through."""
    _split(proxy, "proxy", "http://127.0.0.1:3128")


def _split(
    text: str, what: str = "base_url", example: str = "https://api.example.com/v1"
) -> SplitResult:
    """Return the parts of a URL; `what` says in an error which one it is."""
    try:
        url = urlsplit(text.strip())
        usable = url.scheme in {"http", "https"} and bool(url.hostname)
        usable &= not re.search(r"[\s\x00-\x1f\\]", text.strip())
    except ValueError:
        usable = False
    if not usable:
        # Only its start is shown: a key pasted by mistake may stand further on.
        raise ProviderError(
            f"{what} {redact(text).rpartition('@')[2][:24]!r} must be an http:// or "
            f"https:// address, such as {example}"
        )
    try:
        _ = url.port  # a bad port is only noticed when it is read
    except ValueError:
        raise ProviderError(
            f"{what} of host {url.hostname} has an impossible port: give 1 to 65535, "
            "such as https://api.example.com:8443/v1"
        ) from None
    if _is_short(url.hostname or ""):
        raise ProviderError(
            f"{what}: {url.hostname!r} is a number and no address in full; write its "
            "four decimal parts, such as http://127.0.0.1:8000/v1, or a name"
        )
    return url


def _is_short(host: str) -> bool:
    """Return whether a host is an IPv4 address in one of its odd spellings.

    Such as 127.1, 0x7f.1, 0177.0.0.1 or 2130706433: a resolver may take them for an
    address, and which one is anybody's guess. By the rule of the WHATWG URL standard
    a host whose last label is a number is an address, or nothing.
    """
    labels = unicodedata.normalize("NFKC", host).replace("\u3002", ".")
    if not _NUMBER.fullmatch(labels.removesuffix(".").rpartition(".")[2]):
        return False
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return True
    return False


def root_url(base_url: str) -> str:
    """Return the base URL in its one normal form: no trailing slash, no endpoint."""
    return chat_url(base_url).removesuffix(CHAT_PATH)


def without_credentials(url: str) -> str:
    """Return a URL without the user and the password that may stand in it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
