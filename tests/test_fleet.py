"""Workers share a plan among them: nothing is sent twice, and nothing is forgotten."""

import asyncio
import itertools
import os
import pickle
import signal
from collections import Counter, defaultdict

import msgspec
import pytest
from byteserver import GOOD, STALL, ByteServer, stream
from fakes import Hosts, VirtualClock, virtually
from hypothesis import given, settings
from hypothesis import strategies as st

from compare.run import fleet as fleets
from compare.run import lost, worker
from compare.run.config import Flags, read
from compare.run.engine import Engine, Part
from compare.run.fleet import _held_signals, spread
from compare.run.letters import Order, Report, framed, letters, packed, read_report
from compare.run.mistakes import JobError, SetupError
from compare.run.prepare import prepare
from compare.run.worker import SIGNALS, Task, own_part
from data.row import CheckRow, Row
from scenarios.load import Load
from scenarios.plan import EVERY, Plan, lanes, segments, shard, units
from scenarios.scenario import load as scenario
from scenarios.scenario import override

PING = scenario("ping")
PAIR = override(scenario("cache-pair"), prompt_tokens=20)
PIECES = (scenario("tool-call"), PAIR)


def plan_of(*scenes, names=("a", "b"), **shape):
    return Plan(scenarios=scenes or (PING,), providers=tuple(names),
                load=Load(**shape), salt="salt")  # fmt: skip


def arrivals(plan, among=EVERY):
    """Return every arrival of a plan, or of some of its sessions."""
    return [
        arrival
        for segment in segments(plan)
        for lane in lanes(plan)
        for unit in units(plan, segment, lane, among)
        for block in unit.blocks
        for arrival in block
    ]


LOOPS = [{}, {"rates": (2.0,)}, {"rates": (1.0, 5.0), "arrival": "poisson"}]
plans = st.builds(
    lambda *scenes, loop, **shape: plan_of(*scenes, **loop, **shape),
    st.sampled_from(PIECES),
    st.just(PING),
    loop=st.sampled_from(LOOPS),
    names=st.sampled_from([("a",), ("a", "b", "c")]),
    max_requests=st.integers(1, 12),
    warmup=st.integers(0, 3),
    seed=st.integers(0, 2**32),
    unpaired=st.booleans(),
)


@settings(max_examples=40)
@given(plans, st.integers(1, 4))
def test_any_plan_is_the_sum_of_its_parts(plan, of):
    """Prompts, numbers, orders and due times are those of the undivided plan."""
    parts = [arrivals(plan, shard(index, of)) for index in range(of)]

    together = sorted(itertools.chain(*parts), key=lambda each: each.seq)
    assert together == sorted(arrivals(plan), key=lambda each: each.seq)
    for index, part in enumerate(parts):
        assert Counter(lost.numbers(plan, index, of)) == Counter(a.seq for a in part)
        blocks = {(arrival.block, index) for arrival in part}
        assert all(len(set(group)) == 1 for group in by_block(blocks).values())


def by_block(pairs):
    found = defaultdict(list)
    for block, index in pairs:
        found[block].append(index)
    return found


@settings(max_examples=40)
@given(plans, st.randoms())
def test_any_lost_request_is_found_again_in_its_plan(plan, random):
    whole = {arrival.seq: arrival for arrival in arrivals(plan)}
    gone = frozenset(seq for seq in whole if random.random() < 0.3)

    found = list(lost.results(plan, gone))
    assert {r.arrival.seq: r.arrival for r in found} == {s: whole[s] for s in gone}
    assert len(found) == len(gone)
    for result in found:
        assert result.segment.scenario.name == result.arrival.scenario
        assert (result.reply.outcome, result.reply.blame) == ("lost", "client")


def test_a_lost_request_of_an_endless_plan_is_found_without_making_all_before_it():
    plan = plan_of(PAIR, PING, duration=60.0)
    (first, second) = segments(plan)
    blocks = (first.first_block + 9_001, second.first_block + 20_000)
    gone = {2 * block + 1 for block in blocks}

    found = {r.arrival.block: r.arrival for r in lost.results(plan, gone)}
    assert set(found) == set(blocks)
    assert [found[block].turn for block in blocks] == [2, None]
    assert {arrival.provider for arrival in found.values()} == {"b"}


