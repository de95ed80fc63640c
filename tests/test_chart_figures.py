"""Charts by their data: what is drawn is what the judge says."""

import json

import matplotlib as mpl
import msgspec
import numpy as np
import pytest
from made import HOSTS, more_of, run_row, subject_of, timing, timings

from compare.judge.accepted import accepted
from compare.judge.frame import Segment
from compare.judge.stats import quantile, share_interval
from compare.judge.tally import values
from compare.show import charts, verdicts
from compare.show.curves import PLACES, thinned
from compare.show.kinds import KINDS
from compare.show.theme import LIGHT, rc
from data.verdicts import Verdicts

SEGMENT = Segment("chat-1k", 0)
PRICE = {"id": "p", "host": "h", "source": "x", "output_pusd": 2_640_000}


def drawn(kind, subject):
    with mpl.rc_context(rc(LIGHT)):
        return charts._figure(KINDS[kind], subject, LIGHT).axes


def in_colour(lines, n):
    return [line for line in lines if line.get_color() == LIGHT.hosts[n]]


def words(axes):
    return [text.get_text() for text in axes.texts]


def ticks(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


@pytest.mark.parametrize("metric", ["ttft", "e2e"])
def test_an_ecdf_has_each_share_with_its_wilson_interval(metric):
    found = timings(n=40, fail={"zai": 0.4})
    plot = drawn(f"{metric}-ecdf", subject_of(found))[0]
    rows = [row for row in found if row.provider == "zai"]
    times = sorted(values(rows, metric))
    curve = in_colour(plot.lines, 2)[0]
    assert list(curve.get_xdata())[1:] == times
    assert list(curve.get_ydata()) == pytest.approx(
        [k / 40 for k in range(len(times) + 1)]
    )
    band = plot.collections[2].get_paths()[0].vertices
    low, high = share_interval(len(times), 40)
    assert band[:, 1].max() == pytest.approx(high)
    at_last = band[np.isclose(band[:, 0], times[-1]), 1]
    assert np.isclose(at_last, low).any()


def test_a_curve_of_a_host_that_hung_ends_below_the_share_that_was_answered():
    found = timings(("a",), n=30)
    cut = {"provider": "a", "outcome": "interrupted", "blame": "client", "sent_s": 0.0}
    found += [timing(50 + n, **cut, end_s=40.0) for n in range(10)]
    found += [timing(70 + n, **cut, end_s=0.01) for n in range(10)]
    plot = drawn("ttft-ecdf", subject_of(found, run_row(("a",))))[0]
    assert in_colour(plot.lines, 0)[0].get_ydata()[-1] == pytest.approx(30 / 40)


def test_answers_without_the_figure_are_left_out_and_counted():
    found = timings(("a",), n=20)
    found += [timing(50 + n, provider="a", stream_label="not_streamed", e2e_ms=9.0)
              for n in range(5)]  # fmt: skip
    plot = drawn("ttft-ecdf", subject_of(found, run_row(("a",))))[0]
    assert in_colour(plot.lines, 0)[0].get_ydata()[-1] == 1
    assert "(5 ok answers without it are left out)" in plot.get_xlabel()


@pytest.mark.parametrize("log", [False, True])
def test_a_thinned_staircase_is_exact_to_a_pixel(log):
    many = np.sort(np.random.default_rng(1).lognormal(5, 1, 100_000))
    at = thinned(many, many[0], many[-1], log=log)
    assert len(at) <= PLACES + 2
    assert {many[0], many[-1]} <= set(at)
    assert np.isin(at, many).all()  # at them the share is exact
    place = np.log(many) if log else many
    width = (place[-1] - place[0]) / PLACES
    kept = at[np.searchsorted(at, many, side="left")]  # where a step is drawn
    off = (np.log(kept) if log else kept) - place
    assert off.min() >= 0
    assert off.max() <= width * 1.001
    few = np.array([1.0, 2.0, 2.0, 5.0])
    assert list(thinned(few, 1.0, 5.0, log=log)) == [1.0, 2.0, 5.0]


def test_percentiles_are_the_judges_with_their_intervals_or_floors():
    found = timings(("a",), n=150)
    plot = drawn("percentiles", subject_of(found, run_row(("a",))))[0]
    bars = [line for line in plot.lines if len(line.get_xdata()) == 2]
    dots = [line for line in plot.lines if len(line.get_xdata()) == 1]
    times = values(found, "ttft")
    for n, q in enumerate((0.5, 0.9, 0.95)):
        each = quantile(times, q)
        assert dots[n].get_xdata()[0] == pytest.approx(each.value)
        high = each.value if each.high is None else each.high
        assert list(bars[n].get_xdata()) == pytest.approx([each.low, high])
    assert "p99 n/a (n=150 < 662)" in words(plot)
    assert len(dots) == 3


def test_failures_move_the_open_mark_of_a_percentile():
    found = timings(("a",), n=200, fail={"a": 0.04})
    plot = drawn("percentiles", subject_of(found, run_row(("a",))))[0]
    marks = [line for line in plot.lines if len(line.get_xdata()) == 1]
    hollow = [m.get_xdata()[0] for m in marks if m.get_markerfacecolor() == LIGHT.paper]
    worse = subject_of(found).summaries[SEGMENT, "a"].ttft_p95_adjusted
    assert worse.value in [pytest.approx(x) for x in hollow]
    half = timings(("a",), n=200, fail={"a": 0.5})
    plot = drawn("percentiles", subject_of(half, run_row(("a",))))[0]
    marks = [line for line in plot.lines if len(line.get_xdata()) == 1]
    assert not [m for m in marks if m.get_markerfacecolor() == LIGHT.paper]


def test_a_forest_has_every_contrast_and_its_verdict():
    subject = subject_of(timings(n=60, fail={"zai": 0.1}), compared=True)
    plot, _, side = drawn("contrasts", subject)
    found = {(c.metric, c.provider): c for c in subject.comparison.contrasts}
    labels, said = ticks(plot), ticks(side)
    start = labels.index("end to end")
    for n, host in enumerate(("openrouter-auto", "zai"), start + 1):
        each = found["e2e", host]
        assert labels[n].startswith(host)
        assert said[n].startswith(
            f"{each.estimate:.2f} ({each.low:.2f} to {each.high:.2f})"
        )
        assert each.verdict is None or each.verdict in said[n]
        line = next(
            line
            for line in plot.lines
            if list(line.get_ydata()) == [n, n] and len(line.get_xdata()) == 2
            and line.get_xdata()[0] == pytest.approx(each.low)
        )  # fmt: skip
        assert line.get_xdata()[1] == pytest.approx(each.high)
        colour = {"slower": LIGHT.slower, "faster": LIGHT.faster}
        assert line.get_color() == colour.get(each.verdict, LIGHT.muted)
    assert "time to first answer" not in labels  # the same as the first token here
    assert f"n={found['e2e', 'zai'].n_blocks}" in said[start + 2]
    assert "98" not in plot.get_xlabel()
    assert "ratio to ourtoken, 100 % ok" in plot.get_xlabel()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"comparison": None, "refused": "asked unlike things"},
            "not compared: asked unlike things",
        ),
        ({"comparison": None}, "the hosts were not compared"),
    ],
)
def test_a_forest_without_contrasts_says_why(change, why):
    subject = subject_of(timings(n=12), compared=True)
    plot = drawn("contrasts", msgspec.structs.replace(subject, **change))[0]
    assert why in words(plot)
    one = subject_of(timings(("a",), n=12), run_row(("a",)), compared=True)
    assert "one host only" in words(drawn("contrasts", one)[0])[0]


