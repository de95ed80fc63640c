"""A run's charts by kind, as bytes or files; the same rows give the same file."""

import difflib
import os
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from compare.judge.frame import Segment
from compare.show.findings import ahead
from compare.show.kinds import COMPARED, KINDS, Kind
from compare.show.letters import spelt
from compare.show.page import Words, page, save
from compare.show.panel import Panel, cast
from compare.show.placing import settle
from compare.show.subject import Subject
from compare.show.theme import LIGHT, THEMES, Theme, rc
from compare.show.words import plain, reasons

__all__ = ["COMPARED", "FORMATS", "KINDS", "ChartError", "draw", "drawable", "write"]

FORMATS = ("png", "svg", "pdf")
MOST_PANELS, MOST_NAMED = 6, 4
_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}", re.ASCII)


class ChartError(Exception):
    """A chart cannot be drawn or written; the message names what and the remedy."""


def draw(
    kind: str, subject: Subject, file_format: str, theme: str | Theme = LIGHT
) -> bytes:
    """Return one chart of a run as a PNG, SVG or PDF file.

    What has no data says so in its panel. ChartError for an unknown kind, format or
    theme (`light`, `dark`, or one of your own).
    """
    chosen = _known(kind, KINDS, "chart")
    _known(file_format, dict.fromkeys(FORMATS), "format")
    colours = theme if isinstance(theme, Theme) else _known(theme, THEMES, "theme")
    with mpl.rc_context():
        mpl.rcdefaults()  # a reader's own matplotlibrc must not change a chart
        mpl.rcParams.update(rc(colours))
        figure = _figure(chosen, subject, colours)
        settle(figure)
        return save(figure, file_format)


def write(
    kinds: Sequence[str],
    subject: Subject,
    directory: Path,
    file_format: str,
    theme: str = LIGHT.name,
    *,
    force: bool = False,
) -> list[Path]:
    """Draw charts into a directory as RUN-KIND.FORMAT and return their paths.

    ChartError before anything is drawn if one exists already, unless `force`.
    """
    run_id = subject.run.run_id
    if not _SAFE.fullmatch(run_id):
        raise ChartError(f"run {plain(run_id)}: its id cannot name a file")
    for kind in kinds:
        _known(kind, KINDS, "chart")
    paths = [directory / f"{run_id}-{kind}.{file_format}" for kind in kinds]
    for path in paths:
        if os.path.lexists(path) and not force:
            raise ChartError(f"{path}: exists already; replace it with --force")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for kind, path in zip(kinds, paths, strict=True):
            _replace(path, draw(kind, subject, file_format, theme))
    except OSError as error:
        raise ChartError(
            f"{directory}: cannot be written: {error.strerror}; choose another -o"
        ) from None
    return paths


def _figure(kind: Kind, subject: Subject, theme: Theme) -> Figure:
    drawn = _panels(kind, subject, theme)
    heights = [kind.height(panel) for panel in drawn[:MOST_PANELS]]
    notes = _notes(kind, subject, len(drawn))
    words = Words(
        title=kind.title,
        found=ahead(subject, kind.compares) or kind.found(subject),
        alerts=_alerts(subject),
        notes=notes,
    )
    figure = page(words, subject.run, sum(heights), theme)
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    for n, panel in enumerate(drawn[:MOST_PANELS]):
        kind.paint(figure, grid[n, 0], panel)
    return figure


def _alerts(subject: Subject) -> list[str]:
    """Return what must be known before any figure is read."""
    alerts = [f"not comparable, and drawn anyway: {each}" for each in subject.unlike]
    if subject.run.validity == "invalid":
        alerts += [f"the run is invalid: {each}" for each in reasons(subject.run)]
    return alerts


def _notes(kind: Kind, subject: Subject, n_panels: int) -> list[str]:
    counts = subject.frame.tally(np.arange(len(subject.frame)))
    notes = [
        *([kind.note] if kind.note else []),
        *kind.told(subject),
    ]
    if len(subject.drawn) < len(subject.hosts):
        notes.append(
            f"{len(subject.drawn)} of {len(subject.hosts):,} hosts are drawn, those "
            "asked most; h2h show and h2h compare have all"
        )
    if counts.n_interrupted:
        notes.append(
            f"{counts.n_interrupted:,} requests were cut off by us "
            f"({_whose(subject)}): neither ok nor failed, and times are lower bounds"
        )
    if counts.n_set_aside:
        notes.append(
            f"{counts.n_set_aside:,} requests never reached a host or failed by our "
            "own doing: not counted"
        )
    if n_panels > MOST_PANELS:
        notes.append(f"{n_panels - MOST_PANELS} more scenarios and steps are not drawn")
    return notes


def _whose(subject: Subject) -> str:
    """Return how many requests of which hosts we cut off, most first."""
    n: Counter[str] = Counter()
    for (_, host), each in subject.summaries.items():
        n[subject.hosts[host]] += each.tally.n_interrupted
    known = [f"{label} {k:,}" for label, k in n.most_common(MOST_NAMED) if k]
    return ", ".join([*known, *(["and others"] if len(+n) > MOST_NAMED else [])])


def _panels(kind: Kind, subject: Subject, theme: Theme) -> list[Panel]:
    groups: dict[tuple[str | None, int | None], list[Segment]] = {}
    for segment in subject.frame.segments:
        groups.setdefault(_group(kind, segment), []).append(segment)
    found = [
        _panel(_title(subject, segments), subject, theme, segments)
        for segments in groups.values()
    ]
    return found or [_panel("", subject, theme, [])]


def _group(kind: Kind, segment: Segment) -> tuple[str | None, int | None]:
    scenario = segment.scenario if kind.group in {"segment", "scenario"} else None
    return scenario, segment.step if kind.group in {"segment", "step"} else None


def _title(subject: Subject, segments: Sequence[Segment]) -> str:
    """Return which scenarios, and of several load steps which one, a panel holds."""
    names = list(dict.fromkeys(plain(each.scenario, 60) for each in segments))
    some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
    title = spelt(f"scenario{'s' if names[1:] else ''} {some}")
    steps = {segment.step for segment in segments}
    if len(subject.steps) > 1 and len(steps) == 1:
        title += f", {subject.steps[steps.pop()].label}"
    return title


def _panel(
    title: str, subject: Subject, theme: Theme, segments: Sequence[Segment]
) -> Panel:
    return Panel(
        title=title,
        subject=subject,
        theme=theme,
        segments=tuple(segments),
        hosts=cast(subject, segments, theme),
    )


def drawable(subject: Subject) -> tuple[list[str], dict[str, str]]:
    """Return the kinds of chart that a run has data for, and why not by the others."""
    why = {name: kind.lacks(subject) for name, kind in KINDS.items()}
    return [name for name, each in why.items() if each is None], {
        name: each for name, each in why.items() if each is not None
    }


def _known(name: str, known: Mapping[str, object], what: str) -> Any:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise ChartError(f"no {what} named {plain(name)!r}; {hint}")
    return known[name]


def _replace(path: Path, content: bytes) -> None:
    # mkstemp makes the file 0600: the names of hosts and models may be private.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
