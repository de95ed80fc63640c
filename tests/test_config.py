"""Jobs: what a file and flags mean, and how each mistake is told."""

import json
from pathlib import Path

import msgspec
import pytest

from compare.run.attend import context
from compare.run.config import Flags, read
from compare.run.hosts import remarks, with_key
from compare.run.mistakes import JobError, SetupError
from compare.run.prepare import prepare
from compare.run.record import differences, redacted, restored
from data.prices import PriceError
from providers.provider import root_url
from scenarios.request import ScenarioError

INVALID = Path(__file__).parent / "invalid" / "jobs"

# Each broken file, and what its message must say beside the file's name.
SAYS = {
    "unknown-section": ["laod", "load"],
    "unknown-load-key": ["load", "concurency", "concurrency"],
    "unknown-provider-key": ["ourtoken", "base_ulr", "base_url"],
    "unknown-host": ["ourtokn", "'ourtoken'", "-p ourtokn=BASE_URL"],
    "unpinned-openrouter": ["openrouter@", "openrouter-auto"],
    "unknown-dialect": ["mine", "genric", "'generic'"],
    "unknown-effort-style": ["mine", "zia", "'zai'"],
    "no-model": ["mine", "set model"],
    "no-host": ["-p NAME"],
    "host-twice": ["ourtoken", "twice"],
    "provider-no-list": ["[[provider]]"],
    "bad-url": ["mine", "base_url", "https://"],
    "key-in-url": ["mine", "credentials", "api_key_env"],
    "key-in-header": ["headers.Authorization", "env:VARIABLE"],
    "key-for-variable": ["api_key_env", "NAME of an environment variable"],
    "wrong-type": ["ourtoken", "rpm"],
    "zero-rpm": ["rpm", "ourtoken", "positive"],
    "bad-price": ["ourtoken", "inptu", "input"],
    "unknown-scenario": ["chat-1", "chat-1k"],
    "scenario-override": ["chat-1k", "max_token", "max_tokens"],
    "zero-rate": ["load", "rate"],
    "two-lists": ["rate", "concurrency"],
    "bad-duration": ["load.duration", "soon", "5m"],
    "zero-deadline": ["deadlines.total", "above 0"],
    "unknown-deadline": ["deadlines", "first_tokn", "first_token"],
    "zero-budget": ["budget.run", "USD"],
    "unpriced-budget": ["mine", "--price", "price"],
    "bad-connection": ["probe.connection", "hot", "warm"],
    "not-yet": ["[serve]", "take it out"],
    "not-toml": ["TOML"],
    "bad-slo": ["slo.ttft", "500ms"],
    "bad-slo-key": ["tftt", "ttft"],
    "bad-thresholds": ["thresholds", "list"],
}
MISTAKES = (JobError, ScenarioError, PriceError)


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "job.toml"
    path.write_text(text)
    return path


def test_every_broken_file_has_its_expectation():
    assert {path.stem for path in INVALID.glob("*.toml")} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_a_broken_job_is_one_line_that_names_the_place_and_the_remedy(name):
    with pytest.raises(MISTAKES) as caught:
        read(INVALID / f"{name}.toml", Flags())

    message = str(caught.value)
    assert "\n" not in message
    assert "CANARY" not in message
    assert [word for word in SAYS[name] if word not in message] == []


def test_a_known_host_needs_only_its_name(tmp_path):
    job = read(toml(tmp_path, '[[provider]]\nname = "ourtoken"\n'), Flags())

    (host,) = job.providers
    assert (host.base_url, host.model) == ("https://api.ourtoken.ai/v1", "glm-5.2")
    assert host.api_key_env == "OURTOKEN_API_KEY"
    assert job.prices["ourtoken"].output_pusd == 2_640_000
    assert [scene.name for scene in job.scenarios] == ["chat-1k"]
    assert job.load.n_blocks == 100


