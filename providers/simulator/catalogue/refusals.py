"""Faults: what HTTP errors say, and how loudly (55 to 67)."""

from typing import Any

from providers.simulator.catalogue.errors import HTML, bare
from providers.simulator.catalogue.fault import Fault
from providers.simulator.catalogue.words import (
    LAST,
    chunked,
    encoded,
    head,
    replying,
)
from providers.simulator.player import Play, Repeat, Send, SendKey

DATE = "Date: Sun, 06 Nov 1994 08:49:37 GMT"


def refusing(status: str, message: str, *fields: str, **more: Any) -> Play:
    """Return the script that sends an HTTP error in the usual shape."""
    error = {"error": {"message": message, **more}}
    return replying(encoded(error), status, "application/json", *fields)


def slow_down(*fields: str) -> Play:
    """Return the script that sends a 429 with these header fields."""
    message = "Rate limit reached for requests"
    return refusing("429 Too Many Requests", message, *fields, code="rate_limited")


FAULTS: tuple[Fault, ...] = (
    Fault(
        number=55,
        slug="http_401",
        title="HTTP 401, 403 or 402: the key or the wallet is refused",
        variants={
            "401": refusing("401 Unauthorized", "Invalid API key"),
            "403": refusing("403 Forbidden", "This key may not use this model"),
            "402": refusing("402 Payment Required", "Insufficient credits"),
        },
        outcome="auth_error / quota",
    ),
    Fault(
        number=56,
        slug="unknown_model",
        title="HTTP 404: a model that the host does not have, or a wrong path",
        variants={
            "model": refusing(
                "404 Not Found", "The model `m` does not exist", code="model_not_found"
            ),
            "words": refusing("404 Not Found", "No such model: `m`"),
            "path": replying(b"404 page not found\n", "404 Not Found", "text/plain"),
        },
        outcome="model_not_found / http_error",
    ),
    Fault(
        number=57,
        slug="http_429_rate",
        title="HTTP 429 with Retry-After in seconds",
        play=slow_down("Retry-After: 20"),
        outcome="rate_limited",
    ),
    Fault(
        number=58,
        slug="retry_after_date",
        title="HTTP 429 with a date as Retry-After, by the host's own clock",
        variants={
            "imf": slow_down(DATE, "Retry-After: Sun, 06 Nov 1994 08:50:07 GMT"),
            "rfc850": slow_down(DATE, "Retry-After: Sunday, 06-Nov-94 08:50:07 GMT"),
            "asctime": slow_down(DATE, "Retry-After: Sun Nov  6 08:50:07 1994"),
        },
        outcome="rate_limited",
        seen="hermes-agent#84762, denoland/std#7299",
    ),
    Fault(
        number=59,
        slug="retry_after_dialects",
        title="HTTP 429 with a wait in milliseconds, or until a limit's reset",
        variants={
            "ms": slow_down("retry-after-ms: 1500"),
            "reset": slow_down(
                "x-ratelimit-remaining-requests: 0",
                "x-ratelimit-reset-requests: 6m0s",
            ),
        },
        outcome="rate_limited",
    ),
    Fault(
        number=60,
        slug="retry_after_odd",
        title="HTTP 429 with a Retry-After that is nonsense, huge, or there twice",
        variants={
            "negative": slow_down("Retry-After: -5"),
            "huge": slow_down("Retry-After: 1000000000"),
            "exponent": slow_down("Retry-After: 1e9"),
            "nan": slow_down("Retry-After: NaN"),
            "letters": slow_down("Retry-After: 120abc"),
            "twice": slow_down("Retry-After: 20", "Retry-After: 5"),
        },
        outcome="rate_limited",
        seen="crawlee#1995, atlas#229",
    ),
    Fault(
        number=61,
        slug="bare_429",
        title="HTTP 429 without a body, as firewalls send",
        play=bare("429 Too Many Requests", "Content-Length: 0"),
        outcome="rate_limited",
    ),
    Fault(
        number=62,
        slug="odd_status",
        title="a status that no standard has",
        variants={
            status: replying(b"error code: " + status.encode(), f"{status} Odd", HTML)
            for status in ("499", "520", "522", "524", "526", "529", "599")
        },
        outcome="http_error / overloaded",
    ),
    Fault(
        number=63,
        slug="refusal_storm",
        title="HTTP 503 at once, to every request",
        play=bare("503 Service Unavailable", "Content-Length: 0"),
        outcome="http_error",
        seen="gpustack#1677",
    ),
    Fault(
        number=64,
        slug="huge_error",
        title="an error body of 100 MB",
        play=(
            Send(head("500 Internal Server Error", "text/plain", length=100_000_000)),
            Repeat(b"x" * 50_000, times=2_000),
        ),
        outcome="http_error",
    ),
    Fault(
        number=65,
        slug="echoed_key",
        title="an error body that repeats the request's key",
        play=(
            Send(head("401 Unauthorized", "application/json")),
            Send(chunked(b'{"error": {"message": "Incorrect API key provided: ')),
            SendKey(),
            Send(chunked(b'."}}') + LAST),
        ),
        outcome="auth_error",
    ),
    Fault(
        number=66,
        slug="stream_options_refused",
        title="HTTP 400 or 422: `stream_options` is not known",
        variants={
            "400": refusing(
                "400 Bad Request", "Unrecognized request argument: stream_options"
            ),
            "422": replying(
                encoded(
                    {
                        "detail": [
                            {
                                "type": "extra_forbidden",
                                "loc": ["body", "stream_options"],
                                "msg": "Extra inputs are not permitted",
                            }
                        ]
                    }
                ),
                "422 Unprocessable Entity",
            ),
        },
        outcome="bad_request",
        seen="openai-agents#442, opencode#4698, openclaude#2144",
    ),
    Fault(
        number=67,
        slug="parameter_refused",
        title="HTTP 400: `max_tokens` or `temperature` is refused",
        variants={
            "max_tokens": refusing(
                "400 Bad Request",
                "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.",
                code="unsupported_parameter",
            ),
            "temperature": refusing(
                "400 Bad Request",
                "Unsupported value: 'temperature' does not support 0 with this model.",
                code="unsupported_value",
            ),
        },
        outcome="bad_request",
    ),
)
