"""What an exception of the client library means for a request."""

import ssl

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from providers.outcome import Outcome
from providers.tap import Tape

CUT = "payload is not completed"
"""How aiohttp words a body that the end of its connection cut short."""

NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
"""The reasons of the TLS library when the other side does not speak TLS at all."""

# The first kind that fits wins, so the narrower stand before the wider.
FAILURES: tuple[tuple[type[Exception], Outcome], ...] = (
    (aiohttp.ClientConnectorDNSError, Outcome.DNS_ERROR),
    (aiohttp.ClientSSLError, Outcome.TLS_ERROR),
    (aiohttp.ClientConnectorError, Outcome.CONNECT_ERROR),
    (aiohttp.ClientHttpProxyError, Outcome.CONNECT_ERROR),
    (aiohttp.ClientPayloadError, Outcome.TRUNCATED),
    (aiohttp.ServerDisconnectedError, Outcome.DISCONNECTED),
    (aiohttp.ClientOSError, Outcome.DISCONNECTED),
    (aiohttp.ClientConnectionError, Outcome.DISCONNECTED),
    (aiohttp.ClientResponseError, Outcome.PROTOCOL_ERROR),
)


def failed(error: Exception, tape: Tape) -> tuple[Outcome, str]:
    """Return the outcome that an exception stands for, and its words.

    Only its `str` is kept: the repr and args of aiohttp's errors hold the headers,
    and so the key.
    """
    words = f"{type(error).__name__}: {error}"
    if tape.refusal is not None and tape.sent is None:
        return Outcome.POLICY_REFUSED, tape.refusal
    cut = isinstance(error, aiohttp.ClientPayloadError) and CUT in str(error)
    if cut and not tape.malformed:
        return Outcome.TRUNCATED, words
    if tape.malformed or isinstance(error.__cause__, HttpProcessingError):
        # Such errors carry status 400, which the host never sent.
        return Outcome.PROTOCOL_ERROR, words
    reason = getattr(getattr(error, "os_error", None), "reason", None)
    if isinstance(error, ssl.SSLError | aiohttp.ClientSSLError) and reason in NOT_TLS:
        return Outcome.PROTOCOL_ERROR, f"{words} (is it an http:// host?)"
    outcome = next((o for kind, o in FAILURES if isinstance(error, kind)), None)
    if outcome is Outcome.DISCONNECTED and tape.status is not None:
        return Outcome.TRUNCATED, words  # the answer had begun
    return outcome or Outcome.CLIENT_ERROR, words
