"""From a reply to a row: what is known stands there, what is not is None."""

import datetime as dt

import msgspec
import pytest

from compare.run.budget import billed
from compare.run.course import stream_label
from compare.run.measure import Context, measure
from compare.run.sender import Result
from data import prices
from data.timeline import unpack
from providers.outcome import Blame, Flag, Outcome
from providers.provider import Provider
from providers.reply import Reply, Stamps, ToolCall, Usage
from scenarios.checks import compile as check
from scenarios.load import Load
from scenarios.plan import Plan, segments, units
from scenarios.scenario import load

MS = 1_000_000
ORIGIN = 5_000 * MS
PRICE = prices.find(prices.load(), "ourtoken", "glm-5.2", dt.date(2026, 11, 20))
PLAN = Plan(
    scenarios=(load("ping"),), providers=("ourtoken",), load=Load(seed=7), salt="s"
)
SEGMENT = segments(PLAN)[0]
ARRIVAL = next(units(PLAN, SEGMENT, PLAN.providers)).blocks[0][0]


def context(checks=(), price=PRICE):
    return Context(
        run_id="RUN",
        origin=ORIGIN,
        providers={
            "ourtoken": Provider(
                name="ourtoken",
                dialect="ourtoken",
                base_url="http://h/v1",
                model="glm-5.2",
            )
        },
        prices={} if price is None else {"ourtoken": price},
        checks=lambda scenario, case: checks,
        seed=7,
    )


def at(*ms, kind=1):
    return tuple((ORIGIN + round(each * MS), kind) for each in ms)


def reply(**changes):
    """Return a good reply of five tokens, 20 ms apart, the first after 100 ms."""
    whole = Reply(
        outcome=Outcome.OK,
        stamps=Stamps(
            sent=ORIGIN + 10 * MS,
            headers=ORIGIN + 50 * MS,
            first_event=ORIGIN + 109 * MS,
            first_token=ORIGIN + 110 * MS,
            first_answer=ORIGIN + 110 * MS,
            last_token=ORIGIN + 190 * MS,
            usage=ORIGIN + 200 * MS,
            done=ORIGIN + 200 * MS,
            end=ORIGIN + 201 * MS,
            connect=3 * MS,
        ),
        timeline=(*at(109, kind=0), *at(110, 130, 150, 170, 190), *at(200, kind=0)),
        usage=Usage(
            prompt_tokens=1000, cached_tokens=600, completion_tokens=5,
            total_tokens=1005, source="final_chunk", cost_usd="0.000441", raw="{}",
        ),
        content="pong!",
        http_status=200,
        finish_reason="stop",
        bytes_received=900,
        conn_reused=False,
        streamed=True,
    )  # fmt: skip
    return msgspec.structs.replace(whole, **changes)


def row_of(given, *, due=None, checks=(), price=PRICE, worst=0):
    result = Result(
        arrival=ARRIVAL,
        segment=SEGMENT,
        reply=given,
        due=due,
        queued=ORIGIN + 9 * MS,
        worst_nusd=worst,
    )
    return measure(result, context(checks, price))


def test_stamps_count_from_the_runs_start_and_durations_do_not():
    row, _ = row_of(reply(), due=ORIGIN + 8 * MS)

    assert (row.due_ns, row.queued_ns, row.sent_ns) == (8 * MS, 9 * MS, 10 * MS)
    assert (row.first_token_ns, row.end_ns) == (110 * MS, 201 * MS)
    assert (row.connect_ns, row.dns_ns, row.tls_ns) == (3 * MS, None, None)


def test_gaps_are_between_events_with_output():
    row, _ = row_of(reply())

    assert (row.n_events, row.n_content_events) == (7, 5)
    assert (row.gap_p50_ns, row.gap_max_ns) == (20 * MS, 20 * MS)
    assert row.zero_gap_share == 0.0
    assert row.stream_label == "true"
    assert unpack(row.timeline, 0)[1] == (110 * MS, 1)


