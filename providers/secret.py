"""Keys that cannot be printed by mistake, and the one place where text is cleaned."""

import base64
import binascii
import html
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NoReturn
from urllib.parse import quote, quote_plus

from providers.disguise import MASK, SHORTEST, Disguises, base64_within

_KEPT = r"\g<kept>" + MASK
_PATTERNS = (
    (re.compile(r"\b(?:sk-|gsk_|hf_|xai-|AIza|eyJ)[A-Za-z0-9_.-]{8,}"), MASK),
    (re.compile(r"(?i)(?P<kept>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}"), _KEPT),
    (
        re.compile(
            r"(?i)(?P<kept>\b(?:api[-_]?key|token|secret|password)[\"']?\s*[=:]\s*"
            r"[\"']?)[A-Za-z0-9._~+/=-]{6,}"
        ),
        _KEPT,
    ),
    (re.compile(r"(?P<kept>://)[^\s/@]+(?=@)"), _KEPT),
)
"""What is shaped like a key or a URL's credentials, and what stays of it."""


class Secret:
    """A key. Only `reveal` and `spelled` give it; repr, str, pickle and JSON never do.

    `spelled` are the spellings under which it may come back, of 6 characters or more.
    """

    __slots__ = ("_disguises", "_value", "spelled")

    def __init__(self, value: str) -> None:
        self._value = value
        self._disguises: Disguises | None = None
        self.spelled = frozenset(
            form
            for word in _words(value)
            for form in _forms(word)
            if len(form) >= SHORTEST
        )

    def reveal(self) -> str:
        """Return the key itself, for the one header that carries it."""
        return self._value

    def masked(self, text: str) -> str:
        """Replace the key in a short text, however each character of it is escaped.

        A part of it that tells of it counts as the key (`disguise.TELLING`).
        """
        if self._disguises is None:
            words = (word for word in _words(self._value) if len(word) >= SHORTEST)
            self._disguises = Disguises(words)
        return self._disguises.masked(text)

    def __repr__(self) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled")


def forms(secrets: Iterable[Secret]) -> tuple[str, ...]:
    """Return the spellings under which keys may come back, longest first.

    A spelling under 6 characters is left out: to mask it would blank plain words.
    """
    spelled: frozenset[str] = frozenset().union(*(each.spelled for each in secrets))
    return tuple(sorted(spelled, key=len, reverse=True))


def _words(value: str) -> Iterator[str]:
    """Yield a header's value and the keys within it: `Bearer KEY`, `Basic BASE64`."""
    yield value
    scheme, _, credentials = value.strip().partition(" ")
    if not credentials:
        return
    yield credentials.strip()
    if scheme.lower() == "basic":
        try:
            login = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return
        yield from (login, login.partition(":")[2])


def _forms(key: str) -> set[str]:
    """Return a key as it is, in one case, and as hex, base64, URL and JSON spell it."""
    raw = key.encode("utf-8", "surrogateescape")
    as_json = json.dumps(key)[1:-1]
    # Some write JSON that is safe within HTML, and some a solidus with an escape.
    in_page = as_json
    for each in "<>&'":
        in_page = in_page.replace(each, f"\\u{ord(each):04x}")
    escaped = {as_json, in_page}
    escaped |= {each.replace("/", "\\/") for each in escaped}
    # Errors quote errors that quote errors.
    nested = {json.dumps(each)[1:-1] for each in escaped}
    nested |= {json.dumps(each)[1:-1] for each in nested}
    quoted = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    quoted |= {re.sub("%..", lambda found: found[0].lower(), each) for each in quoted}
    quoted |= {quote(each, safe=safe) for each in quoted for safe in ("", "/")}
    pages = {html.escape(key), html.escape(key, quote=False)}
    cased = {key, key.lower(), key.upper(), raw.hex(), raw.hex().upper()}
    return {*cased, *escaped, *nested, *quoted, *pages,
            *_base64(raw)}  # fmt: skip


def _base64(raw: bytes) -> Iterator[str]:
    """Yield the base64 of some bytes, alone and as part of a longer text."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        alone = encode(raw).decode()
        yield from (alone, alone.rstrip("="))
    yield from base64_within(raw)


def mask(text: str, spelled: Iterable[str]) -> str:
    """Replace the spellings of known keys (`forms`) and nothing else."""
    for form in spelled:
        if form in text:
            text = text.replace(form, MASK)
    return text


def hide(text: str, secrets: Iterable[Secret]) -> str:
    """Replace known keys in a short text, in any usual encoding, and nothing else.

    The text may have been cut off: at its end the beginning of a key is one too.
    """
    return _hidden(text, tuple(secrets))


_SHAPELESS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn"})


@lru_cache(maxsize=256)
def _hidden(text: str, secrets: tuple[Secret, ...]) -> str:
    """Do what `hide` does: hosts name one model, or make one error, again and again."""
    found = _masked(text, secrets)
    # Who shows a text leaves out what has no shape, and so would join a key's parts.
    seen = "".join(c for c in found if unicodedata.category(c) not in _SHAPELESS)
    shown = found if seen == found else _masked(seen, secrets)
    return found if shown == seen else shown


def _masked(text: str, secrets: tuple[Secret, ...]) -> str:
    text = mask(text, forms(secrets))
    for secret in secrets:
        text = secret.masked(text)
    return text


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Do what `hide` does, and replace anything that is shaped like a key."""
    text = hide(text, secrets)
    for pattern, kept in _PATTERNS:
        text = pattern.sub(kept, text)
    return text
