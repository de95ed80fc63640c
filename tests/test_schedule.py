"""Probes: when they are due, whom they ask, and what they never do."""

import asyncio
import datetime as dt

import pytest
from fakes import NS, Hosts, VirtualClock, virtually
from hypothesis import given
from hypothesis import strategies as st

from compare.run.budget import Budget
from compare.run.config import Flags, read
from compare.run.engine import Engine
from compare.run.mistakes import JobError
from compare.run.probes import Probe
from compare.serve.grid import Course, Wall, jittered, regular
from compare.serve.probe import Money, Prober, probing
from compare.serve.schedule import LEAD_NS, _Points, points
from data.row import Row
from scenarios.plan import Plan

MINUTE = 60 * NS
HOSTS = """
[[provider]]
name = "{0}"
base_url = "http://127.0.0.1:9"
model = "m"
"""


def job(tmp_path, text, hosts=("a", "b")):
    path = tmp_path / "job.toml"
    path.write_text(text + "".join(HOSTS.format(name) for name in hosts))
    return probing(read(path, Flags(), "ping"))


# --- points ---


def test_points_lie_on_the_wall_clock_and_do_not_drift():
    after = regular(5 * MINUTE)
    start = int(dt.datetime(2026, 11, 3, 9, 2, 7, tzinfo=dt.UTC).timestamp()) * NS
    first = after(start)
    assert first // NS % 300 == 0
    assert after(first) - first == 5 * MINUTE
    assert after(first - 1) == first


@given(st.integers(0, 10**18), st.integers(1, 299), st.text(max_size=5))
def test_jitter_keeps_order_and_is_the_same_after_a_restart(start, jitter, seed):
    after = jittered(regular(300 * NS), jitter * NS, seed)
    found = [after(start)]
    for _ in range(5):
        found.append(after(found[-1]))
    assert found == sorted(set(found))
    again = jittered(regular(300 * NS), jitter * NS, seed)
    assert again(found[2] - 1) == found[2]  # met from anywhere
    late = [point % (300 * NS) for point in found]
    assert all(0 <= each <= jitter * NS for each in late)


@pytest.mark.parametrize(
    ("cron", "first"),
    [
        ("*/5 * * * *", "2026-11-03T09:05"),
        ("30 9 * * 1-5", "2026-11-03T09:30"),  # a Tuesday
        ("0 0 * * 0", "2026-11-08T00:00"),  # 0 is Sunday, as in cron
        ("0 0 * * 7", "2026-11-08T00:00"),
        ("0 0 * * */2", "2026-11-05T00:00"),  # Sunday, Tuesday, Thursday, Saturday
        ("0 0 * * mon", "2026-11-09T00:00"),
    ],
)
def test_a_cron_means_what_cron_means(cron, first):
    after = points(Probe(scenario="ping", providers=("a",), cron=cron), "job.toml")
    start = dt.datetime(2026, 11, 3, 9, 2, tzinfo=dt.UTC)
    found = after(int(start.timestamp()) * NS)
    told = dt.datetime.fromtimestamp(found / NS, dt.UTC)
    assert told.isoformat()[:16] == first
    assert after(found) > found


@pytest.mark.parametrize(
    "cron",
    ["soon", "* * * *", "61 * * * *", "0 0 30 2 *", "0 0 1 * 1", "0 0 * * 8",
     "* * * * 5-1"],
)  # fmt: skip
def test_a_cron_that_does_not_parse_names_file_key_and_remedy(tmp_path, cron):
    with pytest.raises(JobError) as caught:
        job(tmp_path, f'[probe]\ncron = "{cron}"\n')
    told = str(caught.value)
    assert "job.toml" in told
    assert "probe.cron" in told
    assert '"*/5 * * * *"' in told


