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
# What Python 3.11 takes for global and RFC 6890 and RFC 3879 do not.
_SPECIAL = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("fec0::/10"))


class PolicyError(OSError):
    """An address that the user did not name himself was refused."""


def refusal(provider: Provider, address: str) -> str | None:
    """Return why a provider may not connect to an address; None if it may.

    Link-local addresses (cloud metadata) never are for it. Others that are not public
    only if the user allowed them (`allow_private`), named this very one as the host,
    or wrote `localhost` and it is a loopback one: a name in the DNS may point anywhere.
    What counts is the address of the proxy, where there is one.
    """
    ip = plain(address)
    if ip.is_link_local:
        return f"{provider.name}: {ip} is a link-local address; none is ever connected"
    if provider.allow_private or public(ip):
        return None
    host = urlsplit(provider.proxy or provider.base_url).hostname or ""
    if (host == "localhost" and ip.is_loopback) or _literal(host) == ip:
        return None
    return (
        f"{provider.name}: {ip} is a private address that was not named literally; "
        "set allow_private = true for this host if it is meant"
    )


def plain(text: str) -> Address:
    """Return an address, without its zone, as the IPv4 one that it may wrap."""
    ip = ipaddress.ip_address(text.partition("%")[0])
    if not isinstance(ip, ipaddress.IPv6Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def public(ip: Address) -> bool:
    """Return whether an address is one host's in the public Internet."""
    # `is_global` alone also holds for multicast and for what is not given out yet.
    special = ip.is_multicast or ip.is_reserved or any(ip in net for net in _SPECIAL)
    return ip.is_global and not special


def _literal(host: str) -> Address | None:
    try:
        return plain(host)
    except ValueError:
        return None


def gate(provider: Provider) -> Callable[[Any], socket.socket]:
    """Return the socket factory of a provider, called with each address before use.

    It raises PolicyError for an address that must not be used (`refusal`).
    """

    def open_socket(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        why = refusal(provider, address[0])
        if why is not None:
            # Of several failed addresses the client library keeps only the words.
            CURRENT.get().refusal = why
            raise PolicyError(why)
        return socket.socket(family=family, type=kind, proto=protocol)

    return open_socket
