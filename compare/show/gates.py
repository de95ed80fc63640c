"""Thresholds as people read them: a tick or a cross, what was asked, what was found."""

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.text import Text

from compare.judge.gates import Gate
from compare.judge.threshold import SHARES, TIMES
from compare.show.words import number, percent, plain, usd

TICK, CROSS = "✓", "✗"
PLAIN = {TICK: "+", CROSS: "x"}
"""What stands for them where a terminal cannot show them."""


def lines(found: Sequence[Gate], stream: TextIO | None = None) -> list[Text]:
    """Return a line for each threshold and host: mark, threshold, whose, figure."""
    marks = (TICK, CROSS) if _shows(stream or sys.stdout) else tuple(PLAIN.values())
    several = len({(each.scenario, each.step) for each in found}) > 1
    made = []
    for each in found:
        mark, colour = (marks[0], "green") if each.passed else (marks[1], "red")
        where = f", {place(each)}" if several else ""
        words = f"{plain(each.threshold, 120)}  {plain(each.who)}{where}: "
        made.append(Text.assemble((mark, colour), f" {words}{told(each)}"))
    return made


def place(gate: Gate) -> str:
    """Return the scenario of a gate, and its load step if it has one."""
    step = "" if gate.step is None else f" step {gate.step}"
    return f"{plain(gate.scenario)}{step}"


def told(gate: Gate) -> str:
    """Return the figure that a gate found, or why there is none."""
    if gate.value is None:
        return gate.why or "n/a"
    text, why = _figure(gate, gate.value), f"; {gate.why}" * bool(gate.why)
    if gate.low is None or gate.high is None or gate.low == gate.high:
        return text + why
    return f"{text} ({_figure(gate, gate.low)} to {_figure(gate, gate.high)}){why}"


def _figure(gate: Gate, value: float) -> str:
    if gate.is_ratio:
        return f"{value:.3f}"
    if gate.metric in SHARES:
        return percent(value)
    if gate.metric in TIMES:
        return f"{number(value)} ms"
    return usd(value) if gate.metric == "cost" else number(value)


def _shows(stream: TextIO) -> bool:
    try:
        (TICK + CROSS).encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
