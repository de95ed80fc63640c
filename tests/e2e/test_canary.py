"""A key goes through every verb, to hosts that give it back in every place.

No byte of what comes out may hold it; and without the guard each place would.
"""

import asyncio
import base64
import json
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import AsyncExitStack, closing, contextmanager
from urllib.parse import quote

import pytest
from byteserver import (
    DONE,
    FIN,
    LAST,
    STALL,
    STOP,
    ByteServer,
    chunk,
    chunked,
    event,
    head,
    used,
    whole,
)
from canary import KEY, in_cells, in_folder, inflated, leaks, spellings

from compare.cli.main import VERBS, main
from providers.simulator.faults import FAULTS
from providers.simulator.host import SimulatedHost

NAMES = ("OURTOKEN", "OPENROUTER", "ZAI", "MINE")
ENV = {f"{name}_API_KEY": KEY for name in NAMES}

DEBUG = """
import logging
logging.basicConfig(level=1)
for name in ("asyncio", "aiohttp", "aiohttp.client", "compare"):
    logging.getLogger(name).debug("is heard")
from compare.cli.main import main
main()
"""
UNGUARDED = """
import providers.limits, providers.reader, compare.run.conduct, compare.run.measure
for module in (providers.limits, providers.reader, compare.run.conduct,
               compare.run.measure):
    for name in ("mask", "hide", "redact"):
        if hasattr(module, name):
            setattr(module, name, lambda text, *_, **__: text)
from compare.cli.main import main
main()
"""


def echoes(key):
    """Return scripts of a host that gives something back in every place there is."""
    half = len(key) // 2
    text = json.dumps(key)[1:-1]
    fields = [f"X-RateLimit-Note: {key}", f"Retry-After: {key}", f"X-Request-Id: {key}",
              f"Set-Cookie: a={key}", f"X-Generation-Id: {key}"]  # fmt: skip
    call = {"index": 0, "id": key, "function": {"name": key, "arguments": key[:half]}}
    more = {"index": 0, "function": {"arguments": key[half:]}}
    pieces = [
        f": {key}\n\n".encode(),
        f"id: {key}\nevent: {key}\n".encode(),
        chunk({"content": key[:half]}, id=key, model=key, provider=key,
              system_fingerprint=key, service_tier=key),
        chunk({"content": key[half:], "reasoning": f"a {key} b", "tool_calls": [call]}),
        chunk({"tool_calls": [more]}),
        chunk(finish=key), used(echo=key), DONE,
    ]  # fmt: skip
    body = b"".join(pieces)
    cut = body.index(text.encode()) + half
    error = {"error": {"message": f"no {key}", "code": key, "type": key, "param": key,
                       "metadata": {"raw": key, "provider_name": key}}}  # fmt: skip
    said = json.dumps(error).encode()
    page = f"<html><title>{key}</title>{key}</html>".encode()
    answer = json.dumps({"id": key, "model": key, "choices": [
        {"message": {"content": key}, "finish_reason": key}]}).encode()  # fmt: skip
    start = head("200 OK", "text/event-stream", *fields)
    return [
        # The whole stream with the key cut in two by reads, and by HTTP chunks.
        [start + chunked(body[:cut]), b"", chunked(body[cut:]) + LAST],
        [start + chunked(chunk({"content": "ok"}), event(error)) + LAST],
        [start + chunked(chunk({"content": "ok"}), f"data: {key}".encode()), FIN],
        [start + chunked(STOP.replace(b"stop", b"error")) + LAST],
        [whole(answer, "200 OK", "application/json", *fields)],
        *([whole(said, f"{status} {key[:3]}", "application/json", *fields)]
          for status in (400, 401, 402, 403, 404, 422, 429, 500, 503, 529)),
        [whole(said)],
        [whole(page, "502 Bad", "text/html")],
        [whole(page, "200 OK", "text/html")],
        [whole(f'{{"detail": "{text}'.encode(), "200 OK")],
        *([whole(b"", "302 Found", "text/html", f"Location: {where}")]
          for where in (f"http://127.0.0.1:9/{key}", f"http://a:{key}@h/", f"//{key}/",
                        f"http://h/?key={key}", f"http://h/#{key}")),
        # Where an excerpt is cut off, by whichever of the limits.
        *([whole(b"x" * (limit - len(key) + 7) + key.encode() * 3, "500 Oops", "x/y")]
          for limit in (512, 2000, 4096, 65_536)),
        [whole(b"x" * (512 - 9) + key.encode() * 9, "200 OK", "text/html")],
        [whole((key * 99).encode(), "500 Oops", "text/plain")],
        # Responses that are no HTTP, for the client library to complain of.
        [f"HTTP/1.1 200 {key}\r\n{key}\r\n\r\n".encode(), FIN],
        [f"{key}\r\n\r\n".encode(), FIN],
        [head() + f"{key}\r\n{key}\r\n".encode(), FIN],
        [head("200 OK", f"{key}/{key}", f"{key}: {key}", "Transfer-Encoding: chunked")
         + b"0\r\n\r\n", FIN],
        [head("200 OK", "x", f"Content-Length: {key}", close=True), FIN],
        [head("200 OK", "x", f"Content-Encoding: {key}", close=True) + page, FIN],
        [start + chunked(chunk({"content": "ok"}, id=key)), STALL],
    ]  # fmt: skip


