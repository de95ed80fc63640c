"""What a host's errors mean, by their status, their code and their words."""

import re
from typing import Any

from providers.outcome import Outcome
from providers.sse import names_error

MONEY = re.compile(
    r"insufficient.{0,30}(quota|balance|credit|fund)|\bquota\b|\bbalance\b|recharge"
    r"|\bcredits?\b|top.?up|payment required|billing (hard )?limit",
    re.IGNORECASE,
)
"""Words of an empty wallet. A rate limit that only advertises a payment has none."""

# What an error's words mean. The first pattern that matches wins.
_WORDS = {
    Outcome.CONTEXT_OVERFLOW: (
        r"context.?(length|window)|maximum context|too many (input )?tokens"
        r"|prompt is too long|reduce the length"
    ),
    Outcome.MODEL_NOT_FOUND: (
        r"model.{0,80}(not (found|exist|available)|is not supported|does ?n.t exist"
        r"|unknown)|(unknown|no such|invalid) model|model_not_found"
    ),
    Outcome.OVERLOADED: (
        r"overload|capacity|too busy|server is busy|temporarily (unavailable|rate)"
        r"|limited upstream|upstream.{0,60}(limit|busy)"
    ),
    Outcome.CONTENT_FILTER: (
        r"content.?(filter|policy|management)|moderation"
        r"|sensitive (content|information|word)"
    ),
    Outcome.RATE_LIMITED: r"rate.?limit|too many requests|concurrency",
    Outcome.AUTH_ERROR: (
        r"(invalid|incorrect|missing|no).{0,20}(api.?key|credential|authentication"
        r"|(access|auth|api|bearer).?token)|unauthori[sz]ed"
    ),
}
WORDS: tuple[tuple[re.Pattern[str], Outcome], ...] = (
    (MONEY, Outcome.QUOTA),
    *((re.compile(words, re.IGNORECASE), meant) for meant, words in _WORDS.items()),
)

# Which of those meanings each HTTP status can have, and what it has without words.
STATUS: dict[int, tuple[frozenset[Outcome], Outcome]] = {
    400: (
        frozenset(
            {
                Outcome.QUOTA,
                Outcome.CONTEXT_OVERFLOW,
                Outcome.MODEL_NOT_FOUND,
                Outcome.CONTENT_FILTER,
                Outcome.AUTH_ERROR,
            }
        ),
        Outcome.BAD_REQUEST,
    ),
    401: (frozenset(), Outcome.AUTH_ERROR),
    402: (frozenset(), Outcome.QUOTA),
    403: (frozenset({Outcome.QUOTA, Outcome.CONTENT_FILTER}), Outcome.AUTH_ERROR),
    404: (frozenset({Outcome.MODEL_NOT_FOUND}), Outcome.HTTP_ERROR),
    407: (frozenset(), Outcome.CONNECT_ERROR),  # only a proxy says so
    413: (frozenset({Outcome.CONTEXT_OVERFLOW}), Outcome.BAD_REQUEST),
    422: (
        frozenset({Outcome.CONTEXT_OVERFLOW, Outcome.MODEL_NOT_FOUND}),
        Outcome.BAD_REQUEST,
    ),
    429: (frozenset({Outcome.QUOTA, Outcome.OVERLOADED}), Outcome.RATE_LIMITED),
    503: (frozenset({Outcome.MODEL_NOT_FOUND, Outcome.OVERLOADED}), Outcome.HTTP_ERROR),
    529: (frozenset(), Outcome.OVERLOADED),
}
IN_BAND = (frozenset(outcome for _, outcome in WORDS), Outcome.PROVIDER_ERROR)

_NAMES = ("error", "errors")
_CODES = ("error_code", "error_msg", "error_message")
SIGNS = frozenset(
    {*_NAMES, *_CODES, "x_groq", "base_resp", "detail", "success", "code", "status",
     "type"}
)  # fmt: skip
"""A chunk without any of these keys has no error outside its choices, or is one."""

_FINE = frozenset({"", "0", "200", "ok", "success", "none", "null", "false"})
"""What stands in the place of an error, or of its code, where there is none."""

_FAILED = frozenset({"error", "failed", "failure"})
"""The kinds and states that say by themselves that something failed."""

MAX_CHOICES = 128
"""The most choices of a chunk that are read: as many as one may ask OpenAI for."""

UNTOLD = "an error without words"


def meaning(status: int | None, message: str) -> Outcome:
    """Return what an error means by its words, as far as its status allows.

    `status` is None for an error inside a 200, which can mean anything.
    """
    possible, usual = (
        IN_BAND
        if status is None
        else STATUS.get(status, (frozenset(), Outcome.HTTP_ERROR))
    )
    return next(
        (
            outcome
            for words, outcome in WORDS
            if outcome in possible and words.search(message)
        ),
        usual,
    )


