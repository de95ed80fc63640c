"""The page of a chart: its head with the facts, its notes, and its file."""

import io
from collections.abc import Sequence
from importlib import import_module

import msgspec
from matplotlib.figure import Figure

from compare.show.letters import spelt, wrapped
from compare.show.parts import ACROSS, MARGIN
from compare.show.theme import DPI, WIDTH, Theme
from compare.show.words import moment, named, plain
from data.row import RunRow

TITLE, LINE, NOTE = 0.38, 0.19, 0.17
"""Inches of the title, of a line of the head below it, and of one of the notes."""

SMALL = 9.5

METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What the formats would write of the moment and machine of drawing."""

BACKENDS = {"png": "agg", "svg": "svg", "pdf": "pdf"}


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a page says around its panels.

    `found` is what it shows in a sentence; `alerts` stand above all figures, and
    `notes` at the foot.
    """

    title: str
    found: str = ""
    alerts: Sequence[str] = ()
    notes: Sequence[str] = ()


def page(words: Words, run: RunRow, height: float, theme: Theme) -> Figure:
    """Return a figure with its words; `height` inches are for the panels."""
    head = _head(words, run, theme)
    lines = [line for note in words.notes for line in _lines(note, 8.5)]
    top, foot = TITLE + LINE * len(head) + 0.08, 0.08 + NOTE * len(lines)
    total = top + height + foot
    figure = Figure(figsize=(WIDTH, total), dpi=DPI, layout="constrained")
    engine = figure.get_layout_engine()
    if engine is not None:
        body = (0.01, foot / total, 0.97, height / total)
        engine.set(rect=body)  # type: ignore[call-arg]  # of the constrained engine
    title = plain(words.title)
    figure.text(MARGIN, 1 - 0.12 / total, title, size=13, weight="bold", va="top")
    for n, (line, colour) in enumerate(head):
        y = 1 - (TITLE + LINE * n) / total
        figure.text(MARGIN, y, line, size=SMALL, color=colour, va="top")
    for n, line in enumerate(reversed(lines)):
        y = (0.07 + NOTE * n) / total
        figure.text(MARGIN, y, line, size=8.5, color=theme.muted)
    return figure


def _head(words: Words, run: RunRow, theme: Theme) -> list[tuple[str, str]]:
    """Return the lines below the title, each with its colour."""
    state = "" if run.validity in (None, "valid") else f" · run {plain(run.validity)}"
    if run.status != "done":
        state += f" · {plain(run.status)}"
    about = f"{_dates(run)} · {named(run)}{state}"
    told = ((words.found, theme.ink), (about, theme.muted))
    alerts = ((alert, theme.slower) for alert in words.alerts)
    return [
        (line, colour)
        for text, colour in (*told, *alerts)
        for line in _lines(text, SMALL)
    ]


def _lines(text: str, points: float) -> list[str]:
    return wrapped(spelt(plain(text, 900)), ACROSS, points)


def _dates(run: RunRow) -> str:
    """Return when a run began and ended; the day once if it is the same."""
    begun, ended = moment(run.started_at), moment(run.ended_at or "")
    if not ended or ended == begun:
        return begun
    if begun[:10] == ended[:10]:
        ended = ended[11:]
    return f"{begun.removesuffix(' UTC')} to {ended}"


def save(figure: Figure, file_format: str) -> bytes:
    """Return the figure as a file; the same figure gives the same bytes."""
    # Not by `savefig`, which goes through the whole drawing once more beforehand.
    backend = import_module(f"matplotlib.backends.backend_{BACKENDS[file_format]}")
    buffer = io.BytesIO()
    write = getattr(backend.FigureCanvas(figure), f"print_{file_format}")
    write(buffer, metadata=METADATA[file_format])
    return buffer.getvalue()