def test_cost_is_split_by_class():
    row, _ = row_of(reply())

    assert row.cost_input_nusd == 400 * 840
    assert row.cost_cached_nusd == 600 * 156
    assert row.cost_output_nusd == 5 * 2640
    assert row.cost_nusd == 400 * 840 + 600 * 156 + 5 * 2640
    assert row.cost_reported_nusd == 441_000


def test_without_a_price_cost_is_unknown_and_not_free():
    row, _ = row_of(reply(), price=None)

    assert row.cost_nusd is None
    assert row.price_id is None
    assert row.cost_reported_nusd == 441_000


@pytest.mark.parametrize(
    ("stated", "nusd"),
    [("9223372036.9", None), ("1000000", None), ("1e30", None), ("1e999", None),
     ("1e-320", None), ("4e-10", None), ("6e-10", 1),
     ("999999.999999999", 999_999_999_999_999), ("0.1000000005", 100_000_000)],
)  # fmt: skip
def test_a_cost_that_cannot_be_stored_is_unknown_and_flagged(stated, nusd):
    usage = Usage(prompt_tokens=1, completion_tokens=1, cost_usd=stated)

    row, _ = row_of(reply(usage=usage))

    assert row.cost_reported_nusd == nusd
    assert ("cost_implausible" in row.flags) == (nusd is None)


@pytest.mark.parametrize("stated", ["0", "0.0", "0e-9"])
def test_a_cost_is_nothing_only_if_the_host_says_so(stated):
    row, _ = row_of(reply(usage=Usage(prompt_tokens=1, cost_usd=stated)))
    assert row.cost_reported_nusd == 0


def test_counts_that_would_cost_a_million_dollars_cost_nothing_known():
    usage = Usage(prompt_tokens=5, cached_tokens=10**12 - 1, raw="{}")
    dear = msgspec.structs.replace(PRICE, cache_read_pusd=10**12)

    row, _ = row_of(reply(usage=usage), price=dear)

    assert (row.cost_nusd, row.cost_cached_nusd, row.cached_tokens) == (
        None, None, 10**12 - 1
    )  # fmt: skip
    assert "cost_implausible" in row.flags
    assert row.usage_json == "{}"


@pytest.mark.parametrize("cost", ["NaN", "-1", "free", "inf", None])
def test_a_hosts_odd_cost_is_unknown(cost):
    usage = Usage(prompt_tokens=1, completion_tokens=1, cost_usd=cost)

    row, _ = row_of(reply(usage=usage))

    assert row.cost_reported_nusd is None


def test_a_request_that_never_connected_has_nothing_but_its_outcome():
    row, _ = row_of(Reply(outcome=Outcome.CONNECT_ERROR, blame=Blame.UNKNOWN))

    known = {
        name for name, value in msgspec.structs.asdict(row).items() if value is not None
    }
    assert not known & {"sent_ns", "n_events", "stream_label", "output_chars",
                        "prompt_tokens", "usage_source", "cost_nusd", "timeline",
                        "passed", "http_status", "conn_reused"}  # fmt: skip
    assert (row.outcome, row.blame) == ("connect_error", "unknown")


LABELS = {
    "true": {},
    "not_streamed": {"streamed": False, "timeline": at(190)},
    "single_block": {"timeline": at(190)},
    "buffered": {"timeline": at(190.0, 190.1, 190.2, 190.3, 190.4)},
    "coalesced": {"timeline": at(100, 100, 100, 190, 190)},
    None: {"timeline": ()},
}


@pytest.mark.parametrize("label", LABELS, ids=str)
def test_the_streams_label_tells_how_honest_it_was(label):
    assert stream_label(reply(**LABELS[label])) == label


def test_many_tokens_an_event_are_coalesced_however_they_are_spaced():
    usage = Usage(completion_tokens=20)

    row, _ = row_of(reply(usage=usage))

    assert row.stream_label == "coalesced"
    assert "coalesced_chunks" in row.flags


