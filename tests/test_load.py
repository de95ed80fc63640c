import itertools
import math
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.load import Load, Step, parse_duration, read, steps, times
from scenarios.request import ScenarioError

rates = st.floats(0.01, 10_000)
ramps = st.just(0.0) | st.floats(0.001, 600)


def due(n, rate, arrival="constant", burstiness=1.0, *, ramp=0.0, seed=1):
    made = times(rate, arrival, burstiness, ramp, random.Random(seed))
    return list(itertools.islice(made, n))


# durations


@given(
    st.integers(0, 99), st.integers(0, 999), st.integers(0, 999), st.integers(0, 9999)
)
def test_a_duration_is_the_sum_of_its_parts(h, m, s, ms):
    wanted = 3600 * h + 60 * m + s + ms / 1000
    assert parse_duration(f"{h}h{m}m{s}s{ms}ms") == pytest.approx(wanted, abs=1e-9)
    assert parse_duration(f"{h}h{ms}ms") == pytest.approx(3600 * h + ms / 1000)


@given(st.floats(0, 1e9, allow_subnormal=False))
def test_a_bare_number_is_seconds(seconds):
    assert parse_duration(f"{seconds:.6f}") == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("250ms", 0.25),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        (" 2m ", 120.0),
        (0, 0.0),
        (2.5, 2.5),
        (1e-7, 1e-7),
        (1e16, 1e16),
    ],
)
def test_durations_people_write(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "s", "5x", "5min", "-1", "-1s", "1m1h", "1s1s", "1 h", "nan", "inf"),
        *("1e3", "٣s", "1_0s", "9" * 400, True, math.nan, math.inf, -1, "1.s", "1h30"),
    ],
)
def test_what_is_no_duration_is_refused_with_a_remedy(text):
    with pytest.raises(ScenarioError, match=r"is not a duration; write 90, 30s, 5m"):
        parse_duration(text)


@given(st.text(max_size=12))
def test_any_text_is_a_finite_duration_or_refused(text):
    try:
        seconds = parse_duration(text)
    except ScenarioError:
        return
    assert 0 <= seconds < math.inf


# arrivals


@given(rates, st.integers(0, 10**9))
def test_constant_arrivals_carry_no_error(rate, i):
    generator = times(rate, "constant", 1.0, 0.0, random.Random(0))
    assert next(itertools.islice(generator, i % 500, None)) == (i % 500) / rate


def test_the_millionth_constant_arrival_is_exact():
    last = next(itertools.islice(times(3.0, "constant", 1, 0, None), 10**6, None))
    assert last == 10**6 / 3.0


@given(
    rates,
    st.sampled_from(["constant", "poisson", "gamma"]),
    st.floats(0.05, 20),
    ramps,
    st.integers(),
)
def test_arrivals_never_go_back(rate, arrival, burstiness, ramp, seed):
    made = due(200, rate, arrival, burstiness, ramp=ramp, seed=seed)
    assert made[0] >= 0
    assert all(a <= b for a, b in itertools.pairwise(made))
    assert all(math.isfinite(moment) for moment in made)
    assert made == due(200, rate, arrival, burstiness, ramp=ramp, seed=seed)


def distance(gaps, cdf):
    """Return the Kolmogorov-Smirnov statistic of a sample against a distribution."""
    n = len(gaps)
    return max(
        max(cdf(x) - i / n, (i + 1) / n - cdf(x)) for i, x in enumerate(sorted(gaps))
    )


@pytest.mark.parametrize(
    ("arrival", "burstiness", "cdf"),
    [
        ("poisson", 1.0, lambda x: 1 - math.exp(-x)),
        ("gamma", 1.0, lambda x: 1 - math.exp(-x)),
        ("gamma", 2.0, lambda x: 1 - math.exp(-2 * x) * (1 + 2 * x)),
        ("gamma", 0.5, lambda x: math.erf(math.sqrt(x / 2))),
    ],
)
@pytest.mark.parametrize("rate", [0.2, 40.0])
def test_gaps_have_the_distribution_asked_for(arrival, burstiness, cdf, rate):
    n = 4000
    made = due(n, rate, arrival, burstiness, seed=11)
    gaps = [(b - a) * rate for a, b in itertools.pairwise([0.0, *made])]
    assert distance(gaps, cdf) < 1.63 / math.sqrt(n)  # the 1 % level
    # It would see the wrong shape: these gaps are not all of one size.
    assert distance(gaps, lambda x: min(1.0, x / 2)) > 1.63 / math.sqrt(n)
    assert n / made[-1] == pytest.approx(rate, rel=0.1)


@given(rates, st.floats(0.1, 100))
def test_a_ramp_keeps_to_the_integral_of_the_rate(rate, ramp):
    for i, moment in enumerate(due(300, rate, ramp=ramp)):
        if moment <= ramp:
            passed = rate * moment**2 / (2 * ramp)
        else:
            passed = rate * (moment - ramp / 2)
        assert passed == pytest.approx(i, rel=1e-9, abs=1e-6)