def sweep(steps, rate, ms):
    """Blocks of one host at each step, at such rates and such times."""
    found = []
    for step in range(steps):
        start = 1000.0 * step
        for n in range(20):
            sent = start + n / rate[step]
            found.append(
                timing(
                    100 * step + n, step=step, provider="a", sent_s=sent,
                    end_s=sent + ms[step] / 1e3, ttft_ms=ms[step] / 2,
                    e2e_ms=ms[step], completion_tokens=10,
                )
            )  # fmt: skip
    return found


def test_a_sweep_rings_the_knee_and_keeps_to_objectives():
    job = {"load": {"concurrencies": [1, 2, 4, 8]}, "slo": {"e2e": 500.0}}
    found = sweep(4, [1.0, 2.0, 4.0, 4.1], [100.0, 100.0, 110.0, 900.0])
    subject = subject_of(found, run_row(("a",), job=json.dumps(job)))
    tokens, good, first, share, foot, _ = drawn("throughput", subject)
    summaries = [subject.summaries[Segment("chat-1k", n), "a"] for n in range(4)]
    line = in_colour(tokens.lines, 0)[0]
    assert list(line.get_ydata()) == pytest.approx([s.system_tps for s in summaries])
    rates = list(in_colour(good.lines, 0)[0].get_ydata())
    assert rates == pytest.approx([s.goodput.per_s for s in summaries])
    assert rates[3] == 0  # none met the objective
    assert good.get_ylabel() == "good answers/s"
    ring = good.lines[1]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (4, pytest.approx(rates[2]))
    assert any("a: knee at concurrency 4" in text for text in words(foot))
    medians = in_colour(first.lines, 0)[0].get_ydata()
    assert list(medians) == [s.ttft_p50.value for s in summaries]
    assert list(in_colour(share.lines, 0)[0].get_ydata()) == [1, 1, 1, 1]


