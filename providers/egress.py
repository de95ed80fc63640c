"""Where requests may go: each final address is seen, and may be refused, here."""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from providers.provider import Provider
from providers.tape import CURRENT

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_OWN_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.ip_network("::/96")
# Where an IPv4 address may stand in the octets of one of a network's own translator, by
# the length of its prefix: /48, /56, /64, /96 (RFC 6052, section 2.2; RFC 8215).
_EMBEDDED = ((6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12), (12, 13, 14, 15))
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
    if any(each.is_link_local for each in _behind(ip)):
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


def _behind(ip: Address) -> Iterator[Address]:
    """Yield an address, and each IPv4 one that a translator or a tunnel may make of it.

    Those of `plain` are certain, these are not: the address itself is judged as well.
    """
    yield ip
    if not isinstance(ip, ipaddress.IPv6Address):
        return
    if ip.teredo is not None:
        yield from ip.teredo
    if ip in _OWN_NAT64:
        for places in _EMBEDDED:
            yield ipaddress.IPv4Address(bytes(ip.packed[at] for at in places))
    if ip in _COMPATIBLE:
        yield ipaddress.IPv4Address(ip.packed[12:])


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
