"""Whether hosts count prompts alike, in a table and in a sentence each."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from compare.judge.counting import Counting
from compare.show.tables import grid
from compare.show.words import plain, segment

NAMES = 40
FEW = 8.0
"""So many tokens may a chat template differ by, or a count be off the line."""

NEAR = 0.005
"""So much may a slope differ from 1."""


def countings(found: Sequence[Counting]) -> list[RenderableType]:
    """Return a table of all hosts, and what is to be said of each that differs."""
    parts: list[RenderableType] = []
    steps = len({each.step for each in found}) > 1
    for key in dict.fromkeys((each.scenario, each.step) for each in found):
        group = [each for each in found if (each.scenario, each.step) == key]
        where = segment(*key, several=steps)
        other = plain(group[0].reference, NAMES)
        parts += [Text(), Text(f"prompt tokens in {where}, against {other}"), Text()]
        headers = ("host", "blocks", "extra tokens", "for each token", "off the line")
        parts.append(grid(headers, map(_line, group)))
        parts += [Text(f"{plain(c.provider, NAMES)}: {told(c)}") for c in group]
    return parts


def told(found: Counting) -> str:
    """Return what the line says of how a host counts."""
    if found.alike:
        return "counts each prompt alike"
    said = []
    if found.extra_low > FEW:
        said.append("a system prompt of its own, or another template")
    if found.slope_low > 1 + NEAR or found.slope_high < 1 - NEAR:
        said.append("another tokenizer, or counts that are not true")
    elif found.furthest > FEW:
        said.append("cuts some texts otherwise: another tokenizer")
    return "; ".join(said) or "no more than a template's difference"


def _line(each: Counting) -> tuple[str, ...]:
    ends = (each.extra, each.extra_low, each.extra_high)
    extra = "{:+,} ({:+,} to {:+,})".format(*map(round, ends))
    slope = f"{each.slope:.3f} ({each.slope_low:.3f} to {each.slope_high:.3f})"
    return (
        plain(each.provider, NAMES),
        f"{each.n:,}",
        extra,
        slope,
        f"{each.furthest:,.0f}",
    )
