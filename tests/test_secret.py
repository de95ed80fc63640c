"""Keys that show nowhere, and texts that are cleaned of them."""

import base64
import copy
import json
import pickle
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.provider import Provider
from providers.secret import MASK, Secret, forms, mask, redact

KEY = 'CANARY+/key "quoted" 1234'


def test_only_reveal_gives_a_key():
    secret = Secret(KEY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>9}"]
    assert all(KEY not in text for text in shown)
    assert secret.reveal() == KEY
    for dump in (pickle.dumps, copy.deepcopy, json.dumps, msgspec.json.encode):
        with pytest.raises(TypeError):
            dump(secret)
    assert not hasattr(secret, "__dict__")


def test_a_provider_shows_no_key():
    provider = Provider(
        name="h", dialect="generic", base_url="http://127.0.0.1/v1", model="m",
        api_key=Secret(KEY), secret_headers={"x": Secret("other-secret")},
    )  # fmt: skip
    assert KEY not in repr(provider)
    assert "other-secret" not in repr(provider)
    assert [secret.reveal() for secret in provider.secrets] == [KEY, "other-secret"]


@pytest.mark.parametrize(
    "spelled",
    [KEY, quote(KEY, safe=""), KEY.encode().hex(), json.dumps(KEY)[1:-1],
     base64.b64encode(KEY.encode()).decode(),
     base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("=")],
)  # fmt: skip
def test_every_usual_encoding_of_a_key_is_found(spelled):
    text = f"before {spelled} after"
    assert redact(text, [Secret(KEY)]) == f"before {MASK} after"
    assert mask(text, forms([Secret(KEY)])) == f"before {MASK} after"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("my key is sk-abcdefgh1234, yes", f"my key is {MASK}, yes"),
        ("Authorization: Bearer abcdef123456", f"Authorization: Bearer {MASK}"),
        ('{"api_key": "abcdef123456"}', f'{{"api_key": "{MASK}"}}'),
        ("?password=hunter2hunter2&x=1", f"?password={MASK}&x=1"),
        ("max_tokens: 100 exceeds the limit", "max_tokens: 100 exceeds the limit"),
        ("nothing of the kind", "nothing of the kind"),
    ],
)
def test_what_looks_like_a_key_is_cleaned_without_knowing_it(text, clean):
    assert redact(text) == clean


def test_a_key_within_a_key_leaves_no_rest():
    secrets = [Secret("abcdefgh"), Secret("abcdefgh-and-more")]
    assert redact("x abcdefgh-and-more x", secrets) == f"x {MASK} x"


def test_a_short_key_does_not_blank_plain_words():
    assert mask("the text", forms([Secret("the")])) == "the text"


@given(st.text(min_size=6, max_size=30), st.text(), st.text())
def test_no_key_survives_in_any_text(key, before, after):
    assert key not in mask(before + key + after, forms([Secret(key)])) or key in MASK
