"""Rate limits on the wire: what a refusal means, and when a host says to come back."""

import json

import pytest
from byteserver import ByteServer, ask, whole
from test_measure import row_of

from providers.outcome import Blame, Outcome

O, B = Outcome, Blame  # noqa: E741 - a table of outcomes reads better so
DATE = "Date: Thu, 06 Mar 2025 23:59:50 GMT"
REFUSED = {"error": {"message": "slow down"}}


async def refused(*fields, body=REFUSED, status="429 Too Many Requests", **options):
    """Return the row, and the number of requests, of a refusal with these headers."""
    response = whole(json.dumps(body).encode(), status, "application/json", *fields)
    async with ByteServer([response]) as server:
        reply = await ask(server.url, **options)
        assert len(server.requests) == 1, "a retry inside a measurement"
    row, _ = row_of(reply)
    return row


# Each host's own headers: what they are, the wait they ask for, and their resets.
DIALECTS = {
    "openai": (
        ["x-ratelimit-limit-requests: 60", "x-ratelimit-remaining-requests: 0",
         "x-ratelimit-reset-requests: 6m0s", "x-ratelimit-remaining-tokens: 149984",
         "x-ratelimit-reset-tokens: 547ms"],
        360.0, {"requests": "360", "tokens": "0.547"}),
    "groq": (
        ["retry-after: 2", "x-ratelimit-limit-requests: 14400",
         "x-ratelimit-remaining-requests: 14370", "x-ratelimit-reset-requests: 2m52.8s",
         "x-ratelimit-reset-tokens: 7.66s"],
        2.0, {"requests": "172.8", "tokens": "7.66"}),
    "cerebras": (
        ["x-ratelimit-limit-requests-day: 1000",
         "x-ratelimit-remaining-requests-day: 0",
         "x-ratelimit-reset-requests-day: 33011.25",
         "x-ratelimit-remaining-tokens-minute: 7",
         "x-ratelimit-reset-tokens-minute: 11.5"],
        33011.25, {"requests-day": "33011.25", "tokens-minute": "11.5"}),
    "mistral": (
        ["x-ratelimit-remaining-tokens-minute: 0", "ratelimit-reset: 8"],
        None, {"": "8"}),
    "sambanova": (
        ["x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 40",
         "x-ratelimit-remaining-requests-day: 0",
         "x-ratelimit-reset-requests-day: 80000"],
        80_000.0, {"requests": "40", "requests-day": "80000"}),
    "fireworks": (
        ["x-ratelimit-limit-tokens-prompt: 60000", "x-ratelimit-over-limit: yes",
         "x-ratelimit-limit-tokens-generated: 6000"],
        None, {}),
    "nebius": (
        ["x-ratelimit-dynamic-period-usage-tokens: 800", "x-ratelimit-over-limit: yes"],
        None, {}),
    "openrouter": (
        ["X-RateLimit-Limit: 20", "X-RateLimit-Remaining: 0",
         "X-RateLimit-Reset: 1741305600000"],
        10.0, {"": "10"}),
    "azure": (
        ["retry-after: 2", "retry-after-ms: 1500", "x-ratelimit-remaining-tokens: -42",
         "x-ratelimit-reset-tokens: 9"],
        1.5, {"tokens": "9"}),
    "anthropic": (
        ["anthropic-ratelimit-requests-remaining: 0",
         "anthropic-ratelimit-requests-reset: 2025-03-07T00:00:00Z"],
        10.0, {"requests": "10"}),
}  # fmt: skip


@pytest.mark.parametrize("host", DIALECTS)
async def test_each_hosts_own_headers_are_stored_and_understood(host):
    fields, wait, resets = DIALECTS[host]
    row = await refused(DATE, *fields)
    assert (row.outcome, row.http_status) == (O.RATE_LIMITED, 429)
    assert row.retry_after_s == wait
    stored = json.loads(row.ratelimit)
    sent = {name.lower(): value for name, value in (f.split(": ") for f in fields)}
    assert {name: stored.pop(name) for name in sent} == sent, "as they came"
    seconds = {name.removesuffix("_s"): value for name, value in stored.items()}
    assert sorted(seconds.values()) == sorted(resets.values())
    assert all(any(part in name for name in seconds) for part in resets)


