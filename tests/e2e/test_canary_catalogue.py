"""A key goes through every fault of the catalogue, at a host that gives it back.

In every place that can hold a text and in every spelling; then through all that can
be made of the stored run.
"""

import asyncio
import os
import subprocess
import sys

import pytest
from byteserver import GOOD, stream
from canary import KEY, columns, disguises, in_cells, in_folder, leaks, spellings
from spiked import plays, spiked

from compare.cli.main import main
from providers.simulator.player import ByteHost, Send

WORDS = [*dict.fromkeys([*spellings().values(), *disguises().values()])]
RUNS = [(0, "generic", 1), (7, "openrouter", 30)]
"""Which spelling the first script takes, and at which level of logging."""

LOUD = """
import logging
logging.basicConfig(level={level})
for name in ("asyncio", "aiohttp", "aiohttp.client", "compare", "providers"):
    logging.getLogger(name).log({level}, "is heard")
from compare.cli.main import main
main()
"""
JOB = """
[deadlines]
connect = "2s"
headers = "400ms"
first_token = "400ms"
token_gap = "200ms"
total = "800ms"

[[scenario]]
name = "./asked.toml"

[[provider]]
name = "mine"
dialect = "{dialect}"
model = "glm-5.2"
base_url = "{url}"
api_key_env = "MINE_API_KEY"
headers = {{ x-extra = "env:MINE_API_KEY" }}
"""
ASKED = """
name = "asked"

[request]
max_tokens = 64
tools = [{ type = "function", function = { name = "look", parameters = {} } }]

[[case]]
user = "Look it up."

[[check]]
kind = "tool_call"
tool = "look"
arguments = { a = "b" }

[[check]]
kind = "json"
keys = ["a"]

[[check]]
kind = "equals"
text = "yes"
"""
READING = [
    ["runs"], ["runs", "--json"], ["show"], ["show", "--json"],
    ["compare", "latest"], ["compare", "latest", "--json"],
    *(["chart", "latest", "errors", "--format", form, "-o", form]
      for form in ("png", "svg")),
    *(["export", "--format", form, "-o", f"rows.{form}"]
      for form in ("csv", "jsonl", "parquet", "markdown")),
    ["export", "--csv-raw", "-o", "raw.csv"], ["usage"],
]  # fmt: skip


class Echo:
    """A host that plays each script once, whatever it is asked, and is well after."""

    def __init__(self, scripts):
        self.scripts = scripts
        self.n_asked = 0
        self.keys = set()

    def answer(self, asked):
        self.keys |= {asked.fields.get("authorization"), asked.fields.get("x-extra")}
        self.n_asked += 1
        if self.n_asked > len(self.scripts):
            return (Send(stream(*GOOD)),)
        return self.scripts[self.n_asked - 1]


def ran(folder, n, level):
    """Run `h2h run` with logging at a level; return its exit code and all it says."""
    kept = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    words = ("run", "job.toml", "--no-calibrate", "-v", "-c", "16", "-n", str(n))
    done = subprocess.run(
        [sys.executable, "-c", LOUD.format(level=level), *words],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
        env=kept | {"MINE_API_KEY": KEY, "COLUMNS": "80"}, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("turn", "dialect", "level"), RUNS)
async def test_no_fault_brings_a_key_out(
    tmp_path, turn, dialect, level, monkeypatch, capfdbinary
):
    host = Echo(spiked(WORDS[turn:] + WORDS[:turn]))
    async with ByteHost(host.answer) as server:
        (tmp_path / "asked.toml").write_text(ASKED)
        job = JOB.format(url=server.base_url, dialect=dialect)
        (tmp_path / "job.toml").write_text(job)
        # Some scripts swallow a request of their own, and on a busy machine some
        # requests are late before they are sent.
        n = len(host.scripts) + 150
        status, said = await asyncio.to_thread(ran, tmp_path, n, level)
    monkeypatch.chdir(tmp_path)
    for verb in READING:
        with pytest.raises(SystemExit) as left:
            main(verb)
        out = b"".join(capfdbinary.readouterr())
        assert left.value.code == 0, (verb, out.decode())
        said += out

    assert status == 0, said.decode()
    assert said.count(b"is heard") == 5
    assert host.n_asked >= len(host.scripts)
    assert host.keys == {f"Bearer {KEY}", KEY}
    stored = columns(tmp_path / "h2h.db")
    assert {name for name, cells in stored.items() if b"***" in cells} >= {
        "response_id", "model_served", "upstream", "system_fingerprint", "error_code",
        "error_excerpt", "finish_reason", "ratelimit", "usage_json", "detail",
    }  # fmt: skip
    assert {*stored["outcome"].split(b"\n\0")} >= {
        b"ok", b"truncated", b"rate_limited", b"redirect_refused", b"protocol_error",
    }  # fmt: skip
    assert not leaks(said), said.decode()
    assert not in_folder(tmp_path)
    assert not in_cells(tmp_path / "h2h.db")


def test_the_scripts_carry_the_word_in_nearly_every_fault():
    word = "ABRACADABRA"
    scripts = spiked([word])
    silent = [
        each
        for each in scripts[: len(plays())]
        if not any(word.encode() in getattr(action, "data", b"") for action in each)
    ]
    assert len(plays()) > 220
    assert len(scripts) > 2 * len(plays())
    assert len(silent) < 10, silent
