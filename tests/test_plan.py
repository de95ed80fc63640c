import itertools
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.load import Load
from scenarios.plan import Plan, count, lanes, plan_hash, sample, segments, units
from scenarios.request import ScenarioError
from scenarios.scenario import load as open_scenario
from scenarios.scenario import override

PING = open_scenario("ping")
PAIR = override(open_scenario("cache-pair"), prompt_tokens=20)
TOOLS = open_scenario("tool-call")


def plan_of(*scenarios, providers=("a", "b", "c"), salt="salt", **load):
    return Plan(
        scenarios=scenarios or (PING,),
        providers=tuple(providers),
        load=Load(**load),
        salt=salt,
    )


def blocks_of(plan, lane=None, most=200):
    """Return every block of a plan in order, at most `most` sessions a segment."""
    lane = lane or plan.providers
    return [
        block
        for segment in segments(plan)
        for unit in itertools.islice(units(plan, segment, lane), most)
        for block in unit.blocks
    ]


def sensible(*scenes, arrival, rates, **load):
    """Return a plan whose arrival process has a rate to it."""
    return plan_of(
        *scenes, arrival=arrival if rates else "constant", rates=rates, **load
    )


plans = st.builds(
    sensible,
    st.sampled_from([PING, PAIR]),
    st.just(TOOLS),
    providers=st.lists(st.sampled_from("abcdef"), min_size=1, unique=True),
    salt=st.text(max_size=5),
    max_requests=st.integers(1, 12),
    warmup=st.integers(0, 3),
    rates=st.sampled_from([(), (2.0,), (1.0, 5.0)]),
    arrival=st.sampled_from(["constant", "poisson", "gamma"]),
    seed=st.integers(0, 2**32),
    unpaired=st.booleans(),
)


@settings(max_examples=40, deadline=None)
@given(plans)
def test_every_block_asks_every_provider_the_same_once(plan):
    for block in blocks_of(plan):
        assert sorted(a.provider for a in block) == sorted(plan.providers)
        assert len({a.block for a in block}) == 1
        assert len({msgspec.json.encode(a.request) for a in block}) == 1
        assert len({id(a.request) for a in block}) == 1
        for field in ("case", "session", "turn", "due", "phase", "step"):
            assert len({getattr(a, field) for a in block}) == 1


@settings(max_examples=40, deadline=None)
@given(plans)
def test_numbers_are_unique_and_follow_their_rule(plan):
    blocks = blocks_of(plan)
    assert [block[0].block for block in blocks] == list(range(len(blocks)))
    n = len(plan.providers)
    for arrival in itertools.chain.from_iterable(blocks):
        place = plan.providers.index(arrival.provider)
        assert arrival.seq == arrival.block * n + place
    seqs = [a.seq for block in blocks for a in block]
    assert sorted(seqs) == list(range(len(seqs)))
    assert count(plan) == len(blocks)


@settings(max_examples=40, deadline=None)
@given(plans)
def test_the_lanes_together_are_the_paired_plan(plan):
    alone = msgspec.structs.replace(
        plan, load=msgspec.structs.replace(plan.load, unpaired=True)
    )
    paired = msgspec.structs.replace(
        plan, load=msgspec.structs.replace(plan.load, unpaired=False)
    )
    assert lanes(paired) == (plan.providers,)
    assert lanes(alone) == tuple((name,) for name in plan.providers)
    apart = [
        arrival
        for lane in lanes(alone)
        for block in blocks_of(alone, lane)
        for arrival in block
    ]
    together = [arrival for block in blocks_of(paired) for arrival in block]
    by_seq = {arrival.seq: arrival for arrival in together}
    assert len(apart) == len(together)
    assert {arrival.seq: arrival for arrival in apart} == by_seq


@settings(max_examples=20, deadline=None)
@given(plans)
def test_a_plan_expands_the_same_every_time(plan):
    again = msgspec.structs.replace(plan)
    assert msgspec.json.encode(blocks_of(plan)) == msgspec.json.encode(blocks_of(again))
    assert plan_hash(plan) == plan_hash(again)


@settings(max_examples=20, deadline=None)
@given(plans)
def test_no_two_sessions_of_a_run_share_a_nonce(plan):
    first = [
        unit.blocks[0][0].request.nonce
        for segment in segments(plan)
        for unit in units(plan, segment, plan.providers)
    ]
    assert len(set(first)) == len(first)


def test_another_salt_makes_other_prompts_of_the_same_length():
    one, other = (blocks_of(plan_of(PING, PAIR, salt=salt)) for salt in ("x", "y"))
    for left, right in zip(one, other, strict=True):
        assert [a.provider for a in left] == [a.provider for a in right]
        texts = [
            " ".join(message["content"] for message in block[0].request.messages)
            for block in (left, right)
        ]
        assert texts[0] != texts[1]
        assert len(texts[0].split()) == len(texts[1].split())


def test_every_order_of_the_hosts_is_about_as_frequent():
    blocks = blocks_of(plan_of(max_requests=1200), most=1200)
    orders = Counter("".join(a.provider for a in block) for block in blocks)
    assert len(orders) == 6
    # Binomial(1200, 1/6) has a standard deviation of 13.
    assert all(abs(n - 200) < 52 for n in orders.values())
    other = blocks_of(plan_of(max_requests=50, seed=1))
    assert [a.provider for b in other for a in b] != [
        a.provider for b in blocks[:50] for a in b
    ]


# sessions


def test_turns_count_as_blocks_and_an_odd_rest_is_a_shorter_session():
    plan = plan_of(PAIR, max_requests=7, warmup=3)
    warmup, measure = segments(plan)
    sizes = [
        [len(unit.blocks) for unit in units(plan, segment, plan.providers)]
        for segment in (warmup, measure)
    ]
    assert sizes == [[2, 1], [2, 2, 2, 1]]
    assert count(plan) == 10


