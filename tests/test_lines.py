"""A summary as a flat line: every figure, and unknown told from never."""

import msgspec
from made import run_row, timing, timings

from compare.judge.frame import of
from compare.judge.lines import Line, lines
from compare.judge.summary import Summary, summarise


def lined(rows, objectives=None):
    return list(lines(run_row(), summarise(of(rows), objectives)))


def test_each_figure_of_a_summary_has_a_column():
    parts = {"tally", "goodput"}
    for name in set(Summary.__struct_fields__) - parts:
        assert {name, f"{name}_ms"} & set(Line.__struct_fields__), name


def test_a_line_says_what_the_summary_says():
    rows = timings(("ourtoken",), n=200, fail={"ourtoken": 0.02})
    (summary,) = summarise(of(rows), {"ttft": 190.0})
    (line,) = lined(rows, {"ttft": 190.0})
    assert line.run_id == run_row().run_id
    assert line.n_failed == summary.tally.n_failed > 0
    assert msgspec.json.decode(line.outcomes) == summary.tally.outcomes
    assert (line.ttft_n, line.ttft_p95_ms) == (
        summary.ttft_p95.n,
        summary.ttft_p95.value,
    )
    assert line.ttft_p95_low_ms < line.ttft_p95_ms < line.ttft_p95_high_ms
    assert line.decode_tps_p50_low == summary.decode_tps_p50.low
    assert (line.goodput_share, line.goodput_n) == (summary.goodput.share, 200)
    assert line.cost_per_1k_usd == summary.cost_per_1k_usd


def test_what_is_unknown_is_null_and_what_never_comes_says_so():
    few = [timing(n, ttft_ms=100.0) for n in range(20)]
    (line,) = lined(few)
    assert (line.ttft_p95_adjusted_ms, line.ttft_p95_adjusted_never) == (None, 0)
    assert (line.goodput_share, line.goodput_n, line.cost_per_1k_usd) == (None,) * 3
    many = [timing(n, ttft_ms=100.0) for n in range(150)]
    many += [timing(n, outcome="http_error", blame="provider") for n in range(150, 200)]
    (line,) = lined(many)
    assert (line.ttft_p95_adjusted_ms, line.ttft_p95_adjusted_never) == (None, 1)
    assert line.ttft_p95_ms == 100.0
