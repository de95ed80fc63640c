import io
import json
import random
import stat
from itertools import pairwise

import matplotlib as mpl
import msgspec
import numpy as np
import pytest
from made import HOSTS, RUN_ID, run_row, subject_of, timing, timings
from PIL import Image

from compare.show import charts
from compare.show.charts import KINDS, ChartError, draw, drawable, write
from compare.show.panel import cast
from compare.show.theme import DARK, DPI, LIGHT, WIDTH, rc

PRICES = json.dumps(
    {
        host: {
            "id": host,
            "host": host,
            "input_pusd": 840_000 + 300_000 * n,
            "output_pusd": 2_640_000,
            "cache_read_pusd": 156_000 - 50_000 * n,
            "source": "x",
            "date": "2026-07-02",
        }
        for n, host in enumerate(HOSTS)
    }
)
LONG = [f"openrouter@upstream-{n}/fp8-with-a-very-long-tail" for n in range(8)]


def axes_of(kind, found, hosts=HOSTS, *, placed=False, compared=False, **changes):
    with mpl.rc_context(rc(LIGHT)):
        made = subject_of(found, run_row(hosts, **changes), compared=compared)
        figure = charts._figure(KINDS[kind], made, LIGHT)
        if placed:
            charts.settle(figure)
    return figure.axes


def texts(axes):
    found = []
    for each in axes:
        labels = [*each.get_yticklabels(), *each.get_xticklabels()]
        labels += [*each.texts, each.xaxis.label, each.yaxis.label]
        labels += each.get_legend().get_texts() if each.get_legend() else []
        found += [each.get_title(loc="left"), *(text.get_text() for text in labels)]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_chart_says_what_it_rests_on(kind):
    found = timings(n=15, fail={"zai": 0.3})
    axes = axes_of(kind, found, compared=True, prices=PRICES)
    head = [text.get_text() for text in axes[0].figure.texts]
    said = "\n".join([*texts(axes), *head])
    assert "2026-11-03 09:00 to 09:05 UTC" in said
    assert RUN_ID in said
    assert "chat-1k" in said
    assert "100 % ok" in said
    assert "n=15" in said
    units = ("(ms)", "tokens/s", "share of all", "USD", "ratio to", "(UTC)", "(hour,",
             "tokens of the prompt")  # fmt: skip
    assert any(unit in said for unit in units)
    if "cost" in kind or kind == "accepted":
        assert "list prices, seen 2026-07-02" in said
    assert kind in {"errors", "calendar", "cost-speed", "cost-cache", "latency-box",
                    "throughput", "raster", "gaps"} or "95 %" in said or (
        kind == "hour-of-week" and "fewer than 11 answers" in said)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "file_format"),
    [*((kind, "svg") for kind in KINDS), ("errors", "png"), ("errors", "pdf")],
)
def test_the_same_rows_give_the_same_file(kind, file_format):
    found = timings(n=12, fail={"zai": 0.2})
    once = draw(kind, subject_of(found), file_format)
    with mpl.rc_context({"font.size": 30, "text.parse_math": True}):
        assert draw(kind, subject_of(found[::-1]), file_format) == once
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[file_format]
    assert once.startswith(start)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "found",
    [
        [],
        timings(n=12, fail=dict.fromkeys(HOSTS, 1.0)),
        [timing(n, stream_label="not_streamed", e2e_ms=5.0) for n in range(12)],
        [timing(0, outcome="dropped", blame="client", sent_s=None, end_s=None)],
        [timing(n, cost_usd=0.0, e2e_ms=0.0, ttft_ms=0.0) for n in range(12)],
        [timing(n, step=None, ttft_ms=1e7) for n in range(12)],
        timings(n=3),
    ],
    ids=["none", "failed", "whole", "dropped", "zero", "far", "three"],
)
def test_a_chart_without_data_is_drawn_all_the_same(kind, found):
    axes = axes_of(kind, found, compared=len(found) < 12, placed=not found)
    assert any(texts(axes))


