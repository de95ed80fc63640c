"""Traces of real traffic: read, refused with their lines, and asked when they say."""

import json

import pytest
from asking import asked
from fakes import Hosts, VirtualClock, virtually

from compare.run.engine import Engine
from scenarios import load as loads
from scenarios import session
from scenarios.load import Load
from scenarios.plan import Plan, planned, segments, units
from scenarios.request import ScenarioError
from scenarios.scenario import load, override

LINES = [
    {"timestamp": 5000, "input_length": 1500, "output_length": 20,
     "hash_ids": [7, 8, 9]},
    {"timestamp": 6000, "input_length": 1100, "output_length": 3,
     "hash_ids": [7, 8, 10]},
    {"timestamp": 6000, "input_length": 700, "output_length": 1, "hash_ids": [11, 12]},
    {"timestamp": 9000, "input_length": 400, "output_length": 900, "hash_ids": []},
]  # fmt: skip
BURST = """Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45.5,ChatGPT,1087,230,1317,Conversation log
118,GPT-4,417,276,693,API log
"""


def written(path, lines):
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    return load(str(path))


@pytest.fixture
def mooncake(tmp_path):
    return written(tmp_path / "toolagent.jsonl", LINES)


def asking(scene, index, salt="s"):
    found = session.case(scene, index, salt=salt, seed=0, phase="measure", step=0)
    (request,) = found.requests
    (message,) = request.messages
    return request, message["content"]


def shared(one, other):
    """Return with how many words two prompts begin alike."""
    pairs = zip(one.split(), other.split(), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), 0)


def test_requests_are_as_long_as_the_trace_says(mooncake):
    assert mooncake.name == "toolagent"
    for index, line in enumerate(LINES):
        request, text = asking(mooncake, index)
        assert len(text.split()) == line["input_length"]
        assert request.max_tokens == line["output_length"]
        assert (request.nonce is None) == bool(line["hash_ids"])


def test_prompts_share_the_blocks_that_the_trace_says_they_share(mooncake):
    (_, first), (_, second), (_, third), (_, last) = (
        asking(mooncake, index) for index in range(4)
    )
    assert 1024 <= shared(first, second) < 1024 + 20
    assert shared(first, third) < 5
    assert shared(third, last) < 5
    assert asking(mooncake, 0)[1] == first
    assert shared(asking(mooncake, 0, salt="other")[1], first) < 5, "no cache of a run"


async def test_a_cache_hits_what_is_shared(tmp_path, mooncake):
    found = await asked(tmp_path, [mooncake], {"sim": ""}, n=4)
    frame = found.frame
    cached = frame.figures["cached"]
    assert cached.tolist() == [0, 1024, 0, 0]
    assert frame.figures["prompt"].tolist() == pytest.approx(
        [1500, 1100, 700, 400], abs=4
    )


def sent(scene, **shape):
    plan = Plan(
        scenarios=(scene,), providers=("a",), load=loads.read(shape, "t"), salt="s"
    )
    hosts = Hosts(0.5)

    async def main():
        await Engine(plan, hosts.send, lambda _: None, clock=VirtualClock()).run()

    virtually(main())
    return plan, [at for at, _ in hosts.log]


def test_requests_are_due_when_the_trace_says(mooncake):
    plan, at = sent(mooncake)
    assert at == pytest.approx([0, 1, 1, 4], abs=1e-6)
    (segment,) = segments(plan)
    assert segment.rate == pytest.approx(1.0)
    assert planned(plan, segment) == segment.n_blocks == 4


def test_a_rate_makes_a_trace_faster_or_slower(mooncake):
    assert sent(mooncake, rate=4.0)[1] == pytest.approx([0, 0.25, 0.25, 1], abs=1e-6)
    assert sent(mooncake, rate="0.5,1")[1][:4] == pytest.approx([0, 2, 2, 8], abs=1e-6)


def test_a_count_or_a_duration_cuts_a_trace(mooncake):
    assert len(sent(mooncake, max_requests=3)[1]) == 3
    assert len(sent(mooncake, max_requests=300)[1]) == 4
    assert len(sent(mooncake, duration=2.0)[1]) == 3


def test_what_is_asked_for_on_top_holds_for_every_request(mooncake):
    short = override(mooncake, max_tokens=5, nonce=False)
    assert {asking(short, n)[0].max_tokens for n in range(4)} == {5}
    assert {asking(short, n)[0].nonce for n in range(4)} == {None}
    with pytest.raises(ScenarioError, match=r"prompt\.tokens"):
        override(mooncake, prompt_tokens=5)


