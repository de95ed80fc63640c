"""What a host says about waiting: Retry-After, rate limits, and its error bodies."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from providers.secret import Secret, hide

MAX_WAIT_S = 86_400.0
MAX_RESET_S = 366 * 86_400.0
MAX_LIMITS = 24
FIRST_EPOCH_S = 1e9
"""A bare reset from here on is a date in seconds; a thousand times that, in ms."""

_TELLS = re.compile(r"rate-?limit|retry-after", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)
_PART = r"(\d{1,9}(?:\.\d{1,9})?)(ms|us|µs|ns|d|h|m|s)"
_DURATION = re.compile(f"(?:{_PART})+", re.ASCII)
_PARTS = re.compile(_PART, re.ASCII)
_UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3,
           "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}  # fmt: skip


def rate_limits(
    headers: Mapping[str, str], secrets: Iterable[Secret] = ()
) -> dict[str, str] | None:
    """Return the rate-limit headers, names lower-cased, at most 24 of them.

    Both are as they came but for keys (`secrets`) and length.
    Where a header says when a limit is reset, the seconds until then stand beside it
    under its name and `_s`.
    """
    if not _telling("\n".join(headers)):
        return None
    secrets = tuple(secrets)
    found = {
        _clean(name.lower(), secrets): _clean(value, secrets)
        for name, value in headers.items()
        if "ratelimit" in name.lower().replace("-", "") or "retry-after" in name.lower()
    }
    found = dict(sorted(found.items())[:MAX_LIMITS])
    now = _now(headers)
    resets = {name: _reset_s(found[name], now) for name in found if "reset" in name}
    seconds = {f"{name}_s": f"{s:.10g}" for name, s in resets.items() if s is not None}
    return found | seconds or None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a host's headers ask to wait, 0 to a day, or None.

    Milliseconds (`retry-after-ms`) go before seconds and HTTP dates; of several the
    longest holds. A date counts from the response's own `Date`, so a skewed clock does
    no harm (RFC 9110, 10.2.3). Without any of them a limit of which nothing remains
    asks to wait until its reset.
    """
    if not _telling("\n".join(headers)):
        return None
    fields = [(name.lower(), value.strip()) for name, value in headers.items()]
    now = _now(headers)
    spoken = [_number(text) for name, text in fields if name == "retry-after-ms"]
    waits = [number / 1000 for number in spoken if number is not None]
    if not waits:
        stated = [_wait_s(text, now) for name, text in fields if name == "retry-after"]
        waits = [seconds for seconds in stated if seconds is not None]
    waits = waits or _used_up(dict(fields), now)
    return min(max(*waits, 0.0), MAX_WAIT_S) if waits else None


@lru_cache(maxsize=64)
def _telling(names: str) -> bool:
    """Return whether headers of these names may say how long to wait."""
    return _TELLS.search(names) is not None


def _wait_s(text: str, now: datetime) -> float | None:
    """Return the seconds until a moment that is given in seconds or as a date."""
    seconds, until = _number(text), _date(text)
    if seconds is None and until is not None:
        return (until - now).total_seconds()
    return seconds


def _used_up(fields: Mapping[str, str], now: datetime) -> list[float]:
    """Return the seconds until the reset of each limit of which nothing remains."""
    resets = (
        _reset_s(fields.get(name.replace("remaining", "reset"), ""), now)
        for name, left in fields.items()
        if "remaining" in name and re.fullmatch(r"0|-[0-9]+", left)
    )
    return [seconds for seconds in resets if seconds is not None]


def wait_in_body(payload: Any) -> float | None:
    """Return the seconds that an error body asks to wait, 0 to a day, or None.

    Hosts write `retry_after_ms`, `retry_after` (seconds), `retryDelay` ("3.5s"), or
    quote the headers of the host behind them.
    """
    for place in _places(payload):
        milliseconds = _number(place.get("retry_after_ms"))
        if milliseconds is not None:
            return min(milliseconds / 1000, MAX_WAIT_S)
        for key in ("retry_after", "retryDelay"):
            stated = place.get(key)
            seconds = _number(stated)
            if seconds is None and isinstance(stated, str):
                seconds = _duration(stated)
            if seconds is not None:
                return min(seconds, MAX_WAIT_S)
        quoted = place.get("headers")
        if isinstance(quoted, dict):
            asked = retry_after({k: str(v) for k, v in quoted.items()})
            if asked is not None:
                return asked
    return None


def _places(payload: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of an error body in which a wait may be stated."""
    if not isinstance(payload, dict):
        return
    error = payload.get("error")
    inner = error if isinstance(error, dict) else payload
    details = inner.get("details")
    several = details if isinstance(details, list) else [details]
    for place in (inner, payload, inner.get("metadata"), *several):
        if isinstance(place, dict):
            yield place


def _reset_s(text: str, now: datetime) -> float | None:
    """Return the seconds until a limit is reset, 0 to a year, or None.

    A Go duration (`6m0s`: OpenAI, Groq), seconds (Cerebras), a Unix time in seconds or
    milliseconds (OpenRouter), or a date of RFC 3339 (Anthropic).
    """
    text = text.strip()
    seconds = _number(text)
    if seconds is None:
        seconds = _duration(text)
    elif seconds >= FIRST_EPOCH_S:
        unix = seconds / 1000 if seconds >= 1000 * FIRST_EPOCH_S else seconds
        seconds = max(unix - now.timestamp(), 0.0)
    if seconds is None and re.match(r"\d{4}-\d\d-\d\d[T ]", text, re.ASCII):
        seconds = _until_iso(text, now)
    return seconds if seconds is not None and seconds <= MAX_RESET_S else None


def _until_iso(text: str, now: datetime) -> float | None:
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max((until - now).total_seconds(), 0.0) if until.tzinfo else None


def _number(value: Any) -> float | None:
    """Return a plain decimal number, given as one or as text; else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if not isinstance(value, str) and not 0 <= value < 1e15:
        return None
    text = value.strip() if isinstance(value, str) else f"{value:.9f}"
    return float(text) if _NUMBER.fullmatch(text) else None


def _duration(text: str) -> float | None:
    """Return the seconds of a Go duration such as `2m52.8s`; else None."""
    if not _DURATION.fullmatch(text.strip()):
        return None
    return sum(float(n) * _UNIT_S[unit] for n, unit in _PARTS.findall(text))


def _now(headers: Mapping[str, str]) -> datetime:
    """Return when a response was made by its host's clock; by ours if it says not."""
    said = {name.lower(): value.strip() for name, value in headers.items()}
    return _date(said.get("date", "")) or datetime.now(UTC)


def _clean(text: str, secrets: Iterable[Secret]) -> str:
    # Header bytes that are no UTF-8 come as lone surrogates, which no row takes.
    return hide(text, secrets).encode("utf-8", "replace").decode()[:100]


def _date(text: str) -> datetime | None:
    # parsedate accepts nearly anything; a date of HTTP has a weekday's letters.
    if not re.match(r"[A-Za-z]{3,9},? ", text):
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
