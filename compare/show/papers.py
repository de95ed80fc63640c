"""A comparison for machines and reviews: JUnit XML, and Markdown for a pull request."""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from compare.judge.comparison import Comparison
from compare.judge.gates import Gate
from compare.show import gates as shown
from compare.show.grids import Grid, checks, figures, ratios
from compare.show.headline import headline, sided, sides
from compare.show.tables import head
from compare.show.verdicts import letter
from compare.show.words import plain
from data.export import harmless

LONGEST = 60_000
"""Characters: a comment on a pull request may have 65,536."""

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
INVALID = "invalid"


def junit(found: Comparison, gates: Sequence[Gate]) -> str:
    """Return a test suite as JUnit XML: a case for the run's validity and each gate."""
    run = found.runs[-1]
    failures = [gate for gate in gates if not gate.passed]
    invalid = run.validity == INVALID
    suite = ET.Element(
        "testsuite",
        name=f"h2h {plain(run.run_id)}",
        tests=str(len(gates) + 1),
        failures=str(len(failures) + invalid),
        errors="0",
        skipped="0",
        timestamp=plain(run.started_at)[:19],
    )
    case = ET.SubElement(suite, "testcase", classname="h2h.run", name="validity")
    if invalid:
        words = "; ".join(line.strip() for line in head(run)[1:-1])
        ET.SubElement(case, "failure", message=plain(words, 500))
    for gate in gates:
        name = f"{plain(gate.threshold)} [{plain(gate.who)}]"
        where = f"h2h.{shown.place(gate)}"
        case = ET.SubElement(suite, "testcase", classname=where, name=name)
        if not gate.passed:
            ET.SubElement(case, "failure", message=plain(shown.told(gate)))
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return f"{DECLARATION}\n{ET.tostring(suites, encoding='unicode')}\n"


def markdown(found: Comparison, gates: Sequence[Gate]) -> str:
    """Return a summary of a comparison in Markdown, of at most 60,000 characters.

    Verdict and thresholds come first and are kept whole; what is too long is cut at
    the end, and says so.
    """
    found = sided(found)
    parts = [
        "### head-to-head",
        *(f"**{harmless(line)}**" for line in headline(found)),
        *_gate_lines(gates),
        _escaped(figures(found)),
        _escaped(checks(found)),
        _contrasts(found),
        _caveats(found),
        "\n".join(
            f"- {harmless(line)}"
            for run, side in zip(found.runs, sides(found), strict=True)
            for line in (side + head(run)[0], *head(run)[1:])
        ),
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    if len(text) <= LONGEST:
        return text
    cut = text[: text.rfind("\n", 0, LONGEST)]
    folded = cut.count("<details>") > cut.count("</details>")
    end = "\n\n</details>" if folded else ""  # else the next words would be folded too
    return f"{cut}{end}\n\n(cut: too long for a comment)\n"


def _gate_lines(gates: Sequence[Gate]) -> list[str]:
    if not gates:
        return []
    rows = [
        ("ok" if gate.passed else "**FAILED**", harmless(gate.threshold),
         harmless(gate.who), harmless(shown.place(gate)), harmless(shown.told(gate)))
        for gate in gates
    ]  # fmt: skip
    return [_table(("", "threshold", "host", "scenario", "found"), rows)]


def _escaped(found: Grid) -> str:
    """Return a grid as a table; nothing of one without lines."""
    columns, rows = found
    if not rows:
        return ""
    return _table(columns, [[harmless(cell) for cell in row] for row in rows])


def _contrasts(found: Comparison) -> str:
    body = _escaped(ratios(found))
    if not body:
        return ""
    return f"<details><summary>Contrasts</summary>\n\n{body}\n\n</details>"


def _caveats(found: Comparison) -> str:
    return "\n".join(
        f"- {letter(n).strip()}: {harmless(plain(note.text, 300))}: {note.advice}"
        for n, note in enumerate(found.notes)
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
