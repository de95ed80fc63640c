"""JSON as hosts really send it, read without ever raising."""

import json
from typing import Any, NoReturn

import msgspec

from providers.outcome import Flag

DONE = b"data: [DONE]"
BOM = b"\xef\xbb\xbf"
_decode = msgspec.json.Decoder().decode
_FAULTS = (ValueError, RecursionError, OverflowError)


def decode(data: bytes, flags: set[Flag]) -> Any:
    """Return the JSON in some bytes, or None when they hold none.

    Invalid UTF-8 is replaced and flagged; lone surrogates, which no UTF-8 text may
    hold, are replaced.
    """
    try:
        return _decode(data)
    except (*_FAULTS, msgspec.DecodeError):
        pass
    try:
        # The standard library takes the lone surrogates that msgspec refuses.
        return scrub(json.loads(_text(data, flags), parse_constant=_no_constant))
    except _FAULTS:
        return None


def decode_whole(data: bytes, flags: set[Flag]) -> Any:
    """Return the JSON of a whole body, flagged when the end of a stream follows it."""
    data = data.removeprefix(BOM).strip()
    value = decode(data, flags)
    if value is None and data.endswith(DONE):
        value = decode(data.removesuffix(DONE), flags)
        if value is not None:
            flags.add(Flag.STREAM_ANSWER)
    return value


def scrub(value: Any) -> Any:
    """Replace lone surrogates by U+FFFD, in a value however deep."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [scrub(item) for item in value]
    if isinstance(value, dict):
        return {scrub(key): scrub(item) for key, item in value.items()}
    return value


def _text(data: bytes, flags: set[Flag]) -> str:
    text = data.decode("utf-8", "replace")
    if "\ufffd" in text:
        flags.add(Flag.INVALID_UTF8)
    return text


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
