"""What a token costs where and since when, and what a request cost, in whole numbers.

A price is held in pico-USD a token (1 USD per 1M tokens is 1,000,000 of them), a cost
in nano-USD; no figure here is ever a float.
"""

import datetime as dt
import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

CLASSES = ("input", "output", "cache_read", "cache_write")
LIST = Path(__file__).with_name("prices.toml")

_DECIMAL = re.compile(r"\d{1,6}(\.\d{1,6})?", re.ASCII)
_HOW = 'USD per 1M tokens as a plain decimal, at most six places, such as "0.84"'


class PriceError(Exception):
    """A price the user gave is wrong; the message names file, key and remedy."""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """The list price of one model at one host over one span of days.

    `*_pusd` are pico-USD a token: None is "not listed", 0 is "listed as free". `date`
    is the day it was seen. It holds from `valid_from` until the day before
    `valid_to`; None there is open. A `subscription` row is never a price per token.
    """

    id: str
    host: str
    model_id: str = ""
    model_family: str = ""
    variant: str = ""
    input_pusd: int | None = None
    output_pusd: int | None = None
    cache_read_pusd: int | None = None
    cache_write_pusd: int | None = None
    source: str
    date: dt.date | None = None
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None
    official: bool = False
    subscription: bool = False


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one request cost by class, in nano-USD; None is unknown."""

    input_nusd: int | None
    cached_nusd: int | None
    cache_write_nusd: int | None
    output_nusd: int | None
    total_nusd: int | None


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the file, as written."""

    host: str
    model_id: str
    model_family: str
    variant: str = ""
    input: str | None = None
    output: str | None = None
    cache_read: str | None = None
    cache_write: str | None = None
    source: str
    date: dt.date
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None
    official: bool = False
    subscription: bool = False


def load(path: Path | None = None) -> list[Price]:
    """Read a price list (by default the one that comes along), in the file's order.

    PriceError for an unreadable file, an unknown key, a price that is no decimal
    string, and two rows of one model at one host that hold on the same day.
    """
    path = path or LIST
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as why:
        raise PriceError(f"{path}: cannot be read as TOML: {why}") from None
    refuse_unknown(table, ("price",), str(path))
    rows = table.get("price", [])
    if not isinstance(rows, list):
        raise PriceError(f"{path}: price must be a list of tables")
    prices = [_price(row, f"{path}: price {n}") for n, row in enumerate(rows, 1)]
    _refuse_overlap(prices, path)
    return prices


def find(
    prices: Iterable[Price], host: str, model_id: str, on_date: dt.date
) -> Price | None:
    """Return the price of exactly this model id at this host on that day.

    None when no row holds; a subscription row never does.
    """
    for price in prices:
        wanted = price.host == host and price.model_id == model_id
        if wanted and not price.subscription and _holds(price, on_date):
            return price
    return None


def official(prices: Iterable[Price], family: str) -> Price | None:
    """Return the maker's own price of a model family, last seen; None if unknown."""
    rows = [p for p in prices if p.official and p.model_family == family]
    return max(rows, key=lambda p: p.date or dt.date.min, default=None)


def parse(text: str) -> Price:
    """Read `NAME=in,out[,cached[,cache_write]]` (USD per 1M); empty is "not listed"."""
    name, equals, listed = text.partition("=")
    values = [value.strip() for value in listed.split(",")]
    if not (name and equals and 2 <= len(values) <= len(CLASSES) and any(values)):
        raise PriceError(
            f"--price {text}: expected NAME=in,out,cached,cache_write in USD per 1M "
            "tokens, such as ourtoken=0.84,2.64,0.156"
        )
    given = {key: value for key, value in zip(CLASSES, values, strict=False) if value}
    return from_table(given, name=name, where=f"--price {text}")


def from_table(
    table: Mapping[str, object], *, name: str = "", where: str = "price"
) -> Price:
    """Read `{input=, output=, cache_read=, cache_write=}` in USD per 1M of one host.

    Values are decimal strings or TOML numbers; an absent key is "not listed". `where`
    names file and key in the PriceError.
    """
    refuse_unknown(table, CLASSES, where)
    if not table:
        raise PriceError(f"{where}: no price given; set input and output, {_HOW}")
    listed = _listed(table, where)
    return Price(id=f"given:{name}", host=name, source="given by the user", **listed)


