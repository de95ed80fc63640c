"""The engine in virtual time: when things are sent, and that nothing is lost."""

import asyncio
from collections import Counter, defaultdict
from itertools import pairwise

import msgspec
import pytest
from fakes import NS, Hosts, VirtualClock, virtually

from compare.run.brake import DRAIN_S
from compare.run.budget import Budget
from compare.run.engine import Engine
from compare.run.fuse import VAIN
from compare.run.gate import Ceiling
from compare.run.sender import AHEAD_NS
from providers.outcome import Blame, Outcome
from scenarios.load import Load
from scenarios.plan import Plan, segments, units
from scenarios.scenario import load as scenario


def plan_of(names=("a", "b", "c"), scenes=("ping",), **load):
    return Plan(
        scenarios=tuple(scenario(name) for name in scenes),
        providers=tuple(names),
        load=Load(**load),
        salt="test",
    )


def run(plan, hosts, *, during=None, **options):
    """Run a plan against scripted hosts; return the results and the engine."""
    results = []

    async def main():
        budget = options.get("budget")

        def emit(result):
            results.append(result)
            if budget is not None:
                budget.settle(result.worst_nusd, options.pop("true", None))

        engine = Engine(
            plan, hosts.send, emit, clock=VirtualClock(), interrupt=hosts.interrupt,
            **{k: v for k, v in options.items() if k != "true"},
        )  # fmt: skip
        tasks = [asyncio.create_task(engine.run())]
        if during is not None:
            tasks.append(asyncio.create_task(during(engine)))
        await asyncio.gather(*tasks)
        return engine

    return results, virtually(main())


def test_every_planned_request_becomes_one_result():
    plan = plan_of(scenes=("ping", "json-object"), max_requests=50, warmup=3,
                   concurrencies=(4,))  # fmt: skip
    results, _ = run(plan, Hosts(0.5))

    planned = {
        arrival.seq
        for segment in segments(plan)
        for unit in units(plan, segment, plan.providers)
        for block in unit.blocks
        for arrival in block
    }
    assert Counter(r.arrival.seq for r in results) == Counter(planned)
    assert len(planned) == 2 * 53 * 3


def test_a_block_goes_to_all_hosts_at_the_same_moment():
    hosts = Hosts(lambda arrival: {"a": 0.1, "b": 0.9, "c": 0.4}[arrival.provider])
    run(plan_of(max_requests=40, concurrencies=(3,)), hosts)

    moments = defaultdict(set)
    for at, arrival in hosts.log:
        moments[arrival.block].add(at)
    assert len(moments) == 40
    assert all(len(times) == 1 for times in moments.values())


def test_a_slot_frees_when_the_last_host_of_its_block_ends():
    hosts = Hosts(lambda arrival: {"a": 0.1, "b": 1.0}[arrival.provider])
    run(plan_of(("a", "b"), max_requests=10, concurrencies=(2,), ramp=0.0), hosts)

    assert hosts.most == {"a": 2, "b": 2}
    assert max(at for at, _ in hosts.log) == pytest.approx(4.0)


def test_unpaired_hosts_do_not_wait_for_each_other():
    hosts = Hosts(lambda arrival: {"a": 0.1, "b": 1.0}[arrival.provider])
    run(plan_of(("a", "b"), max_requests=10, unpaired=True, ramp=0.0), hosts)

    ends = {name: max(at for at, x in hosts.log if x.provider == name) for name in "ab"}
    assert ends["a"] == pytest.approx(0.9)
    assert ends["b"] == pytest.approx(9.0)


def test_a_closed_loop_opens_its_slots_over_the_ramp():
    hosts = Hosts(100.0)
    run(plan_of(("a",), max_requests=10, concurrencies=(10,), ramp=2.0), hosts)

    assert [at for at, _ in hosts.log] == pytest.approx([i * 0.2 for i in range(10)])


def test_an_open_loop_sends_on_schedule_whatever_the_hosts_do():
    hosts = Hosts(19.995)
    plan = plan_of(("a",), rates=(100.0,), concurrencies=(3000,), duration=30.0)
    results, _ = run(plan, hosts)

    assert len(results) == 3000
    assert hosts.most == {"a": 2000}
    assert max(r.queued - r.due for r in results) < 1e6
    assert [at for at, _ in hosts.log] == pytest.approx([i / 100 for i in range(3000)])


def due_of(results):
    return sorted(r.due for r in results)


class Asked(Hosts):
    """Notes when it was asked, and not only when it was to send."""

    def __init__(self, seconds):
        super().__init__(seconds)
        self.asked = []

    async def send(self, arrival, start):
        self.asked.append(VirtualClock().now())
        return await super().send(arrival, start)


