"""Parts of a key in a text, however their characters are escaped, spaced or encoded."""

import base64
import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

MASK = "***"
SHORTEST = 6
"""A spelling below this many characters is not masked: it would blank plain words."""

TELLING = 12
"""So many successive characters of a key tell of it."""

BLOCK = SHORTEST

Span = tuple[int, int]
"""Where something begins and ends."""


class Reading(NamedTuple):
    """One way to read a text: what of it stands for something else, and for what."""

    marks: re.Pattern[str]
    meaning: Callable[[re.Match[str]], str]

    def read(self, text: str) -> str:
        """Return what a text says, in lower case."""
        return self.marks.sub(self.meaning, text).lower()

    def places(self, text: str) -> list[Span]:
        """Return where each character of `read` stands in the text."""
        found: list[Span] = []
        at = 0
        for mark in self.marks.finditer(text):
            found += ((each, each + 1) for each in range(at, mark.start()))
            found += [mark.span()] * len(self.meaning(mark))
            at = mark.end()
        found += ((each, each + 1) for each in range(at, len(text)))
        return found


class Needle(NamedTuple):
    """What to look for: any `telling` successive characters of a text, 6 at least."""

    text: str
    telling: int

    def blocks(self) -> Iterator[tuple[str, int]]:
        """Yield pieces, and where they begin; each part that tells holds one whole."""
        for at in range(0, len(self.text) - BLOCK + 1, self.telling - BLOCK + 1):
            yield self.text[at : at + BLOCK], at

    def told(self, text: str, at: int, begin: int) -> Span | None:
        """Return what of a text tells this, if enough does, around a shared block.

        Its beginning is enough at the end of the text, which may have been cut off.
        """
        start, first = at, begin
        while start and first and text[start - 1] == self.text[first - 1]:
            start, first = start - 1, first - 1
        end, most = at + BLOCK, min(len(text), at + len(self.text) - begin)
        while end < most and text[end] == self.text[end - at + begin]:
            end += 1
        cut = first == 0 and end == len(text)
        return (start, end) if cut or end - start >= self.telling else None


class Sought:
    """What to look for in one reading of a text, by its blocks.

    So the time does not depend on how much is looked for.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._places: dict[str, list[tuple[Needle, int]]] = {}

    def add(self, text: str, telling: int) -> None:
        """Look for any so many successive characters of a text, for all if it is short.

        Nothing is looked for that is too short to be masked.
        """
        needle = Needle(text, min(telling, len(text)))
        if len(text) >= SHORTEST:
            for block, at in needle.blocks():
                self._places.setdefault(block, []).append((needle, at))

    def spans(self, text: str) -> list[Span]:
        """Return where a text tells what is looked for; its length decides the time."""
        said, known = self._reading.read(text), self._places
        shared = [at for at in range(len(said) - BLOCK + 1)
                  if said[at : at + BLOCK] in known]  # fmt: skip
        found: list[Span] = []
        for at in shared:
            if not found or at > found[-1][1] - BLOCK:
                around = (each.told(said, at, begin)
                          for each, begin in known[said[at : at + BLOCK]])  # fmt: skip
                found += sorted(span for span in around if span)
        places = self._reading.places(text) if found else []
        return [(places[start][0], places[end - 1][1]) for start, end in found]


# Repetitions have a bound or give nothing back, so that the time is in proportion to
# the text whatever a host sends.
_ESCAPES = re.compile(
    r"\s++"
    r"|\\{1,8}(?:u(?P<four>[0-9a-f]{4})|u\{(?P<braced>[0-9a-f]{1,6})\}"
    r"|x(?P<octet>[0-9a-f]{2})|(?P<octal>[01][0-7]{2})|[nrt])?"
    r"|%(?:25){0,4}(?P<percent>[0-9a-f]{2})"
    r"|&(?:amp;){0,4}(?P<entity>#0{0,6}[0-9]{1,7}|#x0{0,6}[0-9a-f]{1,6}|[a-z]{2,9});"
    r"|(?P<wide>(?-i:\xef[\xbc\xbd][\x80-\xbf]))",
    re.IGNORECASE,
)
"""How JSON, URLs, pages and dumps write a character, also within each other.

`wide` are the octets of a letter as wide as a Chinese one.
"""

_QUOTED = re.compile(r"\s++|=(?:(?P<octet>[0-9a-f]{2})|\s++)", re.IGNORECASE)
"""How mail writes a character (quoted-printable), and where it folds a line.

Read apart from the others: a key may have a plain `=` before two digits.
"""

_BETWEEN = re.compile(r"(?:0x|\\{1,8}[xnrt]?|[\s:,;.-])++", re.IGNORECASE)
"""What stands between the octets of a hex dump."""


def _unescaped(mark: re.Match[str]) -> str:
    """Return the character that is meant, as octets; none for white space."""
    kind = mark.lastgroup
    if kind is None:  # white space, or the backslashes before a character as it is
        return ""
    if kind == "entity":
        meant = _octets(html.unescape(f"&{mark[kind]};"))
    elif kind == "wide":
        wide = mark[kind].encode("latin-1").decode()
        meant = _octets(unicodedata.normalize("NFKC", wide))
    elif kind == "octal":
        meant = chr(int(mark[kind], 8))
    elif kind in {"octet", "percent"}:
        meant = chr(int(mark[kind], 16))
    else:
        meant = _octets(chr(min(int(mark[kind], 16), 0x10FFFF)))
    return "".join(meant.split())


def _octets(text: str) -> str:
    """Return a text with a character for each octet of its UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("latin-1")


ESCAPED = Reading(_ESCAPES, _unescaped)
QUOTED = Reading(_QUOTED, _unescaped)
DUMPED = Reading(_BETWEEN, lambda _: "")


class Disguises:
    """What to look for, so that none of some words is told by a text."""

    def __init__(self, words: Iterable[str]) -> None:
        self._escaped, self._dumped = Sought(ESCAPED), Sought(DUMPED)
        self._quoted = Sought(QUOTED)
        for word in words:
            raw = word.encode("utf-8", "surrogateescape")
            self._escaped.add(ESCAPED.read(raw.decode("latin-1")), TELLING)
            self._quoted.add("".join(raw.decode("latin-1").split()).lower(), TELLING)
            self._dumped.add(raw.hex(), 2 * TELLING)
            for letters in {each.lower() for each in base64_within(raw)}:
                self._escaped.add(letters, TELLING * 4 // 3)

    def masked(self, text: str) -> str:
        """Return a short text with each part of a word that tells of it replaced."""
        octets = _octets(text)
        readings = (self._escaped, self._quoted, self._dumped)
        spans = sorted(span for each in readings for span in each.spans(octets))
        if not spans:
            return text
        kept: list[str] = []
        at = 0
        for start, end in spans:
            if start > at or not kept:
                kept += [octets[at:start], MASK]
            at = max(at, end)
        return "".join([*kept, octets[at:]]).encode("latin-1").decode(errors="replace")


def base64_within(raw: bytes) -> Iterator[str]:
    """Yield the base64 of some bytes as part of a longer text.

    Three bytes are four letters, so what it looks like depends on where it begins. The
    letters at either end that hold bits of its neighbours are left out: at most half a
    byte of the key is in each.
    """
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            letters = encode(bytes(before) + raw).decode()
            yield letters[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
