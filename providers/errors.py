"""What a host's errors mean, by their status, their code and their words."""

import re
from typing import Any

from providers.outcome import Outcome

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

# A chunk without any of these keys has no error outside its choices.
SIGNS = frozenset({"error", "x_groq", "base_resp", "detail", "success"})


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


def in_band(chunk: dict[str, Any], event: bytes) -> Any:
    """Return the error that stands in a chunk, in whichever place, else None."""
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    error = choice.get("error") if isinstance(choice, dict) else None
    if not SIGNS.isdisjoint(chunk):
        error = _signed(chunk) or error
    failed = event == b"error" or chunk.get("object") == "error"
    return error or (chunk if failed else None)


def _signed(chunk: dict[str, Any]) -> Any:
    """Return the error that one of the SIGNS stands for, if it does."""
    groq, base = chunk.get("x_groq"), chunk.get("base_resp")
    error = chunk.get("error") or (groq.get("error") if isinstance(groq, dict) else 0)
    if not error and isinstance(base, dict) and base.get("status_code"):
        error = base
    failed = chunk.get("success") is False or (
        "detail" in chunk and "choices" not in chunk
    )
    return error or (chunk if failed else None)


def wording(payload: Any, text: str) -> tuple[str | None, str]:
    """Return the code and the message of an error body in any of the usual shapes."""
    error = payload.get("error", payload) if isinstance(payload, dict) else payload
    if not isinstance(error, dict):
        return None, str(error if error is not None else text)[:2000]
    code = next((error[k] for k in ("code", "status_code", "type")
                 if error.get(k) not in (None, "")), None)  # fmt: skip
    parts = [error.get(k) for k in ("message", "status_msg", "msg", "detail", "type")]
    metadata = error.get("metadata")
    if isinstance(metadata, dict):
        parts += [metadata.get("raw"), metadata.get("error_type")]
    message = " ".join(str(part) for part in parts if part) or str(error)
    return (str(code) if code is not None else None), message[:2000]
