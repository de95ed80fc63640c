"""Intervals in charts, and what is said where there is none."""

import matplotlib as mpl
import numpy as np
import pytest
from made import HOSTS, run_row, subject_of, timing
from scipy import stats as scipy_stats

from compare.judge.economy import interval_of_mean
from compare.judge.stats import share_interval, share_intervals
from compare.show import charts
from compare.show.kinds import KINDS
from compare.show.theme import LIGHT, rc


def drawn(kind, subject):
    with mpl.rc_context(rc(LIGHT)):
        figure = charts._figure(KINDS[kind], subject, LIGHT)
        charts.settle(figure)
    return figure.axes


def in_colour(plot, n):
    return [line for line in plot.lines if line.get_color() == LIGHT.hosts[n]]


def priced(n, cost, e2e=lambda _: 500.0):
    """Blocks of answers of three hosts, of which each has its cost and its time."""
    return [
        timing(3 * k + i, block=k, provider=host, ttft_ms=90.0, cost_usd=cost(i, k),
               e2e_ms=e2e(i) + k % 7)
        for k in range(n)
        for i, host in enumerate(HOSTS)
    ]  # fmt: skip


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_a_mean_cost_has_the_interval_of_its_bootstrap():
    costs = np.random.default_rng(5).lognormal(0, 0.8, 200)
    low, high = interval_of_mean(costs)
    theirs = scipy_stats.bootstrap(
        (costs,), np.mean, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), rel=0.02)
    assert interval_of_mean(costs[:23]) == (None, None)
    many = np.random.default_rng(5).lognormal(0, 0.8, 20_000)
    near = scipy_stats.norm.interval(0.95, many.mean(), many.std(ddof=1) / 20_000**0.5)
    assert interval_of_mean(many) == pytest.approx(near)
    assert interval_of_mean(np.full(30, 0.25)) == (0.25, 0.25)


def test_cost_has_its_interval_or_says_that_it_has_none():
    plot, _ = drawn("cost-speed", subject_of(priced(30, lambda i, k: 1e-3 + k * 1e-5)))
    level = in_colour(plot, 0)[0]
    costs = np.array([1e-3 + k * 1e-5 for k in range(30)])
    low, high = interval_of_mean(costs)
    assert list(level.get_xdata()) == pytest.approx([1000 * low, 1000 * high])
    assert len(set(level.get_ydata())) == 1
    plot, foot = drawn("cost-speed", subject_of(priced(15, lambda i, k: 1e-3)))
    assert not len(in_colour(plot, 0)[0].get_xdata())
    told = [text.get_text() for text in foot.texts]
    assert "ourtoken: interval of the cost n/a (n=15 < 24)" in told


@pytest.mark.parametrize(
    ("cost", "e2e"),
    [
        (lambda i, k: 1e-3, lambda i: 500.0),
        (lambda i, k: 1e-3 + i * 1e-8, lambda i: 500.0 + 100 * i),
        (lambda i, k: 0.0, lambda i: 0.0),
        (lambda i, k: [1e-3, 1e-3, 2e-3][i], lambda i: [500, 500, 300][i]),
    ],
    ids=["equal", "alike", "nothing", "tied"],
)
def test_ticks_of_alike_costs_differ_and_every_host_is_named(cost, e2e):
    plot, _ = drawn("cost-speed", subject_of(priced(12, cost, e2e)))
    for axis in (plot.xaxis, plot.yaxis):
        texts = ticks(axis)
        assert len(set(texts)) == len(texts) > 1
    named = [text.get_text().partition("\n")[0] for text in plot.texts]
    assert named == list(HOSTS)
    boxes = [mpl.text.Text.get_window_extent(text) for text in plot.texts]
    assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[n + 1 :])


def test_what_is_alike_is_not_drawn_apart():
    plot, _ = drawn("cost-speed", subject_of(priced(12, lambda i, k: 1 + i * 1e-5)))
    low, high = plot.get_xlim()
    assert (high - low) > 0.09 * high


def test_of_tied_hosts_all_that_are_efficient_are_filled():
    rows = priced(12, lambda i, k: [1e-3, 1e-3, 2e-3][i], lambda i: [500, 500, 300][i])
    plot, _ = drawn("cost-speed", subject_of(rows))
    fills = [in_colour(plot, n)[-1].get_markerfacecolor() for n in range(3)]
    assert fills == list(LIGHT.hosts[:3])


def test_one_host_and_hosts_of_unknown_cost():
    rows = [row for row in priced(12, lambda i, k: 1e-3) if row.provider == "zai"]
    plot, foot = drawn("cost-speed", subject_of(rows, run_row(("zai",))))
    assert [text.get_text() for text in plot.texts] == ["zai\nn=12, 100 % ok"]
    rows = priced(12, lambda i, k: None if i else 1e-3)
    foot = drawn("cost-speed", subject_of(rows))[1]
    told = " ".join(text.get_text() for text in foot.texts)
    assert "not shown: zai: n=12, 100 % ok; 12 ok requests unpriced" in told


