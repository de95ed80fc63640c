"""tool-loop: steps are asked from a host's own answers, and judged by what they did."""

import itertools
import json

import msgspec
import pytest
from fakes import VirtualClock, virtually
from looping import blunderer, giver_up, leaker, looper, solver

from compare.run.budget import worst_of
from compare.run.engine import Engine
from compare.run.lost import numbers
from compare.run.rest import Rest, missing, parted
from data.prices import Price
from providers.outcome import Blame, Outcome
from providers.provider import Provider
from providers.reply import Reply, ToolCall
from scenarios import scenario as scenes
from scenarios.answer import Answer
from scenarios.desk import MOST_BYTES, TOOLS, Desk, Expect
from scenarios.load import Load
from scenarios.loop import MOST_CALLS, Play
from scenarios.plan import Plan, segments, units
from scenarios.proof import flaws
from scenarios.request import ScenarioError

SCENE = scenes.load("tool-loop")
STEPS = SCENE.loop.steps


def plan_of(hosts=("good",), *, sessions=6, scene=SCENE, **load):
    load = Load(max_requests=sessions * scene.turns, **load)
    return Plan(scenarios=(scene,), providers=hosts, load=load, salt="s")


def reply_of(told):
    calls, text = told
    return Reply(
        outcome=Outcome.OK,
        content=text,
        tool_calls=tuple(
            ToolCall(f"c{n}", name, a if isinstance(a, str) else json.dumps(a))
            for n, (name, a) in enumerate(calls)
        ),
    )


def ran(plan, models, *, rest=None, stop_at=None):
    """Run a plan in virtual time against models by the names of their hosts."""
    made = []

    async def send(arrival, start):
        told = models[arrival.provider](arrival.request.messages)
        if told is None:
            return Reply(outcome=Outcome.HTTP_ERROR, blame=Blame.PROVIDER)
        return reply_of(told)

    async def main():
        def emit(result):
            made.append(result)
            if stop_at is not None and len(made) >= stop_at:
                engine.stop()

        engine = Engine(plan, send, emit, clock=VirtualClock(), rest=rest)
        await engine.run()

    virtually(main())
    return made


def sessions(made, host):
    found = {}
    for each in made:
        if each.arrival.provider == host:
            found.setdefault(each.arrival.session, []).append(each)
    return list(found.values())


def said(result):
    return {v.name: v.passed for v in result.verdicts}


def test_a_host_that_works_solves_every_task_step_by_step():
    made = ran(plan_of(), {"good": solver})
    found = sessions(made, "good")
    assert len(found) == 6
    assert {each[0].arrival.case for each in found} == set(SCENE.by_id)
    for session in found:
        assert [r.arrival.turn for r in session] == list(range(1, len(session) + 1))
        assert 3 <= len(session) < STEPS
        assert said(session[-1]) == {"solved": True, "finished": True, "no-loop": True}
        assert not any(r.verdicts for r in session[:-1])
        for before, after in itertools.pairwise(session):
            shown = before.arrival.request.messages
            assert after.arrival.request.messages[: len(shown)] == shown
            assert len(after.arrival.request.messages) > len(shown)
            assert after.arrival.request.nonce == before.arrival.request.nonce


def test_each_host_has_a_history_of_its_own_and_nobody_waits_for_those_who_ended():
    made = ran(plan_of(("good", "quits", "loops")),
               {"good": solver, "quits": giver_up, "loops": looper})  # fmt: skip
    assert {len(each) for each in sessions(made, "quits")} == {1}
    assert {len(each) for each in sessions(made, "loops")} == {3}
    for session in sessions(made, "quits"):
        assert said(session[-1]) == {"solved": False, "finished": True, "no-loop": True}
    for session in sessions(made, "loops"):
        assert said(session[-1]) == {
            "solved": False,
            "finished": False,
            "no-loop": False,
        }
    for session in sessions(made, "good"):
        assert said(session[-1])["solved"]
    firsts = [r.arrival for r in made if r.arrival.turn == 1]
    for block in {each.block for each in firsts}:
        asked = [each.request for each in firsts if each.block == block]
        assert len(asked) == 3
        assert len({each.digest for each in asked}) == 1
    assert len({r.arrival.seq for r in made}) == len(made)


def test_mistakes_cost_steps_and_are_answered_with_what_is_wrong():
    made = ran(plan_of(sessions=1), {"good": blunderer})
    assert len(made) == STEPS
    history = made[4].arrival.request.messages
    told = [m["content"] for m in history if m["role"] == "tool"]
    assert "no tool 'delete'" in told[0]
    assert "missing: path" in told[1]
    assert "no JSON object" in told[2]
    nudge = "Call a tool. When all tests pass, call finish."
    assert history[-1] == {"role": "user", "content": nudge}
    for message in history:  # what is sent back is what any host takes
        for call in message.get("tool_calls", ()):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
    verdicts = {v.name: v for v in made[-1].verdicts}
    assert said(made[-1]) == {"solved": False, "finished": False, "no-loop": True}
    assert "tests fail" in verdicts["solved"].detail
    assert 0 <= verdicts["solved"].score < 1