def test_medians_by_length_of_prompt_are_of_their_classes():
    found = []
    for n in range(120):
        length = (500, 4000, 30_000)[n % 3]
        found.append(
            timing(n, provider="a", prompt_tokens=length, ttft_ms=length / 10 + n % 7)
        )
    plot = drawn("prompt-length", subject_of(found, run_row(("a",))))[0]
    line = next(each for each in plot.lines if len(each.get_xdata()) > 2)
    got = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    for length in (500, 4000, 30_000):
        mine = [row.ttft_ms for row in found if row.prompt_tokens == length]
        assert got[length] == pytest.approx(quantile(mine, 0.5).value)


def test_a_raster_has_each_event_where_it_came():
    found = timings(n=30, fail={"zai": 0.3})
    plot = drawn("raster", subject_of(found))[0]
    marks = [line for line in in_colour(plot.lines, 0) if len(line.get_xdata()) > 2]
    assert len(marks) == 12
    middle = [row for row in found if row.provider == "ourtoken"][9:21]
    for line, row in zip(marks, middle, strict=True):
        expected = row.ttft_ms + row.tpot_ms * np.arange(row.completion_tokens)
        assert list(line.get_xdata()[::3]) == pytest.approx(list(expected), abs=0.002)
    crosses = [line for line in plot.lines if line.get_marker() == "x"]
    blocks = {row.block for row in middle}
    failed = [r for r in found if r.outcome != "ok" and r.block in blocks]
    assert len(crosses) == len(failed)


def test_gaps_are_the_stored_ones_and_stalls_are_counted():
    found = timings(("a",), n=400)
    axes = drawn("gaps", subject_of(found, run_row(("a",))))
    last = next(each for each in axes if "longest" in each.get_xlabel())
    line = in_colour(last.lines, 0)[0]
    longest = np.array([20 + 5 * row.seq for row in found])
    assert list(line.get_xdata())[1:] == pytest.approx(list(longest))
    beyond = 1 - np.arange(1, 401) / 400
    assert list(line.get_ydata())[1:] == pytest.approx(list(beyond))
    legend = next(each.get_legend() for each in axes if each.get_legend())
    stood = f"{(longest >= 1000).mean() * 100:.1f} % of answers stood still for 1 s"
    assert stood in legend.get_texts()[0].get_text()


