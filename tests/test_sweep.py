"""Sweeps: the highest load that meets the objectives, found in virtual time."""

import asyncio
import io
import itertools
import math
import random
from collections import Counter

import msgspec
import pytest
from fakes import NS, VirtualClock, virtually

from compare.judge.capacity import capacities
from compare.judge.frame import COLUMNS, read
from compare.run.engine import Engine
from compare.run.measure import Context, measure
from compare.serve.sweep import Sweep
from compare.show import tables
from compare.show.capacities import capacities as shown
from compare.show.subject import _asked
from providers.outcome import Outcome
from providers.provider import Provider
from providers.reply import Reply, Stamps
from scenarios import load as loads
from scenarios.load import Load, kept, steps
from scenarios.plan import Plan, plan_hash, segments
from scenarios.request import ScenarioError
from scenarios.scenario import load
from scenarios.sweep import grid, most_tried, search

SLO = {"e2e": 500.0}


class Limited:
    """Hosts whose answers take as long as `seconds` says of those in flight."""

    def __init__(self, seconds):
        self._seconds = seconds
        self.flying = Counter()

    async def send(self, arrival, start):
        if start.moment is not None:
            await VirtualClock().until(start.moment)
        name = arrival.provider
        self.flying[name] += 1
        began = VirtualClock().now()
        try:
            took = self._seconds(name, self.flying[name], began)
            await asyncio.sleep(took or 0.1)
        finally:
            self.flying[name] -= 1
        now = VirtualClock().now()
        outcome = Outcome.OK if took else Outcome.OVERLOADED
        stamps = Stamps(sent=began, first_token=now, last_token=now, end=now)
        return Reply(outcome=outcome, stamps=stamps)


def swept(seconds, *, names=("a",), stop=None, slo=SLO, **shape):
    """Return what a sweep of these hosts came to, its rows, and what was told of it."""
    shape = {"sweep": True, **shape}
    plan = Plan(
        scenarios=(load("burst"),),
        providers=names,
        load=loads.read(shape, "test"),
        salt="s",
    )
    context = Context(
        run_id="r",
        origin=0,
        providers={
            n: Provider(name=n, dialect="generic", base_url="http://h", model="m")
            for n in names
        },
        prices={},
        checks=lambda *_: (),
        seed=0,
    )
    rows, told = [], []

    async def main():
        def emit(result):
            row, _ = measure(result, context)
            rows.append(row)
            sweep.add(row)

        def tell(host, each):
            told.append((host, each))
            if len(told) == stop:
                engine.stop()

        clock = VirtualClock()
        sweep = Sweep(plan, slo, tell, clock)
        engine = Engine(plan, Limited(seconds).send, emit, clock=clock)
        await sweep.drive(engine)

    virtually(main())
    lines = [tuple(getattr(row, name) for name in COLUMNS) for row in rows]
    frame = read([list(zip(*lines, strict=True))])
    found = {each.provider: each for each in capacities(frame, plan.load, slo)}
    return found, rows, told


def queueing(slots, each):
    """Return a host that takes 0.2 s, and for each request above its slots more."""
    return lambda _name, flying, _began: 0.2 + max(0, flying - slots) * each


@pytest.mark.parametrize("slots", [3, 20, 75])
def test_a_sweep_finds_the_concurrency_at_which_a_host_gets_too_slow(slots):
    # 0.5 s are kept up to 30 requests above the slots.
    found, rows, told = swept(queueing(slots, 0.01), concurrency="1,256")
    (step,) = found.values()
    truth = slots + 30
    ends = [s.concurrency for s in steps(Load(concurrencies=(1, 256), sweep=True))]
    assert step.found == max(n for n in ends if n <= truth)
    assert step.sure <= step.found < step.fails
    assert step.why == ""
    assert len(told) <= most_tried(ends)
    tried = [each.load for _, each in told]
    assert len(tried) == len(set(tried))
    assert {each.load for each in step.tried} == set(tried)
    by_step = Counter(msgspec.json.decode(row.load)["concurrency"] for row in rows)
    assert all(n == max(100, 5 * each) for each, n in by_step.items())
    assert len({row.seq for row in rows}) == len(rows)


def server(per_s):
    """Return a host that answers so many requests a second, one after the other."""
    free = [0]

    def seconds(_name, _flying, began):
        free[0] = max(free[0], began) + NS // per_s
        return (free[0] - began) / NS

    return seconds


@pytest.mark.parametrize("per_s", [5, 40])
def test_a_sweep_finds_the_rate_that_a_host_answers(per_s):
    found, rows, _ = swept(server(per_s), rate="1,256", concurrency=5000)
    (each,) = found.values()
    # In ten seconds a rate 5 % above grows a queue of half a second.
    assert per_s * 0.9 <= each.found <= per_s * 1.1
    assert each.found < each.fails <= per_s * 1.3
    assert each.unit == "blocks/s"
    assert all(row.due_ns is not None for row in rows)


def test_hosts_are_searched_side_by_side_each_at_its_own_loads():
    def seconds(name, flying, began):
        return queueing({"slow": 2, "fast": 60}[name], 0.01)(name, flying, began)

    found, rows, _ = swept(seconds, names=("slow", "fast"), concurrency="1,128")
    assert 32 <= found["slow"].found < 40
    assert 83 <= found["fast"].found <= 91
    ends = {name: max(r.end_ns for r in rows if r.provider == name) for name in found}
    starts = {
        name: min(r.sent_ns for r in rows if r.provider == name) for name in found
    }
    assert starts["slow"] == starts["fast"]
    assert ends["fast"] != ends["slow"]


