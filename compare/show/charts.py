"""A run's charts by kind, as bytes or files; the same rows give the same file."""

import difflib
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import msgspec
import numpy as np
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from compare.judge.frame import Segment
from compare.show import boxes, curves, money, outcomes, sweeps, times
from compare.show.page import page, save
from compare.show.panel import Panel, cast
from compare.show.parts import legend_height
from compare.show.placing import settle
from compare.show.subject import Subject
from compare.show.theme import LIGHT, THEMES, Theme, rc
from compare.show.words import plain

FORMATS = ("png", "svg", "pdf")
MOST_PANELS = 6

Paint = Callable[[Figure, SubplotSpec, Panel], None]

_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}", re.ASCII)


class ChartError(Exception):
    """A chart cannot be drawn or written; the message names what and the remedy."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of chart: its title, how it draws a panel, and how high that is."""

    title: str
    paint: Paint
    height: Callable[[Panel], float]
    note: str = ""
    by_step: bool = True


def _rows(panel: Panel) -> float:
    return 0.85 + 0.5 * len(panel.hosts)


def _curve(panel: Panel) -> float:
    return 3.0 + legend_height(panel)


_BOXES = (
    "dot: one answer · black bar: median (from 11 answers) · box: middle half "
    "(from 24) · whiskers: 5 % to 95 % (from 130)"
)

KINDS: dict[str, Kind] = {
    "ttft-ecdf": Kind(
        title="How soon the first token comes",
        paint=curves.ttft_ecdf,
        height=_curve,
        note="a curve ends below 100 % where requests failed",
    ),
    "latency-box": Kind(
        title="Latency of single answers",
        paint=boxes.latency_box,
        height=_rows,
        note=_BOXES,
    ),
    "throughput": Kind(
        title="Throughput",
        paint=sweeps.throughput,
        height=lambda panel: (
            3.9 + legend_height(panel) if len(panel.loads) > 1 else _rows(panel)
        ),
        by_step=False,
    ),
    "cost-speed": Kind(
        title="Cost against speed",
        paint=money.cost_speed,
        height=lambda panel: 3.6 + money.cost_foot(panel),
        note="cost as computed from the price list that the run was charged by",
    ),
    "errors": Kind(
        title="What became of the requests",
        paint=outcomes.errors,
        height=lambda panel: (
            0.75 + 0.6 * len(panel.hosts) + outcomes.outcomes_height(panel)
        ),
    ),
    "over-time": Kind(
        title="Time to first token over the run",
        paint=times.over_time,
        height=lambda panel: _curve(panel) + times.failed_height(panel),
        note="x: a request that failed",
    ),
}
"""Every kind of chart by the name it has on the command line."""


def draw(
    kind: str, subject: Subject, file_format: str, theme: str = LIGHT.name
) -> bytes:
    """Return one chart of a run as a PNG, SVG or PDF file.

    What has no data says so in its panel. ChartError for an unknown kind, format or
    theme (`light` or `dark`).
    """
    chosen = _known(kind, KINDS, "chart")
    _known(file_format, dict.fromkeys(FORMATS), "format")
    colours = _known(theme, THEMES, "theme")
    with mpl.rc_context(), warnings.catch_warnings():
        # A host's name may hold letters that the font lacks: boxes are drawn.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
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
    figure = page(kind.title, subject.run, notes, sum(heights), theme)
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    for n, panel in enumerate(drawn[:MOST_PANELS]):
        kind.paint(figure, grid[n, 0], panel)
    return figure


def _notes(kind: Kind, subject: Subject, n_panels: int) -> list[str]:
    counts = subject.frame.tally(np.arange(len(subject.frame)))
    notes = [kind.note] if kind.note else []
    if counts.n_interrupted:
        notes.append(
            f"{counts.n_interrupted:,} requests were cut off by us: neither ok nor "
            "failed, and times are lower bounds"
        )
    if counts.n_set_aside:
        notes.append(
            f"{counts.n_set_aside:,} requests never reached a host or failed by our "
            "own doing: not counted"
        )
    if n_panels > MOST_PANELS:
        notes.append(f"{n_panels - MOST_PANELS} more scenarios and steps are not drawn")
    return notes


def _panels(kind: Kind, subject: Subject, theme: Theme) -> list[Panel]:
    loads = _loads(subject)
    groups: dict[tuple[str, int | None], list[Segment]] = {}
    for segment in subject.frame.segments:
        step = segment.step if kind.by_step else None
        groups.setdefault((segment.scenario, step), []).append(segment)
    found = []
    for (scenario, step), segments in groups.items():
        title = f"scenario {plain(scenario, 60)}"
        if kind.by_step and len(loads) > 1:
            title += f", {loads[step]}"
        found.append(_panel(title, subject, theme, segments, loads))
    return found or [_panel("", subject, theme, [], {})]


def _panel(
    title: str,
    subject: Subject,
    theme: Theme,
    segments: Sequence[Segment],
    loads: dict[int | None, str],
) -> Panel:
    return Panel(
        title=title,
        subject=subject,
        theme=theme,
        segments=tuple(segments),
        loads=loads,
        hosts=cast(subject, segments, theme),
    )


def _loads(subject: Subject) -> dict[int | None, str]:
    # What was asked for stands in the job; rows only number the load steps.
    steps = sorted(
        {segment.step for segment in subject.frame.segments}, key=lambda n: n or 0
    )
    job = msgspec.json.decode(subject.run.job or "{}")
    load = job.get("load") if isinstance(job, dict) else None
    words = _asked(load) if isinstance(load, dict) else []
    return {
        step: words[step]
        if step is not None and 0 <= step < len(words)
        else f"step {step}"
        for step in steps
    }


def _asked(load: dict[str, object]) -> list[str]:
    rates = [f"{rate} blocks/s" for rate in _many(load.get("rates"))]
    slots = [f"concurrency {slot}" for slot in _many(load.get("concurrencies"))]
    return max(rates, slots, key=len)


def _many(given: object) -> list[str]:
    listed = given if isinstance(given, list) else []
    return [f"{n:g}" for n in listed if isinstance(n, int | float)]


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
