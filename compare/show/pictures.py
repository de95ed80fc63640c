"""The charts of a page: each in both themes, all together within a bound of bytes."""

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from compare.show.charts import KINDS, draw, drawable
from compare.show.inline import Inline, inline
from compare.show.subject import Subject
from compare.show.words import named, plain

PAGE = 1_950_000
"""Bytes of a whole page: its charts may take what its words and tables leave."""


FIGURE, GLYPH = 250, 80
"""Bytes of the markup around a chart, and around the outline of a letter."""


class Gallery(msgspec.Struct, frozen=True, kw_only=True):
    """Charts of a page, and the letters that they share, by id.

    `left_out` says of every kind that is missing why it is, `n_hosts` of how many
    hosts `n_drawn` are in the charts. `heads` has what stands before a chart, by its
    number.
    """

    charts: list[Inline]
    glyphs: dict[str, str]
    left_out: dict[str, str]
    heads: dict[int, str] = {}
    n_drawn: int = 0
    n_hosts: int = 0


def gallery(subjects: Sequence[Subject], room: int = PAGE) -> Gallery:
    """Return every chart that there is data for, run by run, in `room` bytes."""
    made = Gallery(
        charts=[],
        glyphs={},
        left_out={},
        n_drawn=max((len(each.drawn) for each in subjects), default=0),
        n_hosts=max((len(each.hosts) for each in subjects), default=0),
    )
    for n, subject in enumerate(subjects):
        kinds, lacking = drawable(subject)
        if len(subjects) > 1:
            side = "new" if n else "base"
            made.heads[len(made.charts)] = f"{named(subject.run)} ({side})"
        made.left_out.update(lacking)
        for kind in kinds:
            chart = _drawn(kind, subject, f"chart{n}-{len(made.charts)}")
            size = _size(chart, made.glyphs)
            if size > room:
                made.left_out[kind] = "the page has no room for it"
                continue
            room -= size
            made.charts.append(chart)
            made.glyphs.update(chart.glyphs)
    return made


def _size(chart: Inline, known: Mapping[str, str]) -> int:
    """Return how many bytes a chart adds to a page that has some letters already."""
    new = (
        GLYPH + len(path) for name, path in chart.glyphs.items() if name not in known
    )
    return FIGURE + len((chart.light + chart.dark).encode()) + sum(new)


def _drawn(kind: str, subject: Subject, name: str) -> Inline:
    chosen = KINDS[kind]
    title = f"{chosen.title}: {named(subject.run)}"
    hosts = ", ".join(plain(name, 60) for name in subject.drawn)
    note = f" ({chosen.note})" if chosen.note else ""
    text = (
        f"Shows {chosen.says}{note}, of {hosts}. The figures are in the tables of "
        "this page."
    )
    painted = partial(draw, kind, subject, "svg")
    return inline(painted, name, title, text)
