"""The charts of a page: each in both themes, all together within a bound of bytes."""

from collections.abc import Sequence
from functools import partial

import msgspec

from compare.show.charts import KINDS, ChartError, draw, drawable
from compare.show.inline import Inline, inline
from compare.show.subject import Subject
from compare.show.words import named

ROOM = 1_700_000
"""Bytes that the charts of a page may take: with the rest it stays under 2 MB."""


class Gallery(msgspec.Struct, frozen=True, kw_only=True):
    """Charts of a page, and the letters that they share, by id.

    `left_out` says of every kind that is missing why it is.
    """

    charts: list[Inline]
    glyphs: dict[str, str]
    left_out: dict[str, str]


def gallery(subjects: Sequence[Subject], room: int = ROOM) -> Gallery:
    """Return every chart that there is data for, run by run, while there is room."""
    made = Gallery(charts=[], glyphs={}, left_out={})
    for n, subject in enumerate(subjects):
        kinds, lacking = drawable(subject)
        made.left_out.update(lacking)
        for kind in kinds:
            try:
                chart = _drawn(kind, subject, f"chart{n}-{len(made.charts)}")
            except ChartError as error:
                made.left_out[kind] = str(error)
                continue
            room -= len(chart.light) + len(chart.dark)
            if room < 0:
                made.left_out[kind] = "the page has no room for it"
                room += len(chart.light) + len(chart.dark)
                continue
            made.charts.append(chart)
            made.glyphs.update(chart.glyphs)
    return made


def _drawn(kind: str, subject: Subject, name: str) -> Inline:
    chosen = KINDS[kind]
    title = f"{chosen.title}: {named(subject.run)}"
    hosts = ", ".join(subject.hosts.values())
    note = f" ({chosen.note})" if chosen.note else ""
    text = (
        f"Shows {chosen.says}{note}, of {hosts}. The figures are in the tables of "
        "this page."
    )
    painted = partial(draw, kind, subject, "svg")
    return inline(painted, name, title, text)