def test_a_session_keeps_its_id_through_its_turns():
    plan = plan_of(PAIR, max_requests=4)
    (segment,) = segments(plan)
    seen = list(units(plan, segment, plan.providers))
    for unit in seen:
        assert unit.gap == 1.0
        assert [block[0].turn for block in unit.blocks] == [1, 2]
        assert len({block[0].session for block in unit.blocks}) == 1
        assert len({block[0].request.nonce for block in unit.blocks}) == 1
    assert len({unit.blocks[0][0].session for unit in seen}) == 2


def test_a_scenario_of_one_turn_has_no_session():
    (block, *_) = blocks_of(plan_of(max_requests=1))
    assert (block[0].session, block[0].turn, block[0].due) == (None, None, None)


# segments and load


def test_segments_run_scenario_by_scenario_step_by_step_warm_up_first():
    plan = plan_of(PING, PAIR, concurrencies=(1, 8), max_requests=5, warmup=2)
    made = segments(plan)
    assert [(s.scenario.name, s.step, s.phase, s.n_blocks) for s in made] == [
        (name, step, phase, n)
        for name in ("ping", "cache-pair")
        for step in (0, 1)
        for phase, n in (("warmup", 2), ("measure", 5))
    ]
    assert [s.index for s in made] == list(range(8))
    assert [s.concurrency for s in made] == [1, 1, 8, 8] * 2
    assert [s.first_block for s in made] == [0, 2, 7, 9, 14, 16, 21, 23]


def test_a_duration_numbers_blocks_by_segment_and_leaves_the_count_unknown():
    plan = plan_of(duration=5.0, warmup=2, concurrencies=(1, 2))
    made = segments(plan)
    assert [s.first_block for s in made] == [0, 10**9, 2 * 10**9, 3 * 10**9]
    assert [s.duration for s in made] == [None, 5.0, None, 5.0]
    assert [s.n_blocks for s in made] == [2, None, 2, None]
    assert count(plan) is None
    blocks = blocks_of(plan, most=50)
    assert len(blocks) == 2 * (2 + 50)
    assert len({a.seq for block in blocks for a in block}) == 3 * len(blocks)


def test_with_both_limits_the_count_is_the_most():
    plan = plan_of(duration=5.0, max_requests=8)
    (segment,) = segments(plan)
    assert (segment.duration, segment.n_blocks, count(plan)) == (5.0, 8, 8)


def test_an_open_loop_has_due_times_up_to_its_duration():
    plan = plan_of(rates=(4.0,), duration=2.0)
    (segment,) = segments(plan)
    dues = [unit.due for unit in units(plan, segment, plan.providers)]
    assert dues == [i / 4 for i in range(8)]
    (block, *_) = blocks_of(plan)
    assert block[0].due == 0.0


def test_a_rate_counts_blocks_so_sessions_start_at_a_share_of_it():
    plan = plan_of(PAIR, rates=(4.0,), max_requests=6)
    (segment,) = segments(plan)
    made = list(units(plan, segment, plan.providers))
    assert [unit.due for unit in made] == [0.0, 0.5, 1.0]
    assert [[block[0].due for block in unit.blocks] for unit in made] == [
        [0.0, None],
        [0.5, None],
        [1.0, None],
    ]


def test_random_arrivals_are_the_same_in_every_lane():
    plan = plan_of(rates=(4.0,), arrival="poisson", unpaired=True, max_requests=20)
    (segment,) = segments(plan)
    dues = {
        tuple(unit.due for unit in units(plan, segment, lane)) for lane in lanes(plan)
    }
    assert len(dues) == 1


def test_units_are_made_one_at_a_time():
    plan = plan_of(max_requests=10**12)
    (segment,) = segments(plan)
    assert next(units(plan, segment, plan.providers)).blocks[0][0].block == 0


# the whole


def test_a_sample_shows_each_segment_even_where_nothing_is_due():
    plan = plan_of(
        PING, PAIR, rates=(0.001,), duration=0.1, arrival="poisson", warmup=1
    )
    seen = sample(plan)
    assert [(a.scenario, a.phase) for a in seen] == [
        ("ping", "warmup"),
        ("ping", "measure"),
        ("cache-pair", "warmup"),
        ("cache-pair", "measure"),
    ]


def test_the_hash_follows_all_that_decides_the_plan():
    base = plan_of()
    others = [
        plan_of(PAIR),
        plan_of(override(PING, max_tokens=3)),
        plan_of(PING, PAIR),
        plan_of(PAIR, PING),
        plan_of(providers=("a", "b")),
        plan_of(providers=("b", "a", "c")),
        plan_of(salt="other"),
        plan_of(seed=1),
        plan_of(max_requests=7),
        plan_of(unpaired=True),
    ]
    hashes = {plan_hash(plan) for plan in [base, *others]}
    assert len(hashes) == len(others) + 1
    assert plan_hash(plan_of()) == plan_hash(base)
    assert plan_of(seed=9).seed == 9


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"providers": ()}, "no provider; name at least one"),
        ({"scenarios": ()}, "no scenario; name at least one"),
        ({"providers": ("a", "b", "a")}, "provider 'a' is named twice"),
        (
            {"scenarios": (PING, override(PING, seed=1))},
            "scenario 'ping' is named twice",
        ),
    ],
)
def test_a_plan_whose_rows_could_not_be_told_apart_is_refused(fields, told):
    whole = {"scenarios": (PING,), "providers": ("a",), "load": Load(), "salt": "s"}
    with pytest.raises(ScenarioError, match=told):
        Plan(**{**whole, **fields})
