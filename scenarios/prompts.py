"""Prompt text of a known size in tokens, and the words that make a prompt unique."""

import hashlib
import json
import random
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

# Each of these, with the space before it, is one token in the byte-pair tables in
# use today (looked up in the merges of Qwen2, which contain those of cl100k). None
# is a digit or a quotation mark, so filler never looks like a value to be used.
WORDS: Final = tuple(
    """
    able above accept access account across added address age ago air along already
    always among amount answer anything apply area ask author available away
    background base based become begin below better big bit black block body book
    border box business button buy came card care cell center certain change
    character city claim clean clear client close column come comes comment common
    community company condition connection consider contact continue control cook
    copy cost country course cover created custom date days deal description design
    details device discuss display done drawn during early easy effect either element
    email empty enough enter ever everything example expected experience express face
    family far feel few files fire following food format four frame front full fun
    fund future games getting give given global grow half handle hard having header
    health height history hold hope host hours house human important include
    individual initial interest issue items job keep kind known label land language
    large late later law lead learn least length less light limit link little live
    load location looking lot major making map market match material mean means
    media meet members might million mind mode money months move near needs network
    never news night node often old once online option original others output pack
    parent particular past percent period pick plan player points position possible
    power present press previous price problem products project property provide
    quality question quick random reason recent record remove represent research
    rest results review role room root running save school screen search season
    section send sent series service session
    """.split()  # noqa: SIM905 - a list of 256 strings takes a page and more
)
NONCE_WORDS: Final = 8
_PLACE: Final = re.compile(r"\{\{(\w+)\}\}|\{(\w+)\}")


def nonce(salt: str, *parts: object) -> str:
    """Return eight words that stand for `salt` and `parts`: 64 bits of their SHA-256.

    Every nonce has the same number of words of one token each, so it costs every
    request of every run the same tokens.
    """
    key = json.dumps([salt, *map(str, parts)]).encode()
    digest = hashlib.sha256(key).digest()
    return " ".join([WORDS[byte] for byte in digest[:NONCE_WORDS]])


def heading(words: str) -> str:
    """Return the line that carries a nonce at the very start of a prompt."""
    return f"Label: {words}\n\n"


def text(tokens: int, seed: int | str, index: int = 0) -> str:
    """Return `tokens` words of one token each, the same for the same arguments.

    Texts of one seed that differ in `index` are rotations of each other: other bytes
    in another order, but exactly the same words and so the same work.
    """
    river = _river(tokens, seed)
    offset = random.Random(f"{seed}/{index}").randrange(len(river)) if index else 0
    cut = river.find(" ", offset) + 1
    return f"{river[cut:]} {river[: cut - 1]}" if cut else river


@lru_cache(maxsize=8)
def _river(tokens: int, seed: int | str) -> str:
    # Drawn once: a million words take a quarter of a second, a rotation a few ms.
    return " ".join(random.Random(f"text/{seed}").choices(WORDS, k=tokens))


def places(template: str) -> set[str]:
    """Return the names that stand in single braces in `template`."""
    return {match[2] for match in _PLACE.finditer(template) if match[2]}


def fill(template: str, values: Mapping[str, object]) -> str:
    """Return `template` with each `{name}` replaced; `{{name}}` becomes `{name}`.

    Raises KeyError for a name without a value. Other braces stay as they are, so
    JSON and code need no escapes.
    """

    def value(match: re.Match[str]) -> str:
        return f"{{{match[1]}}}" if match[1] else str(values[match[2]])

    return _PLACE.sub(value, template)


def fill_some(template: str, values: Mapping[str, object]) -> str:
    """Return `template` with the `{name}` of these values replaced, and no other.

    `{{name}}` of one of them becomes `{name}`; what else stands in braces is somebody
    else's: code has sets, tables and f-strings.
    """

    def value(match: re.Match[str]) -> str:
        doubled, name = match[1], match[2]
        if (doubled or name) not in values:
            return match[0]
        return f"{{{doubled}}}" if doubled else str(values[name])

    return _PLACE.sub(value, template)
