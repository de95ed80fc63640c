"""Faults 1 to 30: how a stream's events are framed."""

import pytest

from faults.expecting import expect, met
from providers.outcome import Flag, Outcome

O, F = Outcome, Flag  # noqa: E741 - a table of outcomes reads better so

EXPECTED = {
    "1": expect(O.OK, F.CRLF),
}


@pytest.mark.parametrize("case", EXPECTED)
async def test_a_fault_of_framing(case):
    await met(case, EXPECTED[case])
