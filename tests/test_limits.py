"""What headers say about waiting, in every form that hosts use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from providers.limits import rate_limits, retry_after
from providers.secret import Secret, forms

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
    }
    assert rate_limits({"Server": "nginx"}) is None


def test_rate_limits_are_bounded_storable_and_without_keys():
    many = {f"x-ratelimit-{n:03}": "v" for n in range(99)}
    assert len(rate_limits(many)) == 24
    assert rate_limits({"x-ratelimit-a": "y" * 999}) == {"x-ratelimit-a": "y" * 100}
    assert rate_limits({"x-ratelimit-a": "\udcff"}) == {"x-ratelimit-a": "?"}
    key = {"x-ratelimit-a": "y" * 95 + "sesame-open"}
    assert rate_limits(key, ["sesame-open"]) == {"x-ratelimit-a": "y" * 95 + "***"}


@given(st.text(max_size=40))
def test_no_value_raises_and_a_wait_is_always_bounded(value):
    waited = retry_after({"retry-after": value, "date": value})
    assert waited is None or 0 <= waited <= 86_400


def test_a_key_in_the_name_of_a_header_is_masked_too():
    spelled = forms([Secret("Canary-123456")])
    found = rate_limits({"X-RateLimit-Canary-123456": "Canary-123456"}, iter(spelled))
    assert found == {"x-ratelimit-***": "***"}