def test_a_leak_is_no_call_and_the_session_goes_on():
    made = ran(plan_of(sessions=1), {"good": leaker})
    assert said(made[-1])["solved"]
    assert made[1].arrival.request.messages[-1]["content"].startswith("Call a tool")


def test_a_session_ends_where_a_request_fails_and_is_not_judged():
    made = ran(plan_of(("good", "down"), sessions=2),
               {"good": solver, "down": lambda _: None})  # fmt: skip
    for session in sessions(made, "down"):
        (only,) = session
        assert not only.verdicts
    assert all(said(each[-1])["solved"] for each in sessions(made, "good"))


def test_the_same_call_after_a_change_is_no_loop():
    task = SCENE.by_id["release"].task
    play = Play(_opening(), task, SCENE.loop)
    for n in range(5):
        play.take(_answer(("run_tests", {})))
        play.take(_answer(("edit", {"path": f"f{n}", "old": "", "new": "x"})))
        assert not play.over
    for _ in range(2):
        play.take(_answer(("run_tests", {})))
    assert play.over


def test_finish_ends_it_and_what_is_called_after_it_does_nothing():
    case = SCENE.by_id["wrong-total"]
    play = Play(_opening(), case.task, SCENE.loop)
    right = case.task.solved["invoice.json"]
    calls = [("finish", {}), ("edit", {"path": "invoice.json",
              "old": case.task.files["invoice.json"], "new": right})]  # fmt: skip
    verdicts = {v.name: v.passed for v in play.take(_answer(*calls))}
    assert verdicts == {"solved": False, "finished": True, "no-loop": True}


def test_what_is_said_back_is_bounded():
    play = Play(_opening(), SCENE.by_id["release"].task, SCENE.loop)
    big = [("edit", {"path": f"f{n}", "old": "", "new": "é" * 5_000}) for n in range(3)]
    play.take(_answer(*big))
    before = len(msgspec.json.encode(play.request.messages))
    play.take(_answer(*[("read", {"path": f"f{n % 3}"}) for n in range(40)]))
    grown = len(msgspec.json.encode(play.request.messages)) - before
    assert grown < MOST_BYTES + MOST_CALLS * 200


def _opening():
    plan = plan_of()
    (segment,) = segments(plan)
    return next(units(plan, segment, plan.providers)).blocks[0][0].request


def _answer(*calls):
    return Answer(tool_calls=tuple((n, json.dumps(a)) for n, a in calls))


def test_the_worst_case_of_a_step_holds_whatever_came_before_it():
    plan = plan_of(sessions=1)
    (segment,) = segments(plan)
    (unit,) = units(plan, segment, plan.providers)
    host = Provider(name="good", dialect="generic", base_url="http://x", model="m")
    price = Price(id="p", host="h", source="x", input_pusd=1000, output_pusd=0)
    worst = worst_of([host], {"good": price})
    planned = [worst(block[0]) for block in unit.blocks]
    assert planned == sorted(planned)
    play = Play(unit.blocks[0][0].request, SCENE.cases[0].task, SCENE.loop)
    for block in unit.blocks:
        true = msgspec.structs.replace(block[0], request=play.request, grown=0)
        assert worst(true) <= worst(block[0])
        text = "word " * 1000  # max_tokens of it
        calls = (("read", '{"path": "README.md"}'), ("grep", '{"text": ""}'))
        play.take(Answer(content=text, tool_calls=calls))
        if play.over:
            break


def test_a_live_session_that_has_begun_is_not_resumed():
    plan = plan_of(("good", "quits"), sessions=6)
    made = ran(plan, {"good": solver, "quits": giver_up}, stop_at=7)
    done = frozenset(r.arrival.seq for r in made)
    begun = {r.arrival.session for r in made}
    rest = Rest(done=done)
    assert missing(plan, rest) == (6 - len(begun)) * STEPS * 2
    assert parted(plan, done) == 0
    again = ran(plan, {"good": solver, "quits": giver_up}, rest=rest)
    assert len({r.arrival.session for r in again}) == 6 - len(begun)
    assert not begun & {r.arrival.session for r in again}
    whole = Rest(done=done | {r.arrival.seq for r in again})
    assert missing(plan, whole) == 0
    assert ran(plan, {"good": solver, "quits": giver_up}, rest=whole) == []


