"""The known hosts: each one usable as it stands, each mistake with its remedy."""

import pytest

from providers.generic import EFFORT
from providers.provider import ProviderError, root_url
from providers.registry import (
    AUTO,
    DIALECTS,
    dialect,
    effort_style,
    endpoints,
    known,
    nearest,
)


@pytest.mark.parametrize("name", endpoints())
def test_every_listed_host_can_be_used_as_it_stands(name):
    listed, host = endpoints()[name], known(name)
    assert host.dialect in DIALECTS
    assert listed.effort in EFFORT
    assert listed.stream_usage in {"include_usage", "always"}
    assert listed.max_tokens_field in {"max_tokens", "max_completion_tokens"}
    assert root_url(host.base_url) == host.base_url
    local = host.base_url.startswith("http://127.0.0.1:")
    assert local or host.base_url.startswith("https://")
    assert local == (not host.model) == (host.api_key_env is None)
    assert host.api_key is None
    assert host.name == name


def test_a_pinned_router_is_a_host_of_its_own():
    host = known("openrouter@deepinfra/fp8")
    assert (host.name, host.pin) == ("openrouter@deepinfra/fp8", "deepinfra/fp8")
    assert host.model == known(AUTO).model
    assert known(AUTO).pin is None


@pytest.mark.parametrize(
    ("call", "name", "remedy"),
    [
        (known, "openrouter", "openrouter@deepinfra/fp8"),
        (known, "openrouter@", AUTO),
        (known, "outoken", "did you mean 'ourtoken'"),
        (known, "zai@deepinfra", "unknown host"),
        (known, "xyzzy", "-p xyzzy=BASE_URL"),
        (dialect, "genric", "did you mean 'generic'"),
        (dialect, "xyzzy", "known: generic"),
        (effort_style, "zaii", "did you mean 'zai'"),
    ],
)
def test_a_mistake_is_answered_with_its_remedy(call, name, remedy):
    with pytest.raises(ProviderError, match=remedy):
        call(name)


def test_names_that_are_known_give_what_they_name():
    assert dialect("zai").name == "zai"
    assert effort_style("zai") == "zai"
    assert nearest("q", ["abc"]) == "known: abc"
