"""A comparison as one page that stands alone: verdict, tables, charts, method."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import metadata, resources

import msgspec
from jinja2 import Environment, StrictUndefined, Template

from compare.judge.comparison import Comparison
from compare.judge.contrast import BETTER, FASTER, SLOWER, WORSE
from compare.judge.gates import Gate
from compare.show import facts, sheets
from compare.show.headline import headline, sided, sides
from compare.show.inline import palette
from compare.show.jobfile import Recipe, recipe
from compare.show.pictures import Gallery
from compare.show.verdicts import letter
from compare.show.words import moment, named, names_in, plain, reasons
from data.row import Failure

MOST_FAILURES = 100
"""So many kinds of failure stand on a page."""

TONES = {
    FASTER: "good", BETTER: "good", SLOWER: "bad", WORSE: "bad", "FAILED": "bad"
}  # fmt: skip
"""Verdicts that are coloured; their words say as much."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a page is made of.

    `failures` are those of each run (at most `MOST_FAILURES`), `counts` the numbers of
    their measured requests, both in the order of the comparison's runs.
    """

    comparison: Comparison
    gallery: Gallery
    gates: Sequence[Gate]
    failures: Sequence[Sequence[Failure]]
    counts: Sequence[int]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a page says of one run: its name, its state, and how it was made.

    `side` says which one of two it is.
    """

    side: str
    name: str
    started: str
    banners: list[facts.Banner]
    facts: list[facts.Fact]
    prices: list[sheets.Sheet]
    failures: sheets.Sheet
    recipe: Recipe | None


def report(source: Source) -> str:
    """Return the page as HTML: no other file, no network, no script but its own."""
    found = sided(source.comparison)
    script = _asset("report.js")
    runs = [_about(source, n, side) for n, side in enumerate(sides(found))]
    return _template().render(
        title=_title(found),
        verdict=headline(found),
        runs=runs,
        speed=sheets.speed(found),
        checks=sheets.checks(found),
        contrasts=sheets.contrasts(found),
        work=sheets.work(found),
        costs=sheets.costs(found),
        gates=sheets.gates(source.gates),
        caveats=[
            (letter(n).strip(), plain(note.text, 300), note.advice)
            for n, note in enumerate(found.notes)
        ],
        gallery=source.gallery,
        colours=palette(),
        definitions=facts.DEFINITIONS.items(),
        version=metadata.version("head-to-head"),
        sections=_sections(source),
        tones=TONES,
        style=_asset("report.css"),
        script=script,
        script_hash=_hash(script),
    )


def _about(source: Source, n: int, side: str) -> About:
    run = source.comparison.runs[n]
    title = f"Run {plain(run.run_id)}" if side else "What failed"
    return About(
        side=side,
        name=named(run),
        started=moment(run.started_at),
        banners=list(facts.banners(run, reasons(run), source.counts[n])),
        facts=facts.of_run(run),
        prices=sheets.prices(run),
        failures=sheets.failures(source.failures[n], title),
        recipe=recipe(run),
    )


def _sections(source: Source) -> list[str]:
    """Return the heads that the page has; contrasts and charts may be missing."""
    there = {
        "contrasts": source.comparison.contrasts,
        "charts": source.gallery.charts or source.gallery.left_out,
    }
    heads = ("summary", "contrasts", "charts", "caveats", "costs", "failures",
             "how it was measured", "how to repeat it")  # fmt: skip
    return [head for head in heads if there.get(head, True)]


def _title(found: Comparison) -> str:
    if not found.paired:
        first, second = (plain(run.run_id, 40) for run in found.runs)
        return f"What changed from run {first} to run {second}"
    hosts = [plain(name, 60) for name in names_in(found.runs[0].providers)]
    if len(hosts) < 2:
        return f"{hosts[0] if hosts else 'No host'} alone"
    return f"{', '.join(hosts[:-1])} and {hosts[-1]} head to head"


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_asset("report.html"))


def _asset(name: str) -> str:
    return resources.files("compare.show").joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """Return the source of a policy that allows exactly this script."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
