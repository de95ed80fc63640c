"""Two hosts on one metric: the ratio of medians within blocks, with its interval.

An interval is all that is given: whether it makes a host faster is not judged here.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from compare.judge.stats import FLOORS_99
from compare.judge.tally import value, values
from data.row import Timing

CONTRASTED = ("ttft", "ttfa", "e2e", "tpot", "decode_tps", "cost")
FLOOR = FLOORS_99[0.5]
RESAMPLES = 2000

# Bounds the memory of one batch of resamples (8 bytes each, in a few arrays) and,
# for very long runs, the time: beyond 10,000 blocks there are fewer resamples.
BATCH = 1_000_000
DRAWS = 20_000_000

NO_DIFFERENCE = "no difference shown"
"""The verdict where two medians differ by less than the bench's own error."""

Floats = NDArray[np.float64]
Key = tuple[str, int]


class Contrast(msgspec.Struct, frozen=True, kw_only=True):
    """One host against the reference on one metric of one scenario.

    `estimate` is median(provider) / median(reference) over `n_blocks` blocks in
    which both are ok and have the figure, `low` and `high` its 95 % bootstrap
    interval; all three are None below 11 blocks (`need_more` says how many are
    missing) or when the reference's median is 0. `verdict` is `no difference shown`
    where the medians differ by less than the bench's own error; else it is not judged
    here: None.
    """

    provider: str
    reference: str
    scenario: str
    metric: str
    statistic: str = "ratio_of_medians"
    estimate: float | None
    low: float | None
    high: float | None
    verdict: str | None = None
    need_more: int | None
    n_blocks: int


def contrasts(
    timings: Iterable[Timing],
    reference: str | None = None,
    *,
    seed: int = 0,
    floor_ms: Mapping[str, float] | None = None,
) -> list[Contrast]:
    """Return every host's contrasts with the reference, within blocks.

    The default reference is the host of the first request. Load steps are pooled:
    a block holds one load for both hosts. `seed` makes the intervals repeatable.
    `floor_ms` is the bench's own error by metric: what is below it is no difference.
    """
    rows = sorted(timings, key=lambda row: row.seq)
    if not rows:
        return []
    chosen = rows[0].provider if reference is None else reference
    hosts = [host for host in _hosts(rows) if host != chosen]
    found: list[Contrast] = []
    for scenario in dict.fromkeys(row.asked for row in rows):
        within = [row for row in rows if row.asked == scenario]
        for host in hosts:
            for metric in CONTRASTED:
                pairs = _paired(within, host, chosen, metric)
                names = (host, chosen, scenario, metric)
                each = _contrast(names, pairs, seed, paired=True)
                found.append(_floored(each, pairs, floor_ms or {}))
    return found


def between(
    timings_a: Iterable[Timing],
    timings_b: Iterable[Timing],
    runs: tuple[str, str],
    reference: str | None = None,
    *,
    seed: int = 0,
    floor_ms: Mapping[str, float] | None = None,
) -> list[Contrast]:
    """Return how the hosts of run B differ from run A, scenario by scenario.

    Without `reference` each host is set against itself, or against A's first host
    when the runs share none; with it, all of B's hosts against that host of A. No
    moment is shared, so the two sides are resampled independently and `n_blocks` is
    the smaller side. Hosts are named NAME@RUN.
    """
    a, b = _by_host(timings_a), _by_host(timings_b)
    shared = [(host, host) for host in b if host in a]
    against = reference if reference is not None or shared else next(iter(a), None)
    pairs = shared if against is None else [(host, against) for host in b]
    found: list[Contrast] = []
    for host, other in pairs:
        for scenario in (s for s in b[host] if s in a.get(other, {})):
            for metric in CONTRASTED:
                names = (f"{host}@{runs[1]}", f"{other}@{runs[0]}", scenario, metric)
                ours = values(b[host][scenario], metric)
                theirs = values(a[other][scenario], metric)
                each = _contrast(names, (ours, theirs), seed, paired=False)
                found.append(_floored(each, (ours, theirs), floor_ms or {}))
    return found


