"""The tables of a page, as texts: figures, contrasts, money, failures, thresholds."""

import re
from collections.abc import Iterator, Sequence

import msgspec

from compare.judge.comparison import Comparison
from compare.judge.gates import Gate
from compare.judge.pair import Contrast
from compare.judge.summary import Summary
from compare.show import gates as shown
from compare.show import quality
from compare.show.cells import METRICS, OPTIONAL, interval
from compare.show.tables import fates
from compare.show.verdicts import (
    TAILS,
    dearer,
    marked,
    ratio_cells,
    tail_cells,
    terms,
    wins,
)
from compare.show.words import labels, plain, segment, usd
from data.row import Failure, RunRow

NAMES = 40
EXCERPT = 300

SPEED = (
    "requests", "ok", "TTFT p50 ms", "TTFT p95 ms", "TTFT p95 with failures",
    "first answer p50 ms", "end to end p50 ms", "end to end p95 ms", "decode p50 tok/s",
    "goodput", "checks passed",
)  # fmt: skip
COSTS = (
    "USD per 1,000 requests", "USD as stated by host", "cache hit", "output p50 tokens",
)  # fmt: skip
"""Lines of the summary table that stand under these heads; the rest is `work`."""


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A table as texts; the first cell of a row says what it is about.

    The columns numbered in `words` are no figures. `marks` are the letters of the
    caveats of each row's verdict, empty where there is none. `notes` stand below.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = (0,)
    marks: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()


def speed(found: Comparison) -> list[Sheet]:
    """Return how each host did, a table for each scenario and load step."""
    return [
        _figures(
            f"Outcomes and times, scenario {where}",
            group,
            SPEED,
            [note for each in group for note in fates(each)],
        )
        for where, group in _segments(found.summaries)
    ]


def costs(found: Comparison) -> list[Sheet]:
    """Return what each host's answers cost, and what they cost more or less."""
    return [
        _figures(
            f"Costs, scenario {where}",
            group,
            COSTS,
            list(_dearer(found.contrasts, group)),
        )
        for where, group in _segments(found.summaries)
    ]


def work(found: Comparison) -> list[Sheet]:
    """Return all other figures of the summary: what was answered, and how."""
    rest = [name for name in METRICS if name not in {*SPEED, *COSTS}]
    return [
        _figures(f"Answers, scenario {where}", group, rest, [])
        for where, group in _segments(found.summaries)
    ]


def checks(found: Comparison) -> list[Sheet]:
    """Return what checks say, a table for each scenario and load step."""
    made, several = [], len({each.step for each in found.qualities}) > 1
    for scenario, step in dict.fromkeys((q.scenario, q.step) for q in found.qualities):
        group = [q for q in found.qualities if (q.scenario, q.step) == (scenario, step)]
        if not (said := quality.labels(group)):
            continue
        names = labels([each.provider for each in group], NAMES)
        notes = [note for each in group for note in quality.notes(each)]
        where = segment(scenario, step, several=several)
        rows = [
            (names[each.provider], *(quality.LINES[name](each) for name in said))
            for each in group
        ]
        made.append(
            Sheet(
                title=f"Checks, scenario {where}",
                columns=("host", *said),
                rows=rows,
                notes=[*notes, *quality.unknown(group), quality.TERMS],
            )
        )
    return made


def contrasts(found: Comparison) -> list[Sheet]:
    """Return who is ahead of whom, a table for each scenario and load step."""
    marks = marked(found.notes, found.contrasts)
    several = len({each.step for each in found.contrasts}) > 1
    groups: dict[tuple[str, int | None], dict[int, Contrast]] = {}
    for n, each in enumerate(found.contrasts):
        groups.setdefault((each.scenario, each.step), {})[n] = each
    tails = [name.removeprefix("ratio_of_") for name in TAILS]
    made = []
    for (scenario, step), group in groups.items():
        n_of = "blocks" if all(each.paired for each in group.values()) else "n"
        made.append(
            Sheet(
                title=f"Contrasts, scenario {segment(scenario, step, several=several)}",
                columns=("host", "against", "metric", "ratio", "95 % interval", "wins",
                         n_of, "verdict", *(f"ratio of {name}" for name in tails)),
                rows=[_contrast(each) for each in group.values()],
                words=(0, 1, 2, 7),
                marks=[_letters(marks[n]) for n in group],
                notes=[terms(list(group.values()))],
            )
        )  # fmt: skip
    return made


