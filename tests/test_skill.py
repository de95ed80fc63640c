"""A simulated host's skill: each figure finds the dial that it is about."""

import json

import msgspec
import pytest
from asking import asked

from compare.judge.accepted import accepted
from compare.judge.stats import share_interval
from compare.judge.summary import summarise
from data.prices import parse
from providers.provider import ProviderError
from providers.simulator.skill import Skill, read_skill
from providers.simulator.spawn import spawn
from scenarios.draw import drawn
from scenarios.key import Key
from scenarios.proof import runs_code
from scenarios.scenario import library, load, override
from scenarios.session import asked as messages_of

HELPLESS = {
    "agent-session", "burst", "cache-audit", "cache-pair", "chat-10k", "chat-1k",
    "json-object", "oneshot-app", "repeat", "tool-loop", "usage-truth",
}  # fmt: skip
"""Scenarios whose checks any answer passes, or for which no answer is known."""

LONG = {"ctx-ladder"}
"""Scenarios that are known by what their prompts hide: tests/test_ladder.py."""


def column(found, *names):
    """Return columns of all rows, by name; what is JSON stays text."""
    batches = list(found.more(names, None))
    return [[v for batch in batches for v in batch[n]] for n in range(len(names))]


def flagged(found, flag):
    flags, calls = column(found, "flags", "case_id")
    return sum(flag in json.loads(each) for each in flags), len(calls)


def within(part, whole, dial):
    low, high = share_interval(part, whole)
    return low <= dial <= high + 1e-9


def calling(name="tool-fidelity"):
    """Return the questions of a scenario that ask for a call."""
    scene = load(name)
    cases = tuple(
        case for case in scene.cases if all(c.name == "call" for c in case.checks)
    )
    return msgspec.structs.replace(scene, cases=cases)


@pytest.mark.parametrize("name", sorted(set(library()) - HELPLESS - LONG))
def test_the_key_knows_an_answer_to_the_library(name):
    scene = load(name)
    for seed in (0, 7):
        key, filled = Key([scene], seed), drawn(scene, seed)
        for case in filled.cases:
            if case.id in {"max-tokens", "max-tokens-few"}:
                continue  # what is right there is to be cut off
            for messages in messages_of(filled, case, "some words"):
                nonce = {"content": f"Label: one two\n\n{messages[0]['content']}"}
                known = key.find([{**messages[0], **nonce}, *messages[1:]])
                assert known is not None
                assert known.scenario == name
                found = filled.by_id[known.case]
                assert found.checks == case.checks
                assert known.right != known.wrong
    assert key.find([{"role": "user", "content": "What else is there?"}]) is None


@pytest.mark.parametrize("name", ["json-mode", "plan", "tool-call"])
async def test_a_host_that_knows_everything_is_always_accepted(tmp_path, name):
    assert not runs_code(load(name))
    found = await asked(tmp_path, [load(name)], {"sim": ""}, n=24)
    (summary,) = summarise(found.frame)
    assert summary.tally.n_ok == 24
    assert summary.passed_share == 1


@pytest.mark.parametrize("right", [0.35, 0.8])
async def test_the_pass_rate_finds_the_share_of_right_answers(tmp_path, right):
    scenes = [load("plan"), load("json-mode")]
    found = await asked(tmp_path, scenes, {"sim": f"right={right}"}, n=150)
    for summary in summarise(found.frame):
        assert summary.n_checked == 150
        passed = round(summary.passed_share * 150)
        assert within(passed, 150, right), (summary.scenario, passed)


async def test_the_price_of_an_accepted_answer_finds_the_share_of_right_ones(tmp_path):
    price = {"sim": parse("sim=1,2,0.1")}
    found = await asked(
        tmp_path, [load("plan")], {"sim": "right=0.5"}, n=150, prices=price
    )
    frame = found.frame
    rows = frame.rows(frame.segments[0], "sim")
    took, paid = accepted(frame, rows), frame.values("cost", rows)
    assert took.usd.low <= paid.mean() / 0.5 <= took.usd.high


@pytest.mark.parametrize("mistakes", [0.0, 0.3])
async def test_tool_calls_find_the_share_of_mistakes(tmp_path, mistakes):
    found = await asked(tmp_path, [calling()], {"sim": f"mistakes={mistakes}"}, n=200)
    (summary,) = summarise(found.frame)
    assert summary.tally.n_ok == 200
    assert within(round((1 - summary.passed_share) * 200), 200, mistakes)


