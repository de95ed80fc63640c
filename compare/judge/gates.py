"""Judge thresholds: of stored runs, and of one that is still going."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from compare.judge.comparison import Judged
from compare.judge.evidence import Figure, evidence, figure, passed
from compare.judge.frame import Segment
from compare.judge.ratios import BASE, NEW, ratios
from compare.judge.threshold import Threshold, ThresholdError, told

NOWHERE = Segment("no scenario", None)
NO_REQUEST = Figure(None, why="n/a (no measured request)")


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
            frames = [each.frame for each in found]
            for who, ratio in ratios(frames, threshold, segment, reference):
                yield _gate(threshold, segment, who, ratio)
        return
    for segment in frame.segments:
        for host in frame.hosts_of(segment):
            if threshold.host in (None, host):
                seen = evidence(frame, segment, host, threshold, objectives)
                yield _gate(threshold, segment, host, figure(threshold, seen))


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
