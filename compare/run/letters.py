"""What the processes of one run write to each other, and how it goes down a pipe."""

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from compare.run.monitor import Health
from data.row import CheckRow, Row

_LENGTH = struct.Struct(">I")
_SURROGATE = re.compile("[\ud800-\udfff]")
_INT64 = 2**63

RowsT = TypeVar("RowsT")


class SentRow(Row, frozen=True, kw_only=True, array_like=True):
    """A row as it comes out of a pipe: its columns in order, without their names."""


class SentCheck(CheckRow, frozen=True, kw_only=True, array_like=True):
    """A check as it comes out of a pipe."""


Rows = tuple[SentRow, tuple[SentCheck, ...]]


class Report(msgspec.Struct, Generic[RowsT], frozen=True, kw_only=True):
    """What a worker tells: rows and begun requests (`seq`) since it last did.

    `sent` and `in_flight` are its engine's. `ready`: it waits for a segment's start.
    `over`: it has told all, `stopped` says why it sent less than planned, and
    `health` how it fared. `fault`: the kind and text of an exception that ended it.
    """

    rows: tuple[RowsT, ...] = ()
    begun: tuple[int, ...] = ()
    sent: int = 0
    in_flight: int = 0
    stopped: str | None = None
    ready: bool = False
    over: bool = False
    health: Health | None = None
    fault: tuple[str, str] | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told: the start of a segment (ns), to stop, to end at once.

    `refuse` names a host that is to be sent nothing more.
    """

    start: int | None = None
    refuse: str | None = None
    stop: str | None = None
    finish: bool = False


_encode = msgspec.msgpack.Encoder().encode
read_report = msgspec.msgpack.Decoder(Report[Rows]).decode
read_order = msgspec.msgpack.Decoder(Order).decode


def packed(row: Row, checks: Sequence[CheckRow]) -> msgspec.Raw:
    """Return a row and its checks as they stand in a report.

    What neither a pipe nor a database can hold is mended as the database would: half
    a surrogate pair becomes U+FFFD, a number beyond 64 bits None.
    """
    values = msgspec.structs.astuple(row), [msgspec.structs.astuple(c) for c in checks]
    try:
        return msgspec.Raw(_encode(values))
    except (UnicodeEncodeError, OverflowError):
        first, others = values
        cleaned = _clean(first), [_clean(each) for each in others]
        return msgspec.Raw(_encode(cleaned))


def framed(letter: Report[Any] | Order) -> bytes:
    """Return a letter as bytes that `letters` can tell from the next one's."""
    body = _encode(letter)
    return _LENGTH.pack(len(body)) + body


async def letters(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield each letter's bytes until the other side is gone.

    One that was cut off by its writer's death is none.
    """
    try:
        while True:
            head = await reader.readexactly(_LENGTH.size)
            yield await reader.readexactly(_LENGTH.unpack(head)[0])
    except (asyncio.IncompleteReadError, ConnectionError):
        return


def _clean(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_cleaned(value) for value in values)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return None
    return value
