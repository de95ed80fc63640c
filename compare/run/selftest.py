"""Prove what is claimed of the bench, here and now, on hosts that know the truth."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from compare.run import claims
from compare.run.claims import Claim
from compare.run.conduct import conduct
from compare.run.config import Job
from compare.run.prepare import prepare
from data import prices, query
from data.row import Row
from data.store import Store, StoreError
from providers.provider import Provider
from providers.simulator.host import SimulatedHost
from providers.simulator.profile import PROFILES
from providers.simulator.spawn import spawn
from providers.simulator.truth import read_truth
from scenarios.load import Load
from scenarios.scenario import Scenario, load, override

ROOT = Path(__file__).resolve().parents[2]
HOSTS = ("exact", "ourtoken", "openrouter", "zai")
RATE = 100.0
FAULTS: Mapping[str, str] = {
    "http_401": "auth_error",
    "http_429_rate": "rate_limited",
    "http_429_overloaded": "overloaded",
    "http_429_quota": "quota",
    "http_502_html": "http_error",
    "cut": "truncated",
    "stall": "timeout_token_gap",
    "mid_stream_error": "provider_error",
    "html_200": "wrong_answer_type",
    "empty": "empty",
}
"""What each of ten faults must come out as."""
SETTLED_NS = 1_000_000_000
"""Rows are committed every 250 ms: older ones than this must have survived a kill."""
FIRST_ROW_S = 20.0


async def prove(folder: Path) -> AsyncIterator[Claim]:
    """Yield the claims one after the other, each measured on this machine, now.

    `folder` takes the databases and the truth. Nothing leaves the machine. Raises
    ProviderError when the simulated hosts do not start.
    """
    truth = folder / "truth.jsonl"
    dials: dict[str, Any] = {"truth": truth, "ttft_ms": 40, "gap_ms": 4, "tokens": 16}
    with spawn(HOSTS, **dials) as urls:
        for claim in await _answers(folder, urls, truth):
            yield claim
        yield await _faults(folder)
        for claim in await _schedule(folder, urls):
            yield claim
        yield _kill(folder, urls["exact"], truth)


async def _answers(folder: Path, urls: dict[str, str], truth: Path) -> list[Claim]:
    """Ask four hosts the same in sessions of two turns, and compare with their logs."""
    scenario = override(
        load("cache-pair"), prompt_tokens=300, gap=0.05, effort="high", max_tokens=64
    )
    load_ = Load(concurrencies=(2,), max_requests=40)
    job = _job([_host(name, urls[name]) for name in HOSTS], scenario, load_)
    rows = await _run(job, folder / "answers.db")
    pairs = claims.paired(rows, read_truth(truth))
    return [
        *claims.times(pairs),
        *claims.counts(pairs),
        claims.blocks(rows, HOSTS),
    ]


async def _faults(folder: Path) -> Claim:
    """Ask a host with each fault; they are in this process, since no time is judged."""
    async with AsyncExitStack() as stack:
        hosts = []
        for fault in FAULTS:
            sick = SimulatedHost("zai", fault=fault, ttft_ms=5, gap_ms=1)
            host = await stack.enter_async_context(sick)
            hosts.append(_host(fault, host.base_url, dialect="zai"))
        job = _job(hosts, load("chat-1k"), Load(max_requests=1))
        job = msgspec.structs.replace(job, deadlines={"token_gap": 0.3})
        rows = await _run(job, folder / "faults.db")
    return claims.outcomes({row.provider: row.outcome for row in rows}, FAULTS)


async def _schedule(folder: Path, urls: dict[str, str]) -> list[Claim]:
    load_ = Load(rates=(RATE,), arrival="poisson", max_requests=200)
    job = _job([_host("exact", urls["exact"])], load("ping"), load_)
    return claims.arrivals(await _run(job, folder / "arrivals.db"), RATE)


def _kill(folder: Path, url: str, truth: Path) -> Claim:
    """Kill a run with no warning at a random moment, and look at what it left."""
    db = folder / "killed.db"
    with _child(db, url) as child:
        began = time.perf_counter_ns()
        stored = _first_row(db, child)
        if stored:
            time.sleep(random.uniform(0.5, 1.5))
        child.send_signal(signal.SIGKILL)
        killed = time.perf_counter_ns()
        child.wait()
    if not stored:
        return claims.exact("nothing lost on kill -9", [], "the run never stored a row")
    safe = {
        each.response_id
        for each in read_truth(truth)
        if began < each.received_ns and each.end_ns < killed - SETTLED_NS
    }
    return _survived(db, safe)


def _survived(db: Path, safe: set[str | None]) -> Claim:
    with closing(query.open_reader(db)) as reader:
        (integrity,) = reader.execute("PRAGMA integrity_check").fetchone()
        run = query.run(reader, "latest")
        rows = list(query.rows(reader, run.run_id))
        checked = {check.seq for check in query.checks(reader, run.run_id)}
    kept = {row.response_id for row in rows}
    right = [
        integrity == "ok",
        run.status == "crashed",
        *(each in kept for each in sorted(map(str, safe))),
        *(_whole(row) and row.seq in checked for row in rows),
    ]
    detail = (
        f"answers lost or rows broken; run {run.status}, integrity {integrity}, "
        f"{len(rows)} rows"
    )
    return claims.exact("nothing lost on kill -9", right, detail)


def _whole(row: Row) -> bool:
    texts = (row.params, row.load, row.flags)
    return all(json.loads(text) is not None for text in texts) and bool(row.outcome)


@contextmanager
def _child(db: Path, url: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Start `h2h run` in a process of its own, which goes on until it is ended."""
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(ROOT), known] if known else [str(ROOT)])
    code = "from compare.cli.main import main; main()"
    words = ["run", "-p", f"exact={url}", "--model", "exact", "-s", "ping", "-c", "8"]
    more = ["-n", "1000000", "--db", str(db), "--ui", "none", "--no-calibrate"]
    child = subprocess.Popen(  # noqa: S603 - ourselves, no shell
        [sys.executable, "-P", "-c", code, *words, *more],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path},
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def _first_row(db: Path, child: "subprocess.Popen[bytes]") -> bool:
    """Wait until the child has stored a row; False when it ends or takes too long."""
    end = time.monotonic() + FIRST_ROW_S
    while time.monotonic() < end and child.poll() is None:
        try:
            with closing(query.open_reader(db)) as reader:
                if query.counts(reader):
                    return True
        except (StoreError, sqlite3.Error):
            pass  # not there yet, or being made just now
        time.sleep(0.05)
    return False


async def _run(job: Job, db: Path) -> list[Row]:
    """Carry out a job as `h2h run` does, and return its rows as stored."""
    run = prepare(job, "selftest")
    with Store.open(db) as store:
        await conduct(run, store)
    with closing(query.open_reader(db)) as reader:
        return list(query.rows(reader, run.run_id))


def _job(hosts: list[Provider], scenario: Scenario, load_: Load) -> Job:
    billed = {name: PROFILES[name].price for name in HOSTS}
    given = {
        name: prices.parse(f"{name}={price.input},{price.output},{price.cached}")
        for name, price in billed.items()
        if price is not None and name in {host.name for host in hosts}
    }
    return Job(
        providers=tuple(hosts),
        prices=given,
        scenarios=(scenario,),
        load=load_,
    )


def _host(name: str, url: str, dialect: str | None = None) -> Provider:
    spoken = dialect or ("generic" if name == "exact" else name)
    return Provider(name=name, dialect=spoken, base_url=url, model="glm-5.2")