def ratio_interval(
    ours: Sequence[float],
    theirs: Sequence[float],
    rng: np.random.Generator,
    *,
    paired: bool = True,
) -> tuple[float | None, float | None]:
    """Return the 95 % percentile-bootstrap interval of a ratio of medians.

    Paired values are resampled together, so what a block did to both hosts cancels.
    None, None when some resample's lower median is 0: the ratio has no bound then.
    """
    x, y = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    resamples = max(400, min(RESAMPLES, DRAWS // max(len(x), len(y))))
    batch = max(1, BATCH // max(len(x), len(y)))
    ratios: list[Floats] = []
    for start in range(0, resamples, batch):
        n = min(batch, resamples - start)
        i = rng.integers(len(x), size=(n, len(x)))
        j = i if paired else rng.integers(len(y), size=(n, len(y)))
        below = np.median(y[j], axis=1)
        if not below.all():
            return None, None
        ratios.append(np.median(x[i], axis=1) / below)
    low, high = np.quantile(np.concatenate(ratios), [0.025, 0.975])
    return float(low), float(high)


def _contrast(
    names: tuple[str, str, str, str],
    pairs: tuple[Sequence[float], Sequence[float]],
    seed: int,
    *,
    paired: bool,
) -> Contrast:
    provider, reference, scenario, metric = names
    ours, theirs = pairs
    n = min(len(ours), len(theirs))
    estimate, low, high = None, None, None
    if n >= FLOOR and (below := float(np.median(theirs))) != 0:
        # Each pair of hosts has a stream of its own: its intervals do not depend on
        # which other hosts were contrasted before it.
        pair = "\0".join(names[:3]).encode(errors="replace")
        rng = np.random.default_rng([seed, zlib.crc32(pair)])
        estimate = float(np.median(ours)) / below
        low, high = ratio_interval(ours, theirs, rng, paired=paired)
    return Contrast(
        provider=provider,
        reference=reference,
        scenario=scenario,
        metric=metric,
        estimate=estimate,
        low=low,
        high=high,
        need_more=FLOOR - n if n < FLOOR else None,
        n_blocks=n,
    )


def floors(floor: Mapping[str, float] | None) -> dict[str, float]:
    """Return the bench's error in ms by metric, from a run's `floor` (None: unknown).

    Its 99th percentile: the medians that are held against it have smaller ones.
    """
    if not floor:
        return {}
    span, token = floor["ttft_p99_ms"], floor["tpot_p99_ms"]
    return {"ttft": span, "ttfa": span, "e2e": span, "tpot": token, "decode_tps": token}


def _floored(
    contrast: Contrast,
    pairs: tuple[Sequence[float], Sequence[float]],
    floor_ms: Mapping[str, float],
) -> Contrast:
    """Return the contrast with its verdict where the bench is no finer than it."""
    least = floor_ms.get(contrast.metric)
    if least is None or contrast.estimate is None:
        return contrast
    ours, theirs = (float(np.median(each)) for each in pairs)
    if contrast.metric == "decode_tps":  # the rate of a time in ms
        ours, theirs = 1000 / max(ours, 1e-9), 1000 / max(theirs, 1e-9)
    if abs(ours - theirs) >= least:
        return contrast
    return msgspec.structs.replace(contrast, verdict=NO_DIFFERENCE)


def _paired(
    rows: Iterable[Timing], host: str, reference: str, metric: str
) -> tuple[list[float], list[float]]:
    found: dict[str, dict[int, float]] = {host: {}, reference: {}}
    for row in rows:
        figure = value(row, metric) if row.provider in found else None
        if figure is not None:
            found[row.provider][row.block] = figure
    shared = [block for block in found[host] if block in found[reference]]
    return (
        [found[host][block] for block in shared],
        [found[reference][block] for block in shared],
    )


def _hosts(rows: Iterable[Timing]) -> list[str]:
    return list(dict.fromkeys(row.provider for row in rows))


def _by_host(timings: Iterable[Timing]) -> Mapping[str, dict[str, list[Timing]]]:
    found: dict[str, dict[str, list[Timing]]] = {}
    for row in sorted(timings, key=lambda row: row.seq):
        found.setdefault(row.provider, {}).setdefault(row.asked, []).append(row)
    return found
