"""Stated prompt tokens of hosts against each other: the dials are found."""

import io

import numpy as np
import pytest
from asking import asked

from compare.judge.counting import _lines, countings
from compare.show import tables
from compare.show.countings import countings as shown
from compare.show.countings import told
from scenarios.scenario import load, override

SKILLS = {
    "fair": "",
    "same": "right=0.5",
    "padded": "system_tokens=700",
    "dear": "inflation=1.25",
    "both": "system_tokens=400,inflation=1.1",
    "cheap": "inflation=0.8",
}


@pytest.fixture(scope="module")
def truth():
    return override(load("usage-truth"), prompt_tokens=300)


async def test_slope_and_intercept_find_the_dials(tmp_path, truth):
    found = await asked(tmp_path, [truth], SKILLS, n=36)
    by_host = {each.provider: each for each in countings(found.frame, found.more)}
    assert set(by_host) == set(SKILLS) - {"fair"}
    dials = {"same": (0, 1), "padded": (700, 1), "dear": (0, 1.25), "cheap": (0, 0.8)}
    dials["both"] = 440, 1.1
    for name, each in by_host.items():
        assert each.n == 36
        extra, slope = dials[name]
        # Counts are whole: what is rounded moves a line by less than a token.
        assert each.slope_low - 1e-3 <= slope <= each.slope_high + 1e-3
        assert each.extra_low - 1 <= extra <= each.extra_high + 1
        assert each.slope_high - each.slope_low < 0.01
        assert each.furthest <= 2


async def test_what_is_said_of_each(tmp_path, truth):
    found = await asked(tmp_path, [truth], SKILLS, n=18)
    made = countings(found.frame, found.more)
    said = {each.provider: told(each) for each in made}
    assert said["same"] == "counts each prompt alike"
    assert "system prompt" in said["padded"]
    assert "tokenizer" not in said["padded"]
    assert "tokenizer" in said["dear"]
    assert "system prompt" not in said["dear"]
    assert "system prompt" in said["both"]
    assert "tokenizer" in said["both"]
    out = io.StringIO()
    for part in shown(made):
        tables.console(out, width=100).print(part)
    assert "against fair" in out.getvalue()


async def test_where_there_is_nothing_to_set_against_nothing_is_said(tmp_path, truth):
    found = await asked(tmp_path, [truth], {"a": ""}, n=18)
    assert countings(found.frame, found.more) == []
    (tmp_path / "few").mkdir()
    few = await asked(tmp_path / "few", [truth], {"a": "", "b": ""}, n=4)
    assert countings(few.frame, few.more) == []
    (tmp_path / "one").mkdir()
    alike = await asked(tmp_path / "one", [load("ping")], {"a": "", "b": ""}, n=20)
    assert countings(alike.frame, alike.more) == []


def test_a_noisy_line_has_an_interval_that_holds_the_truth():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        x = rng.integers(10, 4000, 60).astype(float)
        y = 300 + 1.1 * x + rng.normal(0, 20, 60)
        slopes, extras = _lines(x[(i := rng.integers(0, 60, (500, 60)))], y[i])
        low, high = np.quantile(slopes, [0.025, 0.975])
        least, most = np.quantile(extras, [0.025, 0.975])
        held += int(low <= 1.1 <= high) + int(least <= 300 <= most)
    assert 176 <= held <= 199


def test_a_line_through_one_length_is_none():
    slope, extra = _lines(np.full((1, 5), 3.0), np.arange(5.0)[None, :])
    assert np.isnan(slope).all()
    assert np.isnan(extra).all()
