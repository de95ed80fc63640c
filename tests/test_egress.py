"""Which addresses a provider may reach, whatever name led there."""

import socket

import pytest
from byteserver import GOOD, ByteServer, arrival, provider, stream

from compare.cli.main import main
from providers import tape
from providers.egress import PolicyError, gate, refusal
from providers.outcome import Outcome
from providers.provider import Provider, ProviderError
from providers.wire import Wire


def opens(address, base_url="https://api.example.com/v1", **fields):
    """Return whether the gate of a host lets an address through."""
    tape.CURRENT.set(tape.Tape(lambda: None))
    host = Provider(name="h", dialect="generic", base_url=base_url, model="m", **fields)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        gate(host)((family, socket.SOCK_STREAM, 6, "", (address, 443))).close()
    except PolicyError:
        return False
    return tape.CURRENT.get().refusal is None


PRIVATE = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "0.0.0.0", "100.64.0.1",
           "192.0.0.8", "224.0.0.1", "255.255.255.255", "::1", "::", "fd00::1",
           "fec0::1", "ff0e::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
           "64:ff9b:1::7f00:1", "2002:7f00:1::", "64:ff9b:1:a00:1:100::",
           "64:ff9b:1::808:808", "2001:0:808:808::f7f7:f7f7"]  # fmt: skip
LINK_LOCAL = ["169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254",
              "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "2002:a9fe:a9fe:1::2",
              "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::",
              "64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1:0:a9:fea9:fe00:0",
              "2001:0:808:808::5601:5601", "2001:0:a9fe:a9fe::f7f7:f7f7",
              "::169.254.169.254"]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_open_only_to_who_named_or_allowed_it(address):
    literal = f"[{address}]" if ":" in address else address
    assert not opens(address)
    assert opens(address, allow_private=True)
    assert opens(address, base_url=f"http://{literal}:8000/v1")
    assert opens(address, proxy=f"http://{literal}:3128")
    assert not opens(address, base_url="http://10.9.9.9/v1")
    assert not opens(address, base_url=f"http://{literal}/v1", proxy="http://p.example")


@pytest.mark.parametrize(
    ("address", "opened"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("10.1.2.3", False),
     ("0.0.0.0", False), ("::ffff:127.0.0.1", True)],
)  # fmt: skip
def test_localhost_is_this_machine_and_no_other(address, opened):
    assert opens(address, base_url="http://localhost:8000/v1") is opened
    assert opens(address, base_url="http://LOCALHOST:8000/v1") is opened
    assert not opens(address, base_url="http://localhost.example.com/v1")
    assert not opens(address, base_url="http://user@localhost.evil:80/v1")


@pytest.mark.parametrize("address", LINK_LOCAL)
def test_a_link_local_address_is_open_to_nobody(address):
    assert not opens(address)
    assert not opens(address, allow_private=True)
    assert not opens(address, base_url="http://169.254.169.254/v1")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_a_public_address_is_open(address):
    assert opens(address)


# ------------------------------------------------------- the same, through the wire

ODD_FORMS = ["2130706433", "127.1", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.0.0.1.",
             "public.example"]  # fmt: skip


async def asked(host, port, monkeypatch, found="127.0.0.1"):
    """Ask a host whose name, whatever it is, resolves to one address."""
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **o: answer)
    url = f"http://{host}:{port}/v1"
    async with Wire([provider(url)], concurrency=1) as wire:
        return await wire.send(arrival())


@pytest.mark.parametrize("host", ODD_FORMS[:-1])
async def test_an_odd_form_is_a_mistake_in_the_configuration(host, monkeypatch):
    with pytest.raises(ProviderError, match="four decimal parts"):
        await asked(host, 9, monkeypatch)


@pytest.mark.parametrize("host", ODD_FORMS)
async def test_no_odd_form_of_a_private_address_reaches_it(host, monkeypatch):
    monkeypatch.setattr("providers.provider._is_short", lambda host: False)
    async with ByteServer([stream(*GOOD)]) as server:
        reply = await asked(host, server.port, monkeypatch)
        assert server.connections == 0
    assert reply.outcome is not Outcome.OK
    assert reply.stamps.sent is None


@pytest.mark.parametrize("host", ["0x7f.1", "public.example"])
async def test_the_odd_forms_do_reach_it_without_the_gate(host, monkeypatch):
    monkeypatch.setattr("providers.provider._is_short", lambda host: False)
    monkeypatch.setattr("providers.egress.refusal", lambda *_: None)
    async with ByteServer([stream(*GOOD)]) as server:
        reply = await asked(host, server.port, monkeypatch)
    assert reply.outcome is Outcome.OK


async def test_the_same_address_named_literally_is_reached(monkeypatch):
    async with ByteServer([stream(*GOOD)]) as server:
        for host in ("127.0.0.1", "localhost"):
            reply = await asked(host, server.port, monkeypatch)
            assert reply.outcome is Outcome.OK


def test_a_refused_link_local_address_is_not_said_to_be_mendable():
    host = provider("https://api.example.com/v1")
    assert "allow_private" in refusal(host, "10.0.0.1")
    assert "allow_private" not in refusal(host, "169.254.169.254")


def test_doctor_connects_nowhere_that_a_run_may_not(tmp_path, monkeypatch, capfd):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        job = tmp_path / "job.toml"
        table = (
            '[[provider]]\nname = "{0}"\nmodel = "m"\nbase_url = "http://{0}:{1}/v1"\n'
        )
        job.write_text(
            table.format("public.example", port) + table.format("localhost", port)
        )
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **o: found)
        with pytest.raises(SystemExit) as left:
            main(["doctor", str(job), "--connect", "--db", str(tmp_path / "h2h.db")])
        out = capfd.readouterr().out.splitlines()
        server.setblocking(False)
        server.accept()[0].close()
        with pytest.raises(BlockingIOError):
            server.accept()
    assert left.value.code == 3
    (refused,) = [line for line in out if "connection to public" in line]
    assert refused.startswith("fail")
    assert "not named literally" in refused
    (good,) = [line for line in out if "connection to localhost" in line]
    assert good.startswith("ok")
