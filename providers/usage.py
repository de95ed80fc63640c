"""Token counts out of a host's usage object, wherever it puts them."""

import re
from typing import Any

import msgspec

from providers.reply import Usage

# Where each count may stand, as paths into the usage object; the first that is
# there wins.
PATHS: dict[str, tuple[tuple[str, ...], ...]] = {
    "prompt_tokens": (("prompt_tokens",),),
    "completion_tokens": (("completion_tokens",),),
    "total_tokens": (("total_tokens",),),
    "cached_tokens": (
        ("prompt_tokens_details", "cached_tokens"),
        ("prompt_cache_hit_tokens",),
        ("cached_tokens",),
    ),
    "cache_write_tokens": (
        ("prompt_tokens_details", "cache_write_tokens"),
        ("cache_write_tokens",),
        ("cache_creation_input_tokens",),
    ),
    "reasoning_tokens": (
        ("completion_tokens_details", "reasoning_tokens"),
        ("reasoning_tokens",),
    ),
}
OF_PROMPT = ("prompt_tokens", "cached_tokens", "cache_write_tokens")
OF_OUTPUT = ("completion_tokens", "reasoning_tokens")
COST_PATHS = (("cost",), ("estimated_cost",))

MAX_COUNT = 10**12
MAX_RAW_CHARS = 4096
_DECIMAL = re.compile(r"-?\d{1,20}(\.\d{1,30})?([eE][+-]?\d{1,3})?", re.ASCII)


def exact(value: Any) -> int | None:
    """Return a count that is exactly an integer (12, 12.0 or "12"), else None."""
    if type(value) is int and 0 <= value < MAX_COUNT:
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,20}", value.strip()):
        value = int(value)
    if isinstance(value, int) and 0 <= value < MAX_COUNT:
        return value
    return None


def _first(raw: dict[str, Any], paths: tuple[tuple[str, ...], ...]) -> Any:
    for path in paths:
        value: Any = raw
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def read_usage(raw: dict[str, Any], source: str) -> tuple[Usage, bool]:
    """Return the usage in a host's object, and whether any count in it was odd.

    A count that is missing is None; one that is no exact integer is None and odd.
    """
    counts: dict[str, int | None] = {}
    odd = False
    for name, paths in PATHS.items():
        value = _first(raw, paths)
        counts[name] = exact(value)
        odd |= value is not None and counts[name] is None
    cost = _decimal(_first(raw, COST_PATHS))
    return Usage(**counts, source=source, cost_usd=cost, raw=_compact(raw)), odd


def completed(usage: Usage, earlier: Usage, *, current: bool) -> Usage:
    """Return a usage with the counts that it leaves out and an earlier one states.

    Some hosts count the prompt in a first event and the output in a last one. What was
    made is taken over only if the earlier one is `current`: nothing was made since. A
    total or a cost is that of its own object. `raw` then has the keys of both.
    """
    names = (*OF_PROMPT, *(OF_OUTPUT if current else ()))
    lacking = {
        name: count
        for name in names
        if getattr(usage, name) is None
        and (count := getattr(earlier, name)) is not None
    }
    if not lacking:
        return usage
    raw = _together(earlier.raw, usage.raw) or usage.raw
    return msgspec.structs.replace(usage, raw=raw, **lacking)


def _together(*texts: str | None) -> str | None:
    """Return the keys of several objects as one, the last word on each, or None."""
    try:
        objects = [msgspec.json.decode(text) for text in texts if text is not None]
    except (msgspec.DecodeError, RecursionError):  # nested too deeply to be read again
        return None
    return _compact({key: value for each in objects for key, value in each.items()})


def unreadable_cost(usage: Usage) -> bool:
    """Return whether a host stated a cost that is no finite number."""
    if usage.cost_usd is not None or usage.raw is None or "cost" not in usage.raw:
        return False
    try:
        return _first(msgspec.json.decode(usage.raw), COST_PATHS) is not None
    except (msgspec.DecodeError, RecursionError):  # nested too deeply to be read again
        return False


def _decimal(value: Any) -> str | None:
    """Return a number as a decimal string; None when it is no finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    text = str(value).strip() if abs(_size(value)) < MAX_COUNT else ""
    return text if _DECIMAL.fullmatch(text) else None


def _size(value: float | str) -> float:
    return len(value) if isinstance(value, str) else value


def _compact(raw: dict[str, Any]) -> str | None:
    """Return an object as JSON; None when it is too long or cannot be written."""
    try:
        text = msgspec.json.encode(raw).decode()
    except (ValueError, OverflowError, RecursionError):
        return None
    return text if len(text) <= MAX_RAW_CHARS else None