def test_rows_that_came_since_are_not_drawn():
    found = timings(("a",), n=20)
    later = more_of([*found, timing(99, ttft_ms=1.0)])
    subject = subject_of(found, run_row(("a",)))
    gaps = msgspec.structs.replace(subject, more=later).gaps
    assert list(gaps["gap_max_ns"]) == list(subject.gaps["gap_max_ns"])


@pytest.mark.parametrize("started_at", ["long ago", "9999-12-31T23:59:59+00:00"])
def test_a_start_that_no_calendar_has_is_said(started_at):
    run = run_row(("a",), started_at=started_at)
    plot = drawn("calendar", subject_of(list(probe(days=2)), run))[0]
    assert "when the run started is not known" in words(plot)
    drawn("hour-of-week", subject_of(list(probe(days=2)), run))


def test_cost_and_speed_are_the_summaries_and_the_frontier_is_dashed():
    subject = subject_of(timings(n=20))
    plot = drawn("cost-speed", subject)[0]
    summaries = [subject.summaries[SEGMENT, host] for host in HOSTS]
    for n, each in enumerate(summaries):
        _, bar, mark = in_colour(plot.lines, n)
        ends = (each.e2e_p50.low, each.e2e_p50.high)
        assert tuple(bar.get_ydata()) == pytest.approx(ends)
        assert mark.get_xdata()[0] == pytest.approx(each.cost_per_1k_usd)
        assert mark.get_ydata()[0] == pytest.approx(each.e2e_p50.value)
    # The first host is cheapest and fastest here: the others are beaten.
    hollow = [in_colour(plot.lines, n)[2].get_markerfacecolor() for n in range(3)]
    assert hollow == [LIGHT.hosts[0], LIGHT.paper, LIGHT.paper]


def test_cache_lines_meet_at_the_break_even_point():
    prices = {
        "a": PRICE | {"input_pusd": 840_000, "cache_read_pusd": 156_000},
        "b": PRICE | {"input_pusd": 700_000, "cache_read_pusd": 400_000},
        "c": PRICE | {"input_pusd": 700_000},
    }
    found = timings(("a", "b", "c"), n=20)
    run = run_row(("a", "b", "c"), prices=json.dumps(prices))
    plot, _, foot = drawn("cost-cache", subject_of(found, run))
    one, two = (in_colour(plot.lines, n)[0].get_ydata() for n in (0, 1))
    ring = next(
        line for line in plot.lines if line.get_markerfacecolor() == LIGHT.paper
    )
    at, usd = ring.get_xdata()[0], ring.get_ydata()[0]
    assert usd == pytest.approx(one[0] + (one[1] - one[0]) * at)
    assert usd == pytest.approx(two[0] + (two[1] - two[0]) * at)
    measured = in_colour(plot.lines, 0)[1]
    assert measured.get_xdata()[0] == pytest.approx(0.25)
    said = " ".join(words(foot))
    assert f"break even with a: b at {at * 100:.1f} % cached" in said
    assert "not shown: c: no listed price of cached tokens" in said
    assert not in_colour(plot.lines, 2)


def test_bars_are_what_an_accepted_answer_took():
    found = timings(n=30, fail={"zai": 0.2})
    subject = subject_of(found)
    axes = drawn("accepted", subject)
    usd, seconds = (
        next(each for each in axes if word in each.get_xlabel())
        for word in ("USD", "seconds")
    )
    for n, host in enumerate(HOSTS):
        each = accepted(subject.frame, subject.frame.rows(SEGMENT, host))
        assert usd.patches[n].get_width() == pytest.approx(1000 * each.usd.value)
        assert seconds.patches[n].get_width() == pytest.approx(each.seconds.value)
    assert sum(text.startswith("at least $") for text in words(usd)) == 1


