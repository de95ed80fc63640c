"""Long prompts on the real command line, within a budget."""

import pytest

from providers.simulator.spawn import spawn
from scenarios.hay import rung_of


@pytest.fixture(scope="module")
def able():
    with spawn(
        ["generic"], ttft_ms=1, gap_ms=0, tokens=4, answers="ctx-ladder"
    ) as urls:
        yield urls["generic"]


def job(desk, url, scenario):
    path = desk.folder / "job.toml"
    path.write_text(
        f"""
[[provider]]
name = "sim"
base_url = "{url}"
model = "glm-5.2"
price = {{ input = 1.0, output = 2.0 }}

[[scenario]]
name = "ctx-ladder"
{scenario}
"""
    )
    return path


def test_rungs_are_asked_as_far_as_the_budget_reaches(desk, able):
    path = job(desk, able, "sizes = [32000, 128000, 256000]\ndepths = [0.5]")
    # A prompt of n tokens has at most 6.7 bytes a token: the worst case of the rungs is
    # 0.21, 0.85 and 1.7 USD a request, their true price 0.032, 0.128 and 0.256.
    said = desk("run", path, "-n", 12, "--budget", 1.6, "--ui", "none", code=5)
    rows = desk.rows("select case_id, passed, prompt_tokens from requests order by seq")
    assert [rung_of(row["case_id"]).tokens for row in rows] == [
        *[32000] * 4,
        *[128000] * 4,
    ]
    assert all(row["passed"] for row in rows), "the host knows the answers"
    assert "recall in ctx-ladder: sim" in said.out
    (found,) = desk("show", "--json").json["ladders"]
    assert {cell["tokens"] for cell in found["cells"]} == {32000, 128000}
    assert found["cut_from"] is None


def test_a_million_tokens_are_asked_for_and_found(desk, able):
    path = job(desk, able, "sizes = [1000000]\ndepths = [0.9]")
    said = desk("run", path, "-n", 1, "--ui", "none", code=2)
    assert "prompts of 1,000,000 tokens, and no budget" in said.err
    desk("run", path, "-n", 1, "--dry-run")
    desk("run", path, "-n", 1, "--ui", "none", "--budget", 10)
    (row,) = desk.rows("select * from requests")
    assert (row["outcome"], row["passed"]) == ("ok", 1)
    assert 999_000 < row["prompt_tokens"] <= 1_000_000


def test_where_nothing_is_billed_no_budget_is_asked_for(desk, able):
    path = job(desk, able, "sizes = [128000]\ndepths = [0.9]")
    path.write_text(path.read_text().replace("price =", "# price ="))
    desk("run", path, "-n", 1, "--ui", "none")
    assert len(desk.rows("select * from requests")) == 1
