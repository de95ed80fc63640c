"""Judge thresholds: of stored runs, and of one that is still going."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from compare.judge.blocks import blocks_of
from compare.judge.comparison import Judged
from compare.judge.contrast import matched, paired_sides, unmatched
from compare.judge.estimate import estimated
from compare.judge.evidence import Figure, evidence, figure, passed
from compare.judge.frame import Frame, Segment
from compare.judge.pair import Contrast, Sides
from compare.judge.stats import CONFIDENCE
from compare.judge.threshold import Threshold, ThresholdError, told

NEW, BASE = "new", "base"
"""What the second and the first of two runs are called in a ratio."""

NOWHERE = Segment("no scenario", None)
NO_REQUEST = Figure(None, why="n/a (no measured request)")

RATIO_OF: dict[str | float | None, str] = {
    0.5: "ratio_of_medians",
    0.9: "ratio_of_p90",
    0.95: "ratio_of_p95",
    "avg": "ratio_of_means",
}


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold judged in one segment, of one host or pair.

    `value` is in the threshold's unit, None where there is no figure; `why` then says
    what is missing. A threshold that cannot be judged is not passed.
    """

    threshold: str
    who: str
    scenario: str
    step: int | None
    passed: bool
    value: float | None
    low: float | None
    high: float | None
    why: str = ""
    metric: str = ""
    is_ratio: bool = False


def judge_gates(
    found: Sequence[Judged],
    hosts: Sequence[str],
    thresholds: Sequence[Threshold],
    objectives: Mapping[str, float],
    reference: str | None = None,
) -> list[Gate]:
    """Return each threshold judged in each scenario, load step and host.

    Of two runs the second one's hosts; `ratio(new/base, ...)` sets them against those
    of the first. ThresholdError for hosts that are none of `hosts`, and for goodput
    without objectives.
    """
    check(thresholds, hosts, objectives, two=len(found) > 1)
    made = []
    for threshold in thresholds:
        made += list(_gates(found, threshold, objectives, reference)) or [
            _gate(threshold, NOWHERE, threshold.host or "any host", NO_REQUEST)
        ]
    return made


def check(
    thresholds: Sequence[Threshold],
    hosts: Sequence[str],
    objectives: Mapping[str, float],
    *,
    two: bool = False,
) -> None:
    """Raise ThresholdError for a threshold that could never be judged."""
    for each in thresholds:
        pair = (each.host, each.against)
        known = [*hosts, NEW, BASE] if two and each.against else list(hosts)
        for name in pair:
            if name is not None and name not in known:
                words = f"no such host; there are {', '.join(known) or 'none'}"
                place = max(each.text.find(name), 0)
                raise ThresholdError(told(each.text, place, words))
        if two and each.against and pair != (NEW, BASE):
            words = "of two runs write ratio(new/base, ...)"
            raise ThresholdError(told(each.text, 0, words))
        if each.metric == "goodput" and not objectives:
            words = "goodput needs objectives: give --goodput or [slo]"
            raise ThresholdError(told(each.text, each.text.find("goodput"), words))


def _gates(
    found: Sequence[Judged],
    threshold: Threshold,
    objectives: Mapping[str, float],
    reference: str | None,
) -> Iterator[Gate]:
    frame = found[-1].frame
    if threshold.against is not None:
        # What only the base has cannot be judged, and so is not passed.
        asked = (each.frame.segments for each in reversed(found))
        for segment in dict.fromkeys(itertools.chain(*asked)):
            yield from _ratios(found, threshold, segment, reference)
        return
    for segment in frame.segments:
        for host in frame.hosts_of(segment):
            if threshold.host in (None, host):
                seen = evidence(frame, segment, host, threshold, objectives)
                yield _gate(threshold, segment, host, figure(threshold, seen))


def _ratios(
    found: Sequence[Judged],
    threshold: Threshold,
    segment: Segment,
    reference: str | None,
) -> Iterator[Gate]:
    sides = (
        _within(found[0].frame, threshold, segment)
        if len(found) == 1
        else _across(found[0].frame, found[1].frame, threshold, segment, reference)
    )
    level = threshold.confidence or CONFIDENCE
    statistic = RATIO_OF[threshold.aggregate]
    for each in sides:
        (made,) = estimated([each], 0, statistic=statistic, confidence=level)
        who = f"{each.provider}/{each.reference}"
        seen = Figure(made.estimate, made.low, made.high, _missing(made))
        yield _gate(threshold, segment, who, seen)


def _within(frame: Frame, threshold: Threshold, segment: Segment) -> list[Sides]:
    pair = (threshold.host or "", threshold.against or "")
    hosts = frame.hosts_of(segment)
    if not set(pair) <= set(hosts):
        return []
    blocks = blocks_of(frame, segment, hosts)
    sides = paired_sides(blocks, segment, pair)
    return [each for each in sides if each.metric == threshold.metric]


def _across(
    a: Frame, b: Frame, threshold: Threshold, segment: Segment, reference: str | None
) -> list[Sides]:
    made = []
    alone = [(host, host) for host in unmatched(a, b, reference)]
    for host, other in (*matched(a, b, reference), *alone):
        rows = b.rows(segment, host), a.rows(segment, other)
        if not any(map(len, rows)):
            continue  # neither run asked it
        ours, theirs = (
            frame.values(threshold.metric, each)
            for frame, each in zip((b, a), rows, strict=True)
        )
        made.append(
            Sides(
                provider=f"{host}@{NEW}",
                reference=f"{other}@{BASE}",
                segment=segment,
                metric=threshold.metric,
                ours=ours,
                theirs=theirs,
                paired=False,
            )
        )
    return made


def _missing(made: Contrast) -> str:
    if made.need_more:
        return f"n/a (n={made.n_blocks} < {made.n_blocks + made.need_more})"
    return "" if made.estimate is not None else "n/a (the other host's is 0)"


def _gate(threshold: Threshold, segment: Segment, who: str, seen: Figure) -> Gate:
    return Gate(
        threshold=threshold.text,
        who=who,
        scenario=segment.scenario,
        step=segment.step,
        passed=passed(threshold, seen),
        value=seen.value,
        low=seen.low,
        high=seen.high,
        why=seen.why,
        metric=threshold.metric,
        is_ratio=threshold.against is not None,
    )