def test_an_outage_is_a_gap_in_the_line_over_time():
    rows = []
    for n in range(600):
        down = 200 <= n < 300
        what = (
            {"outcome": "http_error", "blame": "provider"}
            if down
            else {"ttft_ms": 90.0}
        )
        rows.append(
            timing(n, provider="a", sent_s=60.0 * n, end_s=60.0 * n + 1, **what)
        )
    plot, strip, _, shares = drawn("over-time", subject_of(rows, run_row(("a",))))
    line = in_colour(plot.lines, 0)[0]
    x, y = np.array(line.get_xdata()), np.array(line.get_ydata())
    assert shares.get_xlabel().startswith("hours")
    down = (x > 210 / 60) & (x < 290 / 60)
    up = (x < 190 / 60) | (x > 310 / 60)
    assert down.sum() >= 3
    assert np.isnan(y[down]).all()
    assert list(y[up]) == [90.0] * up.sum()
    assert len(strip.lines[0].get_xdata()) == 100


def test_a_break_of_a_resumed_run_is_shaded():
    subject = subject_of(timings(n=40))
    frame = msgspec.structs.replace(subject.frame, breaks=((3.0, 7.0),))
    plot = drawn("over-time", msgspec.structs.replace(subject, frame=frame))[0]
    (shade,) = [p for p in plot.patches if p.get_width() == pytest.approx(4.0)]
    assert shade.get_x() == 3.0


def probe(days=14, every=300.0):
    n = int(days * 86400 / every)
    for k in range(n):
        down = 3 * 86400 <= k * every < 4 * 86400
        what = (
            {"outcome": "http_error", "blame": "provider"}
            if down
            else {"ttft_ms": 90.0}
        )
        yield timing(k, provider="a", sent_s=k * every, end_s=k * every + 1, **what)


def test_the_heat_map_has_the_hours_of_the_week():
    run = run_row(("a",), started_at="2026-11-02T00:00:00+00:00")  # a Monday
    axes = drawn("hour-of-week", subject_of(list(probe()), run))
    left, right = (
        next(each for each in axes if each.get_xlabel().startswith(word))
        for word in ("median", "ok")
    )
    times = left.collections[0].get_array().reshape(7, 24)
    classes = right.collections[0].get_array().reshape(7, 24)
    assert np.allclose(times[0], 90.0)
    # Of two Thursdays one was down: 12 answers are left of each hour.
    assert np.allclose(times[3], 90.0)
    assert (classes[3] == 5).all()  # less than 90 %
    assert (np.delete(classes, 3, axis=0) == 0).all()
    short = drawn("hour-of-week", subject_of(list(probe(every=3600.0)), run))
    assert "no hour has 11 answers yet" in words(short[1])


def test_the_calendar_has_a_cell_a_day():
    run = run_row(("a",), started_at="2026-11-02T00:00:00+00:00")
    plot = drawn("calendar", subject_of(list(probe()), run))[0]
    cells = plot.patches
    assert len(cells) == 14
    dark = [cell.get_x() for cell in cells if cell.get_facecolor()[:3] == (0, 0, 0)]
    assert dark == [pytest.approx(3.02)]
    assert plot.get_xticklabels()[0].get_text() == "02 Nov"
    assert "one cell a day (UTC); requests in the median one: 288" in plot.get_xlabel()


def test_what_we_did_ourselves_is_no_outage():
    run = run_row(("a",), started_at="2026-11-02T00:00:00+00:00")
    rows = [
        timing(n, provider="a", sent_s=n * 3600.0, end_s=n * 3600.0 + 1,
               outcome="interrupted" if n % 2 else "ok", blame="client")
        for n in range(24)
    ]  # fmt: skip
    plot = drawn("calendar", subject_of(rows, run))[0]
    assert len(plot.patches) == 12
    assert len(plot.lines) == 12  # dots: nothing that the host answers for