FORMS = {
    "20": 20.0, "1.5": 1.5, "0": 0.0, "1000000000": 86_400.0,
    "Fri, 07 Mar 2025 00:00:20 GMT": 30.0, "Friday, 07-Mar-25 00:00:20 GMT": 30.0,
    "Fri Mar  7 00:00:20 2025": 30.0, "Thu, 06 Mar 2025 23:00:00 GMT": 0.0,
    "-5": None, "1e9": None, "NaN": None, "120abc": None, "soon": None,
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
async def test_each_form_of_retry_after(form):
    row = await refused(DATE, f"Retry-After: {form}")
    assert row.retry_after_s == FORMS[form]
    assert json.loads(row.ratelimit) == {"retry-after": form}


@pytest.mark.parametrize("status", ["503 Busy", "529 Overloaded", "413 Too Large"])
async def test_a_wait_is_kept_whatever_the_status(status):
    row = await refused("Retry-After: 7", status=status)
    assert row.retry_after_s == 7


async def test_a_host_that_says_nothing_of_waiting_leaves_it_unknown():
    row = await refused(DATE)
    assert (row.retry_after_s, row.ratelimit) == (None, None)


WAITS = {
    "retry_after_ms": ({"error": {"message": "m", "retry_after_ms": 1500}}, 1.5),
    "retryDelay": ({"error": {"message": "m", "details": [{"retryDelay": "34s"}]}}, 34),
    "quoted": ({"error": {"message": "m", "metadata": {"headers": {
        "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "60"}}}}, 60),
}  # fmt: skip


@pytest.mark.parametrize("form", WAITS)
async def test_a_wait_that_only_the_body_states(form):
    body, wait = WAITS[form]
    row = await refused(body=body)
    assert row.retry_after_s == wait


# A 429 is at least four facts: (dialect, code, message, what it means, whose it is).
MEANINGS = [
    ("generic", "rate_limit_exceeded", "slow down", O.RATE_LIMITED, B.ACCOUNT),
    ("generic", "engine_overloaded", "try later: overloaded", O.OVERLOADED, B.PROVIDER),
    ("generic", "insufficient_quota", "check your plan", O.QUOTA, B.ACCOUNT),
    ("generic", "account_restricted", "unusual use", O.RATE_LIMITED, B.ACCOUNT),
    ("zai", "1302", "too many at once", O.RATE_LIMITED, B.ACCOUNT),
    ("zai", "1302", "your balance is used up", O.QUOTA, B.ACCOUNT),
    ("zai", "1305", "the model is busy", O.OVERLOADED, B.PROVIDER),
    ("zai", "1113", "recharge", O.QUOTA, B.ACCOUNT),
    ("zai", "1313", "fair use", O.RATE_LIMITED, B.ACCOUNT),
    ("openrouter", 429, "x is temporarily rate-limited upstream", O.OVERLOADED,
     B.PROVIDER),
    ("openrouter", 429, "Rate limit exceeded: free-models-per-day", O.RATE_LIMITED,
     B.ACCOUNT),
    ("ourtoken", "insufficient_user_quota", "(request id: x)", O.QUOTA, B.ACCOUNT),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "code", "message", "outcome", "blame"), MEANINGS)
async def test_a_429_means_one_of_four_things(dialect, code, message, outcome, blame):
    body = {"error": {"code": code, "message": message}}
    row = await refused(body=body, host={"dialect": dialect})
    assert (row.outcome, row.blame, row.error_code) == (outcome, blame, str(code))
    assert row.error_excerpt == message
