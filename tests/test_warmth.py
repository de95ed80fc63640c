"""Prompt caches: later turns of a session hit them, and what that is worth."""

import asyncio
import io
import itertools

import msgspec
import numpy as np
import pytest
from asking import asked
from fakes import NS, VirtualClock, virtually

from compare.judge.frame import COLUMNS, Frame, read
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


def test_a_warm_prompt_is_answered_sooner_by_what_the_dial_says():
    prices = {"a": parse("a=1,2,0.1"), "b": parse("b=0.8,2,0.4")}
    found, _ = paused(pair(3), n=25, keep={"a": 600, "b": 0}, prices=prices)
    a, b = warmths(found, prices)
    # A hit takes 60 % off the wait for what was cached of the prompt.
    assert a.warm.tokens > 0.9
    assert a.ttft == pytest.approx(1 - 0.6 * a.warm.tokens, abs=0.02)
    assert a.ttft_low <= a.ttft <= a.ttft_high < 0.5
    assert (b.ttft, b.ttft_low, b.ttft_high) == pytest.approx((1, 1, 1))
    assert (b.warm.n_hit, b.warm.n, b.usd_per_1m) == (0, 75, pytest.approx(0.8))
    assert (a.even, a.reference) == (None, "a")
    # At a a million cost about 0.15 USD; b never does it for less than 0.4.
    assert b.even is None
    text = printed([a, b])
    assert "0/25" in text
    assert "75/75" in text
    assert "never, or n/a" in text


def test_sessions_that_were_broken_off_shift_no_pair():
    found, _ = paused(pair(2), n=14, keep={"a": 600})
    whole = warmths(found, {})[0]
    # Without its second turn, a session is still paired with its own third.
    kept = np.array([not (s in {3, 4} and t == 1) for s in range(14) for t in range(3)])
    figures = {name: column[kept] for name, column in found.figures.items()}
    columns = (getattr(found, n)[kept] for n in ("kind", "seq", "block", "prompt"))
    part = Frame(found.kinds, *columns, figures)
    assert len(part) == len(found) - 2
    assert warmths(part, {})[0].ttft == pytest.approx(whole.ttft)


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


def test_an_audit_asks_the_same_prompt_after_unique_ones():
    scene = override(load("cache-audit"), prompt_tokens=640)
    found, _ = paused(scene, n=20, keep={"keeps": 600, "forgets": 0}, tells=False)
    prompts = [
        {int(found.prompt[row]) for row in found.rows(segment, "keeps")}
        for segment in found.segments
    ]
    assert len(prompts[0]) == 20, "each session has a prompt of its own"
    assert prompts[0] == prompts[1] == prompts[2] == prompts[3]
    keeps, forgets = warmths(found, {})
    assert keeps.ttft_high < 0.5, "found by its time, though it states nothing"
    assert forgets.ttft_low == 1
    assert (keeps.warm.n, keeps.warm.share, keeps.warm.tokens) == (0, None, None)
    assert "n/a (not stated)" in printed([keeps, forgets])


@pytest.mark.parametrize(("gap", "hits"), [("1s", True), ("5m", True), ("12m", False)])
def test_a_gap_longer_than_the_time_to_live_misses(gap, hits):
    found, gaps = paused(pair(2, gap=gap), n=6, keep={"a": 600})
    (each,) = warmths(found, {})
    assert (each.cold.n_hit, each.cold.n) == (0, 6)
    assert each.warm.n_hit == (12 if hits else 0)
    seconds = {"1s": 1, "5m": 300, "12m": 720}[gap]
    assert gaps == pytest.approx([seconds] * 12, abs=1e-6)


def paused(scene, n, keep, *, prices=None, tells=True):
    """Return the frame of `n` sessions in virtual time, and the gaps between turns.

    `keep` says how long each host's cache keeps a prompt, in s; with `tells` their
    usage has the cached tokens.
    """
    plan = Plan(
        scenarios=(scene,), providers=tuple(keep),
        load=Load(max_requests=n * scene.turns), salt="s",
    )  # fmt: skip
    hosts = {
        name: Provider(name=name, dialect="generic", base_url="http://h", model="m")
        for name in keep
    }
    context = Context(
        run_id="r", origin=0, providers=hosts, prices=prices or {},
        checks=lambda *_: (), seed=0,
    )  # fmt: skip
    rows = []

    async def main():
        clock = asyncio.get_running_loop().time
        caches = {name: PrefixCache(ttl, clock=clock) for name, ttl in keep.items()}

        async def send(arrival, _start):
            body = {"model": "m", "messages": arrival.request.messages}
            told = read_asked(msgspec.json.encode(body))
            chain, cache = block_chain("m", told.words), caches[arrival.provider]
            cached = cache.cached_tokens(chain)
            cache.remember(chain)
            began = VirtualClock().now()
            took = round(NS * (1 - 0.6 * cached / told.prompt_tokens))
            await VirtualClock().until(began + took)
            usage = Usage(
                prompt_tokens=told.prompt_tokens,
                cached_tokens=cached if tells else None,
                completion_tokens=4,
            )
            end = began + took
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
        by_session.setdefault((row.session_id, row.provider), []).append(row)
    gaps = [
        (after.sent_ns - before.end_ns) / NS
        for found in by_session.values()
        for before, after in itertools.pairwise(found)
    ]
    return frame, gaps