@pytest.mark.parametrize("leaks", [0.0, 0.25])
async def test_the_flag_finds_the_share_of_markup_leaks(tmp_path, leaks):
    found = await asked(tmp_path, [calling()], {"sim": f"leaks={leaks}"}, n=200)
    n, of = flagged(found, "tool_markup_leak")
    assert of == 200
    assert within(n, of, leaks)
    assert round(summarise(found.frame)[0].passed_share * 200) == 200 - n


async def test_stated_tokens_find_inflation_and_the_injected_prompt(tmp_path):
    skills = {"fair": "", "padded": "system_tokens=700", "dear": "inflation=1.25"}
    scene = override(load("chat-1k"), prompt_tokens=400)
    found = await asked(tmp_path, [scene], skills, n=12)
    frame = found.frame
    prompt = {
        name: frame.values("prompt", frame.rows(frame.segments[0], name))
        for name in skills
    }
    told = {
        name: frame.values("tokens", frame.rows(frame.segments[0], name))
        for name in skills
    }
    assert set(prompt["padded"] - prompt["fair"]) == {700}
    assert prompt["dear"] / prompt["fair"] == pytest.approx(1.25, rel=0.002)
    assert told["dear"].mean() / told["fair"].mean() == pytest.approx(1.25, rel=0.15)


async def test_a_prompt_that_is_cut_is_billed_as_it_was_read(tmp_path):
    scene = load("plan")
    found = await asked(tmp_path, [scene], {"sim": "context=100"}, n=8)
    (prompts,) = column(found, "prompt_tokens")
    assert set(prompts) == {100}


async def test_a_silent_limit_shows_in_the_checks_of_params(tmp_path):
    scene = load("json-mode")
    skills = {"fair": "", "short": "max_tokens=3"}
    found = await asked(tmp_path, [scene], skills, n=24)
    reasons, hosts, asked_for = column(found, "finish_reason", "provider", "max_tokens")
    assert {r for r, h in zip(reasons, hosts, strict=True) if h == "fair"} == {"stop"}
    assert {r for r, h in zip(reasons, hosts, strict=True) if h == "short"} == {
        "length"
    }
    assert set(asked_for) == {512}


@pytest.mark.parametrize("replicas", [1, 4])
async def test_the_cache_hits_find_the_number_of_replicas(tmp_path, replicas):
    scene = override(load("cache-pair"), prompt_tokens=640, gap=0)
    n = 120
    found = await asked(
        tmp_path, [scene], {"sim": f"replicas={replicas}"}, n=2 * n, c=1
    )
    turns, cached = column(found, "turn", "cached_tokens")
    pairs = list(zip(turns, cached, strict=True))
    assert {c for t, c in pairs if t == 1} == {0}
    hits = sum(c > 0 for t, c in pairs if t == 2)
    assert within(hits, n, 1 / replicas)


async def test_a_cache_forgets_after_its_time_to_live(tmp_path):
    scene = override(load("cache-pair"), prompt_tokens=640, gap=0)
    found = await asked(tmp_path, [scene], {"sim": ""}, n=8, cache_ttl_s=0)
    (cached,) = column(found, "cached_tokens")
    assert set(cached) == {0}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("rigth=0.5", "rigth"),
        ("right", "right"),
        ("right=1.5", "right"),
        ("inflation=nan", "inflation"),
        ("replicas=0", "replicas"),
        ("context=many", "context"),
    ],
)
def test_a_dial_that_makes_no_sense_is_refused_by_name(text, named):
    with pytest.raises(ProviderError, match=named):
        read_skill(text)


def test_without_dials_a_host_is_able_and_honest():
    assert read_skill("") == Skill()
    assert read_skill("right=0.5, leaks=0.1") == Skill(right=0.5, leaks=0.1)


def test_hosts_in_a_process_of_their_own_refuse_a_bad_dial(capfd):
    with pytest.raises(ProviderError), spawn(["exact"], skill="rigth=1"):
        pass
    assert "skill 'rigth=1': write NAME=VALUE; known: right" in capfd.readouterr().err
