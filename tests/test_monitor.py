"""compare.run.monitor: what befalls the bench is seen, and marked on its rows."""

import asyncio
import gc
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.run.monitor import (
    KEPT,
    PERIOD_NS,
    Clocks,
    Health,
    Monitor,
    machine_ticks,
    marked,
    merged,
)
from compare.run.sender import Result
from providers.outcome import Flag, Outcome
from providers.reply import Reply, Stamps
from scenarios.load import Load
from scenarios.plan import Plan, segments, units
from scenarios.scenario import load

MS = 1_000_000
S = 1_000 * MS
PLAN = Plan(scenarios=(load("ping"),), providers=("h",), load=Load(), salt="s")
SEGMENT = segments(PLAN)[0]
ARRIVAL = next(units(PLAN, SEGMENT, PLAN.providers)).blocks[0][0]


class Time:
    """All clocks of a machine, moved by hand; in ns."""

    def __init__(self, boot=True, machine=True):
        self.mono, self.wall, self.asleep, self.cpu = 5 * S, 1_000 * S, 0, 0
        self.busy = self.total = 100
        self.clocks = Clocks(
            mono=lambda: self.mono,
            wall=lambda: self.wall,
            boot=(lambda: self.mono + self.asleep) if boot else None,
            cpu=lambda: self.cpu,
            machine=lambda: (self.busy, self.total) if machine else None,
        )

    def go(self, ms, *, cpu=0.0, wall=None):
        self.mono += round(ms * MS)
        self.wall += round((ms if wall is None else wall) * MS)
        self.cpu += round(ms * cpu * MS)


@pytest.fixture
def when():
    return Time()


@pytest.fixture
def monitor(when):
    return Monitor(when.clocks)


def steadily(when, monitor, n=10, cpu=0.0):
    for _ in range(n):
        when.go(10, cpu=cpu)
        monitor.tick()


def result(*, sent=None, end=None, due=None, queued=None, **durations):
    stamps = Stamps(sent=sent, end=end, **durations)
    reply = Reply(outcome=Outcome.OK, stamps=stamps, flags=frozenset({Flag.CRLF}))
    return Result(arrival=ARRIVAL, segment=SEGMENT, reply=reply, due=due, queued=queued)


def flags(monitor, ceilings=(), **stamps):
    found = marked(result(**stamps), monitor, ceilings).reply.flags
    assert Flag.CRLF in found
    return found - {Flag.CRLF}


def test_a_quiet_run_has_nothing_to_tell(when, monitor):
    steadily(when, monitor, 300, cpu=0.25)
    health = monitor.health()

    assert (health.span_s, health.ticks, health.lags) == (3.0, 300, 0)
    assert (health.cpu_share, health.cpu_peak) == (0.25, 0.25)
    assert (health.clock_steps, health.asleep_s) == (0, 0)


def test_a_late_tick_is_a_lag_less_the_grain_of_timers(when, monitor):
    steadily(when, monitor)
    when.go(20.9)  # 10.9 ms late: 1 ms of that may be the timer's
    monitor.tick()
    assert monitor.health().lags == 0

    when.go(211)
    monitor.tick()
    assert (monitor.health().lags, monitor.health().lag_max_ms) == (1, 200)


def test_rows_that_overlap_a_lag_are_marked_and_others_are_not(when, monitor):
    steadily(when, monitor)
    before = when.mono
    when.go(110)
    monitor.tick()
    after = when.mono
    steadily(when, monitor)

    assert flags(monitor, sent=before - 50 * MS, end=after) == {Flag.LOOP_LAG}
    assert flags(monitor, sent=before + 50 * MS, end=when.mono) == {Flag.LOOP_LAG}
    assert not flags(monitor, sent=before - 50 * MS, end=before)
    assert not flags(monitor, sent=after + 1, end=when.mono)
    # What was due meanwhile was hit by it, however quick it went once it was sent.
    hit = {"due": before + 50 * MS, "queued": after, "sent": after + 1}
    assert flags(monitor, **hit, end=when.mono) >= {Flag.LOOP_LAG}
    assert not flags(monitor, ["h"], **hit, end=when.mono)
    assert flags(monitor, due=before + 50 * MS) == {Flag.LOOP_LAG}  # dropped


def test_a_lag_that_the_sampler_has_not_seen_yet_counts(when, monitor):
    steadily(when, monitor)
    sent = when.mono
    when.go(100)

    assert flags(monitor, sent=sent, end=when.mono) == {Flag.LOOP_LAG}
    assert not flags(monitor, sent=sent - 5 * MS, end=sent)


def test_memory_stays_flat_and_the_newest_lags_are_kept(when, monitor):
    for _ in range(KEPT + 100):
        when.go(30)
        monitor.tick()

    assert monitor.health().lags == KEPT + 100
    assert len(monitor._lags) == KEPT
    assert monitor.lagged(5 * S, when.mono)