def test_flags_win_over_the_file(tmp_path):
    path = toml(
        tmp_path,
        """
        [[provider]]
        name = "ourtoken"
        [[provider]]
        name = "zai"
        effort = "off"
        [[scenario]]
        name = "ping"
        [load]
        concurrency = 4
        max_requests = 7
        [budget]
        run = 1.5
        """,
    )

    job = read(
        path,
        Flags(
            providers=("zai",),
            scenarios=("chat-1k", "json-object"),
            max_tokens=9,
            budget="0.25",
            load={"concurrency": "1,8"},
        ),
    )

    assert [(host.name, host.effort) for host in job.providers] == [("zai", "off")]
    assert [s.request.max_tokens for s in job.scenarios] == [9, 9]
    assert job.load.concurrencies == (1, 8)
    assert job.load.n_blocks == 7
    assert job.budget_nusd == 250_000_000


def test_ad_hoc_hosts_are_generic_keyless_and_share_the_model():
    flags = Flags(providers=("a=http://127.0.0.1:1/v1/", "b=http://h:2/v1"), model="m")

    job = read(None, flags)

    assert [(h.name, h.dialect, h.model) for h in job.providers] == [
        ("a", "generic", "m"),
        ("b", "generic", "m"),
    ]
    assert all(with_key(host, {}).api_key is None for host in job.providers)


def test_api_key_env_names_the_variable_of_one_host_or_of_each():
    one = Flags(providers=("a=http://h:1/v1",), model="m", api_key_env=("KEY_A",))
    two = Flags(
        providers=("a=http://h:1/v1", "b=http://h:2/v1"),
        model="m",
        api_key_env=("a=KEY_A", "b=KEY_B"),
    )

    assert [h.api_key_env for h in read(None, one).providers] == ["KEY_A"]
    assert [h.api_key_env for h in read(None, two).providers] == ["KEY_A", "KEY_B"]
    with pytest.raises(JobError, match="NAME=VARIABLE"):
        read(None, Flags(providers=two.providers, model="m", api_key_env=("KEY",)))
    with pytest.raises(JobError, match="no such host"):
        read(None, Flags(providers=one.providers, model="m", api_key_env=("z=KEY",)))


def test_a_known_hosts_key_does_not_travel_to_another_address(tmp_path):
    moved = '[[provider]]\nname = "zai"\nbase_url = "https://proxy.example.com/v1"\n'

    (host,) = read(toml(tmp_path, moved), Flags()).providers
    assert host.api_key_env is None

    named = moved + 'api_key_env = "PROXY_KEY"\n'
    (host,) = read(toml(tmp_path, named), Flags()).providers
    assert host.api_key_env == "PROXY_KEY"


def test_a_list_price_belongs_to_the_listed_address():
    flags = Flags(providers=("ourtoken=http://127.0.0.1:1/v1",), model="glm-5.2")

    assert read(None, flags).prices == {}


def test_a_pinned_upstream_has_no_list_price_and_the_router_has():
    pinned = read(None, Flags(providers=("openrouter@deepinfra/fp8",)))
    router = read(None, Flags(providers=("openrouter-auto",)))

    assert (pinned.providers[0].pin, pinned.prices) == ("deepinfra/fp8", {})
    assert router.prices["openrouter-auto"].input_pusd == 930_000


def test_a_given_price_wins_over_the_list():
    flags = Flags(providers=("ourtoken",), prices=("ourtoken=1,2",))

    price = read(None, flags).prices["ourtoken"]

    assert (price.input_pusd, price.cache_read_pusd) == (1_000_000, None)


def test_a_missing_key_names_host_and_variable():
    (host,) = read(None, Flags(providers=("ourtoken",))).providers

    with pytest.raises(SetupError, match=r"ourtoken.*OURTOKEN_API_KEY.*export"):
        with_key(host, {})


def test_a_key_comes_from_the_variable_or_from_the_file_it_names(tmp_path):
    (host,) = read(None, Flags(providers=("ourtoken",))).providers
    path = tmp_path / "key"
    path.write_text("sk-from-file\n")

    from_variable = with_key(host, {"OURTOKEN_API_KEY": " sk-from-env\n"})
    from_file = with_key(host, {"OURTOKEN_API_KEY_FILE": str(path)})

    assert from_variable.api_key.reveal() == "sk-from-env"
    assert from_file.api_key.reveal() == "sk-from-file"
    with pytest.raises(SetupError, match="cannot be read"):
        with_key(host, {"OURTOKEN_API_KEY_FILE": str(tmp_path / "none")})
    with pytest.raises(SetupError, match="no key has"):
        with_key(host, {"OURTOKEN_API_KEY": "sk-ключ"})


