"""Code that a model wrote is run after the measured part, in a sandbox or never."""

import asyncio
import json
import os
import signal
import sqlite3
from contextlib import closing

import pytest

from scenarios.sandbox import NoSandboxError, find
from tests.byteserver import DONE, STOP, ByteServer, said, stream, used

SCENE = """
name = "double"

[request]
max_tokens = 64

[prompt]
user = "Write double(n)."

[[check]]
kind = "contains"
text = "def double"

[[check]]
kind = "code"
reference = "def double(n): return 2 * n"
tests = [{ value = "double(2)" }, { value = "double(3)" }, { value = "double(0)" }]
"""
RIGHT = "```python\ndef double(n):\n    return n + n\n```"
WRONG = "```python\ndef double(n):\n    return n * n\n```"
EVIL = "```python\nimport os\ndef double(n):\n    os._exit(print('PASS'))\n```"


def answers(*texts):
    return [(stream(said(text), STOP, used(), DONE),) for text in texts]


async def ran(desk, *words, texts=(), code=0, env=None):
    (desk.folder / "double.toml").write_text(SCENE)
    async with ByteServer(*answers(*texts)) as host:
        given = ["-p", f"mine={host.url}", "--model", "m", "-s", "double.toml", "-c", 1]
        return await asyncio.to_thread(
            desk, "run", *given, "--ui", "none", *words, code=code, env=env
        )


def found(desk):
    checks = desk.rows("select * from checks where name = 'code' order by seq")
    rows = desk.rows("select seq, passed, score from requests order by seq")
    return checks, rows


@pytest.fixture
def box():
    try:
        find()
    except NoSandboxError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("box")
async def test_code_is_judged_when_all_is_sent(desk):
    said = await ran(desk, "-n", 4, texts=[RIGHT, WRONG, EVIL, "no"])
    checks, rows = found(desk)
    assert [row["passed"] for row in rows] == [1, 0, 0, 0]
    assert [row["score"] for row in rows] == pytest.approx([1, 5 / 6, 1 / 2, 0])
    assert [check["passed"] for check in checks] == [1, 0, 0, 0]
    assert [check["score"] for check in checks] == pytest.approx([1, 2 / 3, 0, 0])
    assert "double(3) is 9" in checks[1]["detail"]
    assert checks[0]["answer"] is None
    assert json.loads(checks[1]["answer"])["content"] == WRONG
    assert "4 checks after the run: 1 passed" in said.err


@pytest.mark.usefixtures("box")
async def test_what_waits_when_a_run_dies_is_judged_when_it_is_resumed(desk):
    await ran(desk, "-n", 2, texts=[RIGHT, WRONG])
    told = found(desk)
    kept = json.dumps({"content": RIGHT, "tool_calls": [], "finish_reason": "stop"})
    with closing(sqlite3.connect(desk.db)) as db, db:
        db.execute(
            "update checks set passed = null, score = null, detail = null, "
            "answer = coalesce(answer, ?) where name = 'code'",
            (kept,),
        )
        db.execute("update requests set passed = null, score = null")
        db.execute("update runs set status = 'crashed', validity = null")
    await asyncio.to_thread(desk, "run", "--resume", "latest", "--ui", "none")
    assert found(desk) == told


async def test_without_a_sandbox_nothing_is_run_and_no_host_is_blamed(desk):
    said = await ran(desk, "-n", 2, texts=[RIGHT, "no"], env={"PATH": "/nowhere"})
    checks, rows = found(desk)
    assert [row["passed"] for row in rows] == [None, 0]
    assert {check["passed"] for check in checks} == {None}
    assert all("skipped: no sandbox: bwrap" in check["detail"] for check in checks)
    assert "2 not made: skipped: no sandbox" in said.err


@pytest.mark.usefixtures("box")
async def test_a_key_that_a_host_puts_into_code_is_not_kept(desk):
    key = "sk-canary-0123456789abcdef"
    text = WRONG.replace("n * n", f"n * n  # {key}")
    await ran(desk, "-n", 1, "--api-key-env", "MY_KEY", texts=[text],
              env={"MY_KEY": key})  # fmt: skip
    (check,), _ = found(desk)
    assert "def double" in check["answer"]
    assert key.encode() not in desk.db.read_bytes()


@pytest.mark.usefixtures("box")
async def test_ctrl_c_while_code_is_judged_leaves_the_rest_for_later(desk):
    slow = (
        "```python\nimport time\ntime.sleep(0.4)\ndef double(n):\n    return 2 * n\n```"
    )
    (desk.folder / "double.toml").write_text(SCENE)
    async with ByteServer(*answers(slow)) as host:
        given = ["-p", f"mine={host.url}", "--model", "m", "-s", "double.toml"]
        process = await asyncio.to_thread(
            desk.start, "run", *given, "-n", 40, "-c", 4, "--ui", "none"
        )
        await asyncio.to_thread(some_judged, desk)
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert process.returncode == 130, err
    assert "--resume" in err
    assert 0 < judged(desk) < 40
    await asyncio.to_thread(desk, "run", "--resume", "latest", "--ui", "none")
    assert judged(desk) == 40


def some_judged(desk):
    while not (desk.db.exists() and judged(desk)):
        os.sched_yield()


def judged(desk):
    sql = "select count(*) as n from checks where name = 'code' and passed = 1"
    try:
        return desk.rows(sql)[0]["n"]
    except sqlite3.OperationalError:  # it is just being made
        return 0