@pytest.mark.parametrize("rate", [(), (50.0,)])
def test_engines_with_a_part_each_are_one_engine(rate):
    """Together they have as many blocks in flight as one, and start slots as one."""
    plan = plan_of(max_requests=45, concurrencies=(7,), rates=rate, ramp=0.7)
    hosts, results = Hosts(2.0), []

    async def main():
        engines = [
            Engine(plan, hosts.send, results.append, clock=VirtualClock(),
                   part=Part(index=index, of=3))
            for index in range(3)
        ]  # fmt: skip
        await asyncio.gather(*(engine.run() for engine in engines))

    virtually(main())
    assert Counter(r.arrival.seq for r in results) == Counter(
        arrival.seq for arrival in arrivals(plan)
    )
    assert hosts.most == {"a": 7, "b": 7}
    if not rate:
        starts = [at for at, sent in hosts.log if sent.provider == "a"][:7]
        assert starts == pytest.approx([i / 10 for i in range(7)])


def a_row(**fields):
    given = dict.fromkeys(
        ("run_id", "scenario", "scenario_version", "case_id", "phase", "provider",
         "dialect", "model_requested", "prompt_sha256", "params", "load", "outcome"),
        "x",
    )  # fmt: skip
    return Row(**given | {"seq": 1, "block": 1, "max_tokens": 1} | fields)


def as_dicts(pair):
    row, checks = pair
    return msgspec.structs.asdict(row), [msgspec.structs.asdict(c) for c in checks]


async def read_all(data):
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return [read_report(letter) async for letter in letters(reader)]


async def test_a_letter_holds_rows_as_they_are_and_one_cut_off_is_none():
    row = a_row(timeline=b"\x01\xff", score=0.5, end_ns=2**60, flags='["é"]')
    check = CheckRow(run_id="x", seq=1, name="json", passed=None, detail="no")
    told = Report(rows=(packed(row, [check]),), begun=(1, 2), sent=3)
    data = framed(told)

    (heard,) = await read_all(data)
    assert as_dicts(heard.rows[0]) == as_dicts((row, [check]))
    assert (heard.begun, heard.sent, heard.over) == ((1, 2), 3, False)
    assert len(await read_all(data + data[:-1])) == 1
    assert await read_all(data[:3]) == []


async def test_what_no_pipe_can_hold_is_mended_and_the_rest_of_the_row_kept():
    row = a_row(error_excerpt="half \ud83d", total_tokens=2**64, http_status=500)
    (heard,) = await read_all(framed(Report(rows=(packed(row, []),))))

    found = heard.rows[0][0]
    assert found.error_excerpt == "half \ufffd"
    assert (found.total_tokens, found.http_status) == (None, 500)


def job_of(url, hosts=("a", "b"), scenes=("ping",), env=(), prices=(), **shape):
    flags = Flags(
        providers=tuple(f"{name}={url}" for name in hosts),
        model="m",
        scenarios=scenes,
        api_key_env=env,
        prices=prices,
        load={"ramp": "0", **shape},
    )
    return read(None, flags)


def test_a_worker_is_made_of_data_without_keys_and_reads_its_own(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-CANARY-0123456789")
    job = job_of("http://127.0.0.1:1/v1", env=("a=MY_KEY",), concurrency="5")
    limits = {"rpm": 90.0, "concurrency": 5}
    hosts = tuple(msgspec.structs.replace(p, **limits) for p in job.providers)
    run = prepare(msgspec.structs.replace(job, providers=hosts))
    bare = msgspec.structs.replace(run, providers=())
    tasks = [Task(run=bare, index=index, of=3, origin=0) for index in range(3)]

    sent = pickle.dumps(tasks)
    assert b"CANARY" not in sent
    parts = [own_part(task) for task in pickle.loads(sent)]
    assert parts[0].plan == run.plan
    assert [part.providers[0].api_key.reveal()[-5:] for part in parts] == ["56789"] * 3
    assert [part.providers[0].rpm for part in parts] == [30.0] * 3
    assert [part.providers[0].concurrency for part in parts] == [2, 2, 1]
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(run)


def test_signals_wait_while_a_worker_is_being_started():
    caught = []
    before = signal.signal(signal.SIGINT, lambda *_: caught.append(1))
    try:
        with _held_signals():
            signal.raise_signal(signal.SIGINT)
            assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) >= SIGNALS
            assert not caught
        assert caught
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ({"workers": 4, "concurrency": "2,8"}, "a concurrency of 2"),
        ({"workers": 2}, "a concurrency of 1"),
        ({"workers": 2, "rate": "5", "concurrency": "1"}, "a concurrency of 1"),
        ({"workers": 0}, "load.workers: 0 must be"),
        ({"workers": True}, "load.workers: True must be"),
        ({"workers": "2"}, "load.workers: '2' must be"),
    ],
)
def test_workers_that_would_have_nothing_to_do_are_refused(shape, told):
    with pytest.raises(JobError, match=told):
        job_of("http://127.0.0.1:1/v1", **shape)


