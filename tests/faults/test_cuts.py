"""However a fault's bytes are cut and its JSON is spaced, it is the same fault."""

import pytest

from faults.covered import expectations
from faults.expecting import compact, met
from providers.simulator.player import Send, Wait

PIECE = 7
LONGEST = 20_000  # what is longer would take long, and shows no more
EXPECTED = {
    case: expected
    for case, (_, expected) in expectations().items()
    if not expected.again
}
CASES = tuple(EXPECTED)


def in_pieces(play):
    """Return a script with all that it sends cut into pieces, each in its own read."""
    return tuple(cut for action in play for cut in pieces(action))


def pieces(action):
    if not isinstance(action, Send) or len(action.data) > LONGEST:
        yield action
        return
    for start in range(0, len(action.data), PIECE):
        yield Send(action.data[start : start + PIECE])
        yield Wait()


@pytest.mark.parametrize("case", CASES)
async def test_a_fault_in_pieces_is_the_same(case):
    await met(case, EXPECTED[case], in_pieces)


@pytest.mark.parametrize("case", CASES)
async def test_a_fault_in_compact_json_is_the_same(case):
    await met(case, EXPECTED[case], compact)