def test_one_token_in_one_event_is_an_honest_stream():
    assert (
        stream_label(reply(usage=Usage(completion_tokens=1), timeline=at(190)))
        == "true"
    )


def test_tool_arguments_are_output():
    row, _ = row_of(
        reply(content="", tool_calls=(ToolCall("1", "f", '{"a":"é"}'),), reasoning="hm")
    )

    assert (row.output_chars, row.reasoning_chars, row.output_bytes) == (9, 2, 12)


def test_checks_grade_an_answer():
    checks = (
        check({"kind": "contains", "text": "pong"}, "t"),
        check({"kind": "contains", "text": "ping", "name": "other"}, "t"),
    )

    row, lines = row_of(reply(), checks=checks)

    assert (row.passed, row.score) == (0, 0.5)
    assert [(line.name, line.passed) for line in lines] == [
        ("contains", 1),
        ("other", 0),
    ]


def test_a_failure_is_not_graded():
    checks = (check({"kind": "contains", "text": "pong"}, "t"),)

    row, lines = row_of(reply(outcome=Outcome.TRUNCATED), checks=checks)

    assert row.passed is None
    assert lines[0].passed is None
    assert "truncated" in lines[0].detail


@pytest.mark.parametrize(
    ("reasoning", "stated", "verified"),
    [("", None, None), ("", 0, 1), ("hm", None, 0), ("", 9, 0)],
)
def test_effort_off_is_verified_by_what_the_host_shows(reasoning, stated, verified):
    usage = Usage(completion_tokens=5, reasoning_tokens=stated)

    row, _ = row_of(reply(reasoning=reasoning, usage=usage))

    assert row.effort_requested == "off"
    assert row.effort_verified == verified


@pytest.mark.parametrize(
    ("given", "booked"),
    [
        (reply(), 442_800),
        (reply(usage=None), None),
        (reply(outcome=Outcome.TRUNCATED, usage=None), None),
        (reply(outcome=Outcome.OVERLOADED, http_status=429, usage=None), 0),
        (Reply(outcome=Outcome.CONNECT_ERROR), 0),
        (Reply(outcome=Outcome.DROPPED), 0),
    ],
    ids=["dearer of both", "no usage", "cut", "refused", "never sent", "dropped"],
)
def test_what_a_host_may_have_billed_stays_booked(given, booked):
    row, _ = row_of(given)

    assert billed(row, 999) == booked


def test_flags_are_a_sorted_json_list():
    row, _ = row_of(reply(flags=frozenset({Flag.NO_DONE, Flag.CRLF})))

    assert row.flags == '["crlf","no_done"]'


@pytest.mark.parametrize(
    ("worst", "flagged"), [(0, False), (442_799, True), (442_800, False)]
)
def test_a_cost_above_its_reservation_is_flagged(worst, flagged):
    row, _ = row_of(reply(), worst=worst)

    assert ("over_reserve" in row.flags) == flagged


@pytest.mark.parametrize(
    ("stated", "price", "flagged"),
    [("0", PRICE, True), ("0.0", PRICE, True), ("0.0004", PRICE, False),
     ("0", None, False), (None, PRICE, False)],
)  # fmt: skip
def test_nothing_for_what_the_price_list_charges_is_implausible(stated, price, flagged):
    usage = msgspec.structs.replace(reply().usage, cost_usd=stated)

    row, _ = row_of(reply(usage=usage), price=price)

    assert ("cost_implausible" in row.flags) == flagged


def test_identity_and_comparability_come_from_the_arrival():
    row, _ = row_of(reply())

    assert (row.scenario, row.provider, row.phase) == ("ping", "ourtoken", "measure")
    assert row.prompt_sha256 == ARRIVAL.request.digest
    assert row.seed == 7
    assert msgspec.json.decode(row.load)["step"] == 0
    assert row.nonce in ARRIVAL.request.messages[0]["content"]
