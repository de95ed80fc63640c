"""Which addresses a provider may reach, whatever name led there."""

import socket

import pytest

from providers import tap
from providers.egress import PolicyError, gate, private_by_name
from providers.provider import Provider


def opens(address, base_url="https://api.example.com/v1", **fields):
    """Return whether the gate of a host lets an address through."""
    tap.CURRENT.set(tap.Tape(lambda: None))
    host = Provider(name="h", dialect="generic", base_url=base_url, model="m", **fields)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        gate(host)((family, socket.SOCK_STREAM, 6, "", (address, 443))).close()
    except PolicyError:
        return False
    return tap.CURRENT.get().refusal is None


PRIVATE = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "0.0.0.0", "100.64.0.1",
           "::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
           "2002:7f00:1::"]  # fmt: skip
LINK_LOCAL = ["169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254",
              "64:ff9b::a9fe:a9fe"]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_open_only_to_who_named_or_allowed_one(address):
    assert not opens(address)
    assert opens(address, allow_private=True)
    assert opens(address, base_url="http://127.0.0.1:8000/v1")
    assert opens(address, base_url="http://localhost:8000/v1")
    assert opens(address, proxy="http://127.0.0.1:3128")
    assert not opens(address, base_url="http://10.0.0.1/v1", proxy="http://p.example")


@pytest.mark.parametrize("address", LINK_LOCAL)
def test_a_link_local_address_is_open_to_nobody(address):
    assert not opens(address)
    assert not opens(address, allow_private=True)
    assert not opens(address, base_url="http://169.254.169.254/v1")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_a_public_address_is_open(address):
    assert opens(address)


@pytest.mark.parametrize(
    ("url", "private"),
    [("http://127.0.0.1/v1", True), ("http://localhost:1/v1", True),
     ("http://[::1]:1/v1", True), ("http://192.168.1.1/v1", True),
     ("https://api.example.com/v1", False), ("https://8.8.8.8/v1", False),
     ("http://localhost.example.com/v1", False), (None, False)],
)  # fmt: skip
def test_only_a_literal_name_is_its_own_permission(url, private):
    assert private_by_name(url) is private
