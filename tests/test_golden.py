"""What every chart and table says of one small run, held against files of text.

UPDATE_GOLDEN=1 writes the files anew; look at what changed before you keep it.
"""

import json
import os
from pathlib import Path

import matplotlib as mpl
import msgspec
import numpy as np
import pytest
from made import HOSTS, run_row, store_run, subject_of, timings
from matplotlib.collections import QuadMesh
from test_charts import PRICES
from test_pages import Read

from compare.cli.main import main
from compare.judge.comparison import compared
from compare.judge.stored import load
from compare.show import charts, pictures
from compare.show.kinds import KINDS
from compare.show.subject import subject
from compare.show.theme import LIGHT, rc

FOLDER = Path(__file__).parent / "golden"
ROWS = timings(n=30, fail={"zai": 0.2})
RUN = run_row(prices=PRICES, job=json.dumps({"slo": {"ttft": 300}}))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "h2h.db"
    store_run(path, RUN, ROWS)
    return path


def held(name, text):
    """Hold a text against its file, or write the file if that is asked for."""
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def figures(values):
    """Return numbers with four digits that count: more may differ by machine."""
    return " ".join(f"{value:.4g}" for value in np.ma.filled(values, np.nan))


def told(figure):
    """Yield what a figure draws: its words, and the data of its marks."""
    yield from (text.get_text() for text in figure.texts)
    for axes in figure.axes:
        yield f"-- {axes.get_title(loc='left')}"
        labels = [axes.xaxis.label, axes.yaxis.label, *axes.texts]
        if axes.get_legend():
            labels += axes.get_legend().get_texts()
        if axes.yaxis.get_major_formatter().__class__.__name__ == "FixedFormatter":
            labels += axes.get_yticklabels()
        yield from (repr(each.get_text()) for each in labels if each.get_text())
        for line in axes.lines:
            places = np.column_stack([line.get_xdata(), line.get_ydata()])
            some = places[:: max(1, len(places) // 6)].ravel()
            yield f"line {len(places)}: {figures(some)}"
        for bar in axes.patches:
            box = bar.get_bbox() if hasattr(bar, "get_bbox") else None
            yield f"bar {figures(box.extents)}" if box else "patch"
        for each in axes.collections:
            if isinstance(each, QuadMesh):
                yield f"cells {figures(each.get_array().ravel())}"


@pytest.mark.parametrize("kind", KINDS)
def test_charts_draw_what_they_drew(kind, stored):
    if kind in {"hour-of-week", "calendar"}:
        # Two hours of two days have half of the blocks each: enough for medians.
        at = [row.block // 15 * 2 * 86_400.0 + row.block * 60.0 for row in ROWS]
        days = [
            msgspec.structs.replace(row, sent_s=sent, end_s=sent + 1)
            for row, sent in zip(ROWS, at, strict=True)
        ]
        of = subject_of(days, RUN)
    else:
        found = load(stored, "latest")
        of = subject(found, compared([found], HOSTS))
    with mpl.rc_context(rc(LIGHT)):
        text = "\n".join(told(charts._figure(KINDS[kind], of, LIGHT)))
    held(f"{kind}.txt", text + "\n")


def test_the_page_says_what_it_said(stored, monkeypatch, tmp_path):
    none = pictures.Gallery(charts=[], glyphs={}, left_out={})
    monkeypatch.setattr(pictures, "gallery", lambda *_: none)
    with pytest.raises(SystemExit):
        main(["report", "--db", str(stored), "-o", str(tmp_path / "page.html")])
    read = Read((tmp_path / "page.html").read_text(encoding="utf-8"))
    lines = [
        "\t".join(" ".join(cell.split()) for cell in row)
        for table in read.tables
        for row in [*table, []]
    ]
    held("report.tsv", "\n".join(lines) + "\n")
