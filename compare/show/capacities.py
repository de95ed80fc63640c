"""What a sweep came to, in a sentence and a table for each host."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from compare.judge.capacity import TARGET, Capacity, Tried
from compare.show.tables import grid
from compare.show.words import number, percent, plain, segment

NAMES = 60


def capacities(
    found: Sequence[Capacity], objectives: dict[str, float]
) -> list[RenderableType]:
    """Return the highest load that each host keeps up with, and all it was tried at."""
    if not found:
        return []
    limits = ", ".join(f"{name} {number(ms)} ms" for name, ms in objectives.items())
    parts: list[RenderableType] = [
        Text(),
        Text(f"the highest load at which {100 * TARGET:g} % of requests keep {limits}"),
    ]
    for each in found:
        parts += [Text(), Text(sentence(each)), Text()]
        parts.append(
            grid((each.unit, "good", "share", "95 % interval"), map(_line, each.tried))
        )
    return parts


def sentence(found: Capacity) -> str:
    """Return what one host keeps up with, and how sure that is."""
    where = segment(found.scenario, None, several=False)
    said = found.why and f"not found, {found.why}"
    if found.found is not None:
        said = f"{_load(found.found)} {found.unit}"
    sure = "none is sure to be kept up with" if found.sure is None else (
        f"{_load(found.sure)} is sure"
    )  # fmt: skip
    fails = "none is surely too much" if found.fails is None else (
        f"{_load(found.fails)} is surely too much"
    )  # fmt: skip
    return f"{where}, {plain(found.provider, NAMES)}: {said} ({sure}, {fails})"


def _line(tried: Tried) -> tuple[str, ...]:
    share = percent(tried.n_good / tried.n) if tried.n else "n/a"
    ends = "n/a"
    if tried.low is not None and tried.high is not None:
        ends = f"{percent(tried.low)} to {percent(tried.high)}"
    return _load(tried.load), f"{tried.n_good:,}/{tried.n:,}", share, ends


def _load(load: float) -> str:
    return f"{load:,.0f}" if load == round(load) else f"{load:,.3g}"