def settled(coded: Outcome | None, status: int | None, message: str) -> Outcome:
    """Return what an error means when its code has a documented meaning, or none.

    A message that speaks of money is believed before a code that says rate limit:
    hosts use one code for both.
    """
    if coded is Outcome.RATE_LIMITED and MONEY.search(message):
        return Outcome.QUOTA
    return coded or meaning(status, message)


def in_band(chunk: Any, event: bytes) -> Any:
    """Return the error that stands in a chunk, in whichever place, else None.

    What an event brings that is named an error is one, whatever it is. Some hosts put
    an error into a list.
    """
    if not isinstance(chunk, dict):
        first = chunk[0] if isinstance(chunk, list) and chunk else None
        error = in_band(first, b"") if isinstance(first, dict) else None
        return error or ((chunk or UNTOLD) if names_error(event) else None)
    choices = chunk.get("choices")
    error = _of_choices(choices) if isinstance(choices, list) else None
    if not SIGNS.isdisjoint(chunk):
        error = _signed(chunk) or error
    failed = names_error(event) or _fails(chunk.get("object"))
    return error or (chunk if failed else None)


def _of_choices(choices: list[Any]) -> Any:
    """Return the error that stands in a choice, or in what it says, else None."""
    for choice in choices[:MAX_CHOICES]:
        if not isinstance(choice, dict):
            continue
        for part in (choice, choice.get("delta"), choice.get("message")):
            if isinstance(part, dict) and _told(part.get("error")):
                return part["error"]
    return None


def _signed(chunk: dict[str, Any]) -> Any:
    """Return the error that one of the SIGNS stands for, if it does."""
    for name in _NAMES:
        if _told(chunk.get(name)):
            return chunk[name]
    groq, base = chunk.get("x_groq"), chunk.get("base_resp")
    if isinstance(groq, dict) and _told(groq.get("error")):
        return groq["error"]
    if isinstance(base, dict) and _told(base.get("status_code")):
        return base
    return chunk if _failed(chunk) else None


def _failed(chunk: dict[str, Any]) -> bool:
    """Return whether a chunk is itself the error, or tells its code and words."""
    if chunk.get("success") is False or any(
        _fails(chunk.get(name)) for name in ("type", "status")
    ):
        return True
    # A code of success comes with words too.
    code = chunk.get("error_code")
    if _told(code) if code is not None else any(_told(chunk.get(n)) for n in _CODES):
        return True
    status = chunk.get("status")
    coded = _told(chunk.get("code")) or (isinstance(status, int) and status >= 400)
    coded &= bool(chunk.get("message") or chunk.get("msg"))
    return "choices" not in chunk and (coded or "detail" in chunk)


def _fails(kind: Any) -> bool:
    """Return whether a kind or a state says by itself that something failed."""
    return isinstance(kind, str) and kind.rpartition(".")[2].lower() in _FAILED


def _told(value: Any) -> bool:
    """Return whether what stands in the place of an error is one."""
    if isinstance(value, (str, int, float)):
        return bool(value) and str(value).strip().lower() not in _FINE
    return bool(value)


def wording(payload: Any, text: str) -> tuple[str | None, str]:
    """Return the code and the message of an error body in any of the usual shapes."""
    error = _innermost(payload)
    if not isinstance(error, dict):
        number = isinstance(error, int) and not isinstance(error, bool)
        return str(error) if number else None, _spelled(error, text)[:2000]
    code = next((error[k] for k in ("code", "status_code", "error_code", "type")
                 if error.get(k) not in (None, "")), None)  # fmt: skip
    parts = [error.get(k) for k in ("message", "error_msg", "error_message",
                                    "status_msg", "msg", "detail", "type")]  # fmt: skip
    metadata = error.get("metadata")
    if isinstance(metadata, dict):
        parts += [metadata.get("raw"), metadata.get("error_type")]
    message = " ".join(_spelled(part, text) for part in parts if part)
    code = None if code is None else _spelled(code, "")
    return code, (message or _spelled(error, text))[:2000]


def _innermost(payload: Any) -> Any:
    """Return the error itself out of a body: under its name, the first of several."""
    if isinstance(payload, list) and payload and isinstance(payload[0], dict):
        payload = payload[0]
    if not isinstance(payload, dict):
        return payload
    name = next((name for name in _NAMES if name in payload), None)
    error = payload if name is None else payload[name]
    listed = isinstance(error, list) and error
    return error[0] if listed and isinstance(error[0], dict) else error


def _spelled(value: Any, text: str) -> str:
    """Return what a value says; `text` where it is none or nested too deeply."""
    try:
        return text if value is None else str(value)
    except RecursionError:
        return text or UNTOLD
