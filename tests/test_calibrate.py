"""compare.run.calibrate: the bench's own error, and what is made of it."""

import json
import socket
import subprocess
import sys
import time

import pytest
from made import run_row, timing

from compare.judge.contrast import NO_DIFFERENCE, contrasts, floors
from compare.run.calibrate import (
    LONGEST_S,
    MOST_STREAMS,
    _errors,
    _floor,
    calibrate,
    metronome,
    streams_of,
)
from compare.run.config import Job
from compare.run.descriptors import SPARE, make_room, needed
from compare.run.mistakes import SetupError
from compare.show import tables
from compare.show import verdicts as shown
from compare.show.words import exactness
from providers.outcome import Outcome
from providers.provider import Provider
from providers.reply import Reply, Stamps
from scenarios.load import Load
from scenarios.scenario import load

MS = 1_000_000
FLOOR = {"streams": 8, "n": 90, "ttft_p50_ms": 0.3, "ttft_p99_ms": 5.0,
         "gap_p99_ms": 0.5, "tpot_p99_ms": 0.1}  # fmt: skip


def job(hosts=2, **shape):
    return Job(
        providers=tuple(
            Provider(name=str(n), dialect="generic", base_url="http://h", model="m")
            for n in range(hosts)
        ),
        prices={},
        scenarios=(load("ping"),),
        load=Load(**shape),
    )


async def test_the_bench_measures_itself_within_two_seconds():
    began = time.monotonic()
    with metronome() as host:
        floor = await calibrate(host, 4)
    took = time.monotonic() - began

    assert took < LONGEST_S + 1
    assert floor.streams == 4
    assert floor.n >= 11
    # Bytes cannot come before they leave; the rest is what this machine is worth.
    assert 0 < floor.ttft_p50_ms <= floor.ttft_p99_ms < 1_000
    assert 0 < floor.gap_p99_ms < 1_000
    assert 0 < floor.tpot_p99_ms < 1_000
    assert host[0].poll() is not None


def python(code):
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


@pytest.mark.parametrize(
    "code",
    [
        "pass",
        "print('no port')",
        "print(9, flush=True)",
        "import time; time.sleep(99)",
    ],
)
async def test_a_host_that_does_not_work_gives_no_figure(code):
    with python(code) as process:
        assert await calibrate((process, time.monotonic() - 1.3), 2) is None


async def test_a_host_that_says_nothing_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code = f"print({silent.getsockname()[1]}, flush=True)"
        began = time.monotonic()
        with python(code) as process:
            assert await calibrate((process, began - 1.5), 2) is None

    assert time.monotonic() - began < 3


def answer(*, late_ms=(0, 0, 0), sent=0):
    wrote = [20 * MS, 25 * MS, 30 * MS]
    seen = [at + round(late * MS) for at, late in zip(wrote, late_ms, strict=True)]
    return Reply(
        outcome=Outcome.OK,
        stamps=Stamps(sent=sent),
        timeline=((1, 0), *((at, 1) for at in seen), (31 * MS, 0)),
        content="".join(f"{2 * MS}:{at} " for at in wrote),
    )


def test_errors_are_ours_less_the_truth():
    ttft, gaps, tpot = _errors(answer(late_ms=(1, 2, 5)))

    assert ttft == 3.0  # two on the way there, one on the way back
    assert gaps == [1.0, 3.0]
    assert tpot == 2.0


def test_an_answer_that_lacks_tokens_says_nothing():
    assert _errors(Reply(outcome=Outcome.TIMEOUT_TOTAL)) is None
    assert (
        _errors(Reply(outcome=Outcome.OK, content="1:2 ", timeline=((3, 1),))) is None
    )


