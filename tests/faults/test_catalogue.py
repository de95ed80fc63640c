"""The catalogue is whole, says what its tests say, and is played by its names."""

import re
from collections import Counter
from pathlib import Path

import pytest
from byteserver import ask

from faults.covered import ELSEWHERE, exists, expectations, expected_of, shown_by
from faults.expecting import BY_NUMBER
from providers.outcome import Outcome
from providers.provider import Deadlines, ProviderError
from providers.simulator.catalogue.index import CATALOGUE, find, of_a_profile
from providers.simulator.faults import FAULTS
from providers.simulator.host import SimulatedHost
from providers.simulator.serve import fault_host

N_FAULTS = 175
IDS = [str(fault.number) for fault in CATALOGUE]
SHARED = [fault.slug for fault in CATALOGUE if fault.slug in FAULTS]
SHORT = Deadlines(headers=1, first_token=1, token_gap=0.15)


def test_every_number_is_there():
    assert {fault.number for fault in CATALOGUE} == set(range(1, N_FAULTS + 1))


def test_every_test_that_bears_a_faults_number_is_listed_for_it():
    here = Path(__file__).parents[1]
    for file in here.rglob("test_*.py"):
        for name in re.findall(
            r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE
        ):
            numbers = re.match(r"test_((?:\d+_)+)", name)
            for number in re.findall(r"\d+", numbers[1] if numbers else ""):
                test = f"tests/{file.relative_to(here).as_posix()}::{name}"
                assert test in ELSEWHERE[int(number)], f"list it for {number}"


def test_numbers_are_in_order_and_names_are_unique():
    numbers = [fault.number for fault in CATALOGUE]
    assert numbers == sorted(set(numbers))
    names = Counter(name for fault in CATALOGUE for name in named(fault))
    assert [name for name, n in names.items() if n > 1] == []


def named(fault):
    """Return every name by which a fault or one of its variants is played."""
    for name in (str(fault.number), fault.slug):
        yield name
        yield from (f"{name}-{variant}" for variant in fault.variants)


@pytest.mark.parametrize("fault", CATALOGUE, ids=IDS)
def test_a_fault_says_what_its_tests_say(fault):
    expected = expected_of(fault)
    assert shown_by(fault) or fault.why_not, "nothing shows it"
    assert all(exists(test) for test in shown_by(fault))
    assert fault.plays or fault.why_not or fault.number in ELSEWHERE
    if fault.number not in ELSEWHERE:
        assert expected.keys() == fault.plays.keys(), "a script that no test plays"
    if expected:
        said = dict.fromkeys(each.in_short for each in expected.values())
        assert fault.outcome == " / ".join(said)


@pytest.mark.parametrize("fault", CATALOGUE, ids=IDS)
def test_a_fault_is_told_in_one_line_and_found_by_its_names(fault):
    texts = (fault.slug, fault.title, fault.outcome, fault.seen, fault.why_not or "")
    assert all(text == " ".join(text.split()) and "|" not in text for text in texts)
    assert fault.title
    assert fault.outcome
    if not fault.plays:
        assert fault.why_not or fault.number in ELSEWHERE
        with pytest.raises(ProviderError, match="cannot be played"):
            find(str(fault.number))
        return
    for name in named(fault):
        assert find(name)[0] is fault
    assert find(fault.slug)[1] == list(fault.plays.values())


def test_no_expectation_is_without_its_fault():
    cases = {
        f"{fault.number}-{variant}".rstrip("-")
        for fault in CATALOGUE
        for variant in fault.plays
    }
    assert expectations().keys() <= cases
    assert ELSEWHERE.keys() <= BY_NUMBER.keys()


@pytest.mark.parametrize("slug", SHARED)
async def test_a_fault_of_a_profile_is_the_same_fault(slug):
    fault = find(slug)[0]
    assert of_a_profile(str(fault.number)) == of_a_profile(slug) == slug
    dials = {"ttft_ms": 2, "gap_ms": 0.1, "tokens": 16}
    async with SimulatedHost("generic", fault=slug, **dials) as host:
        reply = await ask(host.base_url, deadlines=SHORT)
    outcomes = {text.partition(":")[0] for text in fault.outcome.split(" / ")}
    assert reply.outcome in outcomes


async def test_variants_are_played_in_turn_and_one_alone_by_its_name():
    async with fault_host("55") as host:
        statuses = [(await ask(host.base_url)).http_status for _ in range(4)]
    assert statuses == [401, 403, 402, 401]
    async with fault_host("http_401-402") as host:
        statuses = [(await ask(host.base_url)).http_status for _ in range(2)]
    assert statuses == [402, 402]


async def test_a_share_of_requests_is_struck_and_the_others_are_well():
    async def outcomes():
        async with fault_host("bare_429", share=0.3) as host:
            return [(await ask(host.base_url)).outcome for _ in range(40)]

    first = await outcomes()
    assert first == await outcomes()
    assert 4 <= first.count(Outcome.RATE_LIMITED) <= 20
    assert set(first) == {Outcome.OK, Outcome.RATE_LIMITED}


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("bare_crx", "'bare_cr'"), ("stal", "'stall'"), ("0", "--list-faults"),
     ("60-none", "--list-faults"), ("crlf-", "'crlf'"), ("", "--list-faults")],
)  # fmt: skip
def test_a_name_that_is_none_gets_a_remedy(name, remedy):
    with pytest.raises(ProviderError, match=remedy):
        find(name)
