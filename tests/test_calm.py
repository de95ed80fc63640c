"""A run changes how Python works beside it, and only for as long as it lasts."""

import gc
import sys

import pytest

from compare.run.calm import SWITCH_S, YOUNG, calm


def settings():
    return gc.get_threshold(), gc.get_freeze_count() > 0, sys.getswitchinterval()


def broken_run():
    with calm():
        thresholds, frozen, interval = settings()
        assert (thresholds[0], frozen) == (YOUNG, True)
        assert interval == pytest.approx(SWITCH_S)
        raise ValueError("a bug")


def test_what_was_set_before_is_set_again_however_a_run_ends():
    before = settings()
    with pytest.raises(ValueError, match="a bug"):
        broken_run()
    assert settings() == before