def test_a_picture_is_as_wide_as_promised():
    image = Image.open(io.BytesIO(draw("errors", subject_of([]), "png")))
    assert image.width == WIDTH * DPI


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_are_drawn_as_text(kind):
    hosts = ["$^$", "a$b$c", "<script>&", "\x1b[31m", "日本", "\udc80", "x" * 500]
    svg = draw(kind, subject_of(timings(hosts, n=12), run_row(hosts)), "svg")
    assert b"<script>" not in svg
    assert len(svg) < 3_000_000


def test_an_ecdf_ends_at_the_share_that_was_answered():
    found = timings(n=20, fail={"zai": 0.5})
    plot = axes_of("ttft-ecdf", found)[0]
    ends = {line.get_color(): line.get_ydata()[-1] for line in plot.lines}
    ok = sum(row.provider == "zai" and row.outcome == "ok" for row in found)
    assert ok < 20
    assert ends[LIGHT.hosts[2]] == pytest.approx(ok / 20)
    assert ends[LIGHT.hosts[0]] == 1


def test_errors_are_stacked_to_the_whole_of_each_host():
    plot = axes_of("errors", timings(n=20, fail={"zai": 0.5, "ourtoken": 1.0}))[0]
    widths = {}
    for bar in plot.patches:
        y = round(bar.get_y() + bar.get_height() / 2)
        widths[y] = widths.get(y, 0) + bar.get_width()
    assert widths == {0: pytest.approx(1), 1: pytest.approx(1), 2: pytest.approx(1)}
    said = texts([plot])
    assert "rate_limited 20; ok: 0 % (0 % to 16.1 %)" in said
    assert "ok 20; ok: 100 % (83.9 % to 100 %)" in said


def test_failures_stand_in_the_chart_over_time():
    found = timings(n=30, fail={"zai": 0.4})
    bad = [row for row in found if row.outcome != "ok"]
    _, strip, _, _ = sorted(
        axes_of("over-time", found, placed=True), key=lambda a: -a.get_position().y0
    )
    (marks,) = strip.lines
    assert marks.get_marker() == "x"
    assert sorted(marks.get_xdata()) == sorted(row.sent_s for row in bad)
    assert f"zai\n{len(bad)} failed" in texts([strip])


def test_what_a_run_has_no_data_for_is_left_out_and_said():
    kinds, why = drawable(subject_of(timings(n=12), compared=True))
    assert set(kinds) | set(why) == set(KINDS)
    assert why["hour-of-week"] == "the run lasted less than a day"
    assert "about as long" in why["prompt-length"]
    assert "cost-cache" in why
    assert {"errors", "ttft-ecdf", "contrasts", "raster", "gaps"} <= set(kinds)
    assert {"pass-rate", "quality-price"} <= set(kinds)
    kinds, why = drawable(subject_of([]))
    assert kinds == ["errors", "over-time"]
    refused = msgspec.structs.replace(
        subject_of(timings(n=12)), refused="models differ"
    )
    assert "models differ" in drawable(refused)[1]["contrasts"]


def test_boxes_keep_to_the_floors():
    few = axes_of("latency-box", timings(("a",), n=10), hosts=("a",))[0]
    assert not few.patches
    assert not few.lines
    assert len(few.collections[0].get_offsets()) == 10
    median = axes_of("latency-box", timings(("a",), n=11), hosts=("a",))[0]
    assert not median.patches
    assert len(median.lines) == 2  # with its interval
    box = axes_of("latency-box", timings(("a",), n=24), hosts=("a",))[0]
    assert len(box.patches) == 1
    whiskers = axes_of("latency-box", timings(("a",), n=130), hosts=("a",))[0]
    assert len(whiskers.lines) == 4


def test_cost_names_the_hosts_it_cannot_place():
    found = [row for row in timings(n=12) if row.provider != "zai"]
    found += [timing(100 + n, provider="zai", e2e_ms=5.0) for n in range(12)]
    said = texts(axes_of("cost-speed", found))
    assert "not shown: zai: n=12, 100 % ok; 12 ok requests unpriced" in said
    assert any(text.startswith("ourtoken\n") for text in said)


