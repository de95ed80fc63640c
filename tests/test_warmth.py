"""Prompt caches: later turns of a session hit them, and what that is worth."""

import io
import itertools

import pytest
from asking import asked
from fakes import NS, VirtualClock, virtually

from compare.judge.frame import COLUMNS, read
from compare.judge.stats import share_interval
from compare.judge.warmth import warmths
from compare.run.engine import Engine
from compare.run.measure import Context, measure
from compare.show import tables
from compare.show.warmths import warmths as shown
from data.prices import parse
from providers.outcome import Outcome
from providers.provider import Provider
from providers.reply import Reply, Stamps, Usage
from providers.simulator.asked import read_asked
from providers.simulator.cache import PrefixCache, block_chain
from scenarios.load import Load
from scenarios.plan import Plan
from scenarios.request import ScenarioError
from scenarios.scenario import load, override

PRICES = {"a": parse("a=1,2,0.1"), "b": parse("b=0.8,2,0.4"), "c": parse("c=1,2")}


def pair(repeats=1, **changes):
    given = {"prompt_tokens": 640, "gap": 0, "repeats": repeats, **changes}
    return override(load("cache-pair"), **given)


def test_the_last_turn_is_asked_as_often_as_the_override_says():
    session = pair(5).session
    assert len(session.turns) == 6
    assert len(set(session.turns)) == 2
    assert session.turns[1:] == session.turns[1:2] * 5
    assert pair(1).digest != pair(2).digest


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("ping", {"repeats": 2}, r"repeats is for a scenario with a \[session\]"),
        ("ping", {"gap": 2}, r"gap is for a scenario with a \[session\]"),
        ("cache-pair", {"repeats": 0}, "repeats is 0; write 1 to 1000"),
        ("cache-pair", {"repeats": "5"}, "repeats is '5'"),
        ("cache-pair", {"repeats": True}, "repeats is True"),
    ],
)
def test_a_session_that_makes_no_sense_is_refused(name, changes, words):
    with pytest.raises(ScenarioError, match=words):
        override(load(name), **changes)


@pytest.mark.parametrize(("replicas", "repeats"), [(1, 1), (3, 1), (4, 4)])
async def test_the_hit_rate_finds_the_replicas(tmp_path, replicas, repeats):
    n = 60
    found = await asked(
        tmp_path,
        [pair(repeats)],
        {"a": f"replicas={replicas}"},
        n=n * (1 + repeats),
        c=1,
        prices=PRICES,
    )
    (each,) = warmths(found.frame, PRICES)
    assert (each.cold.n_hit, each.cold.n) == (0, n)
    assert each.cold.tokens == 0
    assert (each.first.n, each.warm.n) == (n, n * repeats)
    assert (each.first.low, each.first.high) == share_interval(each.first.n_hit, n)
    assert each.first.low <= 1 / replicas <= each.first.high + 1e-9
    # The k-th look finds what any of the k before it left: 1 - (1 - 1/r)^k.
    expected = sum(1 - (1 - 1 / replicas) ** k for k in range(1, repeats + 1)) / repeats
    assert each.warm.share == pytest.approx(expected, abs=0.13)
    assert each.usd_cold == pytest.approx(1.0)
    share = each.warm.tokens
    assert each.usd_per_1m == pytest.approx(1.0 * (1 - share) + 0.1 * share)


async def test_a_warm_prompt_is_answered_sooner_by_what_the_dial_says(tmp_path):
    found = await asked(
        tmp_path,
        [pair(3)],
        {"a": "", "b": ""},
        n=4 * 25,
        c=1,
        ttft_ms=40,
        prices=PRICES,
    )
    a, b = warmths(found.frame, PRICES)
    for each in (a, b):
        # A whole hit takes 60 % off the wait; a median over three takes off no more.
        assert each.ttft_low <= 1 - 0.6 * each.warm.tokens + 0.08
        assert each.ttft_high >= 1 - 0.6 * each.warm.tokens
        assert each.ttft < 0.75
    # a: 1 and 0.1 USD per 1M, b: 0.8 and 0.4: equal where b reads more from its cache.
    assert (a.even, a.reference) == (None, "a")
    hit, mean = a.warm.tokens, 1.0
    cost = mean * (1 - hit) + 0.1 * hit
    least = (0.8 - cost) / (0.8 - 0.4)
    if least > 1:
        assert b.even is None
    else:
        assert b.even == pytest.approx(least, abs=0.02)
    text = printed([a, b])
    assert "hits, turn 1" in text
    assert "0/25" in text
    assert "25/25" in text


def printed(found):
    out = io.StringIO()
    for part in shown(found):
        tables.console(out, width=80).print(part)
    return out.getvalue()


