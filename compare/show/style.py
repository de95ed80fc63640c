"""How every chart looks: one colour a host, a head with the facts, room for names."""

import io
from collections.abc import Sequence
from typing import Any

import msgspec
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from compare.judge.tally import Tally, tally
from compare.show.words import labels, moment, named, names_in, percent, plain
from data.row import RunRow, Timing

WIDTH = 7.5  # inches: at 600 pixels 9 pt are 10 pixels high, still readable
HEAD = 0.65
DPI = 160
NAMES = 26
MUTED = "#595959"
GRID = "#d9d9d9"

# Okabe and Ito's colours (jfly.uni-koeln.de/color), without the yellow that vanishes
# on white, and ordered so that neighbours differ in lightness too.
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#000000",
    "#56B4E9",
    "#D55E00",
    "#7F6A3F",
)
LINES: tuple[Any, ...] = (
    "-",
    "--",
    "-.",
    ":",
    (0, (7, 1, 1, 1, 1, 1)),
    (0, (3, 1)),
    (0, (1, 1)),
    (0, (9, 3)),
)
# No cross among them: a cross is a failure.
MARKERS = ("o", "s", "^", "D", "v", "P", "*", "<")

RC: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#8c8c8c",
    "axes.grid": True,
    "axes.labelsize": 9.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "font.family": "DejaVu Sans",  # comes along with matplotlib: the same everywhere
    "font.size": 9.5,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "text.parse_math": False,  # "$" in a model's name is no formula
    "svg.hashsalt": "head-to-head",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}

PERCENT = FuncFormatter(lambda share, _: f"{share * 100:.0f} %")

METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What the formats would write of the moment and machine of drawing."""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """One host in one panel: its look, the same in every chart, and its requests."""

    name: str
    label: str
    number: int
    rows: tuple[Timing, ...]
    counts: Tally

    @property
    def colour(self) -> str:
        """Return the host's colour."""
        return COLOURS[self.number % len(COLOURS)]

    @property
    def line(self) -> Any:
        """Return the host's line style; a ninth host has the first one's colour."""
        return LINES[(self.number + self.number // len(COLOURS)) % len(LINES)]

    @property
    def marker(self) -> str:
        """Return the host's marker."""
        return MARKERS[(self.number + 3 * (self.number // len(COLOURS))) % len(MARKERS)]

    @property
    def facts(self) -> str:
        """Return how many requests this host was asked, and the share that was ok."""
        share = self.counts.success_share
        ok = "none counted" if share is None else f"{percent(share)} ok"
        return f"n={self.counts.n_attempted:,}, {ok}"


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn together: one scenario in one load step, or in all of them.

    `loads` names the run's load steps by their numbers.
    """

    title: str
    loads: dict[int | None, str]
    hosts: tuple[Host, ...]


def hosts(run: RunRow, timings: Sequence[Timing]) -> dict[str, str]:
    """Return the label of every host of a run, in the order that decides its look."""
    seen = dict.fromkeys(row.provider for row in timings)
    return labels(list(dict.fromkeys([*names_in(run.providers), *seen])), NAMES)


def cast(names: dict[str, str], timings: Sequence[Timing]) -> tuple[Host, ...]:
    """Return each host with its requests among these; it may have none."""
    found = []
    for n, (name, label) in enumerate(names.items()):
        rows = tuple(row for row in timings if row.provider == name)
        host = Host(name=name, label=label, number=n, rows=rows, counts=tally(rows))
        found.append(host)
    return tuple(found)


def page(title: str, run: RunRow, notes: Sequence[str], height: float) -> Figure:
    """Return a figure with its head; `height` inches are for the panels below it."""
    foot = 0.08 + 0.17 * len(notes)
    total = HEAD + height + foot
    figure = Figure(figsize=(WIDTH, total), dpi=DPI, layout="constrained")
    engine = figure.get_layout_engine()
    if engine is not None:
        body = (0.01, foot / total, 0.97, height / total)
        engine.set(rect=body)  # type: ignore[call-arg]  # of the constrained engine
    figure.text(0.015, 1 - 0.12 / total, plain(title), size=13, weight="bold", va="top")
    date = moment(run.started_at)
    verdict = "" if run.validity in (None, "valid") else f" · run {plain(run.validity)}"
    if run.status != "done":
        verdict += f" · {plain(run.status)}"
    line = f"{date} · {named(run)}{verdict}"
    figure.text(0.015, 1 - 0.42 / total, line, size=9, color=MUTED, va="top")
    for n, note in enumerate(reversed(notes)):
        y = (0.07 + 0.17 * n) / total
        figure.text(0.015, y, plain(note, 120), size=8.5, color=MUTED)
    return figure


def save(figure: Figure, file_format: str) -> bytes:
    """Return the figure as a file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=file_format, metadata=METADATA[file_format])
    return buffer.getvalue()


def stack(spec: SubplotSpec, *heights: float) -> list[SubplotSpec]:
    """Divide a place into places one below the other, of these relative heights."""
    grid = spec.subgridspec(len(heights), 1, height_ratios=heights)
    return [grid[n, 0] for n in range(len(heights))]


def scale(axes: Axes, which: str, values: Sequence[float]) -> None:
    """Make an axis logarithmic where values span more than a factor of twelve.

    Ticks are plain numbers either way; on few decades they stand at 1, 2 and 5.
    """
    axis = axes.xaxis if which == "x" else axes.yaxis
    positive = [value for value in values if value > 0]
    form = FuncFormatter(lambda value, _: f"{value:,.6g}")
    if len(positive) == len(values) and positive:
        span = max(positive) / min(positive)
        if span > 12:
            (axes.set_xscale if which == "x" else axes.set_yscale)("log")
            subs = (1.0,) if span > 3000 else (1.0, 2.0, 5.0)
            axis.set_major_locator(LogLocator(subs=subs, numticks=12))
            axis.set_minor_locator(NullLocator())
            axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(form)


def empty(axes: Axes, why: str) -> None:
    """Say in an empty panel why it is empty."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.text(
        0.5, 0.5, why, ha="center", va="center", color=MUTED, transform=axes.transAxes
    )


def legend(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """List a panel's hosts with their counts, below it and never over the data."""
    axes = figure.add_subplot(spec)
    axes.axis("off")
    keys = [
        Line2D([], [], color=host.colour, linestyle=host.line, marker=host.marker)
        for host in panel.hosts
    ]
    texts = [f"{host.label}: {host.facts}" for host in panel.hosts]
    columns = legend_columns(panel)
    axes.legend(
        keys,
        texts,
        loc="upper left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0,
        ncols=columns,
        handlelength=3.2,
        columnspacing=1.5,
    )


def legend_columns(panel: Panel) -> int:
    """Return how many columns a panel's legend takes."""
    longest = max((len(host.label + host.facts) for host in panel.hosts), default=0)
    return 2 if longest <= 36 and len(panel.hosts) > 2 else 1


def legend_height(panel: Panel) -> float:
    """Return the inches that a panel's legend takes."""
    return 0.1 + 0.19 * -(-len(panel.hosts) // legend_columns(panel))
