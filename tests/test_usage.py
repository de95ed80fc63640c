"""Counts out of usage objects: exact integers or nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.usage import completed, exact, read_usage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["prompt_tokens", "completion_tokens", "total_tokens", "cost", "cached_tokens",
     "prompt_tokens_details", "completion_tokens_details"]
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "count"),
    [(0, 0), (12, 12), (12.0, 12), ("12", 12), (" 12 ", 12), (12.5, None),
     (-1, None), ("-1", None), ("1e3", None), ("", None), (True, None), (None, None),
     (10**18, None), (1e300, None), (float("inf"), None), (float("nan"), None),
     ("9" * 400, None), ("²", None), ("١٢", None), ([12], None), ({}, None)],
)  # fmt: skip
def test_only_exact_integers_count(value, count):
    assert exact(value) == count
    assert type(exact(value)) in {int, type(None)}


@pytest.mark.parametrize(
    ("raw", "field", "count"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 3}}, "cached_tokens", 3),
        ({"prompt_cache_hit_tokens": 3, "prompt_cache_miss_tokens": 4},
         "cached_tokens", 3),
        ({"cached_tokens": 3}, "cached_tokens", 3),
        ({"prompt_tokens_details": None, "cached_tokens": 3}, "cached_tokens", 3),
        ({"prompt_tokens_details": {"cached_tokens": 0}}, "cached_tokens", 0),
        ({"prompt_tokens_details": {}}, "cached_tokens", None),
        ({"prompt_tokens_details": 5}, "cached_tokens", None),
        ({"prompt_tokens_details": {"cache_write_tokens": 3}},
         "cache_write_tokens", 3),
        ({"completion_tokens_details": {"reasoning_tokens": 3}},
         "reasoning_tokens", 3),
        ({"reasoning_tokens": 3}, "reasoning_tokens", 3),
        ({"total_tokens": 3}, "total_tokens", 3),
    ],
)  # fmt: skip
def test_each_count_is_found_wherever_hosts_put_it(raw, field, count):
    usage, odd = read_usage(raw, "final_chunk")
    assert getattr(usage, field) == count
    assert usage.prompt_tokens is None
    assert usage.source == "final_chunk"
    assert not odd
    assert json.loads(usage.raw) == raw


@pytest.mark.parametrize("value", ["many", -3, 1.5, True, [1]])
def test_a_count_that_is_no_count_is_odd_and_unknown(value):
    usage, odd = read_usage({"completion_tokens": value, "prompt_tokens": 2}, "body")
    assert (usage.completion_tokens, usage.prompt_tokens, odd) == (None, 2, True)


@pytest.mark.parametrize(
    ("raw", "cost"),
    [({"cost": 0.0012}, "0.0012"), ({"cost": "0.0012"}, "0.0012"), ({"cost": 0}, "0"),
     ({"estimated_cost": 1e-06}, "1e-06"), ({"cost": -1}, "-1"), ({"cost": None}, None),
     ({"cost": True}, None), ({"cost": "free"}, None), ({"cost": float("nan")}, None),
     ({"cost": float("inf")}, None), ({"cost": [1]}, None), ({"cost": 10**400}, None),
     ({"cost": "9" * 99}, None), ({}, None)],
)  # fmt: skip
def test_a_stated_cost_is_a_decimal_string_or_unknown(raw, cost):
    assert read_usage(raw, "body")[0].cost_usd == cost


def test_a_raw_object_that_is_far_too_long_is_not_kept():
    usage, _ = read_usage({"prompt_tokens": 1, "x": "y" * 5000}, "body")
    assert (usage.prompt_tokens, usage.raw) == (1, None)


@given(st.dictionaries(NAMES | st.text(max_size=5), JSON, max_size=6))
def test_whatever_a_usage_holds_its_counts_are_counts(raw):
    usage, _ = read_usage(raw, "body")
    for count in (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens):
        assert count is None or (type(count) is int and count >= 0)


@pytest.mark.parametrize(
    ("earlier", "later", "current", "kept"),
    [
        ({"prompt_tokens": 5}, {"completion_tokens": 2}, False, (5, 2, None)),
        ({"completion_tokens": 2}, {"prompt_tokens": 5}, True, (5, 2, None)),
        # It may have been a count so far.
        ({"completion_tokens": 2}, {"prompt_tokens": 5}, False, (5, None, None)),
        ({"prompt_tokens": 5, "completion_tokens": 1}, {"completion_tokens": 2}, False,
         (5, 2, None)),
        ({"prompt_tokens": 5, "total_tokens": 5}, {"completion_tokens": 2}, True,
         (5, 2, None)),
        ({"prompt_tokens": 5}, {"prompt_tokens": 6, "total_tokens": 6}, True,
         (6, None, 6)),
    ],
)  # fmt: skip
def test_counts_that_a_later_usage_leaves_out_are_the_earlier_ones(
    earlier, later, current, kept
):
    first, second = (read_usage(raw, "chunk")[0] for raw in (earlier, later))
    found = completed(second, first, current=current)
    counts = (found.prompt_tokens, found.completion_tokens, found.total_tokens)
    assert counts == kept
    if found is not second:
        assert json.loads(found.raw) == earlier | later
