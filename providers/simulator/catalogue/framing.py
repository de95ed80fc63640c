"""Faults: how a stream's events are framed (1 to 30)."""

from providers.simulator.catalogue.fault import Fault
from providers.simulator.catalogue.words import GOOD, streaming

GOOD_BYTES = b"".join(GOOD)

FAULTS: tuple[Fault, ...] = (
    Fault(
        number=1,
        slug="crlf",
        title="lines end with CRLF",
        play=streaming(GOOD_BYTES.replace(b"\n", b"\r\n")),
        outcome="ok: crlf",
        seen="xuan#194, Continuum/OrcaRouter-Lite#98, envoyproxy/ai-gateway#2463",
    ),
)
