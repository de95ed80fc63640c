import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.prompts import NONCE_WORDS, WORDS, fill, heading, nonce, places, text

parts = st.lists(st.text(max_size=8) | st.integers(), max_size=4)


def test_the_word_list_gives_a_whole_byte_a_word():
    assert len(set(WORDS)) == len(WORDS) == 256
    assert all(word.isascii() and word.isalpha() and word.islower() for word in WORDS)


@given(st.text(max_size=20), parts)
def test_every_nonce_has_the_same_number_of_known_words(salt, parts):
    words = nonce(salt, *parts).split(" ")
    assert len(words) == NONCE_WORDS
    assert set(words) <= set(WORDS)


def test_a_nonce_is_the_same_for_the_same_parts_and_no_other():
    assert nonce("salt", "ping", 0, "measure", 7) == nonce(
        "salt", "ping", 0, "measure", 7
    )
    made = {
        nonce(*key)
        for key in itertools.product(
            ("a", "b"), ("ping", "chat"), (0, 1), ("warmup", "measure"), range(200)
        )
    }
    assert len(made) == 3200


def test_the_borders_between_parts_count():
    assert nonce("a", "b", "c") != nonce("a", "bc") != nonce("ab", "c")


def test_the_heading_holds_nothing_that_could_be_taken_for_a_value():
    line = heading(nonce("salt", 1))
    assert line.endswith("\n\n")
    assert not any(char.isdigit() or char in "\"'{}" for char in line)


@given(st.integers(1, 3000), st.integers(), st.integers(0, 50))
def test_a_text_has_the_wanted_number_of_words(tokens, seed, index):
    words = text(tokens, seed, index).split(" ")
    assert len(words) == tokens
    assert set(words) <= set(WORDS)


def test_texts_of_one_seed_differ_in_order_but_not_in_words():
    first, second = text(1000, 7, 0), text(1000, 7, 1)
    assert first != second
    assert sorted(first.split()) == sorted(second.split())
    assert second in f"{first} {first}"
    assert text(1000, 8, 0) != first


def test_a_text_of_a_million_tokens_is_made():
    assert text(1_000_000, 1, 3).count(" ") == 999_999


def test_filling_leaves_other_braces_alone():
    template = 'Use {city}, {{city}} and {"a": {"b": 1}} { x } {}'
    assert places(template) == {"city"}
    wanted = 'Use Rome, {city} and {"a": {"b": 1}} { x } {}'
    assert fill(template, {"city": "Rome"}) == wanted


def test_a_value_is_not_filled_in_turn():
    assert fill("{a} {b}", {"a": "{b}", "b": 2}) == "{b} 2"


def test_a_missing_value_is_no_empty_text():
    with pytest.raises(KeyError):
        fill("{a}", {})
