"""Keys that show nowhere, and texts that are cleaned of them."""

import base64
import copy
import html
import json
import pickle
from time import process_time
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from growth import assert_growth
from hypothesis import given
from hypothesis import strategies as st

from compare.show.words import plain
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
    proxied = msgspec.structs.replace(provider, proxy="http://me:a%2Fhush@h:1")
    assert "hush" not in repr(proxied)
    assert {each.reveal() for each in proxied.secrets} >= {"a%2Fhush", "a/hush"}
    assert [secret.reveal() for secret in provider.secrets] == [KEY, "other-secret"]


@pytest.mark.parametrize(
    "spelled",
    [KEY, quote(KEY, safe=""), quote(KEY), quote_plus(KEY), quote(quote(KEY)),
     quote(KEY, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
     KEY.encode().hex(), KEY.encode().hex().upper(), html.escape(KEY),
     json.dumps(KEY)[1:-1], json.dumps(json.dumps(KEY)[1:-1])[1:-1],
     json.dumps(KEY)[1:-1].replace("/", "\\/"),
     base64.b64encode(KEY.encode()).decode(),
     base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("=")],
)  # fmt: skip
def test_every_usual_encoding_of_a_key_is_found(spelled):
    text = f"before {spelled} after"
    assert redact(text, [Secret(KEY)]) == f"before {MASK} after"
    assert mask(text, forms([Secret(KEY)])) == f"before {MASK} after"


@given(st.binary(max_size=9), st.binary(max_size=9), st.booleans(), st.booleans())
def test_no_base64_of_a_text_gives_back_the_key_within_it(before, after, url, bare):
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    text = encode(before + KEY.encode() + after).decode().rstrip("=" * bare)

    masked = mask(text, forms([Secret(KEY)]))

    rest = masked.partition(MASK)
    assert rest[1] == MASK
    # At most the letters of the neighbours, and the two that are shared with the key.
    assert len(rest[0]) <= -(-len(before) * 8 // 6)
    assert len(rest[2].rstrip("=")) <= -(-len(after) * 8 // 6) + 1


@pytest.mark.parametrize(
    ("header", "echoed"),
    [("Bearer sk-1234567890", "sk-1234567890"),
     ("Basic " + base64.b64encode(b"me:hush-hush").decode(), "me:hush-hush"),
     ("Basic " + base64.b64encode(b"me:hush-hush").decode(), "hush-hush"),
     ("Basic no-base64", "no-base64")],
)  # fmt: skip
def test_the_key_within_a_header_is_a_key_too(header, echoed):
    assert mask(f"x {echoed} x", forms([Secret(header)])) == f"x {MASK} x"


@pytest.mark.parametrize("n", range(6, len(KEY)))
def test_a_key_cut_off_by_the_end_of_a_text_is_masked(n):
    said = redact(f"the key {KEY[:n]}", [Secret(KEY)])
    assert said.rstrip() == f"the key {MASK}"


def test_the_start_of_a_key_within_a_text_is_left():
    assert redact(f"{KEY[:7]} and more", [Secret(KEY)]) == f"{KEY[:7]} and more"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("my key is sk-abcdefgh1234, yes", f"my key is {MASK}, yes"),
        ("Authorization: Bearer abcdef123456", f"Authorization: Bearer {MASK}"),
        ('{"api_key": "abcdef123456"}', f'{{"api_key": "{MASK}"}}'),
        ("?password=hunter2hunter2&x=1", f"?password={MASK}&x=1"),
        ("see https://me:hush@example.com/x", f"see https://{MASK}@example.com/x"),
        ("mail to me@example.com", "mail to me@example.com"),
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


ODD = "CANARY+7/Zq~9.Kx-31_hunter2=end"


@pytest.mark.parametrize(
    "spelled",
    [
        "CANARY\\u002B7/Zq~9.Kx-31_hunter2=end",
        "".join(f"\\u{ord(c):04x}" for c in ODD),
        "".join(f"\\\\u{ord(c):04X}" for c in ODD),
        "CANARY&#43;7/Zq~9.Kx-31_hunter2=end",
        "CANARY+7&#x2F;Zq~9.Kx-31_hunter2&#x3D;end",
        "CANARY%2B7%2FZq%7E9.Kx-31_hunter2%3Dend",
        " ".join(f"{ord(c):02x}" for c in ODD),
        "CANARY+7/Zq~9.\n  Kx-31_hunter2=end",
        ODD[-23:],
        ODD[:16],
    ],
)
def test_an_error_that_quotes_a_key_in_disguise_loses_it(spelled):
    said = redact(f"the key {spelled}... is not known", [Secret(ODD)])
    assert said.startswith("the key ***")
    assert said.endswith("... is not known")
    assert len(said) < 40


def test_a_text_that_only_shares_some_characters_with_a_key_stays():
    text = "CANARY+7 is a bird; the hunter2=end of it is near"
    assert redact(text, [Secret(ODD)]) == text


def test_looking_for_a_key_in_disguise_takes_linear_time():
    def cost(n):
        begun = process_time()
        redact("C A N A R Y " * n, [Secret(ODD)])
        return process_time() - begun

    assert_growth(cost, 5_000, 20_000, below=10)


@pytest.mark.parametrize(
    ("key", "text"), [(ODD, "\\" * 20_000), (f"Bearer {ODD}", "Bearer" + " " * 20_000)]
)
def test_no_text_of_a_host_makes_the_search_for_disguises_slow(key, text):
    begun = process_time()
    redact(text, [Secret(key)])
    assert process_time() - begun < 1  # seconds where time grows with the square


@pytest.mark.parametrize("between", ["\0", "\u200b", "\ufeff", "\u00ad", "\u2028"])
def test_a_key_whose_parts_would_be_joined_when_it_is_shown_is_found(between):
    told = redact(f"no: {between.join(ODD)} is wrong", [Secret(ODD)])
    assert plain(told) == "no: *** is wrong"
    assert redact(f"a{between}b", [Secret(ODD)]) == f"a{between}b"
