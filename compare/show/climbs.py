"""Recall in long prompts as tables: a line a depth, a column a length."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from compare.judge.ladder import Cell, Climb
from compare.show.tables import grid
from compare.show.words import percent, plain, segment

NAMES = 60


def climbs(found: Sequence[Climb]) -> list[RenderableType]:
    """Return a table for each host on a ladder, and whether its prompts were cut."""
    steps = len({each.step for each in found}) > 1
    parts: list[RenderableType] = []
    for each in found:
        where = segment(each.scenario, each.step, several=steps)
        name = plain(each.provider, NAMES)
        parts += [Text(), Text(f"recall in {where}: {name}"), Text()]
        headers = ["depth", *(size(tokens) for tokens in each.sizes)]
        parts.append(grid(headers, _lines(each)))
        parts += [Text(line) for line in read_whole(each)]
    return parts


def size(tokens: int) -> str:
    """Return a length of a prompt in short: 512k, 1M."""
    for unit, letter in ((10**6, "M"), (10**3, "k")):
        if tokens % (unit // 10) == 0 and tokens >= unit:
            return f"{tokens / unit:g}{letter}"
    return f"{tokens:,}"


def deep(depth: float) -> str:
    """Return a depth in percent."""
    return f"{100 * depth:g} %"


def right(cell: Cell | None) -> str:
    """Return how many answers of a cell were right, or why that is not known."""
    if cell is None:
        return "-"
    failed = f" {cell.n_failed} failed" if cell.n_failed else ""
    return (f"{cell.n_right}/{cell.n}" if cell.n else "n/a") + failed


def read_whole(climb: Climb) -> Iterator[str]:
    """Yield, in a line at most, from which length on prompts were cut."""
    if climb.cut_from is not None:
        yield (
            f"{plain(climb.provider, NAMES)} cuts prompts: from {size(climb.cut_from)} "
            f"on it states no more than {climb.read_most:,} tokens"
        )


def _lines(climb: Climb) -> Iterator[list[str]]:
    cells = {(cell.depth, cell.tokens): cell for cell in climb.cells}
    for depth in climb.depths:
        found = (cells.get((depth, tokens)) for tokens in climb.sizes)
        yield [deep(depth), *map(right, found)]
    yield ["all", *(_all(climb, tokens) for tokens in climb.sizes)]
    stated = (climb.stated.get(tokens) for tokens in climb.sizes)
    yield ["tokens stated", *("n/a" if n is None else f"{n:,.0f}" for n in stated)]


def _all(climb: Climb, tokens: int) -> str:
    cells = [cell for cell in climb.cells if cell.tokens == tokens]
    n = sum(cell.n for cell in cells)
    return percent(sum(cell.n_right for cell in cells) / n) if n else "n/a"