def test_workers_change_how_a_plan_is_sent_but_not_the_plan():
    url = "http://127.0.0.1:1/v1"
    one, two = (job_of(url, rate="5", workers=n) for n in (1, 2))

    assert (one.load, one.workers, two.workers) == (two.load, 1, 2)


class Kept:
    """What a fleet handed over."""

    def __init__(self):
        self.rows, self.stopped, self.lost, self.health = [], None, None, None

    def keep(self, row, checks):
        assert all(check.seq == row.seq for check in checks)
        self.rows.append(row)

    @property
    def outcomes(self):
        return Counter((row.worker, row.outcome) for row in self.rows)


async def sail(job, n=2, *, ready=None, **options):
    run, kept = prepare(job), Kept()
    kept.stopped, kept.lost, kept.health = await spread(
        run, kept.keep, n, origin=0, ready=ready, **options
    )
    kept.plan = run.plan
    return kept


def during(what):
    """Return what `ready` is to be, so that `what(fleet)` goes on beside the run."""
    tasks = []

    def ready(fleet):
        tasks.append(asyncio.create_task(what(fleet)))

    ready.tasks = tasks
    return ready


async def until(holds):
    while not holds():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.005)


async def under_way(server, n):
    await until(lambda: len(server.requests) >= n)


async def test_the_rows_of_two_workers_are_the_plan_each_once():
    async with ByteServer([stream(*GOOD)]) as server:
        job = job_of(server.url, scenes=("ping", "json-object"), max_requests=30,
                     warmup=3, concurrency="5")  # fmt: skip
        kept = await sail(job)

    whole = {arrival.seq: arrival for arrival in arrivals(kept.plan)}
    assert Counter(row.seq for row in kept.rows) == Counter(whole.keys())
    for row in kept.rows:
        asked = whole[row.seq]
        assert row.outcome == "ok"
        assert (row.block, row.provider, row.phase, row.prompt_sha256) == (
            asked.block, asked.provider, asked.phase, asked.request.digest
        )  # fmt: skip
    workers = by_block({(row.block, row.worker) for row in kept.rows})
    assert {tuple(found) for found in workers.values()} == {(0,), (1,)}
    assert len(server.requests) == len(kept.rows)
    assert (kept.stopped, kept.lost) == (None, 0)
    assert kept.health.ticks > 0

    # No segment starts before the last one has ended in every worker.
    spans = defaultdict(list)
    for row in kept.rows:
        spans[row.scenario, row.phase].append((row.sent_ns, row.end_ns))
    ordered = sorted(spans.values())
    for before, after in itertools.pairwise(ordered):
        assert max(end for _, end in before) < min(sent for sent, _ in after)
    assert len(ordered) == 4


async def test_an_open_loop_is_due_when_one_process_would_have_it_due():
    async with ByteServer([stream(*GOOD)]) as server:
        job = job_of(server.url, rate="100", max_requests=40, arrival="poisson")
        kept = await sail(job)

    dues = {row.block: row.due_ns for row in kept.rows}
    planned = {a.block: a.due for a in arrivals(kept.plan)}
    start = dues[0] - planned[0] * 1e9
    assert len(dues) == 40
    assert all(abs(dues[b] - start - due * 1e9) < 1e3 for b, due in planned.items())
    assert all(row.sent_ns >= row.due_ns for row in kept.rows)


