"""The same rows under other tools' formulas, so that a disagreement is explained.

Formulas as read in each project's source and documentation in 2026; docs/measuring.md
names the places. What a row does not hold is said in `UNLIKE`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from compare.judge.depth import events_of
from compare.judge.frame import Floats
from compare.judge.kind import Segment
from compare.judge.stats import Quantile, quantile

STAMPS = (
    "queued_ns", "sent_ns", "dns_ns", "connect_ns", "tls_ns", "first_event_ns",
    "first_token_ns", "last_token_ns", "usage_ns", "end_ns", "completion_tokens",
)  # fmt: skip
KEYS = ("provider", "scenario", "turn", "load", "outcome")
COLUMNS = (*KEYS, *STAMPS, "timeline")
"""What `data.query.columns` is asked for, in this order."""

Raw = Mapping[str, Floats]
Formula = Callable[[Raw], Floats]


class Defined(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one host, as a tool would state it; times in ms.

    `n` values; percentiles have our floors, the mean has none.
    """

    tool: str
    metric: str
    formula: str
    provider: str
    scenario: str
    step: int | None
    n: int
    mean: float | None
    p50: Quantile
    p99: Quantile


def _start(raw: Raw) -> Floats:
    """Return when other tools' clocks start: before a new connection is opened (ns)."""
    opening = sum(
        np.nan_to_num(raw[f"{name}_ns"]) for name in ("dns", "connect", "tls")
    )
    return np.asarray(raw["sent_ns"] - opening)


def _since(stamp: str) -> Formula:
    return lambda raw: (raw[stamp] - _start(raw)) / 1e6


def _per_token(start: str, end: str, fewer: int) -> Formula:
    """Return a time per output token: (end - start) / (n - fewer)."""

    def formula(raw: Raw) -> Floats:
        begun = _start(raw) if start == "start" else raw[start]
        divisor = raw["completion_tokens"] - fewer
        span = raw[end] - begun
        return (
            np.where(divisor > 0, span / np.where(divisor > 0, divisor, 1), np.nan)
            / 1e6
        )

    return formula


def _rate(end: str) -> Formula:
    """Return tokens a second over a whole request."""
    return lambda raw: raw["completion_tokens"] * 1e9 / (raw[end] - _start(raw))


def _inverse(formula: Formula) -> Formula:
    def rate(raw: Raw) -> Floats:
        found = formula(raw)
        return np.where(found > 0, 1e3 / np.where(found > 0, found, 1), np.nan)

    return rate


GAPS = "gaps"
_AIPERF_ITL = _per_token("first_token_ns", "last_token_ns", 1)

TOOLS: dict[str, dict[str, tuple[str, Formula | str]]] = {
    "aiperf": {
        "time_to_first_token": (
            "first content or reasoning - start", _since("first_token_ns")),
        "inter_token_latency": ("(latency - TTFT) / (n - 1)", _AIPERF_ITL),
        "output_token_throughput_per_user": ("1 / inter_token_latency",
                                             _inverse(_AIPERF_ITL)),
        "request_latency": ("last content - start", _since("last_token_ns")),
        "e2e_output_token_throughput": ("n / latency", _rate("last_token_ns")),
    },
    "vllm": {
        "ttft": ("first chunk, even without text - start", _since("first_event_ns")),
        "tpot": ("(latency - TTFT) / (n - 1)",
                 _per_token("first_event_ns", "last_event_ns", 1)),
        "itl": ("gaps between chunks, pooled over requests", GAPS),
        "e2el": ("last chunk with choices - start", _since("last_event_ns")),
    },
    "guidellm": {
        "time_to_first_token_ms": (
            "first content, reasoning or tool call - start", _since("first_token_ns")),
        "inter_token_latency_ms": ("(last - first token) / (n - 1)", _AIPERF_ITL),
        "time_per_output_token_ms": ("(last token - start) / n",
                                     _per_token("start", "last_token_ns", 0)),
        "request_latency": ("stream closed - start", _since("end_ns")),
        "output_tokens_per_second": ("n / latency", _rate("end_ns")),
    },
}  # fmt: skip
"""Each tool's metrics by its own names: the formula in words, and in numbers."""

UNLIKE: dict[str, str] = {
    "aiperf": "tool calls count as first token here; streams of any label are in it",
    "vllm": "the last chunk is taken as the last event that is not the usage; a chunk "
    "is an event of the timeline",
    "guidellm": "stamps here are of a monotonic clock, its own of the wall clock",
}
"""Where a row cannot tell what the tool would have seen."""


def defined(tool: str, batches: Iterable[Sequence[Sequence[Any]]]) -> list[Defined]:
    """Return a tool's metrics of each host, scenario and step, over its ok answers.

    `batches` are of `COLUMNS`. Like the tools, over successes alone.
    """
    groups: dict[tuple[Any, ...], list[dict[str, Floats]]] = {}
    for batch in batches:
        columns = dict(zip(COLUMNS, batch, strict=True))
        raw = _raw(columns, gaps=tool == "vllm")
        keys = list(zip(*(columns[name] for name in KEYS), strict=True))
        for key in dict.fromkeys(keys):
            if key[4] != "ok":
                continue
            mine = np.array([each == key for each in keys])
            groups.setdefault(key[:4], []).append(_chosen(raw, mine))
    found = []
    for (provider, scenario, turn, load), parts in groups.items():
        raw = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
        asked = scenario if turn is None else f"{scenario} turn {turn}"
        step = msgspec.json.decode(load or "{}").get("step")
        found += _of_group(tool, raw, provider, Segment(asked, step))
    return found


def _of_group(tool: str, raw: Raw, provider: str, segment: Segment) -> list[Defined]:
    made = []
    for metric, (words, formula) in TOOLS[tool].items():
        values = raw[GAPS] if isinstance(formula, str) else formula(raw)
        known = values[~np.isnan(values)]
        made.append(
            Defined(
                tool=tool,
                metric=metric,
                formula=words,
                provider=provider,
                scenario=segment.scenario,
                step=segment.step,
                n=len(known),
                mean=float(known.mean()) if len(known) else None,
                p50=quantile(known, 0.5),
                p99=quantile(known, 0.99),
            )
        )
    return made


def _raw(columns: Mapping[str, Sequence[Any]], *, gaps: bool) -> dict[str, Any]:
    """Return the stamps of a batch as numbers; with `gaps` those between its events."""
    raw: dict[str, Any] = {
        name: np.array(columns[name], dtype=np.float64) for name in STAMPS
    }
    if not gaps:
        return raw
    row, at_us, output = events_of(columns["timeline"])
    last = np.full(len(raw["sent_ns"]), np.nan)
    at = at_us * 1_000.0
    # The usage has a stamp of its own, to the nanosecond; a timeline is in us.
    usage = ~output & (np.abs(at - raw["usage_ns"][row]) < 1_000)
    last[row[~usage]] = at[~usage]  # the later ones overwrite
    raw["last_event_ns"] = np.fmax(last, raw["last_token_ns"])
    same = (row[1:] == row[:-1]) & ~usage[1:]
    raw[GAPS] = (np.diff(at)[same] / 1e6, row[1:][same])
    return raw


def _chosen(raw: Mapping[str, Any], mine: np.ndarray[Any, Any]) -> dict[str, Floats]:
    found = {name: each[mine] for name, each in raw.items() if name != GAPS}
    if GAPS in raw:
        values, rows = raw[GAPS]
        found[GAPS] = values[mine[rows]]
    return found
