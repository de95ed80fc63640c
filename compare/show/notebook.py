"""A comparison in a notebook: `load("h2h.db")` as the last line of a cell shows it."""

import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

import msgspec

from compare.judge import stored
from compare.judge.comparison import Comparison, compared
from compare.show.grids import Grid, figures, ratios
from compare.show.headline import headline, sided
from compare.show.tables import head
from compare.show.verdicts import letter
from compare.show.words import names_in, plain

_FORMULA = re.compile(r"[$\\]")


class Sheet(msgspec.Struct, frozen=True):
    """A comparison that a notebook shows as tables; `comparison` has the figures."""

    comparison: Comparison

    def __repr__(self) -> str:
        """Return the verdict in a sentence for each scenario and load step."""
        return "\n".join(headline(sided(self.comparison)))

    def _repr_html_(self) -> str:
        """Return verdict, figures, contrasts, caveats and the state of the runs."""
        parts = "\n".join(_parts(sided(self.comparison)))
        return f'<div class="tex2jax_ignore mathjax_ignore">\n{parts}\n</div>'


def load(
    db: Path | str,
    run: str = "latest",
    run_b: str | None = None,
    *,
    reference: str | None = None,
    objectives: Mapping[str, float] | None = None,
    anyway: bool = False,
) -> Sheet:
    """Return the comparison of a stored run's hosts, or of run B with it.

    As `h2h compare` makes it: runs are ids, unique starts of one or `latest`,
    `objectives` are in ms by metric (None: the run's own). StoreError for a database
    or run that is not there, Incomparable for hosts that were asked unlike things,
    ValueError for a reference that is no host of the (first) run.
    """
    found = [stored.load(Path(db), each) for each in (run, run_b) if each is not None]
    hosts = names_in(found[0].run.providers)
    if reference is not None and reference not in hosts:
        raise ValueError(f"reference {reference!r}: known are {', '.join(hosts)}")
    made = compared(found, hosts, reference, objectives=objectives, anyway=anyway)
    return Sheet(made)


def _parts(found: Comparison) -> Iterator[str]:
    for line in headline(found):
        yield f"<p><strong>{_text(line)}</strong></p>"
    yield from _table(figures(found))
    yield from _table(ratios(found))
    if found.notes:
        notes = (
            f"{letter(n).strip()}: {plain(note.text, 300)}: {note.advice}"
            for n, note in enumerate(found.notes)
        )
        yield f"<ul>{''.join(f'<li>{_text(note)}</li>' for note in notes)}</ul>"
    for run in found.runs:
        yield f"<p>{'<br>'.join(_text(line) for line in head(run))}</p>"


def _table(found: Grid) -> Iterator[str]:
    columns, lines = found
    if not lines:
        return
    heads = "".join(f"<th>{_text(each)}</th>" for each in columns)
    yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
    for line in lines:
        yield f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in line)}</tr>"
    yield "</tbody></table>"


def _text(text: str) -> str:
    """Return text that is neither markup nor, in a notebook, a formula."""
    return _FORMULA.sub(r"<span>\g<0></span>", escape(plain(text, 1_000)))