def test_not_found_says_why():
    found, _, told = swept(lambda *_: 2.0, concurrency="1,64")
    assert (found["a"].found, len(told)) == (None, 1)
    assert found["a"].why == "even the lowest load is too much"
    assert found["a"].fails == 1
    assert found["a"].sure is None
    found, _, _ = swept(lambda *_: 0.1, concurrency="1,64")
    assert (found["a"].found, found["a"].sure, found["a"].fails) == (None, 64, None)
    assert found["a"].why == "even the highest load is kept up with"


def test_answers_without_the_figure_are_not_told_as_too_slow():
    found, _, told = swept(lambda *_: 0.1, slo={"tpot": 50.0}, concurrency="1,64")
    assert found["a"].found is None
    assert found["a"].why == "100 of 100 answers lack a figure that the objectives need"
    assert len(told) == 1


def test_a_sweep_that_is_stopped_claims_nothing():
    found, _, told = swept(queueing(20, 0.01), concurrency="1,256", stop=8)
    assert len(told) == 8
    assert (found["a"].found, found["a"].why) == (None, "cut short")


def test_failures_are_not_kept_up_with():
    def seconds(_name, flying, _began):
        return None if flying > 10 else 0.1  # refuses whatever is above

    found, _, _ = swept(seconds, concurrency="1,64")
    assert found["a"].found == 10


@pytest.mark.parametrize("seed", range(2))
def test_chance_is_told_of_by_the_interval(seed):
    rng = random.Random(seed)

    def seconds(_name, flying, _began):
        return None if rng.random() < flying / 1000 else 0.1

    found, _, _ = swept(seconds, concurrency="1,256", max_requests=400)
    (each,) = found.values()
    # 95 % are good at 50 in flight; what is sure must hold, whatever was found.
    assert each.sure <= 60
    assert each.fails is None or each.fails >= 42
    assert 30 <= each.found <= 80


def test_what_finds_no_slot_is_not_kept_up_with():
    found, rows, _ = swept(lambda *_: 0.4, rate="1,64", concurrency=4)
    assert any(row.outcome == Outcome.DROPPED for row in rows)
    assert 9 <= found["a"].found <= 11


@pytest.mark.parametrize("truth", range(40))
def test_the_search_finds_every_boundary_and_tries_no_load_twice(truth):
    ends = grid(1, 256, whole=True)
    course, tried, at = search(ends), [], None
    limit = ends[truth] if truth < len(ends) else math.inf
    try:
        at = next(course)
        while True:
            tried.append(at)
            at = course.send(ends[at] <= limit)
    except StopIteration:
        pass
    kept_ = [ends[n] for n in tried if ends[n] <= limit]
    assert max(kept_) == min(limit, ends[-1])
    assert len(tried) == len(set(tried)) <= most_tried(ends)
    assert limit >= ends[-1] or ends[truth + 1] in [ends[n] for n in tried]


def test_the_grid_has_both_ends_and_small_steps():
    rates = grid(0.5, 10, whole=False)
    assert (rates[0], rates[-1]) == (0.5, 10)
    assert all(1 < b / a < 1.1 for a, b in itertools.pairwise(rates))
    slots = grid(1, 256, whole=True)
    assert slots[:8] == (1, 2, 3, 4, 5, 6, 7, 8)
    assert slots[-1] == 256
    assert search([1.0]).send(None) == 0


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"rate": 8}, "two ends of rate"),
        ({"concurrency": "1,8,64"}, "two ends of concurrency"),
        ({"concurrency": "64,1"}, "lower and higher"),
        ({"rate": "1,8", "concurrency": "1,2"}, "takes one concurrency"),
    ],
)
def test_a_sweep_without_two_ends_is_refused(shape, words):
    with pytest.raises(ScenarioError, match=words):
        loads.read({"sweep": True, **shape}, "job.toml: load")


def test_a_sweep_has_ends_of_its_own_and_frees_the_hosts():
    found = loads.read({"sweep": True}, "job.toml: load")
    assert (found.concurrencies, found.unpaired) == ((1, 256), True)


def test_a_load_that_is_no_sweep_is_stored_and_hashed_as_ever():
    assert "sweep" not in kept(Load())
    assert kept(Load(concurrencies=(1, 8), sweep=True))["sweep"] is True
    plans = [
        Plan(
            scenarios=(load("burst"),),
            providers=("a",),
            load=Load(concurrencies=(1, 8), sweep=sweep, unpaired=True),
            salt="s",
        )
        for sweep in (False, True)
    ]
    assert plan_hash(plans[0]) != plan_hash(plans[1])
    assert len(segments(plans[1])) == 8


def test_a_sweep_is_shown_with_its_loads_and_its_verdict():
    found, _, _ = swept(queueing(20, 0.01), concurrency="1,256")
    out = io.StringIO()
    for part in shown(list(found.values()), SLO):
        tables.console(out, width=80).print(part)
    text = " ".join(out.getvalue().split())
    each = found["a"]
    assert "95 % of requests keep e2e 500 ms" in text
    said = f"burst, a: {each.found} in flight ({each.sure} is sure, {each.fails} is"
    assert said in text
    job = kept(Load(concurrencies=(1, 256), sweep=True))
    assert [s.amount for s in _asked(job)] == list(grid(1, 256, whole=True))
