"""Records out as CSV, JSON lines, Markdown or Parquet, whole and harmless to open."""

import csv
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import NoneType
from typing import Any, BinaryIO, TextIO, cast, get_args, get_type_hints

import msgspec

from data.store import StoreError

PARQUET_ROWS = 10_000

# What spreadsheets read as the start of a formula, in ASCII and in full width.
_FORMULA = tuple("=+-@\t\n\uff1d\uff0b\uff0d\uff20")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_MARKDOWN = re.compile(r"([\\`*\[\]<>|!&~])")
# Controls, C1 too, and what turns the direction of text: they steer terminals.
_STEERS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_STEERING = re.compile(f"[{_STEERS}]")
_CONTROL = re.compile(f"[{_STEERS}\t\n]+")

Kind = type[msgspec.Struct]
Records = Iterable[msgspec.Struct]


def export(
    records: Records,
    kind: Kind,
    form: str,
    out: Path | BinaryIO | TextIO,
    *,
    force: bool = False,
    raw: bool = False,
) -> int:
    """Write records of one kind, every field a column, and return how many.

    `form` is `csv`, `jsonl`, `markdown` or `parquet`. A path is written whole or not
    at all, mode 0600, and replaced only with `force`; a stream is left open. Cells of
    a CSV that a spreadsheet would run get an apostrophe in front, and control
    characters become U+FFFD, unless `raw`; blobs are hexadecimal in CSV and Markdown,
    base64 in JSON. StoreError for an unknown form, a file that is there or cannot be
    made, and Parquet without its extra.
    """
    if form not in FORMS:
        raise StoreError(f"format {form}: unknown; choose one of {', '.join(FORMS)}")
    n = 0

    def counted() -> Iterator[msgspec.Struct]:
        nonlocal n
        for record in records:
            n += 1
            yield record

    with replacing(out, force) if isinstance(out, Path) else _bytes(out) as stream:
        FORMS[form](counted(), kind, stream, raw)
    return n


def guarded(cell: object) -> object:
    """Return a CSV cell that neither runs as a formula nor steers a terminal.

    What would run gets an apostrophe in front, and a control character becomes
    U+FFFD. Numbers, also those in text ("-5", "+1e3"), are left as they are.
    """
    if not isinstance(cell, str):
        return cell
    cell = _STEERING.sub("\ufffd", cell.replace("\r\n", "\n"))
    # Some programs skip white space before they look for a formula.
    runs = cell.startswith(_FORMULA) or cell.lstrip().startswith(_FORMULA)
    return f"'{cell}" if runs and not _NUMBER.fullmatch(cell.lstrip(" ")) else cell


def _csv(records: Records, kind: Kind, stream: BinaryIO, raw: bool) -> None:
    with _text(stream) as text:
        writer = csv.writer(text, lineterminator="\n")
        for cells in _lines(records, kind):
            writer.writerow(cells if raw else [guarded(cell) for cell in cells])


def _markdown(records: Records, kind: Kind, stream: BinaryIO, _raw: bool) -> None:
    with _text(stream) as text:
        for n, cells in enumerate(_lines(records, kind)):
            text.write(f"| {' | '.join(harmless(cell) for cell in cells)} |\n")
            if n == 0:
                text.write("|" + " --- |" * len(cells) + "\n")


def _jsonl(records: Records, _kind: Kind, stream: BinaryIO, _raw: bool) -> None:
    stream.writelines(_json(record) + b"\n" for record in records)


def _json(record: msgspec.Struct) -> bytes:
    """Return a record as JSON whose text, unchanged, cannot steer a terminal."""
    line = msgspec.json.encode(record)
    if line.isascii() and b"\x7f" not in line:
        return line
    return _STEERING.sub(lambda c: f"\\u{ord(c[0]):04x}", line.decode()).encode()


def _parquet(records: Records, kind: Kind, stream: BinaryIO, _raw: bool) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise StoreError(
            "format parquet: needs pyarrow; install head-to-head[parquet], or choose "
            "another format"
        ) from None
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bytes: pa.binary()}
    schema = pa.schema([(name, types[base]) for name, base in _columns(kind)])
    left = iter(records)
    with pq.ParquetWriter(stream, schema) as writer:
        while batch := [msgspec.structs.asdict(r) for r in islice(left, PARQUET_ROWS)]:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))


Writer = Callable[[Records, Kind, BinaryIO, bool], None]
FORMS: dict[str, Writer] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "markdown": _markdown,
    "parquet": _parquet,
}


def _lines(records: Records, kind: Kind) -> Iterator[list[Any]]:
    """Yield the header, then each record, as cells; None is an empty cell."""
    yield _names(kind)
    for record in records:
        values = msgspec.structs.astuple(record)
        yield [v.hex() if isinstance(v, bytes) else v for v in values]


def _names(kind: Kind) -> list[str]:
    return list(kind.__struct_fields__)


def harmless(cell: object) -> str:
    """Return a cell of Markdown that breaks no table and loads or runs nothing."""
    if cell is None:
        return ""
    return _MARKDOWN.sub(r"\\\1", _CONTROL.sub(" ", str(cell)))


def _columns(kind: Kind) -> Iterator[tuple[str, type]]:
    hints = get_type_hints(kind)
    for name in kind.__struct_fields__:
        options = get_args(hints[name]) or (hints[name],)
        yield name, next(option for option in options if option is not NoneType)


@contextmanager
def _text(stream: BinaryIO) -> Iterator[TextIO]:
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    try:
        yield text
    finally:
        text.detach()  # which flushes, and leaves the stream open


@contextmanager
def _bytes(stream: BinaryIO | TextIO) -> Iterator[BinaryIO]:
    """Give the bytes beneath a stream, which stays open."""
    stream.flush()
    yield cast("BinaryIO", getattr(stream, "buffer", stream))
    stream.flush()


@contextmanager
def replacing(path: Path, force: bool) -> Iterator[BinaryIO]:
    """Give a file (0600) that takes the place of `path` when all went well.

    StoreError at once for a path that is there already, unless `force`, and for one
    that cannot be made; later when it cannot be written.
    """
    if not force and os.path.lexists(path):
        raise StoreError(f"{path}: is there already; replace it with --force")
    if path.exists() and not path.is_file():
        raise StoreError(f"{path}: no plain file; -o - writes to standard output")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as why:
        raise StoreError(f"{path}: cannot be made ({why.strerror})") from None
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
        Path(name).replace(path)
    except BaseException as why:
        Path(name).unlink(missing_ok=True)
        if isinstance(why, OSError):
            raise StoreError(
                f"{path}: cannot be written ({why.strerror or why}); free disk space, "
                "or name another file with -o"
            ) from None
        raise
