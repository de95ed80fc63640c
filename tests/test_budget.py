"""Money that cannot be overspent."""

import asyncio

import pytest
from fakes import virtually
from hypothesis import given
from hypothesis import strategies as st

from compare.run.budget import Budget


def test_without_a_limit_everything_fits_and_is_counted():
    budget = Budget()

    assert budget.reserve(10**15)
    budget.settle(10**15, 7)

    assert (budget.spent_nusd, budget.held_nusd) == (7, 0)


def test_an_unknown_cost_books_the_worst_case():
    budget = Budget(100)
    assert budget.reserve(60)
    budget.settle(60, None)

    assert budget.spent_nusd == 60
    assert not budget.reserve(41)
    assert budget.reserve(40)


@given(
    limit=st.integers(1, 1000),
    requests=st.lists(st.tuples(st.integers(0, 300), st.floats(0, 1)), max_size=50),
)
def test_any_sequence_of_requests_stays_within_the_limit(limit, requests):
    budget = Budget(limit)
    flying = []
    for worst, share in requests:
        if budget.reserve(worst):
            flying.append((worst, int(worst * share)))
        elif flying:
            budget.settle(*flying.pop(0))
        assert budget.spent_nusd + budget.held_nusd <= limit

    for each in flying:
        budget.settle(*each)
    assert budget.held_nusd == 0
    assert budget.spent_nusd <= limit


def test_waiting_ends_when_change_comes_back():
    async def main():
        budget = Budget(100)
        assert budget.reserve(80)
        waiting = asyncio.create_task(budget.reserve_or_wait(50))
        await asyncio.sleep(1)
        assert not waiting.done()
        budget.settle(80, 10)
        assert await waiting
        assert not budget.exhausted

    virtually(main())


def test_waiting_for_nothing_is_exhaustion():
    async def main():
        budget = Budget(100)
        assert not await budget.reserve_or_wait(101)
        assert budget.exhausted

    virtually(main())


@pytest.mark.parametrize("true", [0, 5, 100])
def test_the_true_cost_replaces_the_worst_case(true):
    budget = Budget(100)
    budget.reserve(100)
    budget.settle(100, true)

    assert budget.spent_nusd == true
