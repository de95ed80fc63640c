"""Records that a database would not take, in a file beside it until it does.

A file of groups, each its length in four bytes and then MessagePack: statements with
their values, stored together or not at all. Tables and columns stand by name, so that
a later version can read it.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from data.migrations import StoreError
from data.statements import Statement

LARGEST_GROUP = 256 << 20
"""Bytes of the largest group that is read. Ours are far smaller."""


class TornError(Exception):
    """What follows in a spool file is no whole group: it was cut off or damaged."""


Kept = tuple[Statement, tuple[Any, ...]]
"""What is done, and the values that it is done with."""


def spool_path(path: Path) -> Path:
    """Return the file beside a database that holds what it would not take."""
    return path.with_name(path.name + "-spool")


def waits(path: Path) -> bool:
    """Return whether records wait beside a database."""
    return os.path.lexists(spool_path(path))


def save(path: Path, groups: Iterable[list[Kept]]) -> int:
    """Add groups to a database's spool file and return how many of them it took.

    One that a full disk cuts off is taken out again, and none after it is tried.
    OSError when the file cannot be opened.
    """
    flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    file = os.open(spool_path(path), flags, 0o600)
    n, end = 0, os.fstat(file).st_size
    try:
        for group in groups:
            body = msgspec.msgpack.encode(group)
            _write(file, len(body).to_bytes(4, "big") + body)
            n, end = n + 1, end + 4 + len(body)
    except OSError:
        os.ftruncate(file, end)
    finally:
        with suppress(OSError):  # what the system has taken, it still gives back
            os.fsync(file)
        os.close(file)
    return n


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def load(path: Path) -> Iterator[list[Kept]]:
    """Yield the groups of a database's spool file; none without a file.

    Raises TornError behind the last whole group when more follows, StoreError when
    the file is not ours.
    """
    spool = spool_path(path)
    try:
        file = _opened(spool, path.stat().st_uid)
    except FileNotFoundError:
        return
    except OSError as why:
        raise _unreadable(spool, why.strerror) from None
    decoder = msgspec.msgpack.Decoder(list[Kept])
    with file:
        left = os.fstat(file.fileno()).st_size
        while head := file.read(4):
            size, left = int.from_bytes(head, "big"), left - 4
            if size > min(left, LARGEST_GROUP):
                raise TornError
            left -= size
            try:
                yield decoder.decode(file.read(size))
            except (msgspec.DecodeError, RecursionError) as why:
                raise _unreadable(spool, why) from None


def torn(path: Path) -> list[Path]:
    """Return the damaged spool files that are kept beside a database."""
    return sorted(path.parent.glob(f"{escape(spool_path(path).name)}-torn*"))


def put_aside(path: Path) -> Path:
    """Rename a spool file, so that nothing is added to it; return where it is kept."""
    spool = spool_path(path)
    kept = spool.with_name(spool.name + "-torn")
    n = 1
    while os.path.lexists(kept):
        n += 1
        kept = spool.with_name(f"{spool.name}-torn-{n}")
    spool.rename(kept)
    return kept


def refusal(path: Path, why: object) -> StoreError:
    """Return what to say of a group in a spool file that the database does not take."""
    return _unreadable(spool_path(path), why)


def _opened(spool: Path, owner: int) -> BinaryIO:
    """Open a plain file of the database's owner, and no link to another."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.fdopen(os.open(spool, flags), "rb")
    found = os.fstat(file.fileno())
    plain = stat.S_ISREG(found.st_mode)
    if not plain or found.st_uid != owner:
        file.close()
        raise OSError(0, "not the database's owner's" if plain else "no plain file")
    return file


def _unreadable(spool: Path, why: object) -> StoreError:
    return StoreError(
        f"{spool}: cannot be read ({why}); upgrade head-to-head if a newer one wrote "
        "it, or move it away to go on without the records in it"
    )
