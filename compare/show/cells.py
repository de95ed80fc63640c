"""What stands in a summary table for a host, line by line."""

from collections.abc import Callable

from compare.judge.summary import Summary
from compare.show.words import number, percent, usd

Cell = Callable[[Summary], str]


def _time(field: str) -> Cell:
    def cell(each: Summary) -> str:
        found = getattr(each, field)
        nothing_streamed = each.n_not_streamed and not found.n
        if field.startswith("tt") and nothing_streamed:
            return "n/a (not streamed)"
        return str(found.text(number))

    return cell


def _known(value: float | None, form: Callable[[float], str], why: str = "") -> str:
    return (f"n/a ({why})" if why else "n/a") if value is None else form(value)


def _cost(each: Summary) -> str:
    why = f"{each.n_unpriced:,} unpriced" if each.n_unpriced else ""
    return _known(each.cost_per_1k_usd, usd, why)


def _stated(each: Summary) -> str:
    return _known(each.reported_per_1k_usd, usd, "not stated")


def _passed(each: Summary) -> str:
    return _known(each.passed_share, percent, "no checks")


def _attempted(each: Summary) -> str:
    return f"{each.tally.n_attempted:,}"


def _goodput(each: Summary) -> str:
    return _known(each.goodput.share if each.goodput else None, percent)


def _labels(each: Summary) -> str:
    n = sum(each.labels.values())
    return "\n".join(f"{percent(k / n)} {label}" for label, k in each.labels.items())


def _ok(each: Summary) -> str:
    return _known(each.tally.success_share, percent)


METRICS: dict[str, Cell] = {
    "requests": _attempted,
    "ok": _ok,
    "TTFT p50 ms": _time("ttft_p50"),
    "TTFT p95 ms": _time("ttft_p95"),
    "TTFT p95 with failures": _time("ttft_p95_adjusted"),
    "first answer p50 ms": _time("ttfa_p50"),
    "decode p50 tok/s": _time("decode_tps_p50"),
    "end to end p50 ms": _time("e2e_p50"),
    "end to end p95 ms": _time("e2e_p95"),
    "output p5 tokens": _time("tokens_p05"),
    "output p50 tokens": _time("tokens_p50"),
    "output p95 tokens": _time("tokens_p95"),
    "streamed": _labels,
    "USD per 1,000 requests": _cost,
    "USD as stated by host": _stated,
    "goodput": _goodput,
    "checks passed": _passed,
    "cache hit": lambda each: _known(each.cache_hit_share, percent, "not stated"),
    "achieved req/s": lambda each: _known(each.achieved_rps, number),
    "all streams tok/s": lambda each: _known(each.system_tps, number),
}
"""The lines of a summary table, in order: label and what stands there for a host."""

INTERVALS = {
    "TTFT p50 ms": "ttft_p50",
    "TTFT p95 ms": "ttft_p95",
    "end to end p50 ms": "e2e_p50",
    "end to end p95 ms": "e2e_p95",
}
"""Lines that can have their order-statistic interval beside them."""


def interval(label: str, each: Summary) -> str:
    """Return the interval that a line can have as `(low to high)`, else nothing."""
    if label not in INTERVALS:
        return ""
    found = getattr(each, INTERVALS[label])
    if found.value is None or found.low is None or found.high is None:
        return ""
    return f"({number(found.low)} to {number(found.high)})"


OPTIONAL: dict[str, Callable[[Summary], bool]] = {
    "TTFT p95 with failures": lambda each: bool(each.tally.n_failed),
    "USD as stated by host": lambda each: bool(each.n_reported),
    "goodput": lambda each: each.goodput is not None,
    "streamed": lambda each: set(each.labels) - {"true"} != set(),
}
"""Lines that are left out where they say nothing of any host."""
