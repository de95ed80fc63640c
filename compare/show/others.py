"""Our rows under another tool's formulas, beside its own names."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from compare.judge.definitions import UNLIKE, Defined
from compare.show.tables import grid
from compare.show.words import number, plain, segment


def definitions(tool: str, found: Sequence[Defined]) -> Group:
    """Return a table for each scenario and load step, and the formulas."""
    parts: list[RenderableType] = [Text(f"as {tool} defines them", style="bold")]
    several = len({each.step for each in found}) > 1
    for scenario, step in dict.fromkeys((d.scenario, d.step) for d in found):
        group = [d for d in found if (d.scenario, d.step) == (scenario, step)]
        where = segment(scenario, step, several=several)
        lines = [
            (
                each.metric,
                plain(each.provider, 16),
                "n/a" if each.mean is None else number(each.mean),
                each.p50.text(number),
                each.p99.text(number),
            )
            for metric in dict.fromkeys(d.metric for d in group)
            for each in group
            if each.metric == metric
        ]
        columns = ("metric", "host", "mean", "p50", "p99")
        parts += [Text(), Text(f"scenario {where}"), Text()]
        parts += [grid(columns, lines, left=(0, 1))]
    formulas = dict.fromkeys((each.metric, each.formula) for each in found)
    parts += [Text(), grid(("metric", "formula"), formulas, left=(0, 1)), Text()]
    parts.append(
        Text(
            "start: before a new connection is opened, where there was none; n: the "
            f"host's own count. Over ok answers. {UNLIKE[tool]}."
        )
    )
    return Group(*parts, Text())