def test_csv_as_of_burst_gpt(tmp_path):
    path = tmp_path / "burst.csv"
    path.write_text(BURST)
    scene = load(str(path))
    assert [each.at for each in scene.trace.asked] == [0, 40.5, 113]
    assert [each.tokens for each in scene.trace.asked] == [472, 1087, 417]
    assert [each.max_tokens for each in scene.trace.asked] == [18, 230, 276]
    texts = [asking(scene, index)[1] for index in range(3)]
    assert shared(texts[0], texts[1]) < 5


def test_the_version_is_of_what_the_trace_says(tmp_path, mooncake):
    other = written(tmp_path / "toolagent.jsonl", LINES[:3])
    assert other.digest != mooncake.digest
    assert load("ping").trace is None


def line(**changes):
    return json.dumps({**LINES[0], **changes})


@pytest.mark.parametrize(
    ("lines", "place", "words"),
    [
        ([line(timestamp=-1)], ":1.timestamp", ">= 0"),
        ([line(), line(timestamp=4000)], ":2", "goes back from 5 to 4 s; sort"),
        ([line(), line(input_length=0)], ":2.input_length", ">= 1"),
        ([line(output_length=-3)], ":1.output_length", ">= 1"),
        ([line(colour="red")], ":1", "unknown key 'colour'; use hash_ids, input"),
        ([line(input_lenght=3)], ":1", "did you mean input_length"),
        ([line(), "", "{"], ":3", "not JSON"),
        ([line(hash_ids="abc")], ":1.hash_ids", "array"),
        (['{"timestamp": 1, "input_length": 5}'], ":1", "output_length"),
    ],
)
def test_a_bad_line_is_told_with_its_file_line_and_remedy(
    tmp_path, lines, place, words
):
    path = tmp_path / "bad.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(ScenarioError) as told:
        load(str(path))
    assert f"bad.jsonl{place}" in str(told.value)
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("\n5,", "\n-5,", ":2.timestamp", ">= 0"),
        ("\n118,", "\n18,", ":4", "goes back"),
        ("\n118,", "\nnan,", ":4", "timestamp"),
        (",472,", ",many,", ":2", "Request tokens is 'many', no number"),
        (",472,", ",4.5,", ":2.input_length", "int"),
        (",276,", ",0,", ":4.output_length", ">= 1"),
        ("Log Type", "Colour", ":1", "unknown column 'Colour'"),
        ("Request tokens", "Elapsed time", ":1", "'Request tokens' is missing"),
        ("API log", "API log,7", ":4", "more fields"),
        (BURST[BURST.index("\n") :], "", "", "holds no request"),
    ],
)
def test_bad_csv_is_told_with_its_file_line_and_remedy(
    tmp_path, old, new, place, words
):
    path = tmp_path / "bad.csv"
    assert old in BURST
    path.write_text(BURST.replace(old, new))
    with pytest.raises(ScenarioError) as told:
        load(str(path))
    assert f"bad.csv{place}" in str(told.value)
    assert words in str(told.value)


@pytest.mark.parametrize(
    "shape",
    [
        {"warmup": 3},
        {"arrivals": "poisson", "rates": (1.0,)},
        {"concurrencies": (1, 2)},
        {"ramp": 2.0},
        {"sweep": True, "concurrencies": (1, 8), "unpaired": True},
    ],
)
def test_a_load_that_says_when_to_ask_is_refused(mooncake, shape):
    shape = {("arrival" if k == "arrivals" else k): v for k, v in shape.items()}
    with pytest.raises(ScenarioError, match="a trace, which says when to ask: drop"):
        Plan(scenarios=(mooncake,), providers=("a",), load=Load(**shape), salt="s")


def test_questions_in_jsonl_are_no_trace(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"prompt": "timestamp?", "expected": "x"}\n')
    assert load(str(path)).trace is None


def test_long_prompts_of_a_trace_are_quickly_made(tmp_path):
    import time

    ids = list(range(250))
    lines = [
        {"timestamp": n, "input_length": 128_000, "output_length": 1, "hash_ids": ids}
        for n in range(20)
    ]
    scene = written(tmp_path / "long.jsonl", lines)
    plan = Plan(scenarios=(scene,), providers=("a",), load=Load(), salt="s")
    work = units(plan, segments(plan)[0], ("a",))
    next(work)  # draws the words once
    began = time.process_time()
    assert len(list(work)) == 19
    assert (time.process_time() - began) / 19 < 0.05
