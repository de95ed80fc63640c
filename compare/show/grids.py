"""A comparison as plain grids of texts, for any form that has tables of its own."""

from collections.abc import Sequence

from compare.judge.comparison import Comparison
from compare.show import quality
from compare.show.verdicts import marked, ratio_cells
from compare.show.words import number, percent, usd

Grid = tuple[Sequence[str], list[list[str]]]
"""Headers and lines. Texts are as they came: each form escapes them in its own way."""


def figures(found: Comparison) -> Grid:
    """Return the main figures, a line a host, scenario and load step."""
    columns = ("scenario", "step", "host", "n", "ok", "TTFT p50 ms", "TTFT p95 ms",
               "end to end p50 ms", "tok/s", "USD per 1,000")  # fmt: skip
    lines = []
    for each in found.summaries:
        share, cost = each.tally.success_share, each.cost_per_1k_usd
        lines.append(
            [
                each.scenario,
                _step(each.step),
                each.provider,
                f"{each.tally.n_attempted:,}",
                "n/a" if share is None else percent(share),
                each.ttft_p50.text(number),
                each.ttft_p95.text(number),
                each.e2e_p50.text(number),
                each.decode_tps_p50.text(number),
                "n/a" if cost is None else usd(cost),
            ]
        )
    return columns, lines


def checks(found: Comparison) -> Grid:
    """Return what checks say, a line a host, scenario and load step."""
    said = quality.labels(found.qualities)
    lines = [
        [
            each.scenario,
            _step(each.step),
            each.provider,
            *(quality.LINES[name](each).replace("\n", " ") for name in said),
        ]
        for each in found.qualities
    ]
    return ("scenario", "step", "host", *said), lines if said else []


def ratios(found: Comparison) -> Grid:
    """Return the contrasts, a line a metric, each verdict with its caveats' letters."""
    marks = marked(found.notes, found.contrasts)
    columns = ("scenario", "step", "hosts", "metric", "ratio", "95 % interval", "n",
               "verdict")  # fmt: skip
    lines = [
        [
            each.scenario,
            _step(each.step),
            f"{each.provider} / {each.reference}",
            *_lettered(ratio_cells(each), marks[n]),
        ]
        for n, each in enumerate(found.contrasts)
    ]
    return columns, lines


def _lettered(cells: list[str], mark: str) -> list[str]:
    """Return a contrast's cells, its verdict with the letters of what spoils it."""
    return [*cells[:-1], f"{cells[-1]} [{mark.strip()}]"] if mark else cells


def _step(step: int | None) -> str:
    return "" if step is None else str(step)