@pytest.mark.parametrize("step", [-3_600_000, -60, 60, 3_600_000])
def test_a_wall_clock_that_is_set_is_a_step_and_marks_its_rows(when, monitor, step):
    steadily(when, monitor)
    sent = when.mono
    when.go(10, wall=10 + step)
    monitor.tick()

    health = monitor.health()
    assert (health.clock_steps, health.clock_step_max_ms) == (1, abs(step))
    assert flags(monitor, sent=sent, end=when.mono) == {Flag.CLOCK_STEP}
    steadily(when, monitor)
    assert not flags(monitor, sent=when.mono - 5 * MS, end=when.mono)


def test_a_step_is_seen_on_the_row_that_ends_before_the_next_tick(when, monitor):
    steadily(when, monitor)
    sent = when.mono
    when.go(3, wall=200)

    assert flags(monitor, sent=sent, end=when.mono) == {Flag.CLOCK_STEP}


def test_a_clock_that_is_slewed_is_no_step(when, monitor):
    for _ in range(1_000):
        when.go(10, wall=10.005)
        monitor.tick()

    assert monitor.health().clock_steps == 0


def test_being_held_up_between_two_readings_is_no_step_and_no_sleep():
    held = iter([100, 0, 0, 100] * 20)
    now = Time()

    def wall():
        now.go(next(held))
        return now.wall

    def boot():
        now.go(next(held))
        return now.mono

    clocks = msgspec.structs.replace(now.clocks, wall=wall, boot=boot)
    monitor = Monitor(clocks)
    for _ in range(10):
        now.go(10)
        monitor.tick()

    assert (monitor.health().clock_steps, monitor.health().asleep_s) == (0, 0)


def test_a_suspend_is_told_by_the_clock_that_counts_on(when, monitor):
    steadily(when, monitor)
    when.asleep += 30 * S
    when.wall += 30 * S
    steadily(when, monitor)

    assert monitor.health().asleep_s == 30


def test_without_a_boot_clock_and_machine_figures_nothing_is_claimed():
    when = Time(boot=False, machine=False)
    monitor = Monitor(when.clocks)
    steadily(when, monitor)

    assert monitor.health().machine_share is None
    assert monitor.health().asleep_s == 0


def test_the_worst_second_stands_out_of_the_whole(when, monitor):
    steadily(when, monitor, 300, cpu=0.1)
    steadily(when, monitor, 100, cpu=1.0)
    steadily(when, monitor, 300, cpu=0.1)
    when.busy, when.total = 250, 300

    health = monitor.health()
    assert health.cpu_peak == 1.0
    assert health.cpu_share == pytest.approx(160 / 700)
    assert health.machine_share == 0.75


def test_a_late_start_is_ours_unless_a_connection_or_a_ceiling_took_the_time(monitor):
    at = 5 * S
    late = {"sent": at + 15 * MS, "end": at + 20 * MS}

    assert flags(monitor, queued=at, **late) == {Flag.LATE_START}
    assert flags(monitor, due=at, queued=at + 15 * MS, **late) == {Flag.LATE_START}
    assert not flags(monitor, queued=at + 6 * MS, **late)
    assert not flags(monitor, ["h"], queued=at, **late)
    opening = {"dns": 2 * MS, "connect": 3 * MS, "tls": 4 * MS}
    assert not flags(monitor, queued=at, **late, **opening)


def test_an_unmarked_result_is_passed_on_as_it_is(when, monitor):
    given_ = result(sent=when.mono, end=when.mono)

    assert marked(given_, monitor, ()) is given_


async def test_the_sampler_runs_in_the_loop_and_sees_it_blocked():
    with Monitor() as monitor:
        await asyncio.sleep(0.03)
        sent = time.perf_counter_ns()
        asyncio.get_running_loop().call_soon(time.sleep, 0.08)
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        seen = flags(monitor, sent=sent, end=time.perf_counter_ns())
        gc.collect()
    health = monitor.health()

    assert Flag.LOOP_LAG in seen
    assert health.lags >= 1
    assert 50 < health.lag_max_ms < 5_000
    assert health.gc_pauses >= 1
    assert health.gc_max_ms > 0
    assert monitor._collected not in gc.callbacks


def test_the_machines_ticks_grow():
    busy, total = machine_ticks() or (0, 1)

    assert 0 <= busy <= total


def test_health_is_numbers_alone(monitor):
    fields = msgspec.to_builtins(monitor.health())

    numbers = (int, float, type(None))
    assert all(isinstance(each, numbers) for each in fields.values())
    assert msgspec.json.decode(msgspec.json.encode(fields), type=Health)


healths = st.builds(
    Health,
    machine_share=st.none() | st.floats(0, 1),
    **{
        name: st.integers(0, 1000)
        for name in Health.__struct_fields__
        if name != "machine_share"
    },
)


@given(st.lists(healths, min_size=1, max_size=5))
def test_the_health_of_any_workers_is_of_all_and_of_the_worst(parts):
    whole = merged(parts)

    assert whole.lags == sum(each.lags for each in parts)
    assert whole.cpu_share == max(each.cpu_share for each in parts)
    assert whole.asleep_s == max(each.asleep_s for each in parts)
    assert merged([whole]) == whole
    assert merged([]) is None


def test_one_period_is_ten_milliseconds():
    assert PERIOD_NS == 10 * MS