def failing(n, every, provider="a", **what):
    """Requests of which every so-manieth failed."""
    return [
        timing(k, provider=provider, sent_s=float(k), end_s=k + 1.0, **what)
        if k % every
        else timing(k, provider=provider, sent_s=float(k), end_s=k + 1.0,
                    outcome="timeout", blame="provider")
        for k in range(n)
    ]  # fmt: skip


def test_the_share_of_what_was_ok_has_its_interval():
    rows = failing(90, 10)
    rows += [timing(100 + k, provider="a", outcome="interrupted") for k in range(10)]
    plot = drawn("errors", subject_of(rows, run_row(("a",))))[0]
    line = next(each for each in plot.lines if each.get_marker() == "|")
    low, high = share_interval(81, 90)
    # Of 100 requests 90 were judged; the bar has all of them.
    assert list(line.get_xdata()) == pytest.approx([0.9 * low, 0.9 * high])
    assert low < 0.9 < high
    (text,) = [each.get_text() for each in plot.texts]
    assert text.endswith("ok: 90.0 % (82.1 % to 94.6 %)")
    nothing = [timing(k, provider="a", outcome="interrupted") for k in range(3)]
    plot = drawn("errors", subject_of(nothing, run_row(("a",))))[0]
    assert plot.texts[0].get_text().endswith("ok: n/a (none counted)")


def test_failures_in_the_course_of_time_have_their_intervals():
    rows = failing(200, 4, ttft_ms=90.0)
    axes = drawn("over-time", subject_of(rows, run_row(("a",))))
    shares = next(each for each in axes if each.get_ylabel() == "failed")
    (line,) = shares.lines
    assert np.allclose(line.get_ydata(), 0.25, atol=0.06)
    assert len(line.get_ydata()) == 10
    (band,) = shares.collections
    corners = band.get_paths()[0].vertices[:, 1]
    low, high = share_interval(5, 20)
    assert corners.min() == pytest.approx(low, abs=0.05)
    assert corners.max() == pytest.approx(high, abs=0.05)
    good = [row for row in rows if row.outcome == "ok"]
    axes = drawn("over-time", subject_of(good, run_row(("a",))))
    assert not [each for each in axes if each.get_ylabel() == "failed"]


def probe(every, days=8, **what):
    rows = [
        timing(k, provider="a", sent_s=k * every, end_s=k * every + 1,
               ttft_ms=90.0 * (1 + 3 * (k % 3)), **what)
        for k in range(int(days * 86_400 / every))
    ]  # fmt: skip
    return subject_of(rows, run_row(("a",), started_at="2026-11-02T00:00:00+00:00"))


def hatched(axes):
    """Return how many hours of a map are hatched."""
    (_, over) = axes.collections
    return int((~np.ma.getmaskarray(over.get_array())).sum())


def test_thin_hours_are_hatched_and_their_numbers_told():
    axes = drawn("hour-of-week", probe(240.0, days=7))  # 15 an hour
    left = next(each for each in axes if each.get_xlabel().startswith("median"))
    right = next(each for each in axes if each.get_xlabel().startswith("ok"))
    assert hatched(right) == 168  # 15 of 15 may be as few as 80 %
    assert hatched(left) == 168  # medians of such unlike times are loose
    assert left.get_ylabel().endswith("15 to 15 an hour")
    axes = drawn("hour-of-week", probe(60.0, days=8))
    right = next(each for each in axes if each.get_xlabel().startswith("ok"))
    assert hatched(right) == 0
    texts = [
        text.get_text()
        for each in axes
        if each.get_legend()
        for text in each.get_legend().get_texts()
    ]
    assert "wide interval" in texts


def test_thin_cells_of_the_calendar_are_low_and_hosts_have_their_interval():
    few = drawn("calendar", probe(7200.0))
    assert {round(cell.get_height(), 2) for cell in few[0].patches} == {0.25}
    many = drawn("calendar", probe(600.0))
    assert {round(cell.get_height(), 2) for cell in many[0].patches} == {0.7}
    sides = [ticks(each.yaxis) for each in few]
    assert ["100 %\n(96.2 % to 100 %)"] in sides


def test_shares_have_the_intervals_of_each_alone():
    parts, wholes = [0, 3, 10, 0], [10, 10, 10, 0]
    found = share_intervals(parts, wholes)
    for ends, part, whole in zip(found[:3], parts, wholes, strict=False):
        assert tuple(ends) == share_interval(part, whole)
    assert np.isnan(found[3]).all()
    assert share_interval(140, 140)[1] == 1.0
    assert share_interval(0, 140)[0] == 0.0
