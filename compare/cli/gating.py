"""Thresholds and objectives on the command line, and what is written of them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from compare.cli.options import force_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from compare.cli.going import Telling
    from compare.judge.comparison import Comparison, Judged
    from compare.judge.gates import Gate
    from compare.judge.threshold import Threshold
    from compare.run.config import Job
    from compare.run.tally import Sending
    from data.row import Row
    from scenarios.plan import Plan

F = TypeVar("F", bound=Callable[..., Any])

goodput_option = click.option(
    "--goodput",
    metavar="METRIC:MS,...",
    help="What a good request keeps, such as ttft:500,tpot:50.",
)
OPTIONS = (
    click.option(
        "--threshold",
        "thresholds",
        multiple=True,
        metavar="TEXT",
        help="What must hold, such as 'ttft:p(95)<1500ms'; else exit 99. Repeatable.",
    ),
    goodput_option,
    click.option(
        "--junit",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        metavar="FILE",
        help="Write thresholds and validity as JUnit XML (- prints it).",
    ),
    click.option(
        "--markdown",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        metavar="FILE",
        help="Write a summary that fits a pull request (- prints it).",
    ),
    force_option,
)


def gates(function: F) -> F:
    """Add the flags of thresholds and of what is written of them."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def parsed(texts: "Iterable[str]") -> "list[Threshold]":
    """Return thresholds from their texts; ThresholdError where one is wrong."""
    from compare.judge.grammar import parse

    return [parse(text) for text in texts]


def objectives(text: str | None) -> "dict[str, float]":
    """Return the objectives of a --goodput in ms by metric, empty without one."""
    from compare.judge.grammar import parse_objectives

    return {} if text is None else parse_objectives(text)


def check(job: "Job") -> None:
    """Raise ThresholdError for what of a job's thresholds cannot be judged."""
    from compare.judge.gates import check

    hosts = [provider.name for provider in job.providers]
    check(parsed(job.thresholds), hosts, job.slo)


class Guard:
    """Stops a run as soon as one of its thresholds on a host has surely failed.

    Give it each row; `engine` is what it stops, None until that is there.
    """

    def __init__(self, job: "Job", plan: "Plan") -> None:
        from compare.judge.live import Watch
        from scenarios.plan import segments

        firsts = [each.first_block for each in segments(plan)]
        self._live = Watch(parsed(job.thresholds), job.slo, firsts)
        self.engine: Sending | None = None

    def add(self, row: "Row") -> None:
        """Take one row, and stop the run if it is time to."""
        self._live.add(row)
        if self._live.failed is None or self.engine is None:
            return
        if self.engine.stopped is None:
            self.engine.stop("threshold")


def refuse_papers(
    junit: Path | None, markdown: Path | None, *, force: bool, as_json: bool
) -> None:
    """Raise UsageError for papers that could not be written, before any work is done.

    A file must not be there, its folder must; and one thing alone can be printed.
    """
    named = [path for path in (junit, markdown) if path is not None]
    files = [path for path in named if str(path) != "-"]
    if len(named) - len(files) + as_json > 1:
        raise click.UsageError(
            "only one of --json, --junit - and --markdown - can be printed; give the "
            "others a file"
        )
    for path in files:
        if path.exists() and not force:
            raise click.UsageError(f"{path} is there already; --force replaces it")
        if not path.parent.is_dir():
            raise click.UsageError(f"{path}: there is no folder {path.parent}; make it")


def judge(
    found: "Sequence[Judged]",
    thresholds: "Sequence[Threshold]",
    objectives: "Mapping[str, float]",
    reference: str | None = None,
) -> "list[Gate]":
    """Return the gates of one run, or of the second of two."""
    from compare.judge.gates import judge_gates
    from compare.show.words import names_in

    hosts = names_in(found[-1].run.providers)
    return judge_gates(found, hosts, thresholds, objectives, reference)


def conclude(db: Path, run: str, telling: "Telling") -> bool:
    """Print what came of a run that has ended: table, verdict and thresholds.

    Hosts that were asked unlike things get no verdict, which is said. Return whether
    all of its thresholds hold.
    """
    from compare.cli.leave import heard_or_not
    from compare.cli.reading import judged
    from compare.judge.comparison import objectives_of, thresholds_of

    found = judged(db, run)
    made = judge([found], parsed(thresholds_of(found.run)), objectives_of(found.run))
    with heard_or_not():
        _conclude(found, made, telling)
    return all(gate.passed for gate in made)


def _conclude(found: "Judged", made: "Sequence[Gate]", telling: "Telling") -> None:
    """Print, or write, what came of a run."""
    from compare.cli.options import print_json, print_more, summary_facts
    from compare.cli.reading import comparison
    from compare.judge.comparison import objectives_of
    from compare.judge.summary import summarise
    from compare.show import tables

    summaries = summarise(found.frame, objectives_of(found.run))
    if telling.junit or telling.markdown:
        whole = comparison([found], anyway=True)
        write_papers(whole, made, telling.junit, telling.markdown)
    if telling.as_json:
        more = {"thresholds": facts(made)} if made else {}
        print_json({**summary_facts(found, summaries), **more})
        return
    if "-" in {str(telling.junit), str(telling.markdown)}:
        return
    console = tables.console()
    console.print(tables.summary(found.run, summaries))
    print_more(found)
    if len(found.frame.hosts) > 1 and found.run.kind != "sweep":
        console.print()
        for line in _headline(found):
            console.print(line)
    if made:
        console.print()
        print_gates(made)


def _headline(found: "Judged") -> list[str]:
    from compare.cli.reading import comparison
    from compare.judge.comparable import Incomparable
    from compare.show.headline import headline

    try:
        return headline(comparison([found]))
    except Incomparable as why:
        return [f"No verdict: {why}"]


def print_gates(found: "Sequence[Gate]") -> None:
    """Print a line with a tick or a cross each."""
    from compare.show import gates as shown
    from compare.show import tables

    console = tables.console()
    for line in shown.lines(found):
        console.print(line)


def write_papers(
    found: "Comparison",
    gates: "Sequence[Gate]",
    junit: Path | None,
    markdown: Path | None,
) -> None:
    """Write JUnit XML and Markdown where they are wished."""
    from compare.show import papers

    for path, form in ((junit, papers.junit), (markdown, papers.markdown)):
        if path is None:
            continue
        text = form(found, gates)
        if str(path) == "-":
            click.echo(text, nl=False)
        else:
            path.write_text(text, encoding="utf-8")


def facts(found: "Sequence[Gate]") -> list[dict[str, Any]]:
    """Return gates as JSON-able data."""
    import msgspec

    hidden = ("metric", "is_ratio")
    made = [msgspec.to_builtins(each) for each in found]
    return [{k: v for k, v in each.items() if k not in hidden} for each in made]