async def test_a_killed_worker_leaves_lost_rows_and_the_others_go_on():
    async def kill(fleet):
        await under_way(server, 12)
        fleet._members[1].process.kill()

    ready = during(kill)
    async with ByteServer([stream(*GOOD)]) as server:
        job = job_of(server.url, rate="200", max_requests=150, concurrency="90")
        kept = await sail(job, ready=ready)

    assert ready.tasks[0].done()
    assert (kept.stopped, kept.lost) == (None, 1)
    assert Counter(row.seq for row in kept.rows) == Counter(range(300))
    assert {row.worker for row in kept.rows if row.block % 2} == {1}
    assert kept.outcomes[0, "ok"] == 150
    gone = [row for row in kept.rows if row.outcome == "lost"]
    assert len(gone) > 100
    for row in gone:
        assert (row.worker, row.blame, row.http_status) == (1, "client", None)
        assert {row.due_ns, row.queued_ns, row.sent_ns, row.end_ns} == {None}


async def test_of_an_endless_plan_what_a_killed_worker_had_begun_is_lost():
    async def kill(fleet):
        await under_way(server, 8)
        await until(lambda: fleet.in_flight == fleet.sent == 8)
        fleet._members[0].process.kill()
        await until(lambda: fleet.lost)
        fleet.finish_now()

    ready = during(kill)
    async with ByteServer([STALL]) as server:
        job = job_of(server.url, duration="60s", concurrency="4")
        kept = await sail(job, ready=ready)

    assert kept.outcomes == {(0, "lost"): 4, (1, "interrupted"): 4}
    assert kept.stopped == "interrupted"
    assert len({row.seq for row in kept.rows}) == 8


async def test_a_worker_that_does_not_obey_is_ended_in_the_end(monkeypatch):
    monkeypatch.setattr(fleets, "SETTLE_S", 0.5)

    async def freeze(fleet):
        await until(lambda: fleet.in_flight == fleet.sent == 8)
        os.kill(fleet._members[1].process.pid, signal.SIGSTOP)
        fleet.finish_now()

    ready = during(freeze)
    async with ByteServer([STALL]) as server:
        job = job_of(server.url, max_requests=50, concurrency="4")
        kept = await sail(job, ready=ready)

    assert kept.outcomes == {(0, "interrupted"): 4, (1, "lost"): 4}
    assert (kept.stopped, kept.lost) == ("interrupted", 1)


async def test_stop_lets_what_flies_end_and_keeps_no_row_for_the_rest():
    async def stop(fleet):
        await under_way(server, 20)
        fleet.stop()

    ready = during(stop)
    async with ByteServer([stream(*GOOD)]) as server:
        job = job_of(server.url, max_requests=100_000, concurrency="4")
        kept = await sail(job, ready=ready)

    assert (kept.stopped, kept.lost) == ("interrupted", 0)
    assert {row.outcome for row in kept.rows} == {"ok"}
    assert len(kept.rows) == len(server.requests) < 100_000


async def test_stop_before_the_workers_are_up_sends_nothing():
    async with ByteServer([stream(*GOOD)]) as server:
        job = job_of(server.url, max_requests=10, concurrency="4")
        kept = await sail(job, ready=lambda fleet: fleet.stop())

    assert (kept.stopped, kept.rows, server.requests) == ("interrupted", [], [])


async def test_shares_of_a_budget_are_never_overspent_together():
    async with ByteServer([stream(*GOOD)]) as server:
        job = job_of(server.url, max_requests=5000, concurrency="4",
                     prices=("a=1,2", "b=1,2"))  # fmt: skip
        limit = 6_000_000
        kept = await sail(job, limit_nusd=limit)

    spent = sum(row.cost_nusd for row in kept.rows)
    assert kept.stopped == "budget"
    assert limit / 2 < spent <= limit
    # 5 tokens in at 1 USD per 1M, 2 out at 2 USD.
    assert {row.cost_nusd for row in kept.rows} == {9_000}
    assert {row.worker for row in kept.rows} == {0, 1}


async def test_a_workers_missing_key_is_the_users_mistake_here_too(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-CANARY-0123456789")
    job = job_of("http://127.0.0.1:1/v1", env=("a=MY_KEY",), concurrency="2")
    run = prepare(job)
    monkeypatch.delenv("MY_KEY")

    with pytest.raises(SetupError, match="MY_KEY"):
        await spread(run, Kept().keep, 2, origin=0)


def test_orders_and_signals_are_what_the_worker_module_says():
    assert {signal.SIGINT, signal.SIGTERM} == SIGNALS
    assert worker.read_order(framed(Order(stop="budget"))[4:]).stop == "budget"
