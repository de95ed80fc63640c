"""What headers say about waiting, in every form that hosts use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from providers.limits import rate_limits, retry_after, wait_in_body
from providers.secret import Secret

NOW = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("20", 20.0), ("0", 0.0), ("1.5", 1.5), (" 7 ", 7.0), ("1000000000", 86_400.0),
     ("-5", None), ("NaN", None), ("inf", None), ("120abc", None), ("1e9", None),
     ("", None), ("soon", None), ("١٢", None), ("120, 60", None),
     ("Sun, 06 Nov 1994 08:50:07 GMT", 30.0),
     ("Sunday, 06-Nov-94 08:50:07 GMT", 30.0),
     ("Sun Nov  6 08:50:07 1994", 30.0),
     ("Sun, 06 Nov 1994 08:50:07 +0000", 30.0),
     ("Sun, 06 Nov 1994 08:49:07 GMT", 0.0),
     ("Fri, 06 Nov 2099 08:49:37 GMT", 86_400.0),
     ("Sun, 99 Nov 1994 08:49:37 GMT", None),
     ("Sun, 06 Nov 1994 08:49:37 +99999999999", None),
     ("Sun, 06 Nov 99999 08:49:37 GMT", None)],
)  # fmt: skip
def test_every_form_of_retry_after(value, seconds):
    assert retry_after({"Retry-After": value, "Date": NOW}) == seconds


def test_milliseconds_go_before_seconds_and_case_does_not_matter():
    assert retry_after({"retry-after-ms": "1500", "Retry-After": "2"}) == 1.5
    assert retry_after({"RETRY-AFTER-MS": "x", "retry-after": "2"}) == 2
    assert retry_after({}) is None


def test_a_date_without_the_hosts_own_counts_from_our_clock():
    assert retry_after({"Retry-After": "Fri, 06 Nov 2099 08:49:37 GMT"}) == 86_400


def test_rate_limits_are_kept_as_they_came():
    headers = CIMultiDict(
        {"X-RateLimit-Reset-Requests": "6m0s", "anthropic-ratelimit-x-reset": "t",
         "x-ratelimit-over-limit": "yes", "Retry-After": "3", "Server": "nginx"}
    )  # fmt: skip
    assert rate_limits(headers) == {
        "anthropic-ratelimit-x-reset": "t",
        "retry-after": "3",
        "x-ratelimit-over-limit": "yes",
        "x-ratelimit-reset-requests": "6m0s",
        "x-ratelimit-reset-requests_s": "360",
    }
    assert rate_limits({"Server": "nginx"}) is None


def test_rate_limits_are_bounded_storable_and_without_keys():
    many = {f"x-ratelimit-{n:03}": "v" for n in range(99)}
    assert len(rate_limits(many)) == 24
    assert rate_limits({"x-ratelimit-a": "y" * 999}) == {"x-ratelimit-a": "y" * 100}
    assert rate_limits({"x-ratelimit-a": "\udcff"}) == {"x-ratelimit-a": "?"}
    key = {"x-ratelimit-a": "y" * 95 + "sesame-open"}
    assert rate_limits(key, [Secret("sesame-open")]) == {
        "x-ratelimit-a": "y" * 95 + "***"
    }


@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [("x-ratelimit-reset-requests", "6m0s", "360"),
     ("x-ratelimit-reset-tokens", "2m52.8s", "172.8"),
     ("x-ratelimit-reset-tokens", "547ms", "0.547"),
     ("x-ratelimit-reset-requests", "1h2m3s", "3723"),
     ("x-ratelimit-reset-requests", "0s", "0"),
     ("x-ratelimit-reset-requests-day", "33011.382867", "33011.38287"),
     ("x-ratelimit-reset-tokens-month", "2592000", "2592000"),
     ("X-RateLimit-Reset", "99999999999", None),
     ("X-RateLimit-Reset", "1741305600000", "10"),
     ("X-RateLimit-Reset", "1741305600", "10"),
     ("X-RateLimit-Reset", "1741305000", "0"),
     ("RateLimit-Reset", "50", "50"),
     ("anthropic-ratelimit-requests-reset", "2025-03-07T00:00:00Z", "10"),
     ("anthropic-ratelimit-tokens-reset", "2025-03-07T01:00:00+01:00", "10"),
     ("anthropic-ratelimit-tokens-reset", "2025-03-07T00:00:00", None),
     ("anthropic-ratelimit-tokens-reset", "2025-99-07T00:00:00Z", None),
     ("x-ratelimit-reset-requests", "-3", None),
     ("x-ratelimit-reset-requests", "soon", None),
     ("x-ratelimit-reset-requests", "6m0s later", None),
     ("x-ratelimit-reset-requests", "99999999d", None),
     ("x-ratelimit-reset-requests", "", None)],
)  # fmt: skip
def test_a_reset_is_kept_as_sent_and_in_seconds(name, value, seconds):
    found = rate_limits({name: value, "Date": "Thu, 06 Mar 2025 23:59:50 GMT"})
    assert found.pop(name.lower()) == value
    assert found.pop(f"{name.lower()}_s", None) == seconds
    assert not found


@pytest.mark.parametrize(
    ("error", "seconds"),
    [({"retry_after_ms": 1500}, 1.5), ({"retry_after_ms": "1500"}, 1.5),
     ({"retry_after": 7}, 7), ({"retry_after": 0.25}, 0.25),
     ({"retry_after_ms": 10**400}, None), ({"retry_after": True}, None),
     ({"retry_after": -1}, None), ({"retry_after": float("nan")}, None),
     ({"retry_after": [1]}, None), ({"retry_after": 1e9}, 86_400),
     ({"details": [{"@type": "x"}, {"retryDelay": "34.5s"}]}, 34.5),
     ({"details": {"retryDelay": "3s"}}, 3), ({"details": [None, 7]}, None),
     ({"metadata": {"retry_after_ms": 20}}, 0.02),
     ({"metadata": {"headers": {"Retry-After": 9}}}, 9),
     ({"metadata": {"headers": {"X-RateLimit-Reset": "1"}}}, None),
     ({"metadata": {"headers": None}}, None), ({}, None)],
)  # fmt: skip
def test_a_wait_stated_in_an_error_body(error, seconds):
    assert wait_in_body({"error": error}) == seconds
    assert wait_in_body(error) == seconds


@pytest.mark.parametrize("payload", [None, [], "retry_after", {"error": "slow"}, 7])
def test_a_body_that_states_no_wait(payload):
    assert wait_in_body(payload) is None


@given(st.text(max_size=40) | st.from_regex(r"[0-9hms.:TZ+-]{1,30}", fullmatch=True))
def test_no_value_raises_and_a_wait_is_always_bounded(value):
    for name in ("retry-after", "retry-after-ms", "x-ratelimit-reset"):
        headers = {name: value, "date": value, "x-ratelimit-remaining": "0"}
        waited = retry_after(headers)
        assert waited is None or 0 <= waited <= 86_400
        found = rate_limits(headers)
        assert 0 <= float(found.get("x-ratelimit-reset_s", 0)) <= 366 * 86_400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["error", "details", "metadata", "headers", "retry_after",
                         "retry_after_ms", "retryDelay", "Retry-After"]),
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_no_body_raises_and_its_wait_is_always_bounded(payload):
    waited = wait_in_body(payload)
    assert waited is None or 0 <= waited <= 86_400


def test_a_key_in_the_name_of_a_header_is_masked_too():
    keys = iter([Secret("Canary-123456")])
    found = rate_limits({"X-RateLimit-Canary-123456": "Canary-123456"}, keys)
    assert found == {"x-ratelimit-***": "***"}
