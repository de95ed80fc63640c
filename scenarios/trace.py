"""Traces of real traffic: when requests came, how long, which beginnings they share."""

import csv
import io
import random
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from scenarios.form import nearest, shaped
from scenarios.prompts import heading, nonce
from scenarios.prompts import text as words
from scenarios.request import ScenarioError

BLOCK: Final = 512
"""Tokens of one block of a prompt, of which Mooncake's traces give the hash."""

MOST: Final = 200_000
"""Requests of a trace that are read at most."""

RIVER: Final = 1 << 16
MOONCAKE: Final = ("timestamp", "input_length", "output_length", "hash_ids")
BURST: Final = {
    "Timestamp": "timestamp",
    "Request tokens": "input_length",
    "Response tokens": "output_length",
}
PASSED_OVER: Final = (
    "Model", "Total tokens", "Log Type", "Session ID", "Elapsed time"
)  # fmt: skip
"""Columns that BurstGPT's files may have and that are of no use here."""

Length = Annotated[int, msgspec.Meta(ge=1, le=10**7)]


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """One request of a trace, `at` seconds after the first.

    Prompts whose `blocks` begin alike begin alike; without any a prompt is unique.
    """

    at: float
    tokens: int
    max_tokens: int
    blocks: tuple[int, ...] = ()


class Trace(msgspec.Struct, frozen=True):
    """The requests of a trace in the order in which they came."""

    asked: tuple[Asked, ...]

    @property
    def rate(self) -> float:
        """Return its mean requests a second."""
        return len(self.asked) / max(self.asked[-1].at, 1.0)

    def dues(self, rate: float) -> Iterator[float]:
        """Yield when each is due, in s, sped up or slowed down to a mean `rate`."""
        scale = self.rate / rate
        return (each.at * scale for each in self.asked)


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    timestamp: Annotated[float, msgspec.Meta(ge=0, le=1e12)]
    input_length: Length
    output_length: Length
    hash_ids: tuple[int, ...] = ()


def is_trace(text: str, path: Path) -> bool:
    """Tell whether a file of that name and text is a trace, and not of questions."""
    if path.suffix.lower() == ".csv":
        return True
    first = next((line for line in text.split("\n", 100) if line.strip()), "")
    try:
        table = msgspec.json.decode(first)
    except (msgspec.DecodeError, RecursionError):
        return False
    return isinstance(table, dict) and bool(table.keys() & set(MOONCAKE))


def read(text: str, path: Path) -> Trace:
    """Return the trace in a file: JSON lines as Mooncake's, or CSV as BurstGPT's.

    Mooncake's timestamps are ms, BurstGPT's s. Raises ScenarioError naming file, line
    and remedy.
    """
    is_csv = path.suffix.lower() == ".csv"
    lines = _of_csv(text, path) if is_csv else _of_json(text, path)
    found: list[Asked] = []
    first = last = None
    for where, line in lines:
        if len(found) == MOST:
            raise ScenarioError(
                f"{path}: more than {MOST:,} requests; cut it, with head -n for one"
            )
        at = line.timestamp if is_csv else line.timestamp / 1e3
        first = at if first is None else first
        if last is not None and at < last:
            raise ScenarioError(
                f"{where}: timestamp goes back from {last:g} to {at:g} s; sort the "
                "lines by it"
            )
        last = at
        size = line.input_length, line.output_length
        found.append(Asked(at - first, *size, line.hash_ids))
    if not found:
        raise ScenarioError(f"{path}: holds no request; write one a line")
    return Trace(tuple(found))


def prompt(asked: Asked, salt: str, key: str, question: str, label: str) -> str:
    """Return a prompt as long as that of the trace, whose blocks make its beginning.

    Equal blocks are equal texts within one `salt`, and in no other. What the blocks
    leave short is filled with words that are its own. `question` ends it; `label` is
    the nonce that will stand before it, and counts.
    """
    around = f"{heading(label)}{question}" if label else question
    tokens = max(1, asked.tokens - len(around.split()))
    parts, left = [], tokens
    for block in asked.blocks:
        parts.append(_block(salt, key, block, min(left, BLOCK)))
        left -= BLOCK
        if left <= 0:
            break
    if left > 0:
        parts.append(words(left, f"{key}/{asked.at}"))
    return f"{' '.join(parts)}\n\n{question}"


@lru_cache(maxsize=4096)
def _block(salt: str, key: str, block: int, tokens: int) -> str:
    """Return a block's text: words that tell it from all others, then others."""
    own = nonce(salt, key, block).split()[:tokens]
    start = random.Random(f"{key}/{block}").randrange(RIVER - BLOCK)
    return " ".join([*own, *_river(key)[start : start + tokens - len(own)]])


@lru_cache(maxsize=2)
def _river(key: str) -> tuple[str, ...]:
    # Blocks are cut from it: to draw each word of each block would take too long.
    return tuple(words(RIVER, f"trace/{key}").split())


def _of_json(text: str, path: Path) -> Iterator[tuple[str, _Line]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            table = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ScenarioError(f"{where}: not JSON: {error}") from None
        yield where, shaped(table, _Line, where)


def _of_csv(text: str, path: Path) -> Iterator[tuple[str, _Line]]:
    rows = csv.DictReader(io.StringIO(text), restkey="", restval=None)
    _refuse_columns(rows.fieldnames or (), f"{path}:1")
    try:
        for row in rows:
            where = f"{path}:{rows.line_num}"
            if "" in row:
                raise ScenarioError(f"{where}: more fields than the first line names")
            yield where, shaped(_numbers(row, where), _Line, where)
    except csv.Error as error:
        raise ScenarioError(f"{path}:{rows.line_num}: not CSV: {error}") from None


def _refuse_columns(columns: Iterable[str], where: str) -> None:
    found = list(columns)
    known = (*BURST, *PASSED_OVER)
    for name in found:
        if name not in known:
            raise ScenarioError(
                f"{where}: unknown column {name!r}; {nearest(name, known)}"
            )
    for name in BURST:
        if name not in found:
            raise ScenarioError(f"{where}: the column {name!r} is missing; add it")


def _numbers(row: Mapping[str, Any], where: str) -> dict[str, float]:
    table = {}
    for column, key in BURST.items():
        try:
            number = float(row[column])
        except (TypeError, ValueError):
            raise ScenarioError(
                f"{where}: {column} is {row[column]!r}, no number; write one"
            ) from None
        whole = number == int(number) if abs(number) < MOST**2 else False
        table[key] = int(number) if whole and key != "timestamp" else number
    return table
