"""`h2h chart`: a run's charts as files."""

from pathlib import Path

import click

from compare.cli.options import (
    LATEST,
    anyway_option,
    db_option,
    force_option,
    write_charts,
)


@click.command()
@click.argument("names", nargs=-1, metavar="[RUN] [KIND]...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("charts"),
    show_default=True,
    help="The folder that they go to.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["png", "svg", "pdf"]),
    default="png",
    show_default=True,
)
@click.option(
    "--theme",
    type=click.Choice(["light", "dark"]),
    default="light",
    show_default=True,
    help="The colours of paper and ink.",
)
@anyway_option
@force_option
@db_option
def chart(
    names: tuple[str, ...],
    output: Path,
    file_format: str,
    theme: str,
    anyway: bool,
    force: bool,
    db: Path,
) -> None:
    """Draw the charts of RUN (by default the latest) as RUN-KIND.FORMAT.

    KIND is any of these; without one all are drawn that RUN has data for, and those
    that are left out are named. The paths are printed.

    \b
    ttft-ecdf      first tokens by when      e2e-ecdf       answers by when
    contrasts      ratios and verdicts       percentiles    with intervals
    latency-box    single answers            throughput     speed, sweeps, knees
    prompt-length  TTFT by prompt            raster         token by token
    gaps           gaps and stalls           errors         what became of all
    cost-speed     the efficient hosts       cost-cache     break-even hit rates
    accepted       per accepted answer       pass-rate      checks, with noise
    quality-price  checks against price      turns          sessions by turn
    ctx-grid       recall in long prompts    over-time      course of the run
    hour-of-week   times and errors by hour  calendar       availability by day
    """  # noqa: D301 - click marks a block that is not wrapped with this character
    from compare.show.charts import KINDS

    run, kinds = (LATEST, names) if not names or names[0] in KINDS else _split(names)
    paths = write_charts(
        db, run, output, kinds, file_format, theme, anyway=anyway, force=force
    )
    for path in paths:
        click.echo(path)


def _split(names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    return names[0], names[1:]
