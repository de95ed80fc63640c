"""compare.judge.remarks: what else is told of a run, and what that makes of it."""

import json

import pytest
from test_store import a_row

from compare.judge.remarks import Break, Withheld, remarked
from compare.judge.validity import DEGRADED, INVALID, VALID, Judgement

FINE = Judgement(validity=VALID, reasons=())


def a_break(parted=0, seconds=60):
    return Break(at="2026-11-20T12:00:00Z", from_ns=10**9,
                 to_ns=(1 + seconds) * 10**9, missing=5, parted=parted)  # fmt: skip


def test_nothing_to_tell_changes_nothing():
    assert remarked(FINE) == FINE


def test_a_break_is_told_with_its_length_and_is_no_fault_by_itself():
    found = remarked(FINE, breaks=[a_break(), a_break(seconds=3600)])

    (reason,) = found.reasons
    assert (found.validity, reason.code, reason.value) == (VALID, "resumed", 0)
    assert "resumed 2 times, after 3,660 s" in reason.text
    assert "two parts" not in reason.text


@pytest.mark.parametrize(
    ("before", "after"), [(VALID, DEGRADED), (DEGRADED, DEGRADED), (INVALID, INVALID)]
)
def test_blocks_in_two_parts_degrade_a_run_and_mend_none(before, after):
    found = remarked(Judgement(validity=before, reasons=()), breaks=[a_break(3)])

    assert found.validity == after
    assert json.loads(found.json)[0]["value"] == 3
    assert "3 blocks were asked in two parts" in found.reasons[0].text


def test_what_was_withheld_is_counted_by_host_and_told_once():
    withheld = Withheld()
    row = a_row(outcome="policy_refused", blame="account", provider="zai")
    other = a_row(outcome="policy_refused", blame="client", provider="zai")

    assert [withheld.add(each) for each in (other, row, row)] == [False, True, False]
    (reason,) = remarked(FINE, withheld=withheld.by_host).reasons
    assert (reason.code, reason.value) == ("host_stopped", 2)
    assert "zai" in reason.text


@pytest.mark.parametrize(
    ("stopped", "codes"),
    [("budget", ["budget_reached"]), ("threshold", ["threshold_failed"]),
     ("vain", ["no_answers"]),
     ("interrupted", []), (None, [])],
)  # fmt: skip
def test_why_a_run_ended_early_is_told(stopped, codes):
    assert [r.code for r in remarked(FINE, stopped=stopped).reasons] == codes
