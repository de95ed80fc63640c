"""The course of one answer, event by event: its gaps, its label, its timeline."""

from bisect import bisect_left
from collections.abc import Sequence
from operator import sub
from typing import Any

from data.timeline import pack
from providers.reply import Kind, Reply

NEAR_ZERO_NS = 1_000_000
SAME_READ_NS = 1_000
"""Gaps below this came in one read of the socket: the host or the path bundled them."""
TOKENS_AN_EVENT = 4.0
BUFFERED_SHARE = 0.02


def stream(reply: Reply, origin: int) -> dict[str, Any]:
    """Return the stream columns. Gaps are between events that carried output."""
    if reply.http_status is None:
        return {}
    times = [at for at, kind in reply.timeline if kind]
    gaps = _gaps(times)
    arguments = "".join([call.arguments for call in reply.tool_calls])
    output = reply.content + arguments
    return {
        "n_events": len(reply.timeline),
        "n_content_events": len(times),
        "n_comments": reply.n_comments,
        "gap_p50_ns": _nearest_rank(gaps, 0.5) if gaps else None,
        "gap_p99_ns": _nearest_rank(gaps, 0.99) if gaps else None,
        "gap_max_ns": gaps[-1] if gaps else None,
        "zero_gap_share": _share_below(gaps, NEAR_ZERO_NS) if gaps else None,
        "stream_label": _label(reply, times, gaps),
        "output_chars": len(output),
        "output_bytes": len((output + reply.reasoning).encode("utf-8", "replace")),
        "reasoning_chars": len(reply.reasoning),
        "bytes_received": reply.bytes_received,
        "timeline": pack(reply.timeline, origin) if reply.timeline else None,
    }


def stream_label(reply: Reply) -> str | None:
    """Return how honestly an answer was streamed; None when there was no output.

    `true`, or: `not_streamed`; `single_block`, all output in one event; `buffered`,
    nothing and then everything: the span of the output is under 2 % of the time from
    sending to its end; `coalesced`, at least 4 tokens an event, or more than half of
    the events in one read with their forerunner.
    """
    times = [at for at, kind in reply.timeline if kind]
    return _label(reply, times, _gaps(times))


def _label(reply: Reply, times: Sequence[int], gaps: Sequence[int]) -> str | None:
    if not times:
        return None
    if not reply.streamed:
        return "not_streamed"
    tokens = reply.usage.completion_tokens if reply.usage else None
    if not gaps:
        return "true" if tokens == 1 else "single_block"
    sent = reply.stamps.sent
    if sent is not None and times[-1] - times[0] < BUFFERED_SHARE * (times[-1] - sent):
        return "buffered"
    bundled = _share_below(gaps, SAME_READ_NS)
    if bundled > 0.5 or (tokens or 0) / len(times) >= TOKENS_AN_EVENT:
        return "coalesced"
    return "true"


def _gaps(times: Sequence[int]) -> list[int]:
    """Return the gaps between moments, the shortest first."""
    return sorted(map(sub, times[1:], times))


def _share_below(ordered: Sequence[int], limit: int) -> float:
    return bisect_left(ordered, limit) / len(ordered)


def _nearest_rank(ordered: Sequence[int], share: float) -> int:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


# Kind 0 is an event without output; the sums above rely on it being false.
assert not Kind.OTHER  # noqa: S101 - holds at import, or nothing above does
