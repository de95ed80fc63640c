"""Faults 102 to 119: usage and price."""

import pytest

from faults.expecting import expect, met
from providers.outcome import Flag, Outcome

O, F = Outcome, Flag  # noqa: E741 - a table of outcomes reads better so
ROUTER = {"host": {"dialect": "openrouter"}}
NOTHING = "sent headers first_event usage done"

EXPECTED = {
    "102": expect(O.OK, F.USAGE_MISSING, without="usage"),
    "103": expect(),
    "104": expect(O.OK, F.USAGE_TWICE),
    "105": expect(O.OK, F.USAGE_CUMULATIVE),
    "106": expect(),
    "107": expect(O.OK, F.USAGE_DECREASING),
    "108": expect(),
    "109": expect(O.OK, F.USAGE_IMPLAUSIBLE, usage=(5, None)),
    "110-unnamed": expect(O.EMPTY, F.USAGE_MISMATCH, only=NOTHING, usage=(5, 50)),
    "110-reasoning": expect(O.REASONING_ONLY, only=NOTHING, usage=(5, 50)),
    "111": expect(O.OK, F.USAGE_IMPLAUSIBLE, usage=(5, None)),
    "112": expect(O.OK, F.USAGE_IMPLAUSIBLE, usage=(5, None)),
    "113": expect(),
    "114": expect(),
    "115": expect(O.OK, F.USAGE_MISMATCH),
    "116": expect(O.OK, F.USAGE_MISMATCH),
    "117": expect(O.OK, F.USAGE_MISMATCH),
    "118-missing": expect(O.OK, F.COST_MISSING, given=ROUTER),
    "118-text": expect(O.OK, F.COST_MISSING, F.COST_IMPLAUSIBLE, given=ROUTER),
    "118-nan": expect(O.OK, F.BAD_EVENT, F.USAGE_MISSING, F.COST_MISSING,
                      without="usage", given=ROUTER),
    "118-negative": expect(O.OK, F.COST_IMPLAUSIBLE, given=ROUTER),
    "118-zero": expect(given=ROUTER),
}  # fmt: skip


@pytest.mark.parametrize("case", EXPECTED)
async def test_a_fault_of_usage(case):
    await met(case, EXPECTED[case])


@pytest.mark.parametrize(
    ("case", "parts"),
    [("115", {"total_tokens": 99}), ("116", {"reasoning_tokens": 9}),
     ("117", {"cached_tokens": 9}), ("105", {"source": "per_chunk"}),
     ("118-text", {"cost_usd": None}), ("118-negative", {"cost_usd": "-0.5"}),
     ("118-zero", {"cost_usd": "0"}), ("112", {"total_tokens": None})],
)  # fmt: skip
async def test_the_parts_of_a_usage_are_kept_as_stated(case, parts):
    reply = await met(case, EXPECTED[case])
    assert {name: getattr(reply.usage, name) for name in parts} == parts


async def test_usage_before_the_last_text_ends_nothing():
    reply = await met("108", EXPECTED["108"])
    assert reply.stamps.usage <= reply.stamps.last_token
