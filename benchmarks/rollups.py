"""How fast a year of probes is looked at: `python -m benchmarks.rollups`.

20 hosts x 3 scenarios every 5 minutes are 6.3 million rows a year. They are not made:
their 525,600 roll-ups are, directly, and the rows of the last day, since whatever a
page asks is answered from these. Each query is asked five times; the slowest is told.
"""

import random
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks.__main__ import a_row
from compare.judge.series import series
from compare.judge.uptime import availabilities
from data import history, rollup
from data.query import open_reader
from data.rollup import HOUR_MS, Rollup
from data.row import RunRow
from data.store import Store

HOSTS = [f"host-{n:02}" for n in range(20)]
SCENARIOS = ("ping", "chat-1k", "cache")
HOURS, EACH = 365 * 24, 12
LAST = 495_000
NOW_MS = LAST * HOUR_MS + HOUR_MS * 2 // 3
LIMIT_MS = 200


def an_hour(host: str, scenario: str, hour: int, draw: random.Random) -> Rollup:
    """Return the roll-up of twelve plausible rows."""
    bad = draw.random() < 0.02
    ok = EACH - bad
    times = [Counter(draw.choices(range(520, 620), k=ok)) for _ in range(3)]
    return Rollup(
        provider=host, scenario=scenario, hour=hour, n=EACH, ok=ok, at_fault=int(bad),
        excused=0, last_ok_ms=hour * HOUR_MS + 3_300_000,
        outcomes=Counter({"ok": ok, "timeout_total": int(bad)}),
        blames=Counter({"provider": int(bad)}), models=Counter({"glm-5.2": ok}),
        prompt_tokens=12_000, cached_tokens=3_000, cacheable_tokens=12_000,
        completion_tokens=700, n_usage=ok, cost_nusd=9_000_000, n_priced=ok,
        cost_reported_nusd=0, n_reported=0, ttft=times[0], e2e=times[1], tpot=times[2],
    )  # fmt: skip


def fill(path: Path) -> None:
    """Make a year's roll-ups and the rows of its last day."""
    draw = random.Random(7)
    run = RunRow(
        run_id="RUN", kind="probe", started_at="2026-06-20T00:00:00.000+00:00",
        status="running", plan_hash="p", job="{}", versions="{}", machine="{}",
        providers="[]", scenarios="[]", seed=0,
    )  # fmt: skip
    pairs = [(host, scenario) for host in HOSTS for scenario in SCENARIOS]
    with Store.open(path) as store:
        store.begin_run(run)
        for n in range(24 * EACH * len(pairs)):
            host, scenario = pairs[n % len(pairs)]
            at_ms = NOW_MS - 24 * HOUR_MS + n // len(pairs) * 300_000
            store.emit(
                msgspec.structs.replace(
                    a_row(n), provider=host, scenario=scenario, at_ms=at_ms
                )
            )
            if n % 50_000 == 0:
                store.flush()
    conn = sqlite3.connect(path)
    with conn:
        for hour in range(LAST - HOURS + 1, LAST + 1):
            rollup.put(conn, [an_hour(*pair, hour, draw) for pair in pairs])
    conn.close()


def main() -> None:
    """Print a line a query, and fail where one takes too long."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "h2h.db"
        fill(path)
        print(f"{path.stat().st_size / 1e6:.0f} MB")
        db = open_reader(path)
        year, month = (LAST - HOURS + 1, LAST + 1), (LAST - 30 * 24, LAST + 1)
        week = (LAST - 7 * 24, LAST + 1)
        asked: dict[str, Callable[[], object]] = {
            "availability of all hosts over 1h, 24h, 7d, 30d": lambda: availabilities(
                db, NOW_MS
            ),
            "strip of 90 days of all hosts": lambda: history.strip(db, 90, NOW_MS),
            "7 days of all hosts": lambda: [
                series(db, h, None, week, 24) for h in HOSTS
            ],
            "30 days of a host by the hour": lambda: series(db, HOSTS[3], None, month),
            "a year of a host by the day": lambda: series(db, HOSTS[3], None, year, 24),
            "latest row of each": lambda: history.latest(db),
            "last answer of each": lambda: history.last_ok(db),
            "latest events": lambda: history.events(db, 20),
        }
        slow = [name for name, ask in asked.items() if _told(name, ask) > LIMIT_MS]
        db.close()
    if slow:
        raise SystemExit(f"over {LIMIT_MS} ms: {', '.join(slow)}")


def _told(name: str, ask: Callable[[], object]) -> float:
    took = []
    for _ in range(5):
        start = time.perf_counter()
        ask()
        took.append((time.perf_counter() - start) * 1e3)
    print(f"{max(took):7.1f} ms  {name}")
    return max(took)


if __name__ == "__main__":
    main()