def cost(
    price: Price,
    prompt: int | None,
    cached: int | None,
    cache_write: int | None,
    completion: int | None,
) -> Cost:
    """Return what counted tokens cost, each class rounded half up to a nano-USD.

    `cached` and `cache_write` are parts of `prompt`, reasoning is part of
    `completion`. An unknown `prompt` or `completion` leaves the total unknown. An
    unknown `cached` or `cache_write` is charged as if it were 0, so the whole prompt
    pays the input price and the total is then an upper bound; the class itself stays
    unknown. A class with tokens but no listed price is unknown, and so is the total.
    """
    fresh = None if prompt is None else prompt - (cached or 0) - (cache_write or 0)
    if fresh is not None and fresh < 0:
        fresh = None  # the parts exceed the whole: these counts cannot be charged
    charged = _nano(price.input_pusd, fresh)
    read = _nano(price.cache_read_pusd, cached)
    written = _nano(price.cache_write_pusd, cache_write)
    output = _nano(price.output_pusd, completion)
    parts = [charged, output]
    parts += [read] if cached is not None else []
    parts += [written] if cache_write is not None else []
    return Cost(
        input_nusd=charged,
        cached_nusd=read,
        cache_write_nusd=written,
        output_nusd=output,
        total_nusd=_sum(parts),
    )


def worst_case(price: Price, prompt_tokens_bound: int, max_tokens: int) -> int | None:
    """Return the most (nano-USD) that a request of these sizes can be charged.

    Every prompt token pays the dearest of input, cache read and cache write; a class
    that is not listed counts at the input price. None if input or output is unlisted.
    """
    if price.input_pusd is None or price.output_pusd is None:
        return None
    classes = (price.input_pusd, price.cache_read_pusd, price.cache_write_pusd)
    dearest = max(rate for rate in classes if rate is not None)
    pico = dearest * prompt_tokens_bound + price.output_pusd * max_tokens
    # Four classes are each rounded up by at most half a nano-USD when charged.
    rates = [rate for rate in (*classes, price.output_pusd) if rate]
    slack = 2 if any(rate % 1000 for rate in rates) else 0
    return -(-pico // 1000) + slack


def refuse_unknown(
    table: Mapping[str, object], known: Sequence[str], where: str
) -> None:
    """Raise PriceError for the first key that is not known, naming the nearest one."""
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise PriceError(f"{where}: unknown key {key}; {hint}")


def _price(row: object, where: str) -> Price:
    if not isinstance(row, dict):
        raise PriceError(f"{where}: must be a table")
    refuse_unknown(row, _Line.__struct_fields__, where)
    try:
        line = msgspec.convert(row, _Line)
    except msgspec.ValidationError as why:
        raise PriceError(f"{where}: {why}; a price is {_HOW}") from None
    rest = {key: value for key, value in row.items() if key not in CLASSES}
    listed = _listed(row, where)
    return Price(id=f"{line.host}/{line.model_id}@{line.date}", **rest, **listed)


def _listed(table: Mapping[str, object], where: str) -> dict[str, Any]:
    return {f"{c}_pusd": _pico(table.get(c), f"{where}: {c}") for c in CLASSES}


def _pico(value: object, where: str) -> int | None:
    if value is None:
        return None
    # repr of a float is the shortest decimal that reads back as it: what was typed.
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = format(Decimal(repr(value)), "f") if number else value
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise PriceError(f"{where}: {value!r} is no price; give {_HOW}")
    return int(Decimal(text).scaleb(6))


def _holds(price: Price, day: dt.date) -> bool:
    begun = price.valid_from is None or price.valid_from <= day
    return begun and (price.valid_to is None or day < price.valid_to)


def _refuse_overlap(prices: Iterable[Price], path: Path) -> None:
    rows = sorted(
        (p for p in prices if not p.subscription),
        key=lambda p: (p.host, p.model_id, p.valid_from or dt.date.min),
    )
    for older, newer in pairwise(rows):
        same = (older.host, older.model_id) == (newer.host, newer.model_id)
        begins = newer.valid_from or dt.date.min
        if same and (older.valid_to is None or older.valid_to > begins):
            raise PriceError(
                f"{path}: two prices of {older.model_id} at {older.host} hold on "
                "one day; give the older a valid_to and the newer a valid_from"
            )


def _nano(pico: int | None, tokens: int | None) -> int | None:
    if tokens is None or tokens < 0:
        return None
    if tokens == 0:
        return 0
    return None if pico is None else (pico * tokens + 500) // 1000


def _sum(parts: Iterable[int | None]) -> int | None:
    total = 0
    for part in parts:
        if part is None:
            return None
        total += part
    return total
