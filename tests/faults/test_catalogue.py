"""The catalogue is whole, says what its tests say, and every script of it is shown."""

import pytest

from faults.covered import ELSEWHERE, exists, expected_of, shown_by
from providers.simulator.catalogue.index import CATALOGUE

IDS = [str(fault.number) for fault in CATALOGUE]


@pytest.mark.parametrize("fault", CATALOGUE, ids=IDS)
def test_a_fault_says_what_its_tests_say(fault):
    expected = expected_of(fault)
    assert shown_by(fault) or fault.why_not, "nothing shows it"
    assert all(exists(test) for test in shown_by(fault))
    if fault.number not in ELSEWHERE:
        assert expected.keys() == fault.plays.keys(), "a script that no test plays"
    if expected:
        said = dict.fromkeys(each.in_short for each in expected.values())
        assert fault.outcome == " / ".join(said)