def test_a_trigger_meets_each_point_once_and_skips_what_is_long_past():
    trigger = _Points(regular(NS))
    now = dt.datetime(2026, 11, 3, 9, 0, 0, 500_000, tzinfo=dt.UTC)
    first = trigger.get_next_fire_time(None, now)
    assert first == now + dt.timedelta(seconds=0.5, microseconds=-LEAD_NS // 1000)
    second = trigger.get_next_fire_time(first, first)
    assert second - first == dt.timedelta(seconds=1)
    later = now + dt.timedelta(hours=8)  # a machine that slept
    assert trigger.get_next_fire_time(first, later) > later
    earlier = now - dt.timedelta(hours=1)  # a clock that was set back
    assert trigger.get_next_fire_time(None, earlier) < now


def test_of_points_that_are_past_only_the_newest_is_sent():
    course = Course(regular(NS), 10 * NS)
    due = course.due(13 * NS + NS // 5, NS // 5)
    assert due.points == (13 * NS,)
    assert due.missed == (11 * NS, 12 * NS)
    assert course.due(13 * NS + NS // 2, NS // 5).points == ()
    ahead = course.due(14 * NS - NS // 10, NS // 5)
    assert (ahead.points, ahead.missed) == ((14 * NS,), ())


def test_a_wall_clock_that_was_set_is_seen_and_taken_over():
    class Clock:
        mono = 1000

        def now(self):
            return self.mono

    clock, shown = Clock(), [5 * NS]
    wall = Wall(clock, lambda: shown[0])
    assert wall.look() == 0
    assert wall.due(6 * NS) == 1000 + NS
    shown[0] = 3600 * NS
    assert wall.now() == 5 * NS  # until it is looked at
    assert wall.look() == 3595 * NS
    assert wall.at(clock.mono) == 3600 * NS


# --- the job file ---


def test_one_table_or_several_and_each_scenario_is_a_probe(tmp_path):
    made = job(
        tmp_path,
        '[[scenario]]\nname = "ping"\n[[scenario]]\nname = "chat-1k"\n'
        '[[probe]]\nscenarios = ["ping"]\nevery = "1m"\njitter = "5s"\nat_once = 2\n'
        '[[probe]]\nscenarios = ["chat-1k"]\nproviders = ["b"]\ncron = "0 * * * *"\n'
        'connection = "cold"\n',
    )
    assert [(p.scenario, p.providers, p.every, p.cold) for p in made.probes] == [
        ("ping", ("a", "b"), 60.0, False),
        ("chat-1k", ("b",), None, True),
    ]
    assert made.at_once == 2
    assert made.cold_scenarios == {"chat-1k"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[probe]\nevery = "0s"', ["probe.every", "above 0"]),
        ('[probe]\nevery = "1m"\ncron = "* * * * *"', ["every and cron", "drop one"]),
        ('[probe]\nevery = "1m"\njitter = "1m"', ["probe.jitter", "below"]),
        ('[probe]\njiter = "1s"', ["jiter", "jitter"]),
        ('[probe]\nproviders = ["c"]', ["probe.providers", "[[provider]]", "a"]),
        ('[probe]\nscenarios = "ping"', ["probe.scenarios", "list"]),
        ("[probe]\nat_once = 0", ["probe.at_once", "at least 1"]),
        ("[[probe]]\nat_once = 1\n[[probe]]\nat_once = 2", ["at_once", "one figure"]),
        ("[[probe]]\n[[probe]]", ["'ping'", "two probes"]),
        ("probe = 5", ["[probe]"]),
        ('[store]\nkeep = "1d"', ["store.keep", "at least 2", "30d"]),
        ("[store]\nkeep = 30", ["store.keep", '"30d"']),
        ("[budget]\nday = 0", ["budget.day", "above 0"]),
    ],
)
def test_a_wrong_probe_names_file_key_and_remedy(tmp_path, text, words):
    with pytest.raises(JobError) as caught:
        job(tmp_path, text + "\n")
    assert [
        word for word in ["job.toml", *words] if word not in str(caught.value)
    ] == []


def test_flags_choose_among_the_probes(tmp_path):
    path = tmp_path / "job.toml"
    path.write_text(
        '[[probe]]\nproviders = ["b"]\n' + HOSTS.format("a") + HOSTS.format("b")
    )
    with pytest.raises(JobError, match="no probe is left"):
        read(path, Flags(providers=("a",)), "ping")
    (kept,) = read(path, Flags(providers=("b",)), "ping").probes
    assert kept.providers == ("b",)


def test_every_goes_before_the_file_but_not_below_its_jitter(tmp_path):
    path = tmp_path / "job.toml"
    path.write_text('[probe]\ncron = "0 * * * *"\njitter = "5s"\n' + HOSTS.format("a"))
    wanted = read(path, Flags(), "ping")
    (probe,) = probing(wanted, 10.0).probes
    assert (probe.every, probe.cron) == (10.0, None)
    with pytest.raises(JobError, match="--every 5s: must be above the jitter"):
        probing(wanted, 5.0)


# --- driving, in virtual time ---

START = 1_700_000_000 * NS


class Waking:
    """A timetable on a virtual loop; `set_by` is how far the wall clock was set."""

    def __init__(self, wall):
        self.wall, self.lines, self.tasks = wall, [], []

    def add(self, name, after, wake):
        self.lines.append((after, wake))

    def start(self):
        self.tasks = [asyncio.create_task(self._one(*line)) for line in self.lines]

    def stop(self):
        for task in self.tasks:
            task.cancel()

    def again(self):
        self.stop()
        self.start()

    async def _one(self, after, wake):
        while True:
            point = after(self.wall.now() + LEAD_NS)
            await VirtualClock().until(self.wall.due(point) - LEAD_NS)
            await wake()


class Bench:
    """An engine that a prober drives in virtual time, and what came of it."""

    def __init__(self, made, seconds, *, money=None, worst=None, **how):
        self.results, self.shift = [], 0
        clock = VirtualClock()
        plan = Plan(
            scenarios=made.scenarios,
            providers=tuple(p.name for p in made.providers),
            load=made.load,
            salt="s",
        )
        self.hosts = Hosts(seconds)
        loop = asyncio.get_running_loop()
        zero = loop.time()
        self.wall = Wall(
            clock, lambda: START + round((loop.time() - zero) * NS) + self.shift
        )
        self.zero = clock.now()
        self.prober = Prober(
            plan, made, clock=clock, wall=self.wall, waking=Waking(self.wall),
            money=money, **how,
        )  # fmt: skip
        self.engine = Engine(
            plan, self.hosts.send, self._take, clock=clock, budget=Budget(),
            worst=worst, interrupt=self.hosts.interrupt,
        )  # fmt: skip

    def _take(self, result):
        self.results.append(result)
        arrival = result.arrival
        self.engine.budget.settle(result.worst_nusd, result.worst_nusd)
        self.prober.add(
            Row(
                run_id="r", seq=arrival.seq, block=arrival.block,
                scenario=arrival.scenario, scenario_version="1", case_id="1",
                phase="measure", provider=arrival.provider, dialect="generic",
                model_requested="m", prompt_sha256="", params="{}", max_tokens=1,
                load="{}", outcome=result.reply.outcome,
            )
        )  # fmt: skip

    def seen(self, scenario=None):
        """Return (second, host, outcome) of each row, by when it was due."""
        return sorted(
            (round((r.due - self.zero) / NS, 3), r.arrival.provider, r.reply.outcome)
            for r in self.results
            if scenario in {None, r.arrival.scenario}
        )

    def go(self):
        return self.prober.drive(self.engine)


def driven(made, seconds, then=None, **how):
    async def main():
        bench = Bench(made, seconds, **how)
        work = [bench.go(), *([then(bench)] if then else [])]
        await asyncio.gather(*work)
        return bench

    return virtually(main())


def test_hosts_go_out_together_on_the_grid(tmp_path):
    made = job(tmp_path, '[probe]\nevery = "10s"\n')
    bench = driven(made, 0.5, span=30.0)
    assert START % (10 * NS) == 0
    assert bench.seen() == [
        (t, host, "ok") for t in (10.0, 20.0, 30.0) for host in ("a", "b")
    ]
    sent = {}
    for moment, arrival in bench.hosts.log:
        sent.setdefault(arrival.block, set()).add(moment)
    assert all(len(moments) == 1 for moments in sent.values())


def test_a_slow_host_delays_nobody_and_is_not_asked_twice_at_once(tmp_path):
    made = job(tmp_path, '[probe]\nevery = "10s"\n')
    bench = driven(
        made, lambda arrival: 25.0 if arrival.provider == "a" else 0.5, span=50.0
    )
    assert [row for row in bench.seen() if row[1] == "b"] == [
        (t, "b", "ok") for t in (10.0, 20.0, 30.0, 40.0, 50.0)
    ]
    assert [row[2] for row in bench.seen() if row[1] == "a"] == [
        "ok", "dropped", "dropped", "ok", "dropped",
    ]  # fmt: skip
    assert bench.hosts.most == {"a": 1, "b": 1}


def test_probes_take_turns_but_silence_keeps_no_turn(tmp_path):
    names = ["ping", "chat-1k", "chat-10k"]
    text = "".join(f'[[scenario]]\nname = "{name}"\n' for name in names)
    made = job(tmp_path, text + '[probe]\nevery = "1m"\nat_once = 1\n', hosts=("a",))
    quick = driven(made, 2.0, span=60.0)
    assert sorted(round(t) for t, _ in quick.hosts.log) == [0, 2, 4]
    assert quick.hosts.most == {"a": 1}
    slow = driven(made, 300.0, span=60.0)  # until it is interrupted
    assert sorted(round(t) for t, _ in slow.hosts.log) == [0, 10, 20]


def test_a_clock_that_is_set_neither_stops_nor_bursts(tmp_path):
    made = job(tmp_path, '[probe]\nevery = "10s"\n', hosts=("a",))

    def by(seconds):
        async def then(bench):
            await asyncio.sleep(25)
            bench.shift = int(seconds * NS)

        return driven(made, 0.5, then, span=60.0).seen()

    back, on = by(-3600), by(3600)
    assert [outcome for *_, outcome in back] == ["ok"] * len(back)
    assert [outcome for *_, outcome in on] == ["ok"] * len(on)
    assert [t for t, *_ in back] == [t for t, *_ in on] == [10, 20, 30, 40, 50, 60]


def test_points_that_a_stall_ate_are_rows_and_not_piled_up(tmp_path):
    made = job(tmp_path, '[probe]\nevery = "1s"\n', hosts=("a",))

    async def then(bench):
        await asyncio.sleep(2.5)
        asyncio.get_running_loop().moment += 3.0  # nothing ran meanwhile

    outcomes = dict.fromkeys(range(1, 9), "ok") | {3: "dropped", 4: "dropped"}
    seen = driven(made, 0.1, then, span=8.0).seen()
    assert {round(t): outcome for t, _, outcome in seen} == outcomes
    assert len(seen) == 8


def test_a_day_budget_skips_the_rest_of_the_day_and_goes_on_the_next(tmp_path):
    made = job(tmp_path, '[probe]\nevery = "1h"\n', hosts=("a",))
    assert START // NS % 86400 // 3600 == 22  # the next point is the day's last
    money = Money(day_nusd=100, left_nusd=30)
    bench = driven(made, 0.5, span=26 * 3600.0, money=money, worst=lambda _: 40)
    refused = "policy_refused"
    whole_day = ["ok", "ok", *[refused] * 22]
    assert [outcome for *_, outcome in bench.seen()] == [refused, *whole_day, "ok"]
    assert bench.engine.stopped is None


def test_a_run_budget_ends_it(tmp_path):
    made = job(tmp_path, '[probe]\nevery = "6h"\n', hosts=("a",))
    money = Money(run_nusd=50, day_nusd=100)
    bench = driven(made, 0.5, span=48 * 3600.0, money=money, worst=lambda _: 40)
    assert bench.engine.stopped == "budget"
    assert len(bench.results) == 1


def test_a_host_that_refuses_the_key_is_asked_again_within_the_hour(tmp_path):
    made = job(tmp_path, '[probe]\nevery = "5m"\n', hosts=("a",))

    async def then(bench):
        bench.engine.refuse("a")

    seen = driven(made, 0.5, then, span=2 * 3600.0).seen()
    refused = [round(t / 60) for t, _, outcome in seen if outcome == "policy_refused"]
    assert refused == list(range(5, 60, 5)) or max(refused) < 65
    assert [outcome for *_, outcome in seen][-1] == "ok"


def test_once_asks_everything_once_and_now(tmp_path):
    made = job(tmp_path, '[probe]\nevery = "6h"\n')
    bench = driven(made, 0.5, once=True)
    assert bench.seen() == [(0.0, "a", "ok"), (0.0, "b", "ok")]


def test_a_stop_lets_what_is_in_flight_end(tmp_path):
    made = job(tmp_path, '[probe]\nevery = "10s"\n', hosts=("a",))

    async def then(bench):
        await asyncio.sleep(11)
        bench.engine.stop("ended")

    bench = driven(made, 5.0, then)
    assert bench.seen() == [(10.0, "a", "ok")]


def test_each_hour_is_told_once(tmp_path):
    made = job(tmp_path, '[probe]\nevery = "30m"\n[store]\nkeep = "30d"\n')
    assert made.keep_days == 30
    told = []
    driven(made, 0.5, span=3 * 3600.0, hourly=told.append)
    assert [ms // 3_600_000 for ms in told] == [
        START // NS // 3600 + n for n in range(4)
    ]
