"""The real command line, and simulated hosts for it to meet."""

import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest
from forked import Nursery

from providers.simulator.spawn import spawn

HOSTS = ("ourtoken", "openrouter", "zai")


class Desk:
    """A folder in which somebody types `h2h`; runs are not calibrated, for speed."""

    calibrates = False

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        self.folder, self._nursery = folder, nursery
        self.db = folder / "h2h.db"

    def start(self, *words, env=None, stdout=subprocess.PIPE):
        if words[0] == "run" and not self.calibrates:
            words = ("run", "--no-calibrate", *words[1:])
        kept = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
        env = kept | {"COLUMNS": "80"} | (env or {})
        return self._nursery.start([*map(str, words)], self.folder, env, stdout)

    def __call__(self, *words, env=None, code=0):
        """Carry a command out; its exit code is `code`, or among them.

        An open loop may end with 4 as well as 0: a busy machine keeps no schedule.
        """
        process = self.start(*words, env=env)
        out, err = process.communicate(timeout=120)
        codes = code if isinstance(code, set) else {code}
        assert process.returncode in codes, (words, process.returncode, out, err)
        assert "Traceback" not in err
        return Said(out, err)

    def rows(self, sql, *given):
        """Return what a query over the database says, as dicts."""
        db = sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)
        db.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in db.execute(sql, given)]
        finally:
            db.close()


class Said:
    """What a command printed."""

    def __init__(self, out: str, err: str) -> None:
        self.out, self.err = out, err

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(scope="session")
def nursery():
    found = Nursery()
    yield found
    found.close()


@pytest.fixture
def desk(tmp_path, nursery):
    return Desk(tmp_path, nursery)


@pytest.fixture(scope="session")
def simulated():
    """Three quick simulated hosts in a process of their own."""
    with spawn(HOSTS, ttft_ms=20, gap_ms=1, tokens=8) as urls:
        yield urls


@pytest.fixture(scope="session")
def who(simulated, tmp_path_factory):
    """Return the words that name all three, each with its own dialect."""
    job = tmp_path_factory.mktemp("jobs") / "hosts.toml"
    job.write_text(
        "\n".join(
            f'[[provider]]\nname = "{name}"\ndialect = "{name}"\n'
            f'base_url = "{url}"\nmodel = "glm-5.2"'
            for name, url in simulated.items()
        )
    )
    return [job, "--ui", "none"]