def test_a_ramp_halves_the_arrivals_within_it():
    made = due(1000, 10.0, ramp=20.0)
    assert sum(moment < 10 for moment in made) == 25
    assert sum(moment < 20 for moment in made) == 100
    assert sum(20 <= moment < 30 for moment in made) == 100


# loads and their steps


def test_the_defaults_are_one_closed_slot_and_a_hundred_blocks():
    load = Load()
    assert steps(load) == [Step(index=0, rate=None, concurrency=1, ramp=1 / 200)]
    assert load.n_blocks == 100
    assert Load(duration=5).n_blocks is None
    assert Load(duration=5, max_requests=7).n_blocks == 7


def test_an_open_loop_has_a_cap_and_no_ramp():
    (step,) = steps(Load(rates=(5.0,)))
    assert (step.rate, step.concurrency, step.ramp) == (5.0, 1000, 0.0)
    (step,) = steps(Load(rates=(5.0,), concurrencies=(8,), ramp=3))
    assert (step.concurrency, step.ramp) == (8, 3)


def test_a_closed_loop_opens_two_hundred_slots_a_second():
    ramped = [step.ramp for step in steps(Load(concurrencies=(1, 100, 1000, 5000)))]
    assert ramped == [0.005, 0.5, 5.0, 5.0]
    assert steps(Load(concurrencies=(100,), ramp=0))[0].ramp == 0


def test_a_list_makes_a_step_each():
    made = steps(Load(rates=(1, 2, 4), concurrencies=(50,)))
    assert [(s.index, s.rate, s.concurrency) for s in made] == [
        (0, 1, 50),
        (1, 2, 50),
        (2, 4, 50),
    ]
    made = steps(Load(rates=(2,), concurrencies=(1, 8)))
    assert [(s.rate, s.concurrency) for s in made] == [(2, 1), (2, 8)]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"rates": (1.0, 0.0)}, "rate must be above 0, at most 100000, not 0.0"),
        ({"rates": (math.inf,)}, "rate must be above 0"),
        ({"rates": (math.nan,)}, "rate must be above 0"),
        ({"concurrencies": (0,)}, "concurrency must be 1 to 100000, not 0"),
        ({"burstiness": 0.0, "arrival": "gamma"}, "burstiness must be above 0"),
        ({"burstiness": 2.0}, "burstiness is for arrival gamma, not constant"),
        ({"arrival": "poison"}, "no arrival named 'poison'; did you mean poisson?"),
        ({"duration": 0.0}, "duration must be above 0"),
        ({"max_requests": 0}, "max_requests must be 1 to 1000000000"),
        ({"warmup": -1}, "warmup must be 0 or more"),
        ({"ramp": -0.1}, "ramp must be 0 or more"),
        (
            {"rates": (1, 2), "concurrencies": (1, 2)},
            "rate lists 2 values and concurrency 2",
        ),
    ],
)
def test_an_impossible_load_cannot_be_made(fields, told):
    with pytest.raises(ScenarioError, match=re.escape(f"load: {told}")):
        Load(**fields)


def test_a_table_is_read_with_texts_and_lists():
    table = {"rate": "1, 2.5", "duration": "1m", "ramp": 0, "seed": 3, "warmup": None}
    wanted = Load(rates=(1.0, 2.5), duration=60.0, ramp=0.0, seed=3)
    assert read(table, "job.toml: load") == wanted
    assert read({"concurrency": [1, 8], "unpaired": True}, "x").concurrencies == (1, 8)
    assert read({"concurrency": 4}, "x").concurrencies == (4,)
    assert read({}, "x") == Load()


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"rate": "1,x"}, "load.rate: '1,x' is no number or list; write 8 or 1,8,64"),
        ({"rate": []}, "load.rate: [] is no number"),
        ({"rate": [1, "a"]}, "load.rate[1]: Expected `float`, got `str`"),
        ({"rate": True}, "load.rate[0]: Expected `float`, got `bool`"),
        ({"concurrency": "1,1.5"}, "load.concurrency[1]: Expected `int`, got `float`"),
        ({"rates": [1]}, "load: unknown key 'rates'; did you mean rate?"),
        ({"arival": "gamma"}, "load: unknown key 'arival'; did you mean arrival?"),
        (
            {"arrival": "poison"},
            "load.arrival: Invalid enum value 'poison'; did you mean",
        ),
        ({"duration": "5x"}, "load.duration: '5x' is not a duration; write"),
        ({"rate": -1}, "load: rate must be above 0, at most 100000, not -1.0"),
        ({"rate": "nan"}, "load: rate must be above 0"),
        ({"warmup": 1.5}, "load.warmup: Expected `int`, got `float`"),
    ],
)
def test_a_bad_table_is_refused_with_file_and_key(table, told):
    with pytest.raises(ScenarioError) as caught:
        read(table, "job.toml: load")
    assert str(caught.value).startswith("job.toml: " + told)