def test_labels_of_close_points_do_not_overlap():
    hosts = [f"host-{n}" for n in range(6)]
    found = [
        timing(6 * n + i, provider=host, cost_usd=0.001 + i * 1e-6, e2e_ms=500.0 + i)
        for n in range(12)
        for i, host in enumerate(hosts)
    ]
    plot = axes_of("cost-speed", found, hosts=hosts, placed=True)[0]
    boxes = [mpl.text.Text.get_window_extent(text) for text in plot.texts]
    assert len(boxes) == 6
    for n, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[n + 1 :])
        assert plot.bbox.x0 <= box.x0
        assert box.x1 <= plot.bbox.x1


def test_a_host_looks_the_same_in_every_chart_and_unlike_the_others():
    made = subject_of(timings(LONG[3:5], n=2), run_row(LONG))
    found = cast(made, made.frame.segments, LIGHT)
    assert len({host.colour for host in found}) == 8
    assert len({host.marker for host in found}) == 8
    assert found[3].colour == LIGHT.hosts[3]
    assert len(found[3].rows) == 2
    dark = cast(made, made.frame.segments, DARK)
    assert [host.marker for host in dark] == [host.marker for host in found]
    many = cast(subject_of([], run_row([str(n) for n in range(12)])), [], LIGHT)
    assert len({(host.colour, host.marker) for host in many}) == 12
    assert len({(host.colour, str(host.line)) for host in many}) == 12


def test_load_steps_become_panels_or_one_line_over_the_load():
    job = json.dumps({"load": {"rates": [], "concurrencies": [1, 8, 64]}})
    found = [row for s in range(3) for row in timings(n=12, step=s, first=100 * s)]
    panels = axes_of("ttft-ecdf", found, job=job)
    titles = [axes.get_title(loc="left") for axes in panels]
    assert [title for title in titles if title] == [
        f"scenario chat-1k, concurrency {n}" for n in (1, 8, 64)
    ]
    plots = axes_of("throughput", found, job=job)[:4]
    for plot in plots:
        curves = [line for line in plot.lines if len(line.get_xdata()) == 3]
        assert len(curves) == len(HOSTS)
        assert [list(line.get_xdata()) for line in curves] == [[1, 8, 64]] * 3
    assert plots[3].get_xlabel() == "load: concurrency"
    assert [tick.get_text() for tick in plots[3].get_xticklabels()] == ["1", "8", "64"]
    late = [row for row in found if row.provider != "zai" or row.step]
    lines = axes_of("throughput", late, job=job)[0].lines
    assert [list(line.get_xdata()) for line in lines] == [[1, 8, 64]] * 2 + [[8, 64]]
    rates = json.dumps({"load": {"rates": [0.5, 2.0, 4.0], "concurrencies": [1000]}})
    plot = axes_of("throughput", found, job=rates)[3]
    assert plot.get_xlabel() == "load: blocks/s"
    assert [tick.get_text() for tick in plot.get_xticklabels()] == ["0.5", "2", "4"]


def test_a_legend_says_whose_requests_were_cut_off():
    found = [*timings(n=3), timing(999, outcome="interrupted", blame="client")]
    subject = subject_of(found)
    first, *others = cast(subject, subject.frame.segments, LIGHT)
    assert first.facts == "n=4, 100 % ok, 1 cut off"
    assert {each.facts for each in others} == {"n=3, 100 % ok"}


def test_what_is_not_drawn_is_said():
    found = [
        row for n in range(8) for row in timings(n=1, scenario=f"s{n}", first=10 * n)
    ]
    found += [timing(999, outcome="interrupted", blame="client")]
    figure = charts._figure(KINDS["errors"], subject_of(found), LIGHT)
    said = [text.get_text() for text in figure.texts]
    assert any("3 more scenarios and steps are not drawn" in text for text in said)
    assert any("1 requests were cut off by us (ourtoken 1)" in text for text in said)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_leaves_the_page(kind):
    found = timings(LONG, n=12, fail={LONG[2]: 1.0, LONG[4]: 0.5})
    with mpl.rc_context(rc(LIGHT)):
        figure = charts._figure(KINDS[kind], subject_of(found, run_row(LONG)), LIGHT)
        charts.settle(figure)
        figure.draw_without_rendering()
        box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_of_many_hosts_those_asked_most_are_drawn_and_it_is_said(kind):
    hosts = [f"h{n:02}" for n in range(40)]
    found = timings(hosts, n=12) + timings(hosts[20:30], n=3, first=1000)
    subject = subject_of(found, run_row(hosts, prices=PRICES))
    assert list(subject.drawn) == ["h00", "h01", *hosts[20:30]]
    axes = axes_of(kind, found, hosts, prices=PRICES, placed=True)
    said = "\n".join([*texts(axes), *(t.get_text() for t in axes[0].figure.texts)])
    assert "12 of 40 hosts are drawn, those asked most" in said
    assert "h02" not in said


