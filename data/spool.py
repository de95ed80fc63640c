"""Records that a database would not take, in a file beside it until it does."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from data.migrations import StoreError
from data.statements import SPOOLED

Number = Annotated[int, msgspec.Meta(ge=0, lt=len(SPOOLED))]
Kept = tuple[Number, tuple[Any, ...]]
"""The number of a statement, and the values that it stores."""


def spool_path(path: Path) -> Path:
    """Return the file beside a database that holds what it would not take."""
    return path.with_name(path.name + "-spool")


def save(path: Path, records: Iterable[Sequence[Any]]) -> None:
    """Add records to a database's spool file; OSError when that cannot be written.

    One that is cut off by a full disk leaves those before it whole.
    """
    flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(spool_path(path), flags, 0o600), "ab") as file:
        for record in records:
            body = msgspec.msgpack.encode(record)
            file.write(len(body).to_bytes(4, "big") + body)
        file.flush()
        os.fsync(file.fileno())


def load(path: Path) -> list[Kept]:
    """Return the records of a database's spool file; none without a file.

    StoreError when it is not ours.
    """
    spool = spool_path(path)
    data = spool.read_bytes() if spool.exists() else b""
    found, at = [], 0
    while at + 4 <= len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            break
        try:
            found.append(msgspec.msgpack.decode(data[at + 4 : end], type=Kept))
        except msgspec.DecodeError as why:
            raise StoreError(
                f"{spool}: cannot be read ({why}); move it away to go on without the "
                "records in it"
            ) from None
        at = end
    return found
