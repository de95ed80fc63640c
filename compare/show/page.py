"""The page of a chart: its head with the facts, its notes, and its file."""

import io
import textwrap
from collections.abc import Sequence

from matplotlib.figure import Figure

from compare.show.theme import DPI, WIDTH, Theme
from compare.show.words import moment, named, plain
from data.row import RunRow

HEAD = 0.65
NOTE = 120
"""Letters of a line of notes."""

METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What the formats would write of the moment and machine of drawing."""


def page(
    title: str, run: RunRow, notes: Sequence[str], height: float, theme: Theme
) -> Figure:
    """Return a figure with its head; `height` inches are for the panels below it."""
    lines = [line for note in notes for line in textwrap.wrap(plain(note, 600), NOTE)]
    foot = 0.08 + 0.17 * len(lines)
    total = HEAD + height + foot
    figure = Figure(figsize=(WIDTH, total), dpi=DPI, layout="constrained")
    engine = figure.get_layout_engine()
    if engine is not None:
        body = (0.01, foot / total, 0.97, height / total)
        engine.set(rect=body)  # type: ignore[call-arg]  # of the constrained engine
    figure.text(0.015, 1 - 0.12 / total, plain(title), size=13, weight="bold", va="top")
    verdict = "" if run.validity in (None, "valid") else f" · run {plain(run.validity)}"
    if run.status != "done":
        verdict += f" · {plain(run.status)}"
    line = f"{_dates(run)} · {named(run)}{verdict}"
    figure.text(0.015, 1 - 0.42 / total, line, size=9, color=theme.muted, va="top")
    for n, line in enumerate(reversed(lines)):
        y = (0.07 + 0.17 * n) / total
        figure.text(0.015, y, line, size=8.5, color=theme.muted)
    return figure


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
    buffer = io.BytesIO()
    figure.savefig(buffer, format=file_format, metadata=METADATA[file_format])
    return buffer.getvalue()