async def test_the_break_even_hit_rate_is_where_both_cost_the_same(tmp_path):
    prices = {"a": parse("a=1,2,0.5"), "b": parse("b=1.4,2,0.2")}
    found = await asked(
        tmp_path,
        [pair(1)],
        {"a": "replicas=2", "b": ""},
        n=2 * 40,
        c=1,
        prices=prices,
    )
    _, b = warmths(found.frame, prices)
    a_hit = warmths(found.frame, prices)[0].warm.tokens
    a_cost = 1.0 * (1 - a_hit) + 0.5 * a_hit
    assert 0 < a_hit < 1
    assert b.even == pytest.approx((1.4 - a_cost) / (1.4 - 0.2), abs=0.02)


async def test_without_prices_or_counts_nothing_is_made_up(tmp_path):
    found = await asked(tmp_path, [pair(1)], {"c": ""}, n=2 * 3, c=1)
    (each,) = warmths(found.frame, {})
    assert (each.usd_cold, each.usd_per_1m, each.even) == (None, None, None)
    assert each.ttft is None, "three sessions are below the floor of a median"
    assert each.warm.n == 3
    (listed,) = warmths(found.frame, PRICES)
    assert listed.usd_per_1m is None, "no price of cached tokens is not 0"
    (tmp_path / "ping").mkdir()
    other = await asked(tmp_path / "ping", [load("ping")], {"c": ""}, n=2)
    assert warmths(other.frame, {}) == []


async def test_an_audit_asks_the_same_prompt_after_unique_ones(tmp_path):
    scene = override(load("cache-audit"), prompt_tokens=640, gap=0)
    found = await asked(
        tmp_path, [scene], {"keeps": "", "forgets": "replicas=1000"}, n=4 * 20, c=1,
        ttft_ms=30,
    )  # fmt: skip
    prompts = [
        {int(found.frame.prompt[row]) for row in found.frame.rows(segment, "keeps")}
        for segment in found.frame.segments
    ]
    assert len(prompts[0]) == 20, "each session has a prompt of its own"
    assert prompts[0] == prompts[1] == prompts[2] == prompts[3]
    keeps, forgets = warmths(found.frame, {})
    assert keeps.ttft_high < 0.8
    assert forgets.ttft_low > 0.8
    assert (keeps.warm.n_hit, keeps.warm.n) == (60, 60)


@pytest.mark.parametrize(("gap", "hits"), [("1s", True), ("5m", True), ("12m", False)])
def test_a_gap_longer_than_the_time_to_live_misses(gap, hits):
    found, gaps = paused(gap, ttl_s=600)
    (each,) = warmths(found, {})
    assert (each.cold.n_hit, each.cold.n) == (0, 6)
    assert each.warm.n_hit == (12 if hits else 0)
    seconds = {"1s": 1, "5m": 300, "12m": 720}[gap]
    assert gaps == pytest.approx([seconds] * 12, abs=1e-6)


def paused(gap, ttl_s):
    """Return the frame of six sessions in virtual time, and the gaps between turns."""
    plan = Plan(
        scenarios=(pair(2, gap=gap),), providers=("a",),
        load=Load(max_requests=18), salt="s",
    )  # fmt: skip
    host = Provider(name="a", dialect="generic", base_url="http://h", model="m")
    context = Context(
        run_id="r", origin=0, providers={"a": host}, prices={},
        checks=lambda *_: (), seed=0,
    )  # fmt: skip
    rows, took = [], NS // 2

    async def main():
        import asyncio

        import msgspec

        cache = PrefixCache(ttl_s, clock=asyncio.get_running_loop().time)

        async def send(arrival, _start):
            body = {"model": "m", "messages": arrival.request.messages}
            told = read_asked(msgspec.json.encode(body))
            chain = block_chain("m", told.words)
            cached = cache.cached_tokens(chain)
            cache.remember(chain)
            began = VirtualClock().now()
            await VirtualClock().until(began + took)
            end = began + took
            usage = Usage(prompt_tokens=told.prompt_tokens, cached_tokens=cached)
            stamps = Stamps(sent=began, first_token=end, last_token=end, end=end)
            return Reply(outcome=Outcome.OK, stamps=stamps, usage=usage)

        def emit(result):
            rows.append(measure(result, context)[0])

        await Engine(plan, send, emit, clock=VirtualClock()).run()

    virtually(main())
    lines = [tuple(getattr(row, name) for name in COLUMNS) for row in rows]
    frame = read([list(zip(*lines, strict=True))])
    by_session = {}
    for row in sorted(rows, key=lambda row: row.sent_ns):
        by_session.setdefault(row.session_id, []).append(row)
    gaps = [
        (after.sent_ns - before.end_ns) / NS
        for found in by_session.values()
        for before, after in itertools.pairwise(found)
    ]
    return frame, gaps
