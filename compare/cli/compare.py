"""`h2h compare`: a run's hosts against a reference, or one run against another."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from compare.cli import gating
from compare.cli.leave import EXITS, heard_or_not
from compare.cli.options import (
    anyway_option,
    db_option,
    json_option,
    more_facts,
    print_json,
    print_more,
    reference_option,
    run_argument,
    run_b_argument,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compare.judge.comparison import Judged
    from compare.judge.gates import Gate


@click.command()
@run_argument
@run_b_argument
@reference_option
@anyway_option
@click.option(
    "--definitions",
    type=click.Choice(["aiperf", "vllm", "guidellm"]),
    help="Show the same rows under that tool's formulas, and nothing else.",
)
@gating.gates
@db_option
@json_option
def compare(
    run: str,
    run_b: str | None,
    reference: str | None,
    anyway: bool,
    definitions: str | None,
    thresholds: tuple[str, ...],
    goodput: str | None,
    junit: Path | None,
    markdown: Path | None,
    force: bool,
    db: Path,
    as_json: bool,
) -> int:
    """Say which host of RUN is ahead and how sure that is, or what RUN_B changed.

    Hosts are compared within blocks: answers to the same question at the same moment.
    Two runs share no moment, so theirs says how things changed, not which host is
    faster: each host of RUN_B is set against itself in RUN, or against the --reference
    of RUN. Thresholds are those given, else those that the (second) run was made with;
    of two runs they are about RUN_B, and ratio(new/base, ttft, p50) about the change.
    """
    from compare.cli.reading import comparison, facts, judged
    from compare.judge.comparison import objectives_of, thresholds_of

    if definitions is not None:
        _refuse_flags()
        return _redefine(db, run, definitions, anyway=anyway, as_json=as_json)
    gating.refuse_papers(junit, markdown, force=force, as_json=as_json)
    asked, objectives = gating.parsed(thresholds), gating.objectives(goodput)
    runs = [judged(db, text) for text in ([run] if run_b is None else [run, run_b])]
    if len(runs) == 2 and runs[0].run.run_id == runs[1].run.run_id:
        raise click.UsageError("RUN and RUN_B are the same run; name two")
    objectives = objectives or objectives_of(runs[-1].run)
    asked = asked or gating.parsed(thresholds_of(runs[-1].run))
    found = comparison(runs, reference, objectives=objectives, anyway=anyway)
    gates = gating.judge(runs, asked, objectives, reference)
    with heard_or_not():
        gating.write_papers(found, gates, junit, markdown)
        if as_json:
            whole = {**facts(found), **more_facts(runs[-1])}
            print_json({**whole, "thresholds": gating.facts(gates)})
        elif "-" not in {str(junit), str(markdown)}:
            from compare.show import tables, verdicts

            tables.console().print(verdicts.comparison(found))
            print_more(runs[-1])
            gating.print_gates(gates)
    return _left(runs, gates)


def _left(runs: "Sequence[Judged]", gates: "Sequence[Gate]") -> int:
    """Return the exit code: of an invalid run no threshold says anything of hosts."""
    invalid = [each.run for each in runs if each.run.validity == "invalid"]
    if gates and invalid:
        text = "the run is invalid: its thresholds say nothing of the hosts"
        click.echo(text, err=True)
        return 4
    return 0 if all(gate.passed for gate in gates) else EXITS["threshold"]


BESIDE = ("definitions", "run", "anyway", "db", "as_json")
"""The parameters that go with --definitions; any other one would be ignored."""


def _refuse_flags() -> None:
    """Raise UsageError for what was given and means nothing beside --definitions."""
    context = click.get_current_context()
    for each in context.command.params:
        name = each.name or ""
        if name not in BESIDE and context.params.get(name):
            flag = each.opts[0] if isinstance(each, click.Option) else "RUN_B"
            raise click.UsageError(
                f"{flag} means nothing beside --definitions, which judges nothing; "
                "leave one of them out"
            )


def _redefine(db: Path, run: str, tool: str, *, anyway: bool, as_json: bool) -> int:
    """Print a run under another tool's formulas; Incomparable for unlike hosts."""
    import msgspec

    from compare.cli.reading import noted, redefined
    from compare.judge.comparison import thresholds_of
    from compare.show import headline, others, tables

    row, found, notes = redefined(db, run, tool, anyway=anyway)
    if thresholds_of(row):
        click.echo("the run's thresholds are not judged with --definitions", err=True)
    if as_json:
        lines = [msgspec.to_builtins(each) for each in found]
        more = {"metrics": lines, "caveats": noted(notes)}
        print_json({"run_id": row.run_id, "tool": tool, **more})
        return 0
    console = tables.console()
    for line in [*tables.head(row), "", *headline.anyway(notes)]:
        console.print(line)
    console.print(others.definitions(tool, found))
    return 0
