"""What a service has seen, read back: windows, strips, series, and what is latest."""

import numpy as np
import pytest
from made import run_row
from test_rollup import HOUR, NOON, failed, row

from compare.judge import uptime
from compare.judge.series import series
from data import histogram, history
from data.events import EventRow
from data.history import Counts
from data.query import open_reader
from data.store import Store

MINUTE = 60_000


@pytest.fixture
def told(tmp_path):
    """Return what stores rows and opens the database that has them."""

    def tell(rows, events=()):
        path = tmp_path / "h2h.db"
        with Store.open(path) as store:
            store.begin_run(run_row(kind="probe"))
            for each in rows:
                store.emit(each)
            for event in events:
                store.note(event)
        readers.append(open_reader(path))
        return readers[-1]

    readers = []
    yield tell
    for reader in readers:
        reader.close()


def test_availability_leaves_out_what_is_not_the_hosts_doing():
    assert uptime.of(Counts(n=10, ok=6, at_fault=2, excused=2)).share == 0.75
    assert uptime.of(Counts(n=3, ok=0, at_fault=0, excused=3)).share is None
    assert uptime.of(Counts(n=2, ok=1, at_fault=0)).share == 1.0  # nobody knows whose


def test_a_window_begins_where_it_says_and_not_at_the_hour(told):
    # An answer a minute for four hours; the host fails from 10 to 20 past each hour.
    rows = [
        failed(n, "provider", NOON + n * MINUTE)
        if 10 <= n % 60 < 20
        else row(n, NOON + n * MINUTE)
        for n in range(240)
    ]
    db = told(rows)
    now = NOON + 239 * MINUTE + 1
    hour = uptime.availabilities(db, now)["a"]["1h"]
    assert hour.n == 60  # from 59 past to 58 past: all of one hour's failures
    assert hour.share == pytest.approx(50 / 60)
    quarter = history.counts(db, now - 45 * MINUTE, now)[("a", "ping")]
    assert (quarter.n, quarter.at_fault) == (45, 5)
    assert quarter.last_ok_ms == NOON + 239 * MINUTE
    month = uptime.availabilities(db, now)["a"]["30d"]
    assert (month.n, month.share) == (240, pytest.approx(200 / 240))


def test_windows_agree_with_the_raw_rows_wherever_they_begin(told):
    rows = [
        (failed if n % 7 == 0 else lambda seq, _blame, at: row(seq, at))(
            n, "provider", NOON + n * 7 * MINUTE
        )
        for n in range(60)
    ]
    db = told(rows)
    now = NOON + 8 * HOUR
    for since in range(NOON - HOUR, now, 13 * MINUTE):
        inside = [each for each in rows if since <= each.at_ms]
        found = history.counts(db, since, now).get(("a", "ping"), Counts())
        assert found.n == len(inside)
        assert found.ok == sum(each.outcome == "ok" for each in inside)
        ms, blobs = history.spread(db, "ttft", ("a", "ping"), since, now)
        n = len(ms) + sum(histogram.unpack(blob).total() for blob in blobs)
        assert n == found.ok


def test_a_host_that_was_not_probed_is_unknown_and_not_up(told):
    db = told([row(0, NOON)])
    later = uptime.availabilities(db, NOON + 48 * HOUR)["a"]
    assert later["24h"] == uptime.Availability(share=None, n=0)
    assert later["7d"].share == 1.0


def test_a_strip_has_a_cell_a_day_that_was_probed(told):
    day = 24 * HOUR
    db = told([row(0, NOON), failed(1, "provider", NOON + day), row(2, NOON + 3 * day)])
    found = history.strip(db, 90, NOON + 3 * day)["a"]
    first = NOON // day
    assert [(d - first, c.n, c.at_fault) for d, c in sorted(found.items())] == [
        (0, 1, 0), (1, 1, 1), (3, 1, 0),
    ]  # fmt: skip
    assert len(history.strip(db, 3, NOON + 3 * day)["a"]) == 2


def test_the_latest_row_and_the_last_answer_of_each(told):
    db = told(
        [row(0, NOON), failed(1, "provider", NOON + 5), row(2, NOON, provider="b"),
         failed(3, "provider", NOON, ) , row(4, NOON - 9, scenario="chat-1k"),
         row(5, NOON, provider="c", outcome="timeout_total", blame="provider")]
    )  # fmt: skip
    found = {(one.provider, one.scenario): one for one in history.latest(db)}
    assert history.probed(db) == sorted(found)
    assert (found["a", "ping"].outcome, found["a", "ping"].seq) == ("http_error", 1)
    assert found["a", "ping"].ttft_ms is None
    assert found["b", "ping"].ttft_ms == 200.0
    assert history.last_ok(db) == {"a": NOON, "b": NOON, "c": None}


def test_a_series_pools_and_never_averages(told):
    rng = np.random.default_rng(1)
    times = rng.lognormal(5, 0.5, 300)
    rows = [
        row(n, NOON + n * MINUTE, first_token_ns=10**9 + int(ms * 1e6),
            cached_tokens=None if n % 2 else 50, cost_nusd=None if n % 3 else 900)
        for n, ms in enumerate(times)
    ]  # fmt: skip
    rows.append(failed(900, "account", NOON + 10 * HOUR))
    cached = sum(50 for each in rows if each.cached_tokens == 50) + 25
    db = told(rows)
    hours = (NOON // HOUR, NOON // HOUR + 24)
    found = series(db, "a", None, hours, step=24 * 40)  # one point of all
    assert found.n.tolist() == [301.0]
    for q, name in ((0.5, "p50"), (0.95, "p95")):
        exact = np.quantile(times, q, method="inverted_cdf")
        assert abs(getattr(found, name)[0] / exact - 1) < histogram.ERROR + 1e-6
    asked = 100 * (cached - 25) // 50 + 100
    assert found.cache_hit.tolist() == [cached / asked]
    assert found.cost_usd.tolist() == [9e-7]
    assert found.errors.tolist() == [0.0]
    hourly = series(db, "a", "ping", hours)
    assert hourly.n.tolist() == [60.0] * 5 + [1.0]
    assert hourly.at_ms.tolist()[:2] == [NOON, NOON + HOUR]
    assert np.isnan(
        [hourly.availability[-1], hourly.p50[-1], hourly.cost_usd[-1]]
    ).all()
    exact = np.quantile(times[60:120], 0.5, method="inverted_cdf")
    assert abs(hourly.p50[1] / exact - 1) < histogram.ERROR + 1e-6
    assert series(db, "a", "none", hours).n.tolist() == []


def test_events_come_newest_first_and_by_host(told):
    made = [
        EventRow(
            event_id=str(n), at_ms=n, kind="change", provider="ab"[n % 2],
            subject="ttft", text="t",
        )
        for n in range(4)
    ]  # fmt: skip
    db = told([], made)
    assert [event.event_id for event in history.events(db, 3)] == ["3", "2", "1"]
    assert [event.event_id for event in history.events(db, 9, "a")] == ["2", "0"]


def test_a_column_that_does_not_exist_is_refused(told):
    db = told([])
    with pytest.raises(ValueError, match="no such columns: hour; drop"):
        list(history.lines(db, ["hour; drop"], "a", None, (0, 1)))
    with pytest.raises(ValueError, match="no such times"):
        history.spread(db, "x", ("a", "b"), 0, 1)