def test_a_floor_takes_the_size_of_errors_at_p99():
    errors = [(0.5, [-3.0, 0.1], 0.0)] * 50 + [(-0.4, [0.0, 0.0], -2.0)] * 10
    floor = _floor(7, errors)

    assert (floor.streams, floor.n, floor.ttft_p50_ms) == (7, 60, 0.5)
    assert (floor.ttft_p99_ms, floor.gap_p99_ms, floor.tpot_p99_ms) == (0.5, 3.0, 2.0)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ({}, 2),
        ({"concurrencies": (3,)}, 6),
        ({"concurrencies": (1, 4)}, 8),
        ({"concurrencies": (500,)}, MOST_STREAMS),
        ({"rates": (0.1,)}, 1),
        ({"rates": (4.0,)}, 8),
        ({"rates": (4.0,), "concurrencies": (2,)}, 4),
        ({"rates": (900.0,)}, MOST_STREAMS),
    ],
)
def test_as_many_streams_as_the_run_will_have(shape, wanted):
    assert streams_of(job(**shape)) == wanted


# ----------------------------------------------------- what is made of the floor


def pairs(ours, theirs, n=30, **changes):
    found = []
    for block in range(n):
        what = {"block": block, **changes}
        noise = block % 7 / 100
        for place, (host, ms) in enumerate((("a", theirs), ("b", ours))):
            figures = {"ttft_ms": ms + noise, "tpot_ms": ms / 10, "cost_usd": ms}
            figures["decode_tps"] = 10_000 / ms
            found.append(timing(2 * block + place, provider=host, **figures, **what))
    return found


def verdicts(ours, theirs, floor=FLOOR):
    found = contrasts(pairs(ours, theirs), floor_ms=floors(floor))
    return {each.metric: each.verdict for each in found}


def test_a_difference_below_the_floor_is_none():
    small = verdicts(104.0, 100.0)
    assert small["ttft"] == NO_DIFFERENCE
    # 0.4 ms a token is plenty.
    assert (small["tpot"], small["decode_tps"]) == ("slower", "slower")
    assert verdicts(105.1, 100.0)["ttft"] == "slower"
    assert verdicts(94.0, 100.0)["ttft"] == "faster"
    less = verdicts(100.5, 100.0)
    assert less["tpot"] == less["decode_tps"] == NO_DIFFERENCE
    assert less["cost"] is None
    assert verdicts(100.0, 100.0, None)["ttft"] == NO_DIFFERENCE


def test_a_table_says_that_it_is_below_the_floor():
    console = tables.console(width=80)
    with console.capture() as caught:
        found = contrasts(pairs(104.0, 100.0), floor_ms=floors(FLOOR))
        for part in shown.contrasts(found):
            console.print(part)
    text = caught.get()

    line = next(each for each in text.splitlines() if each.startswith("ttft"))
    assert "below the bench's floor" in line
    assert max(map(len, text.splitlines())) <= 80


def test_every_view_says_how_exact_the_bench_was():
    assert "not calibrated" in exactness(run_row())
    told = exactness(run_row(floor=json.dumps(FLOOR)))
    assert "0.30 ms (p99 5.00)" in told
    assert len(told) <= 80


# -------------------------------------------------------------- open files


def test_each_stream_needs_a_file():
    assert needed(job(hosts=3, concurrencies=(1, 400))) == 1_200 + SPARE


def test_the_soft_limit_is_raised_as_far_as_needed_and_no_further():
    script = """
import resource
from compare.run.descriptors import make_room
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 900))
make_room(100); print(resource.getrlimit(resource.RLIMIT_NOFILE))
make_room(700); print(resource.getrlimit(resource.RLIMIT_NOFILE))
make_room(901)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.stdout.splitlines() == ["(128, 900)", "(700, 900)"]
    assert "SetupError: this load may need 901 open files" in ended.stderr
    assert "lower --concurrency" in ended.stderr


def test_more_than_the_hard_limit_is_refused():
    resource = pytest.importorskip("resource")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        pytest.skip("no hard limit here")
    with pytest.raises(SetupError, match="ulimit -Hn"):
        make_room(hard + 1)