def test_a_forest_has_the_caveats_of_what_it_shows():
    job = {"providers": [{"name": "zai", "extra_body": {"x": 1}}]}
    run = run_row(job=json.dumps(job))
    subject = subject_of(timings(n=60, fail={"zai": 0.1}), run, compared=True)
    plot, foot, side = drawn("contrasts", subject)
    told = [*words(foot), *(text.get_text() for text in plot.figure.texts)]
    assert any("zai: " in line and "requests failed" in line for line in told)
    assert any("extra_body" in line for line in told)
    comparison = subject.comparison
    marks = verdicts.marked(comparison.notes, comparison.contrasts)
    line = ticks(side)[ticks(plot).index("end to end") + 2]
    (mine,) = [
        marks[n]
        for n, each in enumerate(comparison.contrasts)
        if (each.metric, each.provider) == ("e2e", "zai")
    ]
    assert mine.strip()
    assert line.endswith(f"[{mine.strip()}]")


def test_turns_are_drawn_from_the_answers_of_each_turn():
    found = [
        timing(n, turn=None, ttft_ms=100.0 * (1 + n % 4), e2e_ms=900.0, cost_usd=0.01,
               prompt_tokens=100, cached_tokens=90 if n % 4 else 0)
        for n in range(48)
    ]  # fmt: skip
    subject = subject_of(found, run_row(("ourtoken",)))
    turn = {row.seq: 1 + row.seq % 4 for row in found}
    more = lambda names, _: iter([[list(turn), list(turn.values())]])  # noqa: E731
    subject = msgspec.structs.replace(subject, more=more)
    times, _, cost, hits = drawn("turns", subject)
    _, medians = times.lines
    assert list(medians.get_xdata()) == [1, 2, 3, 4]
    assert list(medians.get_ydata()) == [100, 200, 300, 400]
    assert list(hits.lines[0].get_ydata()) == [0, 0.9, 0.9, 0.9]
    assert list(cost.lines[0].get_ydata()) == pytest.approx([0.01] * 4)


def test_a_pass_rate_is_drawn_with_its_interval_and_what_it_costs_beside_it():
    found = [
        msgspec.structs.replace(each, passed=int(each.block % 4 > 0))
        for each in timings(n=40)
    ]
    found += [timing(999, outcome="http_error", blame="provider", block=99)]
    subject = subject_of(found, run_row())
    plot, _ = drawn("pass-rate", subject)
    bar, mark = plot.lines[:2]
    assert list(bar.get_xdata()) == list(share_interval(30, 40))
    assert list(mark.get_xdata()) == [0.75]
    said = "\n".join(text.get_text() for text in plot.texts)
    assert "75.0 % (59.8 to 85.8), 40 checked\npass@1" in said
    plot, foot = drawn("quality-price", subject)
    (point, *_) = [line for line in plot.lines if len(line.get_xdata()) == 1]
    cost = sum(each.cost_usd for each in found if each.provider == "ourtoken"
               and each.cost_usd)  # fmt: skip
    assert list(point.get_xdata()) == pytest.approx([1000 * cost / 41])
    assert list(point.get_ydata()) == [0.75]
    told = " ".join(text.get_text() for text in foot.texts)
    assert "ourtoken: at least: 1 failed ones of unknown cost" in told


def test_where_sessions_are_judged_what_they_took_is_drawn():
    found = [
        timing(n, e2e_ms=1000.0, cost_usd=0.01, passed=1 if n % 3 == 2 else None)
        for n in range(36)
    ]
    lines = [Verdicts(provider="ourtoken", scenario="chat-1k", turn=1, name="solved",
                      load='{"step":0}', passed=1, called=1, n=12)]  # fmt: skip
    said = {"seq": lambda r: r.seq, "session_id": lambda r: f"s{r.seq // 3}",
            "scenario": lambda r: r.scenario, "case_id": lambda r: "1",
            "params": lambda r: "{}"}  # fmt: skip
    more = lambda names, _: iter(  # noqa: E731
        [[[said.get(n, lambda _: None)(r) for r in found] for n in names]]
    )
    subject = subject_of(found, run_row(("ourtoken",)))
    subject = msgspec.structs.replace(subject, more=more, verdicts=lambda: lines)
    money, waiting, *_ = drawn("accepted", subject)
    assert money.patches[0].get_width() == pytest.approx(1000 * 0.03)
    assert waiting.patches[0].get_width() == pytest.approx(3.0)