def test_a_block_of_an_open_loop_is_made_ready_before_it_is_due():
    hosts = Asked(0.5)
    plan = plan_of(("a",), ("cache-pair",), rates=(2.0,), max_requests=6)
    results, _ = run(plan, hosts)

    late = [at - due for at, due in zip(hosts.asked, due_of(results), strict=True)]
    assert late[1:] == pytest.approx([-AHEAD_NS] * 5, abs=10)
    assert all(r.queued == r.due for r in results[1:])


def test_a_ceiling_is_not_entered_before_the_block_is_due():
    hosts = Asked(0.5)
    plan = plan_of(("a", "b"), ("cache-pair",), rates=(2.0,), max_requests=6)
    results, _ = run(plan, hosts, ceilings={"b": Ceiling(concurrency=4)})

    assert all(at >= due for at, due in zip(hosts.asked, due_of(results), strict=True))


def test_a_slot_that_is_free_when_a_session_is_due_is_in_time():
    hosts = Hosts(0.1 - AHEAD_NS / NS / 2)
    plan = plan_of(("a",), rates=(10.0,), concurrencies=(1,), max_requests=20)
    results, _ = run(plan, hosts)

    assert {r.reply.outcome for r in results} == {Outcome.OK}


def test_what_finds_no_slot_is_dropped_and_still_a_result():
    hosts = Hosts(1.0)
    plan = plan_of(("a", "b"), rates=(10.0,), concurrencies=(5,), max_requests=40)
    results, _ = run(plan, hosts)

    outcomes = Counter(r.reply.outcome for r in results)
    assert outcomes[Outcome.DROPPED] == 40
    assert outcomes[Outcome.OK] == 40
    assert hosts.most == {"a": 5, "b": 5}
    dropped = [r for r in results if r.reply.outcome == Outcome.DROPPED]
    assert all(r.due is not None and r.queued is None for r in dropped)


def test_what_a_slow_generator_did_not_get_to_is_dropped_too():
    """A clock that runs ahead: when the duration is over, half is not sent yet."""

    class Late(Hosts):
        async def send(self, arrival, start):
            asyncio.get_running_loop().moment += 0.02  # each send takes the loop 20 ms
            return await super().send(arrival, start)

    hosts = Late(0.001)
    results, _ = run(plan_of(("a",), rates=(100.0,), duration=1.0), hosts)

    outcomes = Counter(r.reply.outcome for r in results)
    assert len(results) == 100
    assert outcomes[Outcome.DROPPED] > 30
    assert outcomes[Outcome.OK] + outcomes[Outcome.DROPPED] == 100


def test_more_slots_than_blocks_are_not_made():
    results, _ = run(
        plan_of(("a",), max_requests=2, concurrencies=(100_000,)), Hosts(1.0)
    )

    assert len(results) == 2


def test_sending_ends_with_the_duration_and_what_is_in_flight_may_end():
    hosts = Hosts(4.0)
    plan = plan_of(("a",), duration=10.0, concurrencies=(2,), ramp=0.0)
    results, _ = run(plan, hosts)

    assert [at for at, _ in hosts.log] == pytest.approx([0, 0, 4, 4, 8, 8])
    assert {r.reply.outcome for r in results} == {Outcome.OK}


def test_what_outlives_the_grace_is_interrupted():
    hosts = Hosts(lambda arrival: 1000.0 if arrival.provider == "b" else 1.0)
    plan = plan_of(("a", "b"), duration=5.0, ramp=0.0)
    results, _ = run(plan, hosts)

    outcomes = {r.arrival.provider: r.reply for r in results}
    assert outcomes["a"].outcome == Outcome.OK
    assert outcomes["b"].outcome == Outcome.INTERRUPTED
    stamps = outcomes["b"].stamps
    assert (stamps.end - stamps.sent) / NS == pytest.approx(5.0 + DRAIN_S)


def test_stop_sends_nothing_more_and_waits_for_what_flies():
    async def during(engine):
        await asyncio.sleep(2.5)
        engine.stop()

    hosts = Hosts(1.0)
    results, engine = run(
        plan_of(("a",), max_requests=100, ramp=0.0), hosts, during=during
    )

    assert engine.stopped == "interrupted"
    assert len(hosts.log) == 3
    assert {r.reply.outcome for r in results} == {Outcome.OK}


def test_finish_now_interrupts_what_flies():
    async def during(engine):
        await asyncio.sleep(2.5)
        engine.stop()
        await asyncio.sleep(0.1)
        engine.finish_now()

    results, _ = run(
        plan_of(("a", "b"), max_requests=100, ramp=0.0), Hosts(1.0), during=during
    )

    outcomes = Counter(r.reply.outcome for r in results)
    assert outcomes == {Outcome.OK: 4, Outcome.INTERRUPTED: 2}


