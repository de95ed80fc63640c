"""What an exception of the client library means for a request."""

import errno
import ssl

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from providers.outcome import Outcome
from providers.tape import FloodError, Tape

CUT = "payload is not completed"
"""How aiohttp words a body that the end of its connection cut short."""

NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
"""The reasons of the TLS library when the other side does not speak TLS at all."""

OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL})
"""What the system says when this machine, not the host, has run out of something."""

# What to ask the user, by what the words of an error show of the other side's answer.
HINTS = {
    **dict.fromkeys(NOT_TLS, "is it an http:// host? "),
    r"b'\x15\x03": "is it an https:// host? ",
    r"\x04\x00\x00\x00\x00\x00": "does it speak HTTP/2 only? ",
}

# The first kind that fits wins, so the narrower stand before the wider.
FAILURES: tuple[tuple[type[Exception], Outcome], ...] = (
    (FloodError, Outcome.LIMIT_EXCEEDED),
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
    if tape.refusal is not None and tape.sent is None:
        return Outcome.POLICY_REFUSED, tape.refusal
    outcome, words = _meaning(error, tape), f"{type(error).__name__}: {error}"
    if outcome is Outcome.PROTOCOL_ERROR:
        words = _broken(error) or words
        words = (
            next((hint for mark, hint in HINTS.items() if mark in words), "") + words
        )
    return outcome, words


def _broken(error: Exception) -> str | None:
    """Return what was broken of HTTP, without the 400 that aiohttp adds of its own."""
    cause = error if isinstance(error, HttpProcessingError) else error.__cause__
    if not isinstance(cause, HttpProcessingError):
        return None
    return f"{type(cause).__name__}: {' '.join(cause.message.split())}"


def _meaning(error: Exception, tape: Tape) -> Outcome:
    cut = isinstance(error, aiohttp.ClientPayloadError) and CUT in str(error)
    # An error whose cause is broken HTTP carries status 400, which nobody sent.
    broken = isinstance(error.__cause__, HttpProcessingError) and not cut
    cause = getattr(error, "os_error", error)
    if tape.malformed or broken or _speaks_no_tls(cause):
        return Outcome.PROTOCOL_ERROR
    if getattr(cause, "errno", None) in OURS:
        return Outcome.CLIENT_ERROR
    outcome = next((o for kind, o in FAILURES if isinstance(error, kind)), None)
    if outcome is Outcome.DISCONNECTED:
        return _disconnected(tape)
    return outcome or Outcome.CLIENT_ERROR


def _speaks_no_tls(cause: Exception) -> bool:
    return isinstance(cause, ssl.SSLError) and cause.reason in NOT_TLS


def _disconnected(tape: Tape) -> Outcome:
    """Return what a lost connection is: by whether the request, or an answer, was."""
    if tape.sent is None:
        return Outcome.CONNECT_ERROR  # by a proxy, or within a handshake
    return Outcome.DISCONNECTED if tape.status is None else Outcome.TRUNCATED
