"""compare.show.jobfile: the file that a report gives makes the same run again."""

import json
from decimal import Decimal

import msgspec
import pytest
from made import run_row

from compare.run.config import Flags, read
from compare.run.prepare import prepare
from compare.run.record import differences, redacted
from compare.show.jobfile import recipe
from data.prices import from_table
from scenarios.plan import plan_hash

JOBS = {
    "known": '[[provider]]\nname = "ourtoken"\n[[provider]]\nname = "zai"\n',
    "by address": """
thresholds = ["errors<1%", "mine.ttft:p(95)<1500ms"]
[[provider]]
name = "mine"
base_url = "http://127.0.0.1:8000/v1/"
model = 'odd "model" \\ of ours'
api_key_env = "MINE"
rpm = 60
concurrency = 4
price = { input = "0.95", output = "3" }
headers = { x-key = "env:OTHER" }
extra_body = { service_tier = "priority", "a b" = [1, { c = true }] }
[[scenario]]
name = "chat-1k"
max_tokens = 99
prompt_tokens = 333
[[scenario]]
name = "ping"
[load]
rate = [1, 2.5]
arrival = "gamma"
burstiness = 0.5
duration = "90s"
warmup = 3
seed = 7
ramp = "5s"
workers = 2
connection = "cold"
[deadlines]
total = "5m"
[budget]
run = 2.5
day = 10
[slo]
ttft = 500
""",
}


def stored(job, **changes):
    """Return a run's line as it is stored, and the job that it came from."""
    kept = json.dumps(redacted(job, "salt"))
    fields = {"job": kept, "prices": msgspec.json.encode(dict(job.prices)).decode()}
    return run_row(**{**fields, **changes})


@pytest.mark.parametrize("name", JOBS)
def test_the_same_job_comes_back(name, tmp_path, monkeypatch):
    for variable in ("OURTOKEN_API_KEY", "ZAI_API_KEY", "MINE", "OTHER"):
        monkeypatch.setenv(variable, "x" * 20)
    first, again = tmp_path / "first.toml", tmp_path / "again.toml"
    first.write_text(JOBS[name])
    job = read(first, Flags())
    found = recipe(stored(job))
    assert found.command == "h2h run job.toml"
    again.write_text(found.job)
    twin = read(again, Flags())

    assert differences(redacted(twin, "salt"), redacted(job, "salt")) == []
    hashes = {plan_hash(prepare(each, salt="s").plan) for each in (job, twin)}
    assert len(hashes) == 1
    assert twin.prices == job.prices
    limits = [(each.budget_nusd, each.day_nusd) for each in (job, twin)]
    assert limits[0] == limits[1]


def test_a_given_price_keeps_every_digit(tmp_path):
    price = from_table({"input": "0.000001", "output": "123456.654321"}, name="a")
    path = tmp_path / "job.toml"
    path.write_text("""
[[provider]]
name = "a"
base_url = "http://127.0.0.1:1"
model = "m"
price = { input = "0.000001", output = "123456.654321" }
""")
    text = recipe(stored(read(path, Flags()))).job
    assert '"123456.654321"' in text
    assert price.output_pusd == int(Decimal("123456.654321") * 10**6)


def test_what_the_reader_has_to_bring_is_named(tmp_path, monkeypatch):
    (tmp_path / "own.jsonl").write_text('{"prompt": "Hello."}\n')
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "job.toml"
    path.write_text("""
[[provider]]
name = "mine"
base_url = "http://127.0.0.1:8000/v1"
model = "m"
api_key_env = "MINE"
headers = { x-other = "env:OTHER", x-plain = "word" }
proxy = "http://me:secret@127.0.0.1:3128"
[[scenario]]
name = "own.jsonl"
""")
    found = recipe(stored(read(path, Flags())))
    needs = "\n".join(found.needs)
    assert "a key for mine in MINE" in needs
    assert "a key for mine in OTHER" in needs
    assert "headers.x-plain of mine" in needs
    assert "proxy of mine" in needs
    assert "own.jsonl in version" in needs
    assert "secret" not in found.job
    assert "proxy" not in found.job


def test_a_demo_is_repeated_by_a_demo():
    job = {"providers": [{"name": "zai", "headers": {}}], "load": {"max_requests": 20},
           "scenarios": [{"name": "c", "version": "1", "source": "c"}]}  # fmt: skip
    assert recipe(run_row(kind="demo", job=json.dumps(job))).command == "h2h demo -n 20"


@pytest.mark.parametrize(
    "job",
    ["{}", '{"providers": 5}', '{"providers": [{}], "scenarios": [], "load": {}}',
     '{"providers": [{"name": 5, "headers": []}], "scenarios": [], "load": {}}'],
)  # fmt: skip
def test_what_is_no_job_of_ours_is_none(job):
    assert recipe(run_row(job=job)) is None


def test_a_text_cannot_leave_its_quotes_nor_hide():
    text = 'a"\n[load]\nseed = 1\u202e\x00\\'
    job = {"providers": [{"name": "x", "headers": {}, "model": text}], "scenarios": [],
           "load": {}}  # fmt: skip
    told = recipe(run_row(job=json.dumps(job))).job
    line = next(line for line in told.splitlines() if line.startswith("model"))
    assert line == (
        'model = "a\\"\\U0000000A[load]\\U0000000Aseed = 1\\U0000202E\\U00000000\\\\"'
    )
