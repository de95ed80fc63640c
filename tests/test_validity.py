"""compare.judge.validity: which figures make a run invalid, degraded or neither."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.judge.validity import Facts, judge
from data.row import Row

MS = 1_000_000
S = 1_000 * MS
WELL = {
    "span_s": 60.0,
    "asleep_s": 0.0,
    "cpu_share": 0.3,
    "machine_share": 0.4,
    "lag_max_ms": 0.0,
    "clock_step_max_ms": 0.0,
}


def row(seq=0, *, rate=None, step=0, flags=(), **changes):
    fields = {
        "run_id": "r",
        "seq": seq,
        "block": seq,
        "scenario": "ping",
        "scenario_version": "1",
        "case_id": "1",
        "phase": "measure",
        "provider": "h",
        "dialect": "generic",
        "model_requested": "m",
        "prompt_sha256": "",
        "params": "{}",
        "max_tokens": 1,
        "load": json.dumps({"step": step, "rate": rate, "concurrency": 1, "ramp": 0}),
        "outcome": "ok",
        "flags": json.dumps(list(flags)),
        "queued_ns": seq * 10 * MS,
        "sent_ns": seq * 10 * MS,
    }
    return Row(**fields | changes)


def closed(n=20, **changes):
    return [row(seq, **changes) for seq in range(n)]


def opened(n=100, rate=100.0, delay_ms=0.0, drag=1.0, **changes):
    """Rows of an open loop, begun `delay_ms` late, the later the more by `drag`."""
    return [
        row(
            seq,
            rate=rate,
            due_ns=round(seq * S / rate),
            queued_ns=round(seq * S / rate * drag + delay_ms * MS),
            sent_ns=round(seq * S / rate * drag + delay_ms * MS),
            **changes,
        )
        for seq in range(n)
    ]


def dropped(rows, which, flags=()):
    return [
        row(r.seq, rate=100.0, due_ns=r.due_ns, queued_ns=None, sent_ns=None,
            outcome="dropped", blame="client", flags=flags)
        if r.seq in which else r for r in rows
    ]  # fmt: skip


def facts_of(rows, ceilings=()):
    facts = Facts(ceilings)
    for each in rows:
        facts.add(each)
    return facts


def verdict(rows, ceilings=(), lost=0, **health):
    found = judge(facts_of(rows, ceilings), WELL | health, lost)
    assert json.loads(found.json) == [
        {"code": r.code, "text": r.text, "value": r.value, "bound": r.bound}
        for r in found.reasons
    ]
    return found.validity, [reason.code for reason in found.reasons]


def test_a_good_run_is_valid_and_needs_no_reason():
    assert verdict(closed()) == ("valid", [])
    assert verdict(opened()) == ("valid", [])


def test_nothing_known_of_the_bench_is_no_reason():
    assert judge(facts_of(closed())).validity == "valid"


def test_nothing_sent_is_invalid_and_says_only_that():
    assert verdict([]) == ("invalid", ["nothing_sent"])
    unsent = closed(sent_ns=None, outcome="connect_error")
    assert verdict(unsent) == ("invalid", ["nothing_sent"])


@pytest.mark.parametrize(
    ("health", "wanted"),
    [
        ({"asleep_s": 2.0}, ("invalid", ["suspend"])),
        ({"clock_step_max_ms": 3_600_000.0}, ("invalid", ["clock_step"])),
        ({"clock_step_max_ms": 1_000.1}, ("invalid", ["clock_step"])),
        ({"clock_step_max_ms": 60.0}, ("degraded", ["clock_step"])),
        ({"cpu_share": 0.851}, ("degraded", ["cpu"])),
        ({"cpu_share": 0.85}, ("valid", [])),
        ({"cpu_share": 0.99, "span_s": 0.5}, ("valid", [])),
        ({"machine_share": 0.96}, ("degraded", ["machine_cpu"])),
        ({"machine_share": None}, ("valid", [])),
    ],
)
def test_the_health_of_the_bench(health, wanted):
    assert verdict(closed(), **health) == wanted


@pytest.mark.parametrize(
    ("drag", "wanted"),
    [
        (1.015, (False, False)),
        (1.03, (True, False)),
        (1.10, (True, False)),
        (1.12, (True, True)),
        (3.0, (True, True)),
    ],
)
def test_the_rate_that_was_held(drag, wanted):
    validity, codes = verdict(opened(n=1000, drag=drag))

    assert ("rate" in codes, validity == "invalid") == wanted


def test_a_rate_that_was_missed_says_what_was_held():
    (reason, *_) = judge(facts_of(opened(n=1000, drag=2.0))).reasons

    assert "50.0 of 100.0" in reason.text
    assert (reason.value, reason.bound) == (pytest.approx(0.5, abs=0.001), 0.9)


def test_a_constant_delay_is_no_slower_rate():
    assert verdict(opened(delay_ms=9.9)) == ("valid", [])


def test_a_median_delay_of_ten_ms_degrades_and_states_the_p99():
    assert verdict(opened(delay_ms=10.0)) == ("degraded", ["schedule_delay"])
    late = opened(delay_ms=10.0)[:96] + opened(delay_ms=300.0)[96:]
    assert "p99 300.0" in judge(facts_of(late)).reasons[-1].text


def test_opening_a_connection_and_a_ceiling_are_no_delay_of_ours():
    opening = [
        row(seq, rate=100.0, due_ns=seq * 10 * MS, sent_ns=seq * 10 * MS + 90 * MS,
            dns_ns=20 * MS, connect_ns=30 * MS, tls_ns=40 * MS) for seq in range(50)
    ]  # fmt: skip
    assert verdict(opening) == ("valid", [])
    held_back = [
        row(seq, rate=100.0, due_ns=seq * 10 * MS, sent_ns=seq * S) for seq in range(50)
    ]
    assert verdict(held_back, ["h"]) == ("valid", [])
    assert verdict(held_back)[0] == "invalid"


def test_arrivals_dropped_for_want_of_a_slot_degrade():
    assert verdict(dropped(opened(), {50})) == ("degraded", ["dropped"])
    assert verdict(dropped(opened(), range(20, 100))) == ("degraded", ["dropped"])


def test_arrivals_that_we_did_not_get_to_count_against_the_rate():
    late = ("late_start",)
    assert verdict(dropped(opened(), range(50, 55), late))[0] == "degraded"
    validity, reasons = verdict(dropped(opened(), range(80, 100), late))
    assert validity == "invalid"
    assert "rate" in reasons


def test_each_load_step_has_a_rate_of_its_own_and_the_worst_counts():
    good, bad = opened(), opened(step=1, drag=4.0)
    validity, codes = verdict(good + bad)

    assert (validity, codes[0]) == ("invalid", "rate")


def test_a_run_that_was_stopped_is_judged_on_what_it_did():
    assert verdict(opened(n=1000)[:40]) == ("valid", [])


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (closed(99) + closed(1, flags=["loop_lag"]), "degraded"),
        (closed(20, flags=["crlf", "loop_lag"]), "degraded"),
        (opened(95) + opened(100, flags=["loop_lag"])[95:], "degraded"),
        (opened(94) + opened(100, flags=["loop_lag"])[94:], "invalid"),
    ],
)
def test_lag_is_worse_in_an_open_loop(rows, wanted):
    assert verdict(rows, lag_max_ms=40.0) == (wanted, ["loop_lag"])


@pytest.mark.parametrize(("longest", "told"), [(40.0, "longest 40 ms"), (0.0, None)])
def test_the_longest_lag_is_told_where_it_is_known(longest, told):
    facts = facts_of(closed(100, flags=["loop_lag"]))
    judged = judge(facts, WELL | {"lag_max_ms": longest})
    (reason,) = judged.reasons
    assert (told or "(over 10 ms; none should)") in reason.text


def test_warm_up_counts_only_as_sent():
    warm = closed(50, phase="warmup", flags=["loop_lag"])

    assert verdict(warm + closed()) == ("valid", [])


def test_lost_workers_and_lost_rows_degrade():
    assert verdict(closed(), lost=1) == ("degraded", ["lost"])
    gone = closed(5, outcome="lost", sent_ns=None)
    assert verdict(closed() + gone) == ("degraded", ["lost"])


def test_too_few_samples_of_any_host_and_step():
    assert verdict(closed(11)) == ("valid", [])
    assert verdict(closed(10)) == ("degraded", ["too_few_samples"])
    assert verdict(closed() + closed(3, step=1)) == ("degraded", ["too_few_samples"])
    failing = closed(20, provider="b", outcome="http_error")
    (reason,) = judge(facts_of(closed() + failing)).reasons
    assert (reason.code, reason.value, reason.bound) == ("too_few_samples", 0, 11)


def test_several_reasons_stand_beside_each_other_the_grave_ones_first():
    found = verdict(closed(3), cpu_share=0.99, asleep_s=9.0)

    assert found == ("invalid", ["suspend", "cpu", "too_few_samples"])


@given(st.lists(st.integers(0, 9_000), min_size=1, max_size=60), st.floats(0.01, 1))
def test_any_quantile_of_the_delay_is_one_of_the_delays(delays, share):
    rows = [row(seq, due_ns=0, sent_ns=delay * MS) for seq, delay in enumerate(delays)]
    found = facts_of(rows).delay_ms(share)

    assert found in set(map(float, delays))
    assert sum(delay <= found for delay in delays) >= share * len(delays) - 1e-9


def test_facts_do_not_grow_with_the_rows():
    facts = facts_of(opened(n=2_000, delay_ms=3))
    size = (len(facts._delays), len(facts.paces), len(facts._ok))
    for each in opened(n=2_000, delay_ms=3):
        facts.add(each)

    assert (len(facts._delays), len(facts.paces), len(facts._ok)) == size
