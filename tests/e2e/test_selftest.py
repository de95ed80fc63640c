"""`h2h selftest`, as typed, and claims that do not hold."""

import msgspec
import pytest

from compare.run import claims
from data.row import Row
from data.timeline import pack
from providers.simulator.truth import TruthRow

MS = 1_000_000
# A machine that does other things as well may miss these; the rest it may not.
TIMES = {"time to first token", "time to first answer", "end to end",
         "time per output token", "gaps between events", "sent when due"}  # fmt: skip


def test_every_claim_is_proved_with_its_figure_and_bound(desk):
    process = desk.start("selftest", "--json")
    out, err = process.communicate(timeout=60)
    found = msgspec.json.decode(out)

    assert process.returncode == (0 if found["holds"] else 4), err
    by_name = {each["name"]: each for each in found["claims"]}
    assert TIMES | {
        "token counts", "cached tokens", "cost", "blocks paired", "outcomes of faults",
        "Poisson arrivals", "nothing lost on kill -9",
    } == set(by_name)  # fmt: skip
    assert all(each["measured"] is not None for each in by_name.values())
    failed = {name: each for name, each in by_name.items() if not each["holds"]}
    # What is not sent when it is due does not come at the times that were drawn.
    late = {"Poisson arrivals"} if "sent when due" in failed else set()
    assert failed.keys() <= TIMES | late, failed
    assert not list(desk.folder.iterdir())


# ------------------------------------------------------------ claims that fail


def pair(*, late_ms=0.0, **changes):
    """Return a row of five tokens and its truth; `late_ms` is our error."""
    wrote = [100 * MS, 110 * MS, 120 * MS, 130 * MS, 140 * MS]
    late = round(late_ms * MS)
    seen = [at + late for at in wrote]
    row = Row(
        run_id="r", seq=0, block=0, scenario="s", scenario_version="1", case_id="1",
        phase="measure", provider="h", dialect="generic", model_requested="m",
        prompt_sha256="p", params="{}", max_tokens=9, load="{}", outcome="ok",
        response_id="a", sent_ns=0, first_token_ns=seen[0], first_answer_ns=seen[1],
        last_token_ns=seen[-1], timeline=pack([(at, 1) for at in seen], 0),
        prompt_tokens=7, completion_tokens=5, reasoning_tokens=1, cached_tokens=64,
        cost_nusd=1234,
    )  # fmt: skip
    true = TruthRow(
        index=1, profile="exact", status=200, fault=None, request_id=None,
        response_id="a", received_ns=0, headers_ns=1, first_reasoning_ns=wrote[0],
        first_token_ns=wrote[0], first_answer_ns=wrote[1], last_token_ns=wrote[-1],
        end_ns=wrote[-1], chunk_ns=tuple(wrote), n_tokens=5, prompt_tokens=7,
        cached_tokens=64, completion_tokens=5, reasoning_tokens=1, cost_usd=1.234e-6,
        finish_reason="stop",
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes), true


def failing(found):
    return {each.name for each in found if not each.holds}


def test_claims_hold_where_row_and_truth_agree():
    assert not failing([*claims.times([pair()]), *claims.counts([pair()])])
    ((row, true),) = claims.paired([pair()[0]], [pair()[1]])
    assert row.response_id == true.response_id


def test_late_stamps_fail_each_time_but_not_the_gaps():
    found = claims.times([pair(late_ms=3)])

    assert failing(found) == {
        "time to first token", "time to first answer", "end to end"
    }  # fmt: skip
    assert [each.measured for each in found[:3]] == [3, 3, 3]


def test_a_late_last_token_fails_the_rate_and_the_gaps():
    events = [(at * MS, 1) for at in (100, 101, 102, 103, 160)]
    found = claims.times([pair(last_token_ns=160 * MS, timeline=pack(events, 0))])

    assert {"time per output token", "gaps between events"} <= failing(found)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"prompt_tokens": 8}, "token counts"),
        ({"completion_tokens": None}, "token counts"),
        ({"reasoning_tokens": 0}, "token counts"),
        ({"cached_tokens": 0}, "cached tokens"),
        ({"cost_nusd": 1235}, "cost"),
        ({"cost_nusd": None}, "cost"),
        ({"cost_reported_nusd": 1}, "cost"),
    ],
)
def test_one_wrong_count_fails_its_claim(changes, name):
    assert failing(claims.counts([pair(), pair(**changes)])) == {name}


def test_a_host_that_states_no_reasoning_tokens_is_not_wrong():
    assert not failing(claims.counts([pair(reasoning_tokens=None)]))


def test_nothing_measured_proves_nothing():
    assert len(failing([*claims.times([]), *claims.counts([])])) == 8
    assert not claims.blocks([], ["h"]).holds
    assert len(failing(claims.arrivals([], 10))) == 2


def test_a_wrong_outcome_is_named():
    claim = claims.outcomes(
        {"cut": "ok", "empty": "empty"}, {"cut": "truncated", "empty": "empty"}
    )

    assert not claim.holds
    assert "cut: ok" in claim.detail


def test_a_block_asked_twice_or_differently_is_not_paired():
    row, other = pair()[0], pair(provider="b")[0]
    assert claims.blocks([row, other], ["h", "b"]).holds
    assert not claims.blocks([row], ["h", "b"]).holds
    assert not claims.blocks([row, row, other], ["h", "b"]).holds
    twisted = msgspec.structs.replace(other, prompt_sha256="q")
    assert not claims.blocks([row, twisted], ["h", "b"]).holds


def test_constant_arrivals_are_no_poisson_arrivals():
    rows = [pair(sent_ns=seq * 10 * MS, due_ns=seq * 10 * MS)[0] for seq in range(200)]
    law, late = claims.arrivals(rows, 100)

    assert not law.holds
    assert late.holds
