"""Base URLs in every spelling, and those that are refused."""

import pytest

from providers.provider import ProviderError, chat_url, root_url

CHAT = "https://api.example.com/v1/chat/completions"


@pytest.mark.parametrize(
    "spelled",
    ["https://api.example.com/v1", "https://api.example.com/v1/",
     "https://api.example.com/v1//", CHAT, CHAT + "/", f"  {CHAT}\n",
     "https://api.example.com/v1//chat/completions", "HTTPS://api.example.com/v1"],
)  # fmt: skip
def test_every_spelling_means_the_same_address(spelled):
    assert chat_url(spelled) == CHAT
    assert root_url(spelled) == "https://api.example.com/v1"
    assert chat_url(root_url(spelled)) == CHAT


@pytest.mark.parametrize(
    ("spelled", "url"),
    [("http://127.0.0.1:8000", "http://127.0.0.1:8000/chat/completions"),
     ("http://[::1]:8000/v1", "http://[::1]:8000/v1/chat/completions"),
     ("https://h/api/paas/v4", "https://h/api/paas/v4/chat/completions")],
)  # fmt: skip
def test_the_path_is_the_hosts_own(spelled, url):
    assert chat_url(spelled) == url


@pytest.mark.parametrize(
    "bad",
    ["", "api.example.com/v1", "ftp://h/v1", "https://", "https:///v1", "http://h:99999",
     "http://h:x/v1", "http://a b/v1", "http://h/v1\n/x", "http://h\\evil/v1",
     "http://[::1/v1", "file:///etc/passwd", "javascript:alert(1)"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_the_remedy(bad):
    with pytest.raises(ProviderError, match=r"base_url .* such as https://"):
        chat_url(bad)


@pytest.mark.parametrize(
    "bad", ["https://me:CANARY@h/v1", "https://h/v1?key=CANARY", "https://h/v1#CANARY"]
)
def test_credentials_in_an_address_are_refused_and_not_shown(bad):
    with pytest.raises(ProviderError, match="api_key_env") as caught:
        chat_url(bad)
    assert "CANARY" not in str(caught.value)


def test_a_key_in_the_place_of_an_address_is_not_shown():
    with pytest.raises(ProviderError) as caught:
        chat_url("sk-CANARY1234567890")
    assert "CANARY" not in str(caught.value)
