"""The hosts of a job: known ones by name, others by address, with their keys."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from compare.run.mistakes import JobError, SetupError
from data import prices
from data.prices import Price
from providers.provider import Provider, ProviderError, check_proxy, root_url
from providers.registry import AUTO, dialect, effort_style, endpoints, known
from providers.secret import Secret
from scenarios.form import refuse_unknown
from scenarios.request import Effort, ScenarioError

LONGEST_KEY_FILE = 65_536

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@/-]{0,79}")
_KEY_HEADER = re.compile(
    r"auth(?!or$)|key|token|secret|cookie|passw|credential|signature", re.IGNORECASE
)
_KEY_LIKE = re.compile(r"(?=.*[a-z])(?=.*[0-9]).{16,}")


class HostTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table [[provider]] of a job file; None leaves what is known of the host."""

    name: str
    dialect: str | None = None
    base_url: str | None = None
    model: str | None = None
    api_key_env: str | None = None
    pin: str | None = None
    effort: Effort | None = None
    effort_style: str | None = None
    max_tokens_field: str | None = None
    stream_usage: str | None = None
    rpm: float | None = None
    concurrency: int | None = None
    price: dict[str, Any] | None = None
    headers: dict[str, str] | None = None
    extra_body: dict[str, Any] | None = None
    ca_file: str | None = None
    proxy: str | None = None
    allow_private: bool | None = None


def host(table: HostTable, where: str) -> tuple[Provider, Price | None]:
    """Return the provider, its key not yet read, and the price the table gave.

    A name that is known needs nothing else; another needs base_url and model.
    """
    try:
        start = _start(table)
        changes = {
            name: value
            for name in Provider.__struct_fields__
            if (value := getattr(table, name, None)) is not None
        }
        provider = msgspec.structs.replace(start, **changes)
        _check(provider)
    except ProviderError as error:
        raise JobError(f"{where}: {error}") from None
    price = None
    if table.price is not None:
        price = prices.from_table(table.price, name=table.name, where=f"{where}.price")
    return provider, price


def ad_hoc(text: str) -> tuple[str, str | None]:
    """Split `-p NAME` or `-p NAME=BASE_URL` into name and address."""
    name, equals, url = text.partition("=")
    if equals and not url:
        raise JobError(
            f"-p {name[:80]}=: the address is missing; expected NAME=BASE_URL"
        )
    if not _NAME.fullmatch(name) or (equals and not url):
        raise JobError(
            f"-p {name[:80]!r}: expected NAME or NAME=BASE_URL, the name in letters, "
            "digits and . _ @ / -"
        )
    return name, url or None


def with_key(provider: Provider, env: Mapping[str, str] | None = None) -> Provider:
    """Return the provider with its key out of the environment.

    The variable VAR, or else the file that VAR_FILE names, holds the key; so with the
    headers that are `env:VAR`. Other headers stand in the job and are no secret: to
    mask their values would blank plain words of answers. Raises SetupError when
    neither is there.
    """
    env = os.environ if env is None else env
    secret = {
        name: Secret(_header(provider, name, variable, env))
        for name, variable in _header_variables(provider).items()
    }
    plain = {n: value for n, value in provider.headers.items() if n not in secret}
    return msgspec.structs.replace(
        provider, api_key=_key(provider, env), secret_headers=secret, headers=plain
    )


def remarks(provider: Provider, env: Mapping[str, str] | None = None) -> list[str]:
    """Return what is odd about a host's keys without being wrong, without any key."""
    env = os.environ if env is None else env
    names = [provider.api_key_env, *_header_variables(provider).values()]
    return [
        f"{where}: spaces or line ends around the key were taken off"
        for name in names
        if name is not None
        for where, text in [_raw(name, env)]
        # A file's last line ends as lines do.
        if text != text.strip() and (where == name or text != text.strip() + "\n")
    ]


def variable_name(text: str, where: str) -> str:
    """Return the name of a variable, refusing what looks like a key itself."""
    looks_like_key = text.startswith("sk_") or _KEY_LIKE.fullmatch(text)
    if not _VARIABLE.fullmatch(text) or (looks_like_key and text not in os.environ):
        raise JobError(
            f"{where}: expected the NAME of an environment variable, such as "
            "OURTOKEN_API_KEY; a key itself is never given here"
        )
    return text


