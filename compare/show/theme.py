"""The colours, lines and markers of every chart, on light and on dark paper."""

from typing import Any

import msgspec
from matplotlib.ticker import FuncFormatter

from compare.show.letters import families

WIDTH = 7.5  # inches: at 600 pixels 9 pt are 10 pixels high, still readable
DPI = 160


class Theme(msgspec.Struct, frozen=True, kw_only=True):
    """The colours of a chart: paper and ink, and one colour a host.

    `fine` fills what is well, `faster` and `slower` colour verdicts, `bad` the kinds
    of failure. `pale` to `deep` are the ends of a scale of one hue.
    """

    name: str
    paper: str
    ink: str
    muted: str
    edge: str
    grid: str
    hosts: tuple[str, ...]
    fine: str
    fine_edge: str
    bad: tuple[str, ...]
    faster: str
    slower: str
    pale: str
    deep: str


# Okabe and Ito's colours (jfly.uni-koeln.de/color), without the yellow that vanishes
# on white, and ordered so that neighbours differ in lightness too.
LIGHT = Theme(
    name="light",
    paper="#ffffff",
    ink="#000000",
    muted="#595959",
    edge="#8c8c8c",
    grid="#d9d9d9",
    hosts=(
        "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#D55E00",
        "#7F6A3F",
    ),
    fine="#bfe3d4",
    fine_edge="#4d8a73",
    bad=("#D55E00", "#CC79A7", "#56B4E9", "#E69F00", "#0072B2", "#8c8c8c", "#000000"),
    faster="#00704f",
    slower="#b34700",
    pale="#eef4fa",
    deep="#08447a",
)  # fmt: skip
DARK = Theme(
    name="dark",
    paper="#15181c",
    ink="#f0f0f0",
    muted="#a9aeb4",
    edge="#6b7178",
    grid="#33383e",
    hosts=(
        "#3a96dd", "#f0ad1f", "#1fbf92", "#e08fbd", "#f2f2f2", "#9ad9ff", "#ff7a33",
        "#b59a5f",
    ),
    fine="#1f5a47",
    fine_edge="#58b394",
    bad=("#ff7a33", "#e08fbd", "#9ad9ff", "#f0ad1f", "#3a96dd", "#8c939b", "#f2f2f2"),
    faster="#3fd0a5",
    slower="#ff9a5c",
    pale="#22303c",
    deep="#9ad0ff",
)  # fmt: skip
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}

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
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\")

PERCENT = FuncFormatter(lambda share, _: f"{share * 100:.0f} %")


def rc(theme: Theme) -> Any:
    """Return matplotlib's parameters of a theme."""
    return {
        "axes.axisbelow": True,
        "axes.edgecolor": theme.edge,
        "axes.facecolor": theme.paper,
        "axes.grid": True,
        "axes.labelcolor": theme.ink,
        "axes.labelsize": 9.5,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": theme.ink,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "figure.facecolor": theme.paper,
        "font.family": list(families()),
        "font.size": 9.5,
        "grid.color": theme.grid,
        "grid.linewidth": 0.6,
        "hatch.linewidth": 0.6,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "savefig.facecolor": theme.paper,
        "svg.hashsalt": "head-to-head",
        "text.color": theme.ink,
        "text.parse_math": False,  # "$" in a model's name is no formula
        "xtick.color": theme.edge,
        "xtick.labelcolor": theme.ink,
        "xtick.labelsize": 9,
        "ytick.color": theme.edge,
        "ytick.labelcolor": theme.ink,
        "ytick.labelsize": 9,
    }