def test_the_turns_of_a_session_keep_their_gap():
    hosts = Hosts(0.5)
    results, _ = run(plan_of(("a", "b"), ("cache-pair",), max_requests=4), hosts)

    assert [round(at, 3) for at, x in hosts.log if x.provider == "a"] == [
        0.0, 1.5, 2.0, 3.5
    ]  # fmt: skip
    assert [r.arrival.turn for r in results if r.arrival.provider == "a"] == [
        1,
        2,
        1,
        2,
    ]


def test_a_later_turn_of_an_open_loop_is_due_a_gap_after_the_last():
    hosts = Hosts(0.5)
    plan = plan_of(("a",), ("cache-pair",), rates=(1.0,), max_requests=4)
    results, _ = run(plan, hosts)

    start = min(r.due for r in results)
    due = {r.arrival.seq: (r.due - start) / NS for r in results}
    assert due == pytest.approx({0: 0.0, 1: 1.5, 2: 2.0, 3: 3.5})


def test_an_rpm_ceiling_holds_back_the_block_and_shows_as_waiting():
    hosts = Hosts(0.01)
    # The throttler keeps real time, whatever the loop's: 20 requests take a second.
    plan = plan_of(("a", "b"), rates=(1000.0,), max_requests=20)
    results, _ = run(plan, hosts, ceilings={"a": Ceiling(rpm=1200)})

    moments = defaultdict(set)
    for at, arrival in hosts.log:
        moments[arrival.block].add(at)
    assert all(len(times) == 1 for times in moments.values())
    starts = sorted(min(times) for times in moments.values())
    assert min(later - sooner for sooner, later in pairwise(starts)) >= 0.04
    assert max((r.reply.stamps.sent - r.queued) / NS for r in results) > 0.5


def test_a_host_concurrency_ceiling_is_kept_and_its_blocks_stay_whole():
    hosts = Hosts(1.0)
    plan = plan_of(("a", "b"), max_requests=12, concurrencies=(6,), ramp=0.0)
    run(plan, hosts, ceilings={"a": Ceiling(concurrency=2)})

    assert hosts.most == {"a": 2, "b": 2}


def test_stop_does_not_wait_for_a_ceiling():
    async def during(engine):
        await asyncio.sleep(1.0)
        engine.stop()

    hosts = Hosts(0.1)
    plan = plan_of(("a",), max_requests=10, concurrencies=(10,), ramp=0.0)
    results, _ = run(plan, hosts, during=during, ceilings={"a": Ceiling(rpm=1)})

    outcomes = Counter(r.reply.outcome for r in results)
    assert outcomes == {Outcome.OK: 1, Outcome.INTERRUPTED: 9}


def test_the_budget_reserves_each_block_whole_and_stops_the_run():
    budget = Budget(1000)
    hosts = Hosts(1.0)
    plan = plan_of(("a", "b"), max_requests=100, concurrencies=(4,), ramp=0.0)
    results, engine = run(plan, hosts, budget=budget, worst=lambda _: 100)

    assert engine.stopped == "budget"
    assert budget.spent_nusd == 1000
    assert len(results) == 10
    blocks = Counter(r.arrival.block for r in results)
    assert set(blocks.values()) == {2}


def test_a_closed_loop_waits_for_the_change_of_what_flies():
    """Reservations are ten times the true cost: the run still spends its budget."""
    budget, results = Budget(1000), []

    async def main():
        def emit(result):
            results.append(result)
            budget.settle(result.worst_nusd, 10)

        hosts = Hosts(1.0)
        plan = plan_of(("a",), max_requests=1000, concurrencies=(50,), ramp=0.0)
        engine = Engine(
            plan, hosts.send, emit, clock=VirtualClock(), budget=budget,
            worst=lambda _: 100,
        )  # fmt: skip
        await engine.run()
        assert engine.stopped == "budget"
        assert hosts.most["a"] <= 10

    virtually(main())
    assert 900 < budget.spent_nusd <= 1000
    assert len(results) == budget.spent_nusd / 10


def test_a_bug_in_send_is_not_swallowed():
    class Broken(Hosts):
        async def send(self, arrival, start):
            raise RuntimeError("a bug")

    with pytest.raises(BaseExceptionGroup) as caught:
        run(plan_of(("a",), max_requests=3), Broken(1.0))
    assert caught.group_contains(RuntimeError, match="a bug")


