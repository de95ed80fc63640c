"""The charts of a page: each drawn in both themes, all within a bound of bytes."""

from collections.abc import Sequence

import msgspec

from compare.show.charts import KINDS, draw
from compare.show.inline import Inline, inline
from compare.show.subject import Subject
from compare.show.theme import DARK, LIGHT
from compare.show.words import named

ROOM = 1_600_000
"""Bytes that all charts of a page may take: with the rest it stays under 2 MB."""


class Gallery(msgspec.Struct, frozen=True, kw_only=True):
    """Charts of a page, and the letters and colours that they share.

    `left_out` names the kinds for which there was no room.
    """

    charts: list[Inline]
    glyphs: dict[str, str]
    colours: dict[str, tuple[str, str]]
    left_out: list[str]


def gallery(
    subjects: Sequence[Subject], kinds: Sequence[str] = (), room: int = ROOM
) -> Gallery:
    """Return the charts of some runs, kind by kind (by default all), while room is."""
    made = Gallery(charts=[], glyphs={}, colours={}, left_out=[])
    for kind in kinds or KINDS:
        drawn = [_drawn(kind, each, n) for n, each in enumerate(subjects)]
        size = sum(len(each.light) + len(each.dark) for each in drawn)
        if size > room:
            made.left_out.append(kind)
            continue
        room -= size
        made.charts.extend(drawn)
        for each in drawn:
            made.glyphs.update(each.glyphs)
            made.colours.update(each.colours)
    return made


def _drawn(kind: str, subject: Subject, n: int) -> Inline:
    light, dark = (draw(kind, subject, "svg", each.name) for each in (LIGHT, DARK))
    chosen = KINDS[kind]
    title = f"{chosen.title}: {named(subject.run)}"
    note = f"{chosen.note[:1].upper()}{chosen.note[1:]}. " if chosen.note else ""
    hosts = ", ".join(subject.hosts.values())
    text = f"{note}Hosts: {hosts}. The figures stand in the tables of this page."
    return inline(light, dark, f"{kind}-{n}", title, text)
