import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import HOSTS, run_row, timing, timings

from compare.judge.summary import summarise
from compare.show import tables, words

HOSTILE = "\x1b]0;owned\x07[red]x[/red]\u202e\x9b31m"


def shown(renderable, *, width=80, encoding="utf-8"):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    tables.console(stream, width).print(renderable)
    stream.flush()
    return raw.getvalue().decode(encoding)


def summary(hosts, found, **changes):
    return shown(tables.summary(run_row(hosts, **changes), summarise(found)))


def line(text, label):
    (found,) = [each for each in text.splitlines() if each.startswith(label)]
    return found[len(label) :].split("  ")


def cells(text, label):
    return [cell.strip() for cell in line(text, label) if cell.strip()]


@pytest.mark.parametrize("n_hosts", [1, 2, 3, 4, 5, 8])
def test_a_summary_fits_80_columns(n_hosts):
    hosts = [f"openrouter@somebody/fp8-{n}-with-a-long-tail" for n in range(n_hosts)]
    text = summary(hosts, timings(hosts, n=3))
    assert max(len(each) for each in text.splitlines()) <= 80
    assert text.isascii() or "…" in text
    assert not set(text) & set("│┃─━╭|")


def test_a_summary_says_n_success_date_and_what_failed():
    text = summary(HOSTS, timings(n=200, fail={"zai": 0.1}))
    assert "2026-11-03 09:00 UTC" in text
    assert "done, valid" in text
    assert cells(text, "requests") == ["200"] * 3
    ok = cells(text, "ok")
    assert ok[:2] == ["100 %", "100 %"]
    failed = round(200 * (1 - float(ok[2].split()[0]) / 100))
    assert f"zai: not ok: {failed} rate_limited" in text
    assert "n/a" not in "".join(cells(text, "TTFT p95 ms"))


def test_too_few_samples_and_unknowns_say_why():
    rows = [timing(n, ttft_ms=1.0, cost_usd=None) for n in range(7)]
    text = summary(["ourtoken"], rows)
    assert cells(text, "TTFT p50 ms") == ["n/a (n=7 < 11)"]
    assert cells(text, "TTFT p95 ms") == ["n/a (n=7 < 130)"]
    assert cells(text, "USD per 1,000 requests") == ["n/a (7 unpriced)"]
    assert cells(text, "checks passed") == ["n/a (no checks)"]
    assert cells(text, "cache hit") == ["n/a (not stated)"]
    unstreamed = [timing(n, stream_label="not_streamed") for n in range(20)]
    assert cells(summary(["a"], unstreamed), "TTFT p50 ms") == ["n/a (not streamed)"]


def test_what_was_our_own_doing_is_said_aloud():
    rows = [
        timing(0),
        timing(1, outcome="interrupted", blame="client"),
        timing(2, outcome="dropped", blame="client"),
    ]
    text = " ".join(summary(["ourtoken"], rows).split())
    assert "interrupted by us: 1" in text
    assert "lower bounds" in text
    assert "not counted: 1" in text
    assert cells(summary(["ourtoken"], rows), "ok") == ["100 %"]


def test_steps_and_scenarios_have_a_table_each():
    rows = timings(n=2) + timings(n=2, step=1, first=50)
    rows += timings(n=2, scenario="ping", first=100)
    text = summary(HOSTS, rows)
    assert "scenario chat-1k, load step 0" in text
    assert "scenario chat-1k, load step 1" in text
    assert "scenario ping" in text


def test_a_run_still_going_and_an_empty_one_say_so():
    text = summary(HOSTS, [], status="running", reasons='["slow", {"text": "late"}]')
    assert "still running" in text
    assert "no measured request" in text
    assert "because: slow" in text
    assert "because: late" in text


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_no_name_steers_a_terminal_or_breaks_a_pipe(encoding):
    hosts = [HOSTILE, "日本語-ホスト", "x" * 300]
    rows = timings(hosts, n=2, scenario=HOSTILE)
    both = tables.summary(run_row(hosts, run_id=HOSTILE), summarise(rows))
    found = [
        *(
            shown(each, encoding=encoding)
            for each in (both, tables.runs([run_row(hosts)], {}))
        ),
    ]
    for text in found:
        assert not any(c < " " and c != "\n" for c in text)
        assert not set(text) & set("\x7f\x9b\u202e")
        assert "[red]" in text  # as text, not as a colour


def test_runs_are_listed_with_their_counts():
    row = run_row(validity="degraded")
    text = shown(tables.runs([row], {row.run_id: 1234}))
    assert row.run_id in text
    assert "1,234" in text
    assert "degraded" in text
    assert "2026-11-03 09:00" in text


@given(st.text(max_size=300), st.integers(5, 60))
def test_plain_text_is_short_printable_and_on_one_line(text, limit):
    found = words.plain(text, limit)
    assert len(found) <= limit
    assert all(c.isprintable() or c == "\u3000" for c in found)
    assert words.plain(found, limit) == found


@given(st.lists(st.text(max_size=60), max_size=12, unique=True))
def test_labels_tell_all_names_apart(names):
    found = words.labels(names, 12)
    assert list(found) == names
    assert len(set(found.values())) == len(names)
    assert all(0 < len(label) <= 12 for label in found.values())


@pytest.mark.parametrize(
    ("share", "text"),
    [(1, "100 %"), (0, "0 %"), (0.9999, "99.9 %"), (0.0001, "0.1 %"), (0.5, "50.0 %")],
)
def test_only_all_is_100_percent(share, text):
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234"), (56.78, "56.8"), (9.996, "10.0"), (1.5, "1.50"), (0, "0.00"),
     (0.012, "0.012")],
)  # fmt: skip
def test_numbers(value, text):
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "$0.000"), (1234.5, "$1,234.50"), (1.5, "$1.500"), (0.42, "$0.4200"),
     (0.000123456, "$0.0001235")],
)  # fmt: skip
def test_money(value, text):
    assert words.usd(value) == text


def test_names_of_a_run_may_be_texts_or_tables():
    assert words.names_in('["a", "b"]') == ["a", "b"]
    assert words.names_in('[{"name": "a"}]') == ["a"]
    assert words.names_in('{"a": 1}') == ["a"]
    assert words.names_in("[]") == []