def test_secret_headers_come_from_the_environment(tmp_path):
    path = toml(
        tmp_path,
        """
        [[provider]]
        name = "mine"
        base_url = "https://example.com/v1"
        model = "m"
        headers = { x-team = "search", api-key = "env:MY_KEY" }
        """,
    )
    (host,) = read(path, Flags()).providers

    ready = with_key(host, {"MY_KEY": "sk-CANARYCANARY"})

    sent = {name: value.reveal() for name, value in ready.secret_headers.items()}
    assert sent == {"api-key": "sk-CANARYCANARY"}
    # What stands in the job is no secret: it would be masked in every answer.
    assert ready.headers == {"x-team": "search"}
    assert "CANARY" not in repr(ready)
    with pytest.raises(SetupError, match="MY_KEY"):
        with_key(host, {})


@pytest.mark.parametrize(
    "name", ["Authorization", "x-api-key", "Cookie", "X-Auth-Token", "My-Password"]
)
def test_a_header_that_would_hold_a_key_never_stands_in_a_job(tmp_path, name):
    table = (
        '[[provider]]\nname = "mine"\nbase_url = "https://h/v1"\nmodel = "m"\n'
        f'headers = {{ {name} = "%s" }}\n'
    )
    with pytest.raises(JobError, match=f"headers.{name} .*env:VARIABLE"):
        read(toml(tmp_path, table % "hush-hush"), Flags())
    with pytest.raises(JobError, match=r"NAME of an environment") as told:
        read(toml(tmp_path, table % "env:gsk_0123456789abcdef"), Flags())
    assert "gsk_" not in str(told.value)
    assert read(toml(tmp_path, table % "env:MY_KEY"), Flags())


@pytest.mark.parametrize("key", ["sk-0123456789", "gsk_0123456789abcdefgh", "a b"])
def test_a_key_for_the_name_of_a_variable_is_not_repeated(key):
    flags = Flags(providers=("a=http://h/v1",), model="m", api_key_env=(f"a={key}",))
    with pytest.raises(JobError) as told:
        read(None, flags)
    assert key not in str(told.value)


def test_spaces_around_a_key_are_taken_off_and_said(tmp_path):
    (host,) = read(None, Flags(providers=("ourtoken",))).providers
    path = tmp_path / "key"
    path.write_text("sk-from-file\n")
    name = "OURTOKEN_API_KEY"

    assert remarks(host, {name: "sk-good"}) == []
    assert remarks(host, {f"{name}_FILE": str(path)}) == []
    assert remarks(host, {}) == []
    for odd in (" sk-good", "sk-good\n", "sk-good\r\n", "\tsk-good"):
        assert with_key(host, {name: odd}).api_key.reveal() == "sk-good"
        (said,) = remarks(host, {name: odd})
        assert said.startswith(f"{name}: spaces")
        assert "sk-good" not in said
    path.write_text("\n sk-from-file\n\n")
    (said,) = remarks(host, {f"{name}_FILE": str(path)})
    assert said.startswith(f"{name}_FILE=")


@pytest.mark.parametrize(
    "text", ["sk-one\nsk-two\n", "sk-\u043a\u043b\u044e\u0447", "\x00"]
)
def test_a_file_that_holds_no_single_key_is_refused(tmp_path, text):
    (host,) = read(None, Flags(providers=("ourtoken",))).providers
    path = tmp_path / "key"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SetupError, match=r"OURTOKEN_API_KEY_FILE=.*no key has") as told:
        with_key(host, {"OURTOKEN_API_KEY_FILE": str(path)})
    assert "sk-" not in str(told.value)


def test_the_stored_job_holds_no_key_and_no_header_value(tmp_path):
    path = toml(
        tmp_path,
        """
        [[provider]]
        name = "mine"
        base_url = "https://example.com/v1"
        model = "m"
        api_key_env = "MY_KEY"
        headers = { x-team = "hush-hush" }
        proxy = "http://me:hush-hush@127.0.0.1:3128"
        extra_body = { token = "sk-hush-hush-hush" }
        """,
    )

    stored = str(redacted(read(path, Flags()), "salt"))

    assert "MY_KEY" in stored
    assert "127.0.0.1:3128" in stored
    assert "hush-hush" not in stored