def keyless(at, refuses=()):
    """Return a host that refuses the key from the n-th request on, in `refuses`."""

    class Keyless(Hosts):
        async def send(self, arrival, start):
            reply = await super().send(arrival, start)
            number = sum(a.provider == arrival.provider for _, a in self.log)
            refused = arrival.provider in refuses and number > at
            outcome = Outcome.AUTH_ERROR if refused else reply.outcome
            return msgspec.structs.replace(reply, outcome=outcome)

    return Keyless(0.5)


def outcomes_of(results, host):
    return Counter(
        (r.reply.outcome, r.reply.blame) for r in results if r.arrival.provider == host
    )


@pytest.mark.parametrize("rate", [(), (5.0,)])
def test_a_host_that_refuses_the_key_five_times_in_a_row_is_asked_no_more(rate):
    hosts = keyless(3, "a")
    plan = plan_of(("a", "b"), max_requests=30, rates=rate)
    results, engine = run(plan, hosts)

    assert engine.stopped is None
    found = outcomes_of(results, "a")
    asked = found[Outcome.OK, None] + found[Outcome.AUTH_ERROR, None]
    in_flight = 2 if rate else 0  # at the moment of the fifth refusal
    assert 3 + 5 <= asked <= 3 + 5 + in_flight
    assert found[Outcome.POLICY_REFUSED, Blame.ACCOUNT] == 30 - asked
    assert outcomes_of(results, "b") == {(Outcome.OK, None): 30}
    assert sum(a.provider == "a" for _, a in hosts.log) == asked
    withheld = [r for r in results if r.reply.outcome == Outcome.POLICY_REFUSED]
    assert {r.reply.stamps.sent for r in withheld} == {None}


def test_refusals_with_an_answer_between_them_stop_nobody():
    class Moody(Hosts):
        async def send(self, arrival, start):
            reply = await super().send(arrival, start)
            good = arrival.block % 5 == 4
            outcome = Outcome.OK if good else Outcome.AUTH_ERROR
            return msgspec.structs.replace(reply, outcome=outcome)

    results, _ = run(plan_of(("a",), max_requests=25), Moody(0.1))

    assert outcomes_of(results, "a") == {
        (Outcome.AUTH_ERROR, None): 20,
        (Outcome.OK, None): 5,
    }


def test_when_every_host_is_out_a_counted_plan_is_told_and_a_timed_one_ends():
    results, _ = run(plan_of(("a", "b"), max_requests=200), keyless(0, "ab"))
    assert len(results) == 400
    assert outcomes_of(results, "b")[Outcome.POLICY_REFUSED, Blame.ACCOUNT] == 195

    hosts = keyless(0, "ab")
    results, _ = run(plan_of(("a", "b"), duration=3600.0), hosts)
    assert len(results) == len(hosts.log) == 10


def failing(answers=lambda number: False):
    """Return hosts that fail at once, but for the requests that are answered."""

    class Failing(Hosts):
        number = 0

        async def send(self, arrival, start=None):
            reply = await super().send(arrival, start)
            self.number += 1
            good = answers(self.number)
            outcome = Outcome.OK if good else Outcome.HTTP_ERROR
            return msgspec.structs.replace(reply, outcome=outcome)

    return Failing(0.001)


def test_hosts_that_fail_at_once_are_not_asked_as_fast_as_we_can():
    results, engine = run(plan_of(("a", "b"), duration=600.0), failing())

    assert engine.stopped == "vain"
    assert VAIN <= len(results) <= VAIN + 2


@pytest.mark.parametrize(
    ("load", "answers"),
    [
        ({"rates": (100.0,), "duration": 30.0}, lambda number: False),
        ({"max_requests": 2_500}, lambda number: number % VAIN == 0),
    ],
    ids=["open loop", "an answer between"],
)
def test_failures_alone_stop_neither_a_schedule_nor_a_run_with_answers(load, answers):
    results, engine = run(plan_of(("a",), **load), failing(answers))

    assert engine.stopped is None
    assert len(results) > 2 * VAIN


def test_a_host_that_is_out_holds_neither_a_ceiling_nor_money():
    budget = Budget(10_000)
    hosts = keyless(0, "a")
    plan = plan_of(("a", "b"), max_requests=20)
    ceilings = {"a": Ceiling(concurrency=1), "b": Ceiling(concurrency=1)}
    results, engine = run(
        plan, hosts, budget=budget, worst=lambda _: 100, ceilings=ceilings, true=1
    )

    assert len(results) == 40
    assert budget.held_nusd == 0
    assert engine.stopped is None
    assert max(at for at, _ in hosts.log) == pytest.approx(19 * 0.5)
