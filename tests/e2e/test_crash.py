"""`kill -9` at random moments: what was stored is sound, and the rest is sent."""

import pytest

from benchmarks.crash import Storm
from providers.simulator.spawn import spawn

KILLS = 5
"""By seed; four seeds make 20 kills. `make soak` makes 200."""


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Return the address and the log of one quick host for all storms."""
    truth = tmp_path_factory.mktemp("crash") / "truth.jsonl"
    with spawn(["exact"], truth=truth, ttft_ms=5, gap_ms=1, tokens=2) as urls:
        yield urls["exact"], truth


@pytest.mark.parametrize("seed", range(4))
def test_170_a_kill_loses_at_most_the_last_batch_and_the_run_is_resumed(
    tmp_path, host, seed
):
    storm = Storm(tmp_path, *host, seed)
    storm.blow(KILLS)

    assert storm.kills == KILLS
    assert storm.runs >= 1
