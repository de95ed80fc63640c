"""What fuzzing found, kept as tapes: each is read the same way however it is cut."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.seeds import dictionary, tapes
from fuzz.tape import check

TAPES = {
    path.stem: path.read_bytes()
    for path in sorted(Path(__file__).with_name("tapes").glob("*"))
}


@pytest.mark.parametrize("name", TAPES)
def test_a_tape_is_sound_and_read_the_same_either_way(name):
    check(TAPES[name])


@pytest.mark.parametrize("name", TAPES)
def test_a_tape_is_read_exactly_the_same_either_way(name):
    check(TAPES[name])


@pytest.mark.parametrize("n", range(len(tapes())))
def test_where_the_fuzzer_starts_all_is_well(n):
    check(tapes()[n])


def test_the_words_are_a_dictionary_of_the_fuzzer():
    for line in dictionary().splitlines():
        assert line[:3] == '"\\x'
        assert line[-1] == '"'


@given(st.binary(max_size=400))
def test_any_bytes_are_a_tape(data):
    check(data)