def prices(run: RunRow) -> list[Sheet]:
    """Return the prices that a run was charged by, in USD per 1M tokens."""
    listed = msgspec.json.decode(run.prices or "{}", type=dict[str, dict[str, object]])
    classes = ("input", "output", "cache_read", "cache_write")
    rows = [
        (
            plain(host, NAMES),
            plain(str(price.get("model_id") or "-")),
            *(_pusd(price.get(f"{name}_pusd")) for name in classes),
            plain(str(price.get("date") or "-"), 10),
            plain(str(price.get("source") or "-")),
        )
        for host, price in listed.items()
    ]
    columns = ("host", "model", "input", "output", "cache read", "cache write", "seen",
               "source")  # fmt: skip
    if not rows:
        return []
    title = "Prices in USD per 1M tokens"
    return [Sheet(title=title, columns=columns, rows=rows, words=(0, 1, 6, 7))]


def failures(found: Sequence[Failure], title: str) -> Sheet:
    """Return what failed, alike ones together, with the words of the first of each."""
    rows = [
        (
            plain(each.provider, NAMES),
            plain(each.scenario),
            plain(each.outcome),
            plain(each.blame or "-"),
            "-" if each.http_status is None else str(each.http_status),
            plain(each.error_code or "-", NAMES),
            f"{each.n:,}",
            plain(each.error_excerpt or "-", EXCERPT),
        )
        for each in found
    ]
    columns = ("host", "scenario", "outcome", "blame", "HTTP", "code", "requests",
               "what the first of them said (redacted)")  # fmt: skip
    return Sheet(title=title, columns=columns, rows=rows, words=(0, 1, 2, 3, 5, 7))


def gates(found: Sequence[Gate]) -> Sheet:
    """Return which thresholds held."""
    rows = [
        (
            plain(each.threshold),
            plain(each.who),
            shown.place(each),
            shown.told(each),
            "holds" if each.passed else "FAILED",
        )
        for each in found
    ]
    columns = ("threshold", "host", "scenario", "found", "verdict")
    return Sheet(title="Thresholds", columns=columns, rows=rows, words=(0, 1, 2, 4))


def _segments(found: Sequence[Summary]) -> Iterator[tuple[str, list[Summary]]]:
    several = len({each.step for each in found}) > 1
    for key in dict.fromkeys((each.scenario, each.step) for each in found):
        group = [each for each in found if (each.scenario, each.step) == key]
        yield segment(*key, several=several), group


def _figures(
    title: str, group: Sequence[Summary], chosen: Sequence[str], notes: Sequence[str]
) -> Sheet:
    """Return some lines of the summary table, as columns, and a row for each host."""
    said = [n for n in chosen if n not in OPTIONAL or any(map(OPTIONAL[n], group))]
    names = labels([each.provider for each in group], NAMES)
    rows = [
        (
            names[each.provider],
            *(f"{METRICS[n](each)}\n{interval(n, each)}".rstrip() for n in said),
        )
        for each in group
    ]
    return Sheet(title=title, columns=("host", *said), rows=rows, notes=notes)


def _dearer(found: Sequence[Contrast], group: Sequence[Summary]) -> Iterator[str]:
    for each in found:
        here = (each.scenario, each.step) == (group[0].scenario, group[0].step)
        if here and (told := dearer(each)):
            yield f"{plain(each.provider, NAMES)} {told} than {plain(each.reference)}"


def _contrast(each: Contrast) -> tuple[str, ...]:
    metric, ratio, span, n, verdict = ratio_cells(each)
    names = (plain(each.provider, NAMES), plain(each.reference, NAMES))
    tails = (cell or "-" for cell in tail_cells(each))
    return (*names, plain(metric), ratio, span, wins(each), n, verdict, *tails)


def _letters(marks: str) -> list[str]:
    """Return the marks of a contrast one by one: letters, or numbers after z."""
    return re.findall(r"[a-z]|\d+", marks)


def _pusd(price: object) -> str:
    return usd(price / 1e6) if isinstance(price, int) else "not listed"
