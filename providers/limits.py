"""What a host's headers say about waiting: Retry-After and rate limits."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from providers.secret import mask

MAX_WAIT_S = 86_400.0
_TELLS = re.compile(r"rate-?limit|retry-after", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)
EPOCH_S = 1e9
"""A larger number is a moment since 1970 and no wait."""
UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(h|ms|m|s|us|ns)", re.ASCII)
_DURATION = re.compile(f"(?:{_PART.pattern})+", re.ASCII)


def rate_limits(
    headers: Mapping[str, str], spelled: Iterable[str] = ()
) -> dict[str, str] | None:
    """Return the rate-limit headers, names lower-cased, at most 24 of them.

    Values are as they came but for keys (`spelled`, see `secret.forms`) and length.
    """
    if not _TELLS.search("\n".join(headers)):
        return None
    found = {
        # Header bytes that are no UTF-8 come as lone surrogates, which no row takes.
        name.lower(): mask(value, spelled).encode("utf-8", "replace").decode()[:100]
        for name, value in headers.items()
        if "ratelimit" in name.lower().replace("-", "") or "retry-after" in name.lower()
    }
    return dict(sorted(found.items())[:24]) or None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a host asks to wait, 0 to a day, or None.

    Milliseconds (`retry-after-ms`) go before seconds and HTTP dates; of several the
    longest holds. A date counts from the response's own `Date`, so a skewed clock does
    no harm (RFC 9110, 10.2.3). Without any of them a limit of which nothing remains
    asks to wait until its reset.
    """
    if not _TELLS.search("\n".join(headers)):
        return None
    fields = [(name.lower(), value.strip()) for name, value in headers.items()]
    now = next((_date(text) for name, text in fields if name == "date"), None)
    now = now or datetime.now(UTC)
    spoken = [text for name, text in fields if name == "retry-after-ms"]
    waits = [float(text) / 1000 for text in spoken if _NUMBER.fullmatch(text)]
    if not waits:
        spoken = [text for name, text in fields if name == "retry-after"]
        waits = [wait for text in spoken if (wait := _wait(text, now)) is not None]
    waits = waits or _resets(dict(fields), now)
    return min(max(*waits, 0.0), MAX_WAIT_S) if waits else None


def _wait(text: str, now: datetime) -> float | None:
    """Return the seconds until a moment that is given in seconds or as a date."""
    if _NUMBER.fullmatch(text):
        return float(text)
    until = _date(text)
    return (until - now).total_seconds() if until is not None else None


def _resets(fields: Mapping[str, str], now: datetime) -> list[float]:
    """Return the seconds until the reset of each limit that is used up."""
    used_up = (
        fields[name.replace("remaining", "reset")]
        for name, left in fields.items()
        if "remaining" in name
        and name.replace("remaining", "reset") in fields
        and re.fullmatch(r"0|-[0-9]+", left)
    )
    return [wait for text in used_up if (wait := _reset(text, now)) is not None]


def _reset(text: str, now: datetime) -> float | None:
    """Return the seconds until a reset: seconds, `6m0s`, an epoch in s or ms, a date.

    These are the forms of OpenAI and Groq, Cerebras, OpenRouter, and Anthropic.
    """
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number < EPOCH_S:
            return number
        return number / (1 if number < EPOCH_S * 1000 else 1000) - now.timestamp()
    if _DURATION.fullmatch(text):
        return sum(float(n) * UNITS_S[unit] for n, unit in _PART.findall(text))
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (until - now).total_seconds() if until.tzinfo else None


def _date(text: str) -> datetime | None:
    # parsedate accepts nearly anything; a date of HTTP has a weekday's letters.
    if not re.match(r"[A-Za-z]{3,9},? ", text):
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