def list_price(provider: Provider, listed: list[Price], day: Any) -> Price | None:
    """Return the list price of a known host's model; None for any other address.

    A host's own name is not enough: a price is only believed where the address is
    the one that the price list speaks of. A pinned upstream has no listed price.
    """
    endpoint = endpoints().get(provider.name)
    if endpoint is None or root_url(endpoint.base_url) != root_url(provider.base_url):
        return None
    name = "openrouter" if provider.name == AUTO else provider.name
    return prices.find(listed, name, provider.model, day)


def _start(table: HostTable) -> Provider:
    """Return what is known of a host before its table speaks.

    A key belongs to its host's origin: at another address the known host's variable
    is not read unless the table itself names it.
    """
    url = table.base_url
    is_known = table.name in endpoints() or table.name.startswith("openrouter@")
    if url is None or (is_known and table.dialect is None):
        start = known(table.name)
        if url is not None and root_url(url) != root_url(start.base_url):
            start = msgspec.structs.replace(start, api_key_env=None)
        return start
    return Provider(name=table.name, dialect="generic", base_url=url, model="")


def _check(provider: Provider) -> None:
    root_url(provider.base_url)
    if provider.proxy is not None:
        check_proxy(provider.proxy)
    dialect(provider.dialect)
    if provider.effort_style is not None:
        effort_style(provider.effort_style)
    if not provider.model:
        raise ProviderError(
            f"host {provider.name!r} has no model: set model (or --model)"
        )
    if provider.api_key_env is not None:
        variable_name(provider.api_key_env, f"api_key_env of host {provider.name!r}")
    _check_headers(provider)
    for name, least in (("rpm", 0), ("concurrency", 0)):
        value = getattr(provider, name)
        if value is not None and not value > least:
            raise ProviderError(f"{name} of host {provider.name!r} must be positive")
    fields = {"max_tokens_field": ("max_tokens", "max_completion_tokens"),
              "stream_usage": ("include_usage", "always")}  # fmt: skip
    for name, choices in fields.items():
        if getattr(provider, name) not in choices:
            raise ProviderError(
                f"{name} of host {provider.name!r} must be one of {', '.join(choices)}"
            )


def _key(provider: Provider, env: Mapping[str, str]) -> Secret | None:
    variable = provider.api_key_env
    if variable is None:
        return None
    key = _value(variable, env)
    if not key:
        raise SetupError(
            f"host {provider.name}: the environment variable {variable} is not set; "
            f"export {variable}=... (or {variable}_FILE=PATH) and run again"
        )
    return Secret(key)


def _check_headers(provider: Provider) -> None:
    for name, value in provider.headers.items():
        where = f"headers.{name} of host {provider.name!r}"
        if value.startswith("env:"):
            variable_name(value.removeprefix("env:"), where)
        elif _KEY_HEADER.search(name):
            raise ProviderError(
                f'{where} would hold a key: write "env:VARIABLE", or use api_key_env'
            )


def _header_variables(provider: Provider) -> dict[str, str]:
    """Return the variable of each header that comes out of the environment."""
    return {
        name: value.removeprefix("env:")
        for name, value in provider.headers.items()
        if value.startswith("env:")
    }


def _header(
    provider: Provider, name: str, variable: str, env: Mapping[str, str]
) -> str:
    found = _value(variable, env)
    if not found:
        raise SetupError(
            f"host {provider.name}: headers.{name} takes the environment variable "
            f"{variable}, which is not set; export it and run again"
        )
    return found


def _value(variable: str, env: Mapping[str, str]) -> str:
    where, text = _raw(variable, env)
    value = text.strip()
    if not value.isascii() or (value and not value.isprintable()):
        raise SetupError(
            f"{where} holds characters that no key has (not printable ASCII); "
            "copy the key again"
        )
    return value


def _raw(variable: str, env: Mapping[str, str]) -> tuple[str, str]:
    """Return where a key stands, and it as it stands there: "" if nowhere."""
    path = env.get(f"{variable}_FILE")
    if variable in env or not path:
        return variable, env.get(variable, "")
    where = f"{variable}_FILE={path}"
    try:
        with Path(path).open(encoding="utf-8") as file:
            return where, file.read(LONGEST_KEY_FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(
            f"{where}: cannot be read ({type(error).__name__}); "
            "give a readable file that holds the key alone"
        ) from None


def table_of(raw: Mapping[str, Any], where: str) -> HostTable:
    """Return a [[provider]] table, refusing unknown keys and wrong types."""
    try:
        refuse_unknown(raw, HostTable.__struct_fields__, where)
        return msgspec.convert(raw, HostTable)
    except (ScenarioError, msgspec.ValidationError) as error:
        text = str(error)
        raise JobError(text if text.startswith(where) else f"{where}: {text}") from None
