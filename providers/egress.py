"""Where requests may go: each final address is seen, and may be refused, here."""

import ipaddress
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from providers.provider import Provider
from providers.tap import CURRENT

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PolicyError(OSError):
    """An address that the user did not name himself was refused."""


def private_by_name(url: str | None) -> bool:
    """Return whether a URL names a loopback or private address literally."""
    host = urlsplit(url or "").hostname or ""
    if host == "localhost":
        return True
    try:
        return not plain(host).is_global
    except ValueError:
        return False


def plain(text: str) -> Address:
    """Return an address, without its zone, as the IPv4 one that it may wrap."""
    ip = ipaddress.ip_address(text.partition("%")[0])
    if not isinstance(ip, ipaddress.IPv6Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def gate(provider: Provider) -> Callable[[Any], socket.socket]:
    """Return the socket factory of a provider, called with each address before use.

    A public name that resolves to a private address is refused unless the user
    allowed it; link-local addresses (cloud metadata) always are.
    """
    allowed = provider.allow_private or private_by_name(
        provider.proxy or provider.base_url
    )

    def open_socket(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        ip = plain(address[0])
        if ip.is_link_local or not (allowed or ip.is_global):
            # Of several failed addresses the client library keeps only the words.
            CURRENT.get().refusal = (
                f"{provider.name}: {ip} is a private address that was not named "
                "literally; set allow_private = true for this host if it is meant"
            )
            raise PolicyError(CURRENT.get().refusal)
        return socket.socket(family=family, type=kind, proto=protocol)

    return open_socket