@pytest.mark.parametrize("text", ["a b", "=http://h/v1", "a=", "../x=http://h/v1"])
def test_a_bad_host_flag_is_told(text):
    with pytest.raises(JobError, match="NAME=BASE_URL"):
        read(None, Flags(providers=(text,), model="m"))


def test_a_path_is_no_base_url():
    (host,) = read(
        None, Flags(providers=("a=https://h/v1/chat/completions",), model="m")
    ).providers

    assert root_url(host.base_url) == "https://h/v1"


def test_a_job_comes_back_from_what_is_stored_of_it(tmp_path):
    path = toml(
        tmp_path,
        """
        [[provider]]
        name = "mine"
        base_url = "https://example.com/v1"
        model = "m"
        api_key_env = "MY_KEY"
        headers = { api-key = "env:OTHER_KEY" }
        extra_body = { user = "me", n = [1, 2.5] }
        price = { input = "1", output = "2" }
        rpm = 60
        [[provider]]
        name = "openrouter@deepinfra/fp8"
        [[scenario]]
        name = "chat-1k"
        prompt_tokens = 99
        deadlines = { connect = "2s" }
        [[scenario]]
        name = "cache-pair"
        gap = "1s"
        [load]
        rate = [1, 2]
        duration = "5s"
        connection = "cold"
        workers = 2
        [deadlines]
        total = "1m"
        [budget]
        day = 5
        [slo]
        ttft = "1.5s"
        tpot = 50
        """,
    )
    path.write_text(f'thresholds = ["errors<1%"]\n{path.read_text()}')
    given = Flags(thresholds=("ttft:p95<2s",), prices=("openrouter@deepinfra/fp8=1,2",))
    job = msgspec.structs.replace(read(path, given), source="job.toml")
    stored = json.loads(json.dumps(redacted(job, "salt")))
    prices = json.loads(msgspec.json.encode(job.prices))

    again = restored(stored, prices, "run X")

    assert again.thresholds == ("errors<1%", "ttft:p95<2s")
    assert again.slo == {"ttft": 1500.0, "tpot": 50.0}
    for name in job.__struct_fields__:
        if name != "scenarios":
            assert getattr(again, name) == getattr(job, name), name
    ours, theirs = ([s.scenario_version for s in j.scenarios] for j in (job, again))
    assert ours == theirs
    assert differences(redacted(again, "other salt"), stored) == []
    other = msgspec.structs.replace(again, workers=1, scenarios=again.scenarios[::-1])
    assert differences(redacted(other, "salt"), stored) == [
        "scenarios (their order)",
        "workers",
    ]


def test_the_nearest_word_on_a_deadline_holds(tmp_path):
    """A [[scenario]]'s before the job's, that before its file's, that before ours."""
    path = toml(
        tmp_path,
        """
        [[provider]]
        name = "mine"
        base_url = "https://example.com/v1"
        model = "m"
        [[scenario]]
        name = "ping"
        deadlines = { connect = "2s" }
        [[scenario]]
        name = "chat-1k"
        [deadlines]
        connect = "3s"
        total = "9s"
        """,
    )
    job = read(path, Flags())
    rows = context(prepare(job), 0).deadlines
    usual = {"headers": 60.0, "token_gap": 60.0, "total": 9.0}
    assert {name: json.loads(text) for name, text in rows.items()} == {
        "ping": {**usual, "connect": 2.0, "first_token": 30.0},
        "chat-1k": {**usual, "connect": 3.0, "first_token": 300.0},
    }
    again = restored(json.loads(json.dumps(redacted(job, "salt"))), {}, "run X")
    assert context(prepare(again), 0).deadlines == rows


@pytest.mark.parametrize("lacking", ["load", "providers", "deadlines"])
def test_a_stored_job_that_cannot_be_read_is_told(lacking):
    job = read(None, Flags(providers=("a=http://h/v1",), model="m"))
    stored = redacted(job, "salt")
    del stored[lacking]

    with pytest.raises(JobError, match="run X: its stored job cannot be read"):
        restored(stored, {}, "run X")
