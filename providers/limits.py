"""What a host's headers say about waiting: Retry-After and rate limits."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from providers.secret import mask

MAX_WAIT_S = 86_400.0
_TELLS = re.compile(r"rate-?limit|retry-after", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)


def rate_limits(
    headers: Mapping[str, str], spelled: Iterable[str] = ()
) -> dict[str, str] | None:
    """Return the rate-limit headers, names lower-cased, at most 24 of them.

    Both are as they came but for keys (`spelled`, see `secret.forms`) and length.
    """
    if not _TELLS.search("\n".join(headers)):
        return None
    spelled = tuple(spelled)
    found = {
        _clean(name.lower(), spelled): _clean(value, spelled)
        for name, value in headers.items()
        if "ratelimit" in name.lower().replace("-", "") or "retry-after" in name.lower()
    }
    return dict(sorted(found.items())[:24]) or None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a host asks to wait, 0 to a day, or None.

    Milliseconds (`retry-after-ms`), seconds and HTTP dates are read; a date counts
    from the response's own `Date`, so a skewed clock does no harm (RFC 9110, 10.2.3).
    """
    if not _TELLS.search("\n".join(headers)):
        return None
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    if _NUMBER.fullmatch(lowered.get("retry-after-ms", "")):
        return min(float(lowered["retry-after-ms"]) / 1000, MAX_WAIT_S)
    text = lowered.get("retry-after", "")
    if _NUMBER.fullmatch(text):
        return min(float(text), MAX_WAIT_S)
    until = _date(text)
    if until is None:
        return None
    now = _date(lowered.get("date", "")) or datetime.now(UTC)
    return min(max((until - now).total_seconds(), 0.0), MAX_WAIT_S)


def _clean(text: str, spelled: Iterable[str]) -> str:
    # Header bytes that are no UTF-8 come as lone surrogates, which no row takes.
    return mask(text, spelled).encode("utf-8", "replace").decode()[:100]


def _date(text: str) -> datetime | None:
    # parsedate accepts nearly anything; a date of HTTP has a weekday's letters.
    if not re.match(r"[A-Za-z]{3,9},? ", text):
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
