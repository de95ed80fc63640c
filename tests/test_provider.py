"""Base URLs in every spelling, and those that are refused."""

import pytest

from providers.provider import ProviderError, chat_url, check_proxy, root_url

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
    "host",
    ["127.1", "0", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.0.0.01",
     "127.0.0.1.", "1.2.3", "1.2.3.4.5", "256.0.0.1", "0x", "a.b.0x7f", "h.1",
     "\uff11\uff12\uff17.\uff11", "127\u30020\u30020\u30021", "127.0.0.\u2460"],
)  # fmt: skip
def test_a_number_is_no_address(host):
    for check, what in ((chat_url, "base_url"), (check_proxy, "proxy")):
        with pytest.raises(ProviderError, match=rf"{what}: .* no address in full; wri"):
            check(f"http://{host}:8000/v1")


@pytest.mark.parametrize("host", ["127.0.0.1", "h1", "1.example", "10.0.0.1e", "[::1]"])
def test_an_address_in_full_and_a_name_with_digits_are_fine(host):
    assert chat_url(f"http://{host}/v1") == f"http://{host}/v1/chat/completions"
    check_proxy(f"http://me:pass@{host}:3128")


@pytest.mark.parametrize(
    "bad", ["127.0.0.1:3128", "socks5://h:1", "", "http://me:p@", "me:p@h"]
)
def test_a_proxy_that_is_none_is_refused_and_its_password_not_shown(bad):
    with pytest.raises(ProviderError, match=r"proxy .* such as http://") as caught:
        check_proxy(bad.replace("p@", "CANARY@"))
    assert "CANARY" not in str(caught.value)


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
