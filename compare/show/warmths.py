"""What the prompt caches of hosts did, as a table: hits, times, prices, break-even."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from compare.judge.warmth import Hits, Warmth
from compare.show.tables import grid
from compare.show.words import percent, plain, segment, usd

NAMES = 24


def warmths(found: Sequence[Warmth]) -> list[RenderableType]:
    """Return a table of the caches of all hosts for each scenario and load step."""
    parts: list[RenderableType] = []
    steps = len({each.step for each in found}) > 1
    for key in dict.fromkeys((each.scenario, each.step) for each in found):
        group = [each for each in found if (each.scenario, each.step) == key]
        where = segment(*key, several=steps)
        names = (plain(each.provider, NAMES) for each in group)
        parts += [Text(), Text(f"prompt cache in {where}, by turn"), Text()]
        parts.append(grid(["", *names], _lines(group)))
    return parts


def _lines(group: Sequence[Warmth]) -> list[list[str]]:
    reference = plain(group[0].reference, NAMES)
    lines = [
        ["hits, turn 1", *(_hits(each.cold) for each in group)],
        ["hits, turn 2", *(_hits(each.first) for each in group)],
        ["hits, after turn 1", *(_hits(each.warm) for each in group)],
        ["cached tokens, after turn 1", *(_share(each.warm.tokens) for each in group)],
        ["TTFT after / turn 1", *map(_ratio, group)],
        ["USD per 1M prompt, turn 1", *(_usd(each.usd_cold) for each in group)],
        ["USD per 1M prompt, after", *(_usd(each.usd_per_1m) for each in group)],
    ]
    if len(group) > 1:
        label = f"as cheap as {reference} from"
        lines.append([label, *(_even(each) for each in group)])
    return lines


def _hits(hits: Hits) -> str:
    if hits.share is None or hits.low is None or hits.high is None:
        return "n/a (not stated)"
    ends = f"{percent(hits.low)} to {percent(hits.high)}"
    return f"{hits.n_hit}/{hits.n}\n({ends})"


def _ratio(each: Warmth) -> str:
    if each.ttft is None or each.ttft_low is None or each.ttft_high is None:
        return "n/a"
    return f"{each.ttft:.2f} x\n({each.ttft_low:.2f} to {each.ttft_high:.2f})"


def _share(share: float | None) -> str:
    return "n/a" if share is None else percent(share)


def _usd(value: float | None) -> str:
    return "n/a" if value is None else usd(value)


def _even(each: Warmth) -> str:
    if each.provider == each.reference:
        return "-"
    if each.even is None:
        return "never, or n/a"
    return f"{percent(each.even)} cached" if each.even else "any hit rate"