def test_the_reference_is_among_the_hosts_that_are_drawn():
    hosts = [f"h{n:02}" for n in range(14)]
    subject = subject_of(timings(hosts, n=12), run_row(hosts), compared=True)
    late = msgspec.structs.replace(subject.comparison, reference="h13")
    drawn = msgspec.structs.replace(subject, comparison=late).drawn
    assert list(drawn) == [*hosts[:11], "h13"]


@pytest.mark.parametrize(
    "kind", ["latency-box", "percentiles", "gaps", "raster", "over-time", "cost-speed"]
)
@pytest.mark.parametrize("spread", [1.5, 100, 1_000, 1e5])
def test_no_tick_is_written_over_another(kind, spread):
    draw = random.Random(1)
    found = [
        msgspec.structs.replace(
            row,
            ttft_ms=90.0 * spread ** draw.random(),
            e2e_ms=900.0 * spread ** draw.random(),
            sent_s=row.sent_s * spread * 40,
            cost_usd=0.001 * spread ** draw.random(),
        )
        for row in timings(n=30)
    ]
    subject = subject_of(found, run_row(prices=PRICES), compared=True)
    gaps = np.array([20.0 * spread ** draw.random() for _ in found])
    vars(subject)["gaps"] = {"gap_p50_ns": gaps / 10, "gap_max_ns": gaps}
    with mpl.rc_context(rc(LIGHT)):
        figure = charts._figure(KINDS[kind], subject, LIGHT)
        charts.settle(figure)
        for axes in figure.axes:
            low, high = sorted(axes.get_xlim())
            boxes = [
                label.get_window_extent()
                for label in axes.get_xticklabels()
                if label.get_visible() and low <= label.get_position()[0] <= high
            ]
            boxes = sorted((b for b in boxes if b.width), key=lambda box: box.x0)
            for a, b in pairwise(boxes):
                assert a.x1 <= b.x0 + 1, [t.get_text() for t in axes.get_xticklabels()]


def test_files_are_named_for_run_and_kind_and_are_private(tmp_path):
    paths = write(["errors"], subject_of(timings(n=2)), tmp_path / "new", "svg")
    assert [path.name for path in paths] == ["20261103-090000-abcd-errors.svg"]
    assert stat.S_IMODE(paths[0].stat().st_mode) == 0o600
    assert list((tmp_path / "new").iterdir()) == paths


def test_a_file_that_is_there_is_kept_unless_forced(tmp_path):
    (path,) = write(["errors"], subject_of([]), tmp_path, "png")
    path.write_bytes(b"mine")
    with pytest.raises(ChartError, match="--force"):
        write(["ttft-ecdf", "errors"], subject_of([]), tmp_path, "png")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"mine"
    write(["errors"], subject_of([]), tmp_path, "png", force=True)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("run_id", ["../x", ".hidden", "a/b", "", "a" * 81, "a\n"])
def test_an_unsafe_run_id_names_no_file(tmp_path, run_id):
    with pytest.raises(ChartError, match="cannot name a file"):
        write(["errors"], subject_of([], run_row(run_id=run_id)), tmp_path, "png")
    assert not list(tmp_path.iterdir())


def test_unknown_kinds_and_formats_offer_the_nearest(tmp_path):
    with pytest.raises(ChartError, match="did you mean 'ttft-ecdf'"):
        write(["ttft-ecfd"], subject_of([]), tmp_path, "png")
    with pytest.raises(ChartError, match="did you mean 'light'"):
        draw("errors", subject_of([]), "png", "lihgt")
    with pytest.raises(ChartError, match="known: png, svg, pdf"):
        draw("errors", subject_of([]), "xyzzy")


def test_an_unwritable_folder_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ChartError, match="cannot be written"):
        write(["errors"], subject_of([]), tmp_path / "file", "png")
