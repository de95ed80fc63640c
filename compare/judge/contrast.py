"""Two hosts on one metric, within blocks: which is faster, and how sure that is.

One statistic a metric, the ratio of medians, is tested and gets a verdict; the others
show intervals.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from compare.judge.blocks import Blocks, alike, blocks_of
from compare.judge.estimate import estimated, of_shares
from compare.judge.frame import Frame, Segment, of
from compare.judge.pair import (
    CONTRASTED,
    PASSED,
    PRIMARY,
    TESTED,
    Contrast,
    Sides,
    base,
)
from compare.judge.sample import LOWER_IS_BETTER
from compare.judge.stats import CONFIDENCE, holm
from data.row import Timing

__all__ = ["CONTRASTED", "Contrast", "between", "contrasts", "floors", "judged"]

FASTER, SLOWER = "faster", "slower"
BETTER, WORSE = "better", "worse"
NO_DIFFERENCE = "no difference shown"
"""Nothing was shown, which is not that they are equal."""
TOO_FEW = "too few samples"


def contrasts(
    found: Frame | Iterable[Timing],
    reference: str | None = None,
    *,
    seed: int = 0,
    floor_ms: Mapping[str, float] | None = None,
    depths: Mapping[Segment, int] | None = None,
) -> list[Contrast]:
    """Return every host's contrasts with the reference, within blocks.

    The default reference is the host of the first request. Scenarios, turns and load
    steps are kept apart. A block counts for a pair of hosts where both are ok, have
    the figure and used the same kind of connection. `seed` makes the intervals
    repeatable. `floor_ms` is the bench's own error by metric. With `depths` only the
    time to so many tokens (figure `ttn`) is contrasted, in those segments. Of live
    sessions shares alone are: their prompts differ.
    """
    frame = found if isinstance(found, Frame) else of(found)
    chosen = next(iter(frame.hosts), None) if reference is None else reference
    made: list[Contrast] = []
    for segment in frame.segments:
        hosts = frame.hosts_of(segment)
        depth = None if depths is None else depths.get(segment)
        if chosen not in hosts or (depths is not None and depth is None):
            continue
        blocks = blocks_of(frame, segment, hosts)
        for host in (each for each in hosts if each != chosen):
            if segment.scenario not in frame.live:
                sides = paired_sides(blocks, segment, (host, str(chosen)), depth)
                made += estimated(sides, seed, floor_ms)
            if depth is None:
                made += _shares(blocks, segment, host, str(chosen))
    return judged(made)


def between(
    found_a: Frame | Iterable[Timing],
    found_b: Frame | Iterable[Timing],
    runs: tuple[str, str],
    reference: str | None = None,
    *,
    seed: int = 0,
    floor_ms: Mapping[str, float] | None = None,
) -> list[Contrast]:
    """Return how the hosts of run B differ from run A, segment by segment.

    Without `reference` each host is set against itself, or against A's first host
    when the runs share none; with it, all of B's hosts against that host of A. No
    moment is shared, so the two sides are resampled independently and `n_blocks` is
    the smaller side. Hosts are named NAME@RUN.
    """
    a, b = (
        each if isinstance(each, Frame) else of(each) for each in (found_a, found_b)
    )
    made: list[Contrast] = []
    for host, other in matched(a, b, reference):
        names = (f"{host}@{runs[1]}", f"{other}@{runs[0]}")
        for segment in b.segments:
            ours, theirs = b.rows(segment, host), a.rows(segment, other)
            if not len(ours) or not len(theirs):
                continue
            sides = [
                Sides(
                    provider=names[0],
                    reference=names[1],
                    segment=segment,
                    metric=metric,
                    ours=b.values(metric, ours),
                    theirs=a.values(metric, theirs),
                    paired=False,
                )
                for metric in CONTRASTED
            ]
            if segment.scenario not in b.live:
                made += estimated(sides, seed, floor_ms)
            fates = b.ok[ours[b.judged[ours]]], a.ok[theirs[a.judged[theirs]]]
            made.append(of_shares(names, segment, *fates, paired=False))
            checked = (b.values(PASSED, ours) == 1, a.values(PASSED, theirs) == 1)
            if all(map(len, checked)):
                made.append(
                    of_shares(names, segment, *checked, paired=False, metric=PASSED)
                )
    return judged(made)


def matched(a: Frame, b: Frame, reference: str | None) -> list[tuple[str, str]]:
    """Return which host of run B is set against which one of run A."""
    shared = [(host, host) for host in b.hosts if host in a.hosts]
    if reference is None and shared:
        return shared
    against = reference if reference is not None else next(iter(a.hosts), None)
    return [] if against is None else [(host, against) for host in b.hosts]


def unmatched(a: Frame, b: Frame, reference: str | None) -> list[str]:
    """Return the hosts that only one of two runs asked, if each is set against itself.

    None where they are set against a host of A by name, or the runs share no host.
    """
    pairs = matched(a, b, reference)
    if any(host != other for host, other in pairs) or reference is not None:
        return []
    shared = {host for host, _ in pairs}
    return [h for h in dict.fromkeys((*a.hosts, *b.hosts)) if h not in shared]


def paired_sides(
    blocks: Blocks, segment: Segment, pair: tuple[str, str], depth: int | None = None
) -> list[Sides]:
    """Return the metrics of two hosts, block by block.

    With a `depth` the time to so many tokens is the only one.
    """
    host, reference = pair
    usable = alike(blocks, host, reference)[0]
    metrics = {metric: metric for metric in CONTRASTED}
    if depth is not None:
        metrics = {f"ttn({depth})": "ttn"}
    made = []
    for name, metric in metrics.items():
        ours, theirs = blocks.figure(host, metric), blocks.figure(reference, metric)
        both = usable & ~np.isnan(ours) & ~np.isnan(theirs)
        made.append(
            Sides(
                provider=host,
                reference=reference,
                segment=segment,
                metric=name,
                ours=np.where(both, ours, np.nan),
                theirs=np.where(both, theirs, np.nan),
            )
        )
    return made


def judged(found: Sequence[Contrast]) -> list[Contrast]:
    """Return contrasts with verdicts, the p of each metric corrected over the hosts."""
    families: dict[tuple[str, int | None, str], list[int]] = {}
    for n, each in enumerate(found):
        if each.p is not None:
            key = (each.scenario, each.step, each.metric)
            families.setdefault(key, []).append(n)
    made = list(found)
    for family in families.values():
        corrected = holm([found[n].p or 0.0 for n in family])
        for n, p in zip(family, corrected, strict=True):
            made[n] = msgspec.structs.replace(found[n], p=p)
    return [msgspec.structs.replace(each, verdict=_verdict(each)) for each in made]


def floors(floor: Mapping[str, float] | None) -> dict[str, float]:
    """Return the bench's error in ms by metric, from a run's `floor` (None: unknown).

    Its 99th percentile: the medians that are held against it have smaller ones.
    """
    if not floor:
        return {}
    span, token = floor["ttft_p99_ms"], floor["tpot_p99_ms"]
    times = dict.fromkeys(("ttft", "ttfa", "e2e", "ttn"), span)
    return {**times, "tpot": token, "decode_tps": token}


def _verdict(contrast: Contrast) -> str | None:
    metric = base(contrast.metric)
    if metric == PASSED and contrast.paired:
        return _of_checks(contrast)
    if contrast.statistic != PRIMARY or metric not in TESTED:
        return None
    if contrast.need_more:
        return TOO_FEW
    if contrast.estimate is None:
        return None
    if contrast.below_floor or contrast.p is None or contrast.p > 1 - CONFIDENCE:
        return NO_DIFFERENCE
    less = contrast.estimate < 1
    return FASTER if less == (metric in LOWER_IS_BETTER) else SLOWER


def _of_checks(contrast: Contrast) -> str:
    if contrast.need_more:
        return TOO_FEW
    if contrast.p is None or contrast.p > 1 - CONFIDENCE or not contrast.estimate:
        return NO_DIFFERENCE
    return BETTER if contrast.estimate > 0 else WORSE


def _shares(
    blocks: Blocks, segment: Segment, host: str, reference: str
) -> list[Contrast]:
    """Return the differences in success share, and in that of checks that passed.

    Each over blocks that both hosts answer for, or that were checked at both.
    """
    made = []
    for metric in ("ok", PASSED):
        ours, theirs = (
            blocks.outcomes(each) if metric == "ok" else blocks.figure(each, metric)
            for each in (host, reference)
        )
        both = ~np.isnan(ours) & ~np.isnan(theirs)
        if metric == PASSED and not both.any():
            continue
        sides = ours[both] == 1, theirs[both] == 1
        names = (host, reference)
        made.append(of_shares(names, segment, *sides, paired=True, metric=metric))
    return made