def test_a_dead_worker_took_one_request_of_each_session_along():
    plan = plan_of(("a", "b"), sessions=4)
    mine = list(numbers(plan, 0, 2))
    assert mine == [0, 1, 2 * 2 * STEPS, 2 * 2 * STEPS + 1]


def test_a_session_that_found_no_slot_is_one_row_a_host():
    plan = plan_of(("a", "b"), sessions=8, rates=(100.0,), concurrencies=(1,))
    hosts = {"a": giver_up, "b": giver_up}
    made = ran(plan, hosts)
    assert len(made) == 16


def test_tools_judge_text_and_say_what_is_wrong():
    tests = (
        Expect(name="a", file="x.json", key="list.1.n", equals=3.0),
        Expect(name="b", file="gone", contains="x"),
    )
    desk = Desk({"x.json": '{"list": [0, {"n": 3}]}', "sub/y": "one\ntwo"}, tests)
    said, valid = desk.use("run_tests", "{}")
    assert valid
    assert said.split("\n") == [
        "1 of 2 tests pass", "PASS a", "FAIL b: gone: there is no such file"
    ]  # fmt: skip
    assert desk.use("grep", '{"text": "tw"}') == ("sub/y:2: two", True)
    assert desk.use("list", '{"path": "sub"}') == ("sub/y", True)
    assert desk.use("edit", '{"path": "sub/y", "old": "o", "new": "0"}')[0].startswith(
        "error: `old` stands 2 times"
    )
    assert desk.use("edit", '{"path": "sub/y", "old": "one", "new": "1"}')[1]
    assert desk.files["sub/y"] == "1\ntwo"
    assert desk.use("read", '{"path": 7}') == ("error: not a text: path", False)
    assert desk.use("read", "[1]")[1] is False
    names = {tool["function"]["name"] for tool in TOOLS}
    assert names == {"list", "read", "grep", "edit", "run_tests", "finish"}


TASK = '[[case]]\n[case.task]\nfiles = {a = "b"}\n[[case.task.tests]]\nname = "t"\nfile = "a"\n'  # noqa: E501


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("[loop]\nsteps = 0\n", "loop.steps"),
        ("[loop]\nstep = 3\n", "unknown key 'step'"),
        ('[loop]\n[[case]]\nid = "a"\n', "needs a task"),
        (f'{TASK}contains = "c"\n', "a task a [loop]"),
        (f"[loop]\n{TASK}", "one of contains, lacks or key"),
        (f'[loop]\n{TASK}key = "c"\n', "key and equals go together"),
        (f'[loop]\n[[check]]\nkind = "json"\n{TASK}lacks = "b"\n', "drop yours"),
    ],
)
def test_a_loop_that_makes_no_sense_is_refused(tmp_path, table, words):
    path = tmp_path / "mine.toml"
    path.write_text('prompt = { user = "Go." }\n' + table)
    with pytest.raises(ScenarioError) as error:
        scenes.load(str(path))
    assert words in str(error.value)
    assert "mine.toml" in str(error.value)


def test_a_task_must_be_open_and_its_solution_right(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'prompt = { user = "Go." }\n[loop]\n[[case]]\n[case.task]\nfiles = {a = "b"}\n'
        '[[case.task.tests]]\nname = "t"\nfile = "a"\ncontains = "b"\n'
        '[[case]]\n[case.task]\nfiles = {a = "b"}\nsolved = {a = "c"}\n'
        '[[case.task.tests]]\nname = "t"\nfile = "a"\ncontains = "d"\n'
    )
    said = [flaw.what for flaw in flaws(scenes.load(str(path)), [1])]
    assert said == [
        "all tests pass as the files stand",
        "solved does not pass t: a: 'd' is not in it",
    ]


def test_half_a_surrogate_pair_does_not_end_the_run():
    play = Play(_opening(), SCENE.by_id["release"].task, SCENE.loop)
    bad = json.dumps({"path": "x", "old": "", "new": "\ud800"})
    play.take(Answer(content="\ud800", tool_calls=(("edit", bad), ("re\ud800", "{}"))))
    play.take(_answer(("read", {"path": "x"}), ("grep", {"text": "?"})))
    play.take(Answer(content="\udfff"))
    msgspec.json.encode(play.request.messages)
    assert not play.over


def test_a_host_that_refuses_the_key_is_asked_no_further_step():
    plan = plan_of(("good", "shut"), sessions=6, concurrencies=(1,))
    made = []

    async def send(arrival, start):
        if arrival.provider == "shut":
            return Reply(outcome=Outcome.AUTH_ERROR, blame=Blame.ACCOUNT)
        return reply_of(solver(arrival.request.messages))

    async def main():
        await Engine(plan, send, made.append, clock=VirtualClock()).run()

    virtually(main())
    assert {len(each) for each in sessions(made, "shut")} == {1}
