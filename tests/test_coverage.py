"""Do the intervals and verdicts keep their promises? Simulated worlds with known truth.

200 experiments each; `EXPERIMENTS=1000` (as in `make soak`) makes it more.
"""

import math
import os

import numpy as np
import pytest

from compare.judge import resample
from compare.judge.contrast import FASTER, NO_DIFFERENCE, judged
from compare.judge.estimate import estimated
from compare.judge.frame import Segment
from compare.judge.pair import PRIMARY, RATIOS, Sides
from compare.judge.resample import LARGE, large_ratio, percentiles

EXPERIMENTS = int(os.environ.get("EXPERIMENTS", "200"))
SEGMENT = Segment("chat-1k", 0)
SIGMA = math.sqrt(math.log(1 + 0.3**2))
"""Of a lognormal whose coefficient of variation is 0.3."""

# What chance alone does to a share of so many experiments, at three standard errors.
SLACK = 0.0 if EXPERIMENTS >= 1000 else 3 * math.sqrt(0.05 * 0.95 / EXPERIMENTS)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Let fewer draws do for a look: they hardly move an interval's ends."""
    if EXPERIMENTS < 1000:
        monkeypatch.setattr(resample, "RESAMPLES", resample.FEWEST)


def world(rng, blocks, *factors):
    """Times of hosts that share each block's effect (0.2), with noise of their own."""
    shared = rng.normal(0, 0.2, blocks)
    return [
        200 * factor * np.exp(shared + rng.normal(0, SIGMA, blocks))
        for factor in factors
    ]


def sides(ours, theirs, name="b", *, paired=True):
    return Sides(
        provider=name,
        reference="a",
        segment=SEGMENT,
        metric="ttft",
        ours=ours,
        theirs=theirs,
        paired=paired,
    )


def verdicts(hosts, seed):
    """Return the verdict of each host against the first."""
    found = [
        each
        for n, host in enumerate(hosts[1:])
        for each in estimated([sides(host, hosts[0], f"h{n}")], seed, statistic=PRIMARY)
    ]
    return [each.verdict for each in judged(found)]


@pytest.mark.parametrize(("paired", "most"), [(True, 0.97), (False, 0.98)])
def test_the_interval_holds_the_truth_as_often_as_it_says(paired, most):
    # A percentile bootstrap of medians errs on the safe side; unpaired a little more.
    rng, held = np.random.default_rng(1), 0
    for seed in range(EXPERIMENTS):
        ours, theirs = world(rng, 200, 1.2, 1.0)
        if not paired:
            rng.shuffle(theirs)
        (each,) = estimated(
            [sides(ours, theirs, paired=paired)], seed, statistic=PRIMARY
        )
        held += each.low <= 1.2 <= each.high
    assert 0.93 - SLACK <= held / EXPERIMENTS <= most + SLACK


def test_three_equal_hosts_are_seldom_told_apart():
    rng, wrong = np.random.default_rng(2), 0
    for seed in range(EXPERIMENTS):
        found = verdicts(world(rng, 200, 1.0, 1.0, 1.0), seed)
        wrong += any(each != NO_DIFFERENCE for each in found)
    assert wrong / EXPERIMENTS <= 0.05 + SLACK


@pytest.mark.parametrize(("others", "blocks"), [((), 400), ((1.0,), 500)])
def test_a_host_that_is_10_percent_faster_is_found(others, blocks):
    # With a third host the correction for several costs blocks: 86 % at 400.
    rng, found = np.random.default_rng(3), 0
    for seed in range(EXPERIMENTS):
        hosts = world(rng, blocks, 1.0, 1 / 1.1, *others)
        found += verdicts(hosts, seed)[0] == FASTER
    assert found / EXPERIMENTS >= 0.90


@pytest.mark.parametrize("statistic", RATIOS)
@pytest.mark.parametrize("paired", [True, False])
def test_the_large_sample_interval_is_the_bootstraps(statistic, paired):
    rng = np.random.default_rng(4)
    ours, theirs = world(rng, LARGE - 1, 1.03, 1.0)
    one = sides(ours, theirs, paired=paired)
    (boot,) = estimated([one], 0, statistic=statistic)
    assert boot.method == "block bootstrap"
    large = large_ratio(ours, theirs, RATIOS[statistic], 0.95, paired=paired)
    assert large.value == pytest.approx(boot.estimate)
    assert large.low == pytest.approx(boot.low, abs=0.002)
    assert large.high == pytest.approx(boot.high, abs=0.002)
    assert large.high - large.low == pytest.approx(boot.high - boot.low, rel=0.15)
    more = sides(*(np.append(each, 200.0) for each in (ours, theirs)), paired=paired)
    assert estimated([more], 0, statistic=statistic)[0].method == "large sample"


def test_p_and_interval_say_the_same():
    rng = np.random.default_rng(5)
    for shift in (0.0, 0.015, 0.02, 0.025):
        found = percentiles(1.0, 1 + shift + rng.normal(0, 0.01, 9_999), 1.0, 0.95)
        assert (found.p < 0.05) == (found.low > 1.0)