JOB = """
[deadlines]
total = "300ms"
first_token = "300ms"
token_gap = "100ms"

[[scenario]]
name = "ping"
"""
HOST = """
[[provider]]
name = "{name}"
dialect = "{dialect}"
model = "glm-5.2"
base_url = "{url}"
api_key_env = "MINE_API_KEY"
headers = {{ x-extra = "env:MINE_API_KEY" }}
extra_body = {{ user = "{extra}" }}
"""


def job(folder, urls, extra=KEY):
    text = JOB + "".join(
        HOST.format(name=name, url=url, extra=extra, dialect=name.partition("-")[0])
        for name, url in urls.items()
    )
    (folder / "job.toml").write_text(text)
    return folder / "job.toml"


@contextmanager
def watched(folder):
    """Look into every file of a folder as long as the block runs."""
    seen, found, over = set(), {}, threading.Event()

    def look():
        while not over.wait(0.04):
            found.update(in_folder(folder, seen, look=bytes))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen, found
    finally:
        over.set()
        thread.join()


def typed(folder, code, *words, python=(), env=ENV):
    """Run `h2h` with other words around it; return its exit code and all it says."""
    kept = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    done = subprocess.run(
        [sys.executable, *python, "-c", code, *map(str, words)],
        cwd=folder, env=kept | env | {"COLUMNS": "80", "PYTHONASYNCIODEBUG": "1"},
        stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


RUN = ("run", "job.toml", "--no-calibrate", "-v", "-c", "1", "--tag", f"note={KEY}",
       "--max-tokens", "64")  # fmt: skip
QUIET = "from compare.cli.main import main; main()"


async def asked(folder, scripts, code=QUIET, python=(), **how):
    """Run against a host that plays each script once, and say what came of it."""
    async with ByteServer(*scripts) as server:
        path = job(folder, {"generic": server.url}, **how)
        path.chmod(0o600)
        status, said = await asyncio.to_thread(
            typed, folder, code, *RUN, "-n", len(scripts), python=python
        )
        path.unlink()  # the one file that may hold it: the test's own mistake
        served = len(server.requests)
    return status, said, served


@pytest.mark.parametrize("first", [0, 1])
async def test_no_echo_of_a_key_comes_out_anywhere(tmp_path, first):
    """Every other spelling in one run: to start it takes longer than to echo."""
    words = [*spellings().values()][first::2]
    scripts = [script for word in words for script in echoes(word)]
    with watched(tmp_path) as (seen, found):
        status, said, served = await asked(tmp_path, scripts, extra="nobody")

    assert (status, served) == (0, len(scripts)), said.decode()
    assert {"h2h.db-wal", "h2h.db"} <= seen
    assert not found
    assert not leaks(said), said.decode()
    assert not in_folder(tmp_path)
    assert not in_cells(tmp_path / "h2h.db")


async def test_each_place_would_hold_the_key_without_the_guard(tmp_path):
    """Or the test above would show nothing."""
    scripts = echoes(KEY)
    _, said, served = await asked(tmp_path, scripts, code=UNGUARDED)

    assert served == len(scripts)
    assert leaks(said)
    assert in_folder(tmp_path)
    assert in_cells(tmp_path / "h2h.db") >= {
        "response_id", "model_served", "upstream", "system_fingerprint", "error_code",
        "error_excerpt", "finish_reason", "ratelimit", "usage_json", "job", "tags",
    }  # fmt: skip


async def test_a_key_that_stands_in_the_job_by_mistake_is_not_stored(tmp_path):
    status, said, _ = await asked(tmp_path, echoes(KEY)[:1])

    assert status == 0
    assert not leaks(said)
    assert not in_folder(tmp_path)


async def test_a_proxys_password_is_a_key_too(tmp_path):
    login = base64.b64encode(f"me:{KEY}".encode()).decode()
    scripts = [*echoes(KEY)[:9], *echoes(login)[:9], *echoes(f"me:{KEY}")[:9]]
    async with ByteServer(*scripts) as server:
        path = job(tmp_path, {"generic": "http://api.example.com/v1"}, extra="nobody")
        path.write_text(
            path.read_text().replace("MINE_API_KEY", "OTHER_KEY")
            + f'proxy = "http://me:{quote(KEY, safe="")}@127.0.0.1:{server.port}"\n'
        )
        status, said = await asyncio.to_thread(
            typed, tmp_path, QUIET, *RUN, "-n", 27, env={"OTHER_KEY": "another-key"}
        )
        assert server.requests[0][1]["proxy-authorization"] == f"Basic {login}"
    path.unlink()

    assert (status, len(server.requests)) == (0, 27), said.decode()
    assert not leaks(said), said.decode()
    assert not in_folder(tmp_path)
    assert not in_cells(tmp_path / "h2h.db")


async def test_what_a_host_says_cannot_steer_the_terminal_of_a_run(tmp_path):
    hostile = "\x1b[2J\x1b]0;x\x07\x9b31m\u202e\x08"
    _, said, served = await asked(tmp_path, echoes(hostile), extra="nobody")

    assert served == len(echoes(hostile))
    assert not {c for c in said.decode() if not c.isprintable()} - {"\n"}
    with closing(sqlite3.connect(tmp_path / "h2h.db")) as db:
        kept = db.execute("SELECT group_concat(error_excerpt) FROM requests")
        assert {"\x1b", "\x9b", "\u202e"} < set(kept.fetchone()[0])


@pytest.mark.parametrize("python", [(), ("-X", "dev")], ids=["plain", "dev"])
async def test_no_level_of_logging_shows_the_key(tmp_path, python):
    status, said, _ = await asked(tmp_path, echoes(KEY), DEBUG, python, extra="nobody")

    assert status == 0
    assert said.count(b"is heard") == 4
    assert not leaks(said), said.decode()


async def test_every_fault_of_the_simulated_hosts_keeps_the_key_in(tmp_path):
    async with AsyncExitStack() as stack:
        hosts = [
            await stack.enter_async_context(
                SimulatedHost("generic", fault=fault, key=KEY, ttft_ms=5, gap_ms=1)
            )
            for fault in FAULTS
        ]
        urls = {
            f"generic-{name}": host.base_url
            for name, host in zip(FAULTS, hosts, strict=True)
        }
        job(tmp_path, urls, extra="nobody")
        status, said = await asyncio.to_thread(typed, tmp_path, QUIET, *RUN, "-n", 2)

    assert status == 0, said.decode()
    assert not leaks(said)
    assert not in_folder(tmp_path)
    assert not in_cells(tmp_path / "h2h.db")


SENDING = [
    ["run", "job.toml", "--json", "--no-calibrate", "-n", "2"],
    ["run", "job.toml", "--workers", "2", "-c", "2", "-n", "2"],
    ["probe", "job.toml", "--every", "100ms", "--for", "150ms"],
    ["doctor", "job.toml", "--connect"], ["selftest"], ["demo", "-n", "2"],
]  # fmt: skip
READING = [
    ["runs"], ["runs", "--json"], ["show"], ["show", "--json"],
    ["compare", "latest"], ["compare", "latest", "--json"],
    ["chart", "--format", "svg", "-o", "svg"],
    *(["chart", "latest", "errors", "--format", form, "-o", form]
      for form in ("png", "pdf")),
    *(["export", "--format", form, "-o", f"rows.{form}"]
      for form in ("csv", "jsonl", "markdown", "parquet")),
    ["report"], ["export"], ["export", "--csv-raw"], ["export", "--format", "jsonl"],
    ["export", "--summary"], ["usage"], ["usage", "--json"],
    ["prices"], ["prices", "--json"], ["providers"], ["providers", "--json"],
    ["scenarios"], ["scenarios", "--json"], ["scenarios", "show", "ping"],
    ["doctor"], ["doctor", "--json"], ["doctor", "job.toml", "--json"],
    ["run", "job.toml", "--dry-run", "--json"], ["init", "-o", "new.toml"],
    ["simulate", "--list-faults"], ["runs", "rm", "latest"], ["show", "nosuch"],
]  # fmt: skip


def test_every_verb_is_among_these():
    assert {verb for verb, *_ in SENDING + READING} == set(VERBS)


async def test_every_verb_keeps_the_key_in(tmp_path, monkeypatch, capfdbinary):
    """One folder, a host that echoes, and one verb after the other."""
    scripts = echoes(KEY)
    async with ByteServer(*scripts, scripts[0]) as server:
        job(tmp_path, {"generic": server.url, "zai": server.url}, extra="nobody")
        for verb in [[*RUN, "-n", len(scripts) // 2 + 1], *SENDING]:
            status, said = await asyncio.to_thread(typed, tmp_path, QUIET, *verb)
            harmless(verb, status, said)
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.setenv(f"{name}_API_KEY", KEY)
    for verb in READING:
        with pytest.raises(SystemExit) as left:
            main(verb)
        harmless(verb, left.value.code, b"".join(capfdbinary.readouterr()))

    assert not in_folder(tmp_path)
    made = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert {
        ".html",
        ".png",
        ".svg",
        ".pdf",
        ".csv",
        ".jsonl",
        ".markdown",
        ".parquet",
    } <= made


def harmless(verb, status, said):
    assert status in {0, 2, 3, 4}, (verb, said.decode())
    assert b"Traceback" not in said, (verb, said.decode())
    assert not leaks(said), (verb, said.decode())


async def test_keys_by_file_and_with_spaces_are_said_and_kept_in(tmp_path):
    (tmp_path / "outside").mkdir()
    key = tmp_path / "outside" / "key"
    key.write_text(f"  {KEY}\n\n")
    folder = tmp_path / "work"
    folder.mkdir()
    async with ByteServer(*echoes(KEY)) as server:
        job(folder, {"generic": server.url}, extra="nobody")
        (folder / "job.toml").write_text(
            (folder / "job.toml").read_text().replace("MINE_API_KEY", "FILED_KEY")
        )
        status, said = await asyncio.to_thread(
            typed, folder, QUIET, *RUN, "-n", 2, env={"FILED_KEY_FILE": str(key)}
        )
        assert server.requests[0][1]["authorization"] == f"Bearer {KEY}"

    assert status == 0, said.decode()
    assert b"spaces or line ends around the key were taken off" in said
    assert not leaks(said)
    assert not in_folder(folder)


def test_the_look_into_files_finds_what_is_there(tmp_path):
    """Or the charts above would show nothing."""
    from made import run_row, subject_of, timings

    from compare.show.charts import draw

    name = KEY[:20]
    for form in ("svg", "pdf"):
        picture = draw(
            "errors", subject_of(timings([name], n=3), run_row([name])), form
        )
        assert leaks(inflated(picture)), form
