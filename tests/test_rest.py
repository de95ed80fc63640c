"""What is left of a plan: with what is there already it makes the whole plan, once."""

import asyncio
from collections import Counter

import msgspec
import pytest
from fakes import NS, Hosts, VirtualClock, virtually
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fleet import PAIR, PING, arrivals, plan_of, plans

from compare.run.engine import Engine, Part
from compare.run.rest import Rest, missing, parted
from scenarios.plan import first_due, planned, segments


def finish(plan, rest, of=1):
    """Send what is left of a plan in `of` parts; return what was sent and its log."""
    hosts, results = Hosts(0.5), []

    async def part(index):
        engine = Engine(
            plan, hosts.send, results.append, clock=VirtualClock(),
            interrupt=hosts.interrupt, part=Part(index=index, of=of), rest=rest,
        )  # fmt: skip
        await engine.run()

    async def main():
        await asyncio.gather(*(part(index) for index in range(of)))

    virtually(main())
    return results, hosts.log


@settings(max_examples=40)
@given(plans, st.randoms(), st.integers(1, 3))
def test_what_is_left_and_what_is_there_make_the_whole_plan(plan, random, of):
    load = msgspec.structs.replace(plan.load, concurrencies=(4,))
    plan = msgspec.structs.replace(plan, load=load)
    whole = {arrival.seq: arrival for arrival in arrivals(plan)}
    share = random.random()
    done = frozenset(seq for seq in whole if random.random() < share)
    rest = Rest(done=done)

    results, _ = finish(plan, rest, of)

    assert Counter(r.arrival.seq for r in results) == Counter(whole.keys() - done)
    assert all(r.arrival == whole[r.arrival.seq] for r in results)
    assert missing(plan, rest) == len(whole) - len(done)
    open_ = {left.segment.index for left in rest.of(plan)}
    assert {r.segment.index for r in results} == open_


def test_of_a_plan_that_is_done_nothing_is_left():
    plan = plan_of(PAIR, PING, max_requests=5, warmup=2)
    done = frozenset(arrival.seq for arrival in arrivals(plan))

    assert Rest(done=done).of(plan) == []
    assert missing(plan, Rest(done=done)) == 0
    assert parted(plan, done) == 0


def test_a_block_with_some_of_its_rows_is_asked_of_the_missing_hosts_alone():
    plan = plan_of(names=("a", "b", "c"), max_requests=4)
    done = frozenset(
        {0, 1, 2, 4, 9, 11}
    )  # block 0 whole, 1 without a and c, 3 without b

    results, _ = finish(plan, Rest(done=done))

    asked = {(r.arrival.block, r.arrival.provider) for r in results}
    assert asked == {(1, "a"), (1, "c"), (2, "a"), (2, "b"), (2, "c"), (3, "b")}
    assert parted(plan, done) == 2


def test_an_open_loop_goes_on_at_once_with_the_gaps_that_it_planned():
    plan = plan_of(names=("a",), rates=(2.0,), arrival="poisson", max_requests=30)
    dues = {arrival.seq: arrival.due for arrival in arrivals(plan)}

    results, log = finish(plan, Rest(done=frozenset(range(10)) - {7}))

    first = dues[7]
    assert [arrival.seq for _, arrival in log] == [7, *range(10, 30)]
    assert [at for at, _ in log] == pytest.approx(
        [dues[arrival.seq] - first for _, arrival in log]
    )
    start = min(r.due for r in results)
    assert {r.arrival.seq: (r.due - start) / NS for r in results} == pytest.approx(
        {r.arrival.seq: dues[r.arrival.seq] - first for r in results}
    )


def test_an_open_loop_with_a_duration_plans_what_is_due_before_its_end():
    plan = plan_of(names=("a", "b"), rates=(10.0,), duration=2.0)
    (segment,) = segments(plan)
    assert planned(plan, segment) == 20
    done = frozenset(range(30))

    results, _ = finish(plan, Rest(done=done))

    assert missing(plan, Rest(done=done)) == 10
    assert {r.arrival.seq for r in results} == set(range(30, 40))
    assert {r.reply.outcome for r in results} == {"ok"}
    assert first_due(plan, segment, range(15, 99)) == pytest.approx(1.5)


def test_a_closed_loop_with_a_duration_has_the_rest_of_its_time():
    plan = plan_of(names=("a", "b"), duration=10.0, ramp=0.0)
    done = frozenset(range(24)) - {5}
    rest = Rest(done=done, spent={0: 6.1})

    results, log = finish(plan, rest)

    sent = [arrival.seq // 2 for _, arrival in log]
    assert missing(plan, rest) is None
    assert sorted(set(sent)) == [2, *range(12, 19)]  # 8 blocks of 0.5 s in 3.9 s
    assert sent.count(2) == 1
    assert max(at for at, _ in log) < 3.9
    assert Rest(done=done, spent={0: 10.0}).of(plan) == []
    assert not {r.arrival.seq for r in results} & done


def test_a_plan_of_a_million_done_rows_is_not_made_anew_to_find_its_end():
    plan = plan_of(PING, names=("a", "b"), max_requests=50_000)
    rest = Rest(done=frozenset(range(99_990)))

    (left,) = rest.of(plan)
    assert (left.rows, len(left.whole)) == (99_990, 49_995)
    assert missing(plan, rest) == 10


def test_a_plan_that_was_not_begun_is_not_counted_out_before_it_starts():
    plan = plan_of(PING, rates=(50_000.0,), duration=360_000.0, arrival="poisson")

    (left,) = Rest().of(plan)
    assert (left.rows, left.whole, left.ahead) == (0, frozenset(), 0.0)
    assert missing(plan, Rest()) is None
