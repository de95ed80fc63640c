"""Parts of a key in whatever disguise they come."""

import base64
import html
import re
from time import process_time
from urllib.parse import unquote

import pytest
from growth import assert_growth
from hypothesis import given
from hypothesis import strategies as st

from providers.disguise import MASK, TELLING, Disguises
from providers.secret import Secret, hide, redact

KEY = "CANARY+7/Zq~9.Kx-31_hunter2=end"
RAW = KEY.encode()

WAYS = [
    lambda c: c,
    lambda c: f"\\u{ord(c):04x}",
    lambda c: f"\\\\u{ord(c):04X}",
    lambda c: f"\\u{{{ord(c):x}}}",
    lambda c: f"\\x{ord(c):02x}",
    lambda c: f"%{ord(c):02X}",
    lambda c: f"%25{ord(c):02x}",
    lambda c: f"&#{ord(c)};",
    lambda c: f"&amp;#x{ord(c):X};",
    lambda c: html.escape(c, quote=True),
    lambda c: c + " ",
    lambda c: c + "\\n",
]


def told(text):
    """Return whether so much of the key that it tells stands in a text, read anyhow."""
    text = unquote(unquote(html.unescape(html.unescape(text))))
    text = re.sub(
        r"\\+(?:u\{?|x)0*([0-9a-fA-F]{2})\}?", lambda m: chr(int(m[1], 16)), text
    )
    text = re.sub(r"\s|\\+n", "", text).lower()
    key = KEY.lower()
    return any(key[at : at + TELLING] in text for at in range(len(key) - TELLING + 1))


@given(st.lists(st.sampled_from(WAYS), min_size=len(KEY), max_size=len(KEY)),
       st.text(max_size=9), st.text(max_size=9))  # fmt: skip
def test_no_mixture_of_escapes_hides_a_key(ways, before, after):
    spelled = "".join(way(c) for way, c in zip(ways, KEY, strict=True))
    assert told(spelled)
    said = hide(f"{before} {spelled} {after}", [Secret(KEY)])
    assert MASK in said
    assert not told(said)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("begin", [0, 5, 19])
def test_twelve_characters_of_a_key_tell_it_in_any_disguise(way, begin):
    part = "".join(map(way, KEY[begin : begin + TELLING])).rstrip()
    assert hide(f"no <{part}> here", [Secret(KEY)]).startswith(f"no <{MASK}")


@pytest.mark.parametrize(
    "spelled",
    [RAW.hex(":"), RAW.hex(":").upper(), RAW.hex(" "), RAW.hex("-"), RAW.hex(" ", 4),
     ", ".join(f"0x{b:02x}" for b in RAW), "".join(f"\\x{b:02x}" for b in RAW),
     "\n".join(RAW.hex(" ")[at : at + 48] for at in range(0, 99, 48)),
     RAW[3:17].hex(":"), base64.encodebytes(RAW * 3).decode(),
     base64.b64encode(b"user:" + RAW).decode().replace("", "\n"),
     base64.b64encode(RAW)[4:24].decode(),
     base64.b64encode(RAW).decode().replace("/", "\\/").replace("=", "%3D"),
     base64.b64encode(RAW).decode().replace("=", "&#61;")],
)  # fmt: skip
def test_a_dump_of_a_key_is_found_however_it_is_laid_out(spelled):
    said = hide(f"<{spelled}>", [Secret(KEY)])
    assert MASK in said
    left = said.replace(MASK, "")
    assert len(re.sub(r"0x|[\W_]", "", left)) < 12, said


def test_a_key_in_another_script_is_found_as_its_octets_too():
    key = "schlüssel-à-la-ключ-123456"
    for spelled in (key, key.upper(), key.encode().hex(":"),
                    "".join(f"\\u{ord(c):04x}" for c in key),
                    "".join(f"%{b:02x}" for b in key.encode())):  # fmt: skip
        said = hide(f"über {spelled} straße", [Secret(key)])
        assert said in (f"über {MASK} straße", f"über {MASK}straße"), spelled


def test_a_text_without_a_key_is_returned_as_it_is():
    text = "über\ud800 %41%42 \\u0041 &amp; deadbeef:deadbeef a b c d e f"
    assert hide(text, [Secret(KEY)]) is text


def test_half_of_what_tells_is_masked_where_a_text_was_cut_off():
    for way in WAYS[:6]:
        begun = "".join(map(way, KEY[:7]))
        assert hide(f"is <{begun}", [Secret(KEY)]) == f"is <{MASK}"
        assert hide(f"is <{begun}>", [Secret(KEY)]) == f"is <{begun}>"


@given(st.text(), st.text(min_size=6, max_size=40))
def test_any_key_and_any_text_go_together(text, key):
    hide(text, [Secret(key)])


@pytest.mark.parametrize(
    ("word", "text"),
    [(KEY, "C A N A R Y "), (KEY, "CANARY+"), (KEY, "\\"), (KEY, "%25"), (KEY, "&amp;"),
     (KEY, "&#0000000"), ("Bearer " + KEY, "Bearer "), (KEY, "0x"), (KEY, "43:41:4e:"),
     (KEY, "="), (KEY, "= "), (KEY, "=43"), (KEY, "\\103"), (KEY, "\uff23"),
     (KEY, KEY), (KEY, KEY[:11]), ("a" * 40, "a"), (KEY * 40, KEY[:20])],
)  # fmt: skip
def test_looking_takes_time_in_proportion_to_the_text(word, text):
    disguises = Disguises([word])

    def cost(n):
        begun = process_time()
        disguises.masked((text * n)[:n])
        return process_time() - begun

    assert_growth(cost, 10_000, 40_000, below=10)


def test_a_long_key_is_looked_for_as_fast_as_a_short_one():
    text = "an error of the host, told in words " * 100
    long, short = (Disguises([word]) for word in (KEY * 60, KEY))

    def cost(disguises):
        begun = process_time()
        for _ in range(10):
            disguises.masked(text)
        return process_time() - begun

    assert_growth(cost, short, long, below=4)


def test_an_error_still_loses_what_only_looks_like_a_key():
    assert redact("Bearer abcdef123456", [Secret(KEY)]) == f"Bearer {MASK}"


@pytest.mark.parametrize(
    "way",
    [lambda c: f"\\{ord(c):03o}", lambda c: f"={ord(c):02X}",
     lambda c: f"={ord(c):02x}=\r\n", lambda c: chr(ord(c) + 0xFEE0)],
    ids=["octal", "quoted", "folded", "wide"],
)  # fmt: skip
@pytest.mark.parametrize("begin", [0, 5, 19])
def test_a_key_as_shells_mail_and_wide_letters_spell_it_is_found(way, begin):
    part = "".join(map(way, KEY[begin : begin + TELLING])).rstrip("=\r\n")
    assert hide(f"is <{part}> so", [Secret(KEY)]) == f"is <{MASK}> so"


def test_a_plain_equals_sign_before_two_digits_hides_no_key():
    key = "abcdef=41ghij"
    for spelled in (key, key.replace("=", "%3D"), key.replace("=", "=3D")):
        assert hide(f"<{spelled}>", [Secret(key)]) == f"<{MASK}>"
