"""What goes into the cells of a table: records as values that SQLite can hold."""

import re
from typing import Any

import msgspec

_SURROGATE = re.compile("[\ud800-\udfff]")
_INT64 = 2**63


def values_of(what: msgspec.Struct | tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values of a record, or those that are given."""
    return what if isinstance(what, tuple) else msgspec.structs.astuple(what)


def clean(value: Any) -> Any:
    """Return a value that SQLite can hold: no half of a surrogate pair, 64 bits."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return None
    return value
