"""agent-session: the shape of a coding agent's session, the same for every host."""

import itertools
import json
import re
import time
import tracemalloc

import pytest
from fakes import Hosts, VirtualClock, virtually

from compare.cli.worth import _PIECE
from compare.run.engine import Engine
from scenarios import scenario as scenes
from scenarios.agent import Agent
from scenarios.load import Load
from scenarios.plan import Plan, segments, units
from scenarios.request import ScenarioError

SCENE = scenes.load("agent-session")


def plan_of(scene=SCENE, *, sessions=1, concurrency=1, seed=1, hosts=("a", "b")):
    load = Load(
        max_requests=sessions * scene.turns, concurrencies=(concurrency,), seed=seed
    )
    return Plan(scenarios=(scene,), providers=hosts, load=load, salt="s")


def requests(plan):
    (segment,) = segments(plan)
    return [
        [block[0].request for block in unit.blocks]
        for unit in units(plan, segment, plan.providers)
    ]


def tokens(request):
    shown = json.dumps([request.messages, request.tools])
    return len(_PIECE.findall(shown.replace("\\n", " ; ")))  # a line's end is one


def shown(request):
    return json.dumps([request.tools, *request.messages], ensure_ascii=False)


def test_prompts_grow_from_20k_to_93k_and_are_compacted_once():
    (session,) = requests(plan_of())
    sizes = [tokens(each) for each in session]
    assert len(sizes) == 30
    assert sizes[0] == pytest.approx(20_000, rel=0.1)
    assert max(sizes) == sizes[18] == pytest.approx(93_000, rel=0.1)
    falls = [n for n, (a, b) in enumerate(itertools.pairwise(sizes), 2) if b < a]
    assert falls == [20]
    assert 20_000 < sizes[19] < 30_000


def test_nineteen_parts_in_twenty_of_the_prompts_were_seen_before():
    (session,) = requests(plan_of())
    texts = [shown(each) for each in session]
    repeated = sum(len(_common(a, b)) for a, b in itertools.pairwise(texts))
    assert repeated / sum(map(len, texts[1:])) == pytest.approx(0.95, abs=0.01)


def _common(a, b):
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[:middle] == b[:middle] else (low, middle - 1)
    return a[:low]


def test_the_history_is_what_the_chat_api_takes():
    (session,) = requests(plan_of())
    tools = {each["function"]["name"] for each in session[0].tools}
    kinds = set()
    for request in session:
        roles = [m["role"] for m in request.messages]
        assert roles[:2] == ["system", "user"]
        asked = []
        for message in request.messages:
            if message["role"] == "assistant":
                assert not asked
                asked = [call["id"] for call in message["tool_calls"]]
                for call in message["tool_calls"]:
                    json.loads(call["function"]["arguments"])
                    kinds.add(call["function"]["name"])
            elif message["role"] == "tool":
                assert message["tool_call_id"] == asked.pop(0)
        assert not asked
        assert roles[-1] in {"user", "tool"}
    assert {"read", "edit", "grep", "bash"} <= kinds <= tools


def test_the_same_seed_gives_the_same_bytes_to_all_and_sessions_share_no_start():
    plan = plan_of(sessions=2)
    first, second = requests(plan)
    again, _ = requests(plan)
    assert [r.digest for r in first] == [r.digest for r in again]
    assert _common(shown(first[0]), shown(second[0])).count("Label:") <= 1
    assert first[0].nonce == first[29].nonce != second[0].nonce
    (segment,) = segments(plan)
    for block in next(units(plan, segment, plan.providers)).blocks:
        assert len({each.request.digest for each in block}) == 1
        assert {each.session for each in block} == {"agent-session/0/measure/0"}
    other = requests(plan_of(seed=2))[0]
    assert other[0].messages != first[0].messages


def test_prompts_are_made_when_they_are_sent():
    plan = plan_of(sessions=16)
    (segment,) = segments(plan)
    requests(plan_of())  # what is shared by all sessions is made once
    tracemalloc.start()
    begun = [iter(unit.blocks) for unit in units(plan, segment, plan.providers)]
    waiting = tracemalloc.get_traced_memory()[0]
    last = [list(itertools.islice(each, 30))[-1] for each in begun]
    whole = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(last) == 16
    assert waiting < 1 << 20
    assert whole < 16 * (1 << 20)


def test_a_turn_is_made_in_a_moment():
    took, make = [], iter(_blocks())
    while True:
        begin = time.perf_counter()
        if next(make, None) is None:
            break
        took.append(time.perf_counter() - begin)
    assert sorted(took)[len(took) // 2] < 0.01


def _blocks():
    plan = plan_of()
    (segment,) = segments(plan)
    return next(units(plan, segment, plan.providers)).blocks


def test_sessions_go_side_by_side_with_recorded_thought_between_turns():
    hosts, made = Hosts(2.0), []

    async def run():
        plan = plan_of(sessions=4, concurrency=4)
        engine = Engine(plan, hosts.send, made.append, clock=VirtualClock(),
                        interrupt=hosts.interrupt)  # fmt: skip
        await engine.run()

    virtually(run())
    assert len(made) == 4 * 30 * 2
    assert hosts.most == {"a": 4, "b": 4}
    assert {(r.arrival.session is not None, r.arrival.turn) for r in made} == {
        (True, n) for n in range(1, 31)
    }
    agent = SCENE.agent
    mine = [(at, a.turn) for at, a in hosts.log
            if a.session.endswith("/0") and a.provider == "a"]  # fmt: skip
    for (before, _), (at, turn) in itertools.pairwise(mine):
        assert at - before == pytest.approx(2.0 + agent.pause(turn), abs=0.01)
    assert len({agent.pause(turn) for turn in range(2, 31)}) > 10


def test_a_gap_stands_in_for_the_thought():
    scene = scenes.override(SCENE, gap="5m")
    assert {scene.agent.pause(turn) for turn in range(2, 31)} == {300.0}
    assert scene.scenario_version != SCENE.scenario_version


def test_what_makes_no_sense_is_refused_by_name(tmp_path):
    path = tmp_path / "mine.toml"
    text = 'prompt = { user = "Go." }\n[agent]\n'
    path.write_text(text + "first = 2000\npeak = 5000\nturns = 4\ncompaction = 3\n")
    (session,) = requests(plan_of(scenes.load(str(path))))
    assert len(session) == 4
    for wrong, words in [
        ("turnz = 3", "turnz"),
        ("turns = 1", "agent.turns"),
        ("first = 9000\npeak = 5000", "agent.peak"),
        ("think = []", "agent.think"),
        ("think = [-1.0]", "agent.think"),
    ]:
        path.write_text(text + wrong + "\n")
        with pytest.raises(ScenarioError, match=re.escape(words)):
            scenes.load(str(path))
    path.write_text(text + '[session]\nturns = ["a"]\n')
    with pytest.raises(ScenarioError, match="agent"):
        scenes.load(str(path))


def test_sizes_without_a_compaction_grow_to_the_peak():
    sizes = Agent(turns=5, compaction=9).sizes()
    assert sizes == sorted(sizes)
    assert sizes[-1] == 93_000
