"""Keys that cannot be printed by mistake, and the one place where text is cleaned."""

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import NoReturn
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 6
"""A spelling below this many characters is not masked: it would blank plain words."""

TELLING = 12
"""So many successive characters of a key tell of it."""

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
        self._disguises: list[re.Pattern[str]] | None = None
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

        A part of it of `TELLING` characters or more counts as the key.
        """
        words = [word for word in _words(self._value) if len(word) >= SHORTEST]
        if self._disguises is None:
            self._disguises = [_disguised(word) for word in words]
        for pattern in self._disguises:
            text = pattern.sub(MASK, text)
        for word in words:
            text = _without_parts(text, word)
        return text

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
    """Yield the base64 of some bytes, alone and as part of a longer text.

    Three bytes are four letters, so what it looks like within a text depends on
    where it begins. The letters at either end that hold bits of its neighbours are
    left out: at most half a byte of the key is in each.
    """
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        alone = encode(raw).decode()
        yield from (alone, alone.rstrip("="))
        for before in range(3):
            letters = encode(bytes(before) + raw).decode()
            yield letters[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]


def _disguised(word: str) -> re.Pattern[str]:
    """Return what finds a word, each character as it is or escaped in some way.

    As JSON, URLs, pages and hex dumps do, also within each other, with white space
    between the characters. Repetitions have a bound or give nothing back, so that the
    time is in proportion to the text whatever a host sends.
    """
    return re.compile("".join(map(_one_of, word)), re.IGNORECASE)


def _one_of(character: str) -> str:
    code = ord(character)
    octets = character.encode("utf-8", "surrogateescape")
    ways = {
        re.escape(character),
        rf"\\{{1,8}}u{code:04x}",
        "".join(rf"(?:%(?:25){{0,4}}|\\{{1,8}}x){octet:02x}" for octet in octets),
        "".join(f"{octet:02x}" for octet in octets),
        f"&(?:amp;){{0,4}}#0{{0,6}}{code};",
        f"&(?:amp;){{0,4}}#x0{{0,6}}{code:x};",
        re.escape(html.escape(character)),
    }
    way = f"(?:{'|'.join(sorted(ways, key=len, reverse=True))})"
    # The gap before a space has taken what stands there unescaped.
    gap = r"(?:\s|\\{1,8}[nrt])*+"
    return f"{way}*+{gap}" if character.isspace() else way + gap


def _without_parts(text: str, word: str) -> str:
    """Replace every part of a word that is long enough to tell it."""
    for begin in range(len(word) - TELLING + 1):
        at = text.find(word[begin : begin + TELLING])
        while at >= 0:
            end, last = at + TELLING, begin + TELLING
            while last < len(word) and text[end : end + 1] == word[last]:
                end, last = end + 1, last + 1
            text = text[:at] + MASK + text[end:]
            at = text.find(word[begin : begin + TELLING])
    return text


def mask(text: str, spelled: Iterable[str]) -> str:
    """Replace the spellings of known keys (`forms`) and nothing else."""
    for form in spelled:
        if form in text:
            text = text.replace(form, MASK)
    return text


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Replace known keys, in any usual encoding, and anything shaped like a key.

    The text may have been cut off: at its end the beginning of a key is one too.
    """
    secrets = tuple(secrets)
    spelled = forms(secrets)
    text = _mask_end(mask(text, spelled), spelled)
    for secret in secrets:
        text = secret.masked(text)
    for pattern, kept in _PATTERNS:
        text = pattern.sub(kept, text)
    return text


def _mask_end(text: str, spelled: Iterable[str]) -> str:
    """Replace what a text ends with if a key begins so."""
    longest = 0
    for form in spelled:
        end = text[1 - len(form) :]
        at = end.find(form[:SHORTEST])
        while at >= 0 and not form.startswith(end[at:]):
            at = end.find(form[:SHORTEST], at + 1)
        longest = max(longest, len(end) - at if at >= 0 else 0)
    return text[:-longest] + MASK if longest else text
