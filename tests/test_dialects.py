"""One suite over all dialects: what they send, what they read, what they make of it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.dialect import Delta, ToolPart
from providers.generic import EFFORT
from providers.outcome import Blame, Outcome
from providers.provider import Provider
from providers.registry import DIALECTS, known
from scenarios.request import Request

TOOLS = ({"type": "function", "function": {"name": "f", "parameters": {}}},)
NAMES = sorted(DIALECTS)

each = pytest.mark.parametrize("dialect", [DIALECTS[n] for n in NAMES], ids=NAMES)


def host(dialect, **fields):
    given = {"name": "h", "base_url": "http://127.0.0.1/v1", "model": "m"}
    return Provider(dialect=dialect.name, **(given | fields))


def request(**fields):
    given = {"messages": ({"role": "user", "content": "hi"},), "max_tokens": 9}
    return Request(**(given | fields))


def body(dialect, *, provider=None, **fields):
    made = dialect.body(request(**fields), host(dialect, **(provider or {})))
    return msgspec.json.decode(msgspec.json.encode(made))


# ----------------------------------------------------------------------- requests


@each
def test_the_least_request_says_only_what_was_asked(dialect):
    assert body(dialect) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert "stream_options" not in body(dialect, stream=False)
    assert "stream_options" not in body(dialect, provider={"stream_usage": "always"})


@each
def test_everything_that_was_set_travels(dialect):
    asked = {
        "temperature": 0.0, "top_p": 1.0, "stop": ["x"], "seed": 0,
        "tool_choice": "auto", "response_format": {"type": "json_object"},
    }  # fmt: skip
    sent = body(dialect, tools=TOOLS, **(asked | {"stop": ("x",)}))
    assert asked.items() <= sent.items()
    assert sent["tools"] == list(TOOLS)


@each
def test_the_hosts_own_spellings_and_the_users_word_win(dialect):
    sent = body(
        dialect,
        provider={
            "max_tokens_field": "max_completion_tokens",
            "extra_body": {"top_k": 1, "stream_options": None},
        },
    )
    assert "max_tokens" not in sent
    assert (sent["max_completion_tokens"], sent["top_k"]) == (9, 1)
    assert sent["stream_options"] is None


@each
def test_an_effort_is_spelled_in_the_hosts_own_way(dialect):
    plain = body(dialect)
    assert body(dialect, effort="default") == plain
    for style, words in EFFORT.items():
        for effort, fields in words.items():
            sent = body(dialect, effort=effort, provider={"effort_style": style})
            assert sent == plain | fields
    by_host = body(dialect, provider={"effort": "off", "effort_style": "zai"})
    assert by_host["thinking"] == {"type": "disabled"}
    by_request = body(
        dialect, effort="high", provider={"effort": "off", "effort_style": "zai"}
    )
    assert by_request["reasoning_effort"] == "high"


@pytest.mark.parametrize(
    ("name", "off"),
    [
        ("zai", {"thinking": {"type": "disabled"}}),
        ("openrouter-auto", {"reasoning": {"enabled": False}}),
        ("deepinfra", {"reasoning": {"enabled": False}}),
        ("fireworks", {"reasoning_effort": "none"}),
        ("baseten", {"chat_template_args": {"enable_thinking": False}}),
        ("vllm", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("ourtoken", {}),
    ],
)
def test_each_known_host_has_its_own_words_for_not_thinking(name, off):
    provider = known(name)
    dialect = DIALECTS[provider.dialect]
    plain = dialect.body(request(), provider)
    assert dialect.body(request(effort="off"), provider) == plain | off


@each
def test_only_zai_asks_for_streamed_tool_arguments(dialect):
    asks = dialect.name == "zai"
    assert ("tool_stream" in body(dialect, tools=TOOLS)) == asks
    assert "tool_stream" not in body(dialect)
    assert "tool_stream" not in body(dialect, tools=TOOLS, stream=False)


@each
def test_only_openrouter_pins_its_upstream(dialect):
    sent = body(dialect, provider={"pin": "deepinfra/fp8"})
    if dialect.name == "openrouter":
        assert sent["provider"] == {
            "only": ["deepinfra/fp8"],
            "allow_fallbacks": False,
            "require_parameters": True,
        }
    else:
        assert "provider" not in sent
    assert "provider" not in body(dialect)


# ------------------------------------------------------------------------- chunks


def delta(dialect, said, **choice):
    return dialect.read({"choices": [{"delta": said, **choice}]})


@each
@pytest.mark.parametrize(
    ("said", "content", "reasoning"),
    [
        ({"content": "a"}, "a", ""),
        ({"content": ""}, "", ""),
        ({"content": None}, "", ""),
        ({"role": "assistant"}, "", ""),
        ({"content": [{"type": "text", "text": "a"}, {"text": "b"}, 3]}, "ab", ""),
        ({"content": [{"type": "thinking", "thinking": []}]}, "", ""),
        ({"refusal": "no"}, "no", ""),
        ({"reasoning": "r"}, "", "r"),
        ({"reasoning_content": "r"}, "", "r"),
        ({"reasoning": "r", "reasoning_content": "r"}, "", "r"),
        ({"reasoning": "r", "reasoning_details": [{"text": "r"}]}, "", "r"),
        ({"reasoning_details": [{"text": "r"}, {"summary": "s"}, {"data": "x"}]},
         "", "rs"),
        ({"reasoning_content": "", "content": "a"}, "a", ""),
        ({"reasoning": "r", "content": "a"}, "a", "r"),
        ({"tool_calls": None, "content": "a"}, "a", ""),
        ({"tool_calls": {}, "content": "a"}, "a", ""),
        ({"content": "<think>x</think>"}, "<think>x</think>", ""),
    ],
)  # fmt: skip
def test_text_is_read_once_under_whichever_name(dialect, said, content, reasoning):
    read = delta(dialect, said)
    assert (read.content, read.reasoning, read.tools) == (content, reasoning, ())


@each
@pytest.mark.parametrize(
    "chunk",
    [{}, {"choices": None}, {"choices": []}, {"choices": {}}, {"choices": [None]},
     {"choices": [{}]}, {"choices": [{"delta": None}]}, {"choices": [{"delta": 5}]},
     {"choices": [{"delta": {}, "finish_reason": None}]}, {"usage": None},
     {"usage": {}}, {"x_groq": None}, {"obfuscation": "xx"}],
)  # fmt: skip
def test_a_chunk_that_says_nothing_is_nothing(dialect, chunk):
    assert dialect.read(chunk) == Delta(foreign="choices" not in chunk)


@each
def test_what_cannot_be_text_is_odd(dialect):
    for odd in (None, 5, "x", []):
        assert dialect.read(odd).odd
    assert delta(dialect, {"content": 5}).odd
    assert not delta(dialect, {"content": "5"}).odd


@each
def test_a_whole_answer_reads_like_a_chunk(dialect):
    call = {"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}
    answer = {
        "id": "i", "model": "m", "provider": "U", "system_fingerprint": "fp",
        "choices": [{"message": {"content": "a", "tool_calls": [call]},
                     "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1},
    }  # fmt: skip
    read = dialect.read(answer)
    assert (read.content, read.finish, read.usage.prompt_tokens) == ("a", "stop", 1)
    assert read.tools == (ToolPart(None, "a", "f", '{"x":1}'),)
    assert (read.id, read.model, read.upstream, read.fingerprint) == (
        "i", "m", "U", "fp"
    )  # fmt: skip
    assert dialect.read({"choices": [{"text": "old"}]}).content == "old"


@each
@pytest.mark.parametrize(
    ("call", "part"),
    [
        ({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}},
         ToolPart(0, "a", "f", "{")),
        ({"index": 1, "id": "", "function": {"arguments": "}"}},
         ToolPart(1, None, None, "}")),
        ({"id": 7, "function": {"name": "f", "arguments": {"x": [1]}}},
         ToolPart(None, "7", "f", '{"x":[1]}')),
        ({"index": None, "function": None}, ToolPart(None, None, None, "")),
    ],
)  # fmt: skip
def test_tool_parts_in_every_shape(dialect, call, part):
    assert delta(dialect, {"tool_calls": [call, None, 3]}).tools == (part,)


@each
@pytest.mark.parametrize(
    ("chunk", "source"),
    [
        ({"choices": [], "usage": {"completion_tokens": 3}}, "final_chunk"),
        ({"choices": [{"delta": {}, "finish_reason": "stop"}],
          "usage": {"completion_tokens": 3}}, "finish_chunk"),
        ({"choices": [], "x_groq": {"usage": {"completion_tokens": 3}}}, "x_groq"),
        ({"usage": {"completion_tokens": 3},
          "x_groq": {"usage": {"completion_tokens": 9}}}, "final_chunk"),
    ],
)  # fmt: skip
def test_usage_says_where_it_stood(dialect, chunk, source):
    usage = dialect.read(chunk).usage
    assert (usage.completion_tokens, usage.source) == (3, source)


# -------------------------------------------------------------- errors and finishes

O, B = Outcome, Blame  # noqa: E741 - a table of outcomes reads better so
OPENAI = {"error": {"message": "m", "type": "t", "code": "rate_limit_exceeded"}}
MEANINGS = [
    ("generic", 429, OPENAI, O.RATE_LIMITED, B.ACCOUNT),
    ("generic", 429, {"error": {"message": "m", "code": "insufficient_quota"}},
     O.QUOTA, B.ACCOUNT),
    ("generic", 429, {"error": {"message": "overloaded"}}, O.OVERLOADED, B.PROVIDER),
    ("generic", 401, {"error": {"message": "no"}}, O.AUTH_ERROR, B.ACCOUNT),
    ("generic", 402, {"error": {"message": "no"}}, O.QUOTA, B.ACCOUNT),
    ("generic", 404, {"detail": "Not Found"}, O.HTTP_ERROR, B.ACCOUNT),
    ("generic", 404, {"error": {"code": "model_not_found"}}, O.MODEL_NOT_FOUND,
     B.ACCOUNT),
    ("generic", 400, {"error": {"code": "context_length_exceeded"}},
     O.CONTEXT_OVERFLOW, B.ACCOUNT),
    ("generic", 422, {"detail": [{"loc": ["body"], "msg": "x", "type": "y"}]},
     O.BAD_REQUEST, B.ACCOUNT),
    ("generic", 404, {"object": "error", "message": "The model `x` does not exist.",
                      "code": 404}, O.MODEL_NOT_FOUND, B.ACCOUNT),
    ("generic", 500, {"error": "boom"}, O.HTTP_ERROR, B.PROVIDER),
    ("generic", 502, None, O.HTTP_ERROR, B.PROVIDER),
    ("generic", 529, None, O.OVERLOADED, B.PROVIDER),
    ("generic", None, {"error": {"code": 429, "message": "m"}}, O.RATE_LIMITED,
     B.ACCOUNT),
    ("generic", None, {"error": {"code": 500, "message": "m"}}, O.PROVIDER_ERROR,
     B.PROVIDER),
    ("generic", None, {"error": {"code": 504, "message": "m"}}, O.PROVIDER_ERROR,
     B.PROVIDER),
    ("generic", None, {"error": {"status_code": 1008,
                                 "status_msg": "insufficient balance"}},
     O.QUOTA, B.ACCOUNT),
    ("ourtoken", 503, {"error": {"message": "x (request id: 1)",
                                 "type": "new_api_error", "code": "model_not_found"}},
     O.MODEL_NOT_FOUND, B.ACCOUNT),
    ("ourtoken", 403, {"error": {"code": "insufficient_user_quota"}}, O.QUOTA,
     B.ACCOUNT),
    ("ourtoken", 403, {"error": {"code": "pre_consume_token_quota_failed"}}, O.QUOTA,
     B.ACCOUNT),
    ("openrouter", 429, {"error": {"code": 429, "message": "Provider returned error",
                                   "metadata": {"raw": "temporarily rate-limited"}}},
     O.OVERLOADED, B.PROVIDER),
    ("openrouter", 429, {"error": {"code": 429, "message": "Rate limit exceeded"}},
     O.RATE_LIMITED, B.ACCOUNT),
    ("openrouter", 402, {"error": {"code": 402, "message": "more credits"}}, O.QUOTA,
     B.ACCOUNT),
    ("openrouter", None, {"error": {"code": 502, "message": "m"}}, O.PROVIDER_ERROR,
     B.PROVIDER),
    ("zai", 429, {"error": {"code": "1302", "message": "m"}}, O.RATE_LIMITED,
     B.ACCOUNT),
    ("zai", 429, {"error": {"code": 1302, "message": "m"}}, O.RATE_LIMITED, B.ACCOUNT),
    ("zai", 429, {"error": {"code": "1302", "message": "Insufficient balance"}},
     O.QUOTA, B.ACCOUNT),
    ("zai", 429, {"error": {"code": "1305", "message": "m"}}, O.OVERLOADED,
     B.PROVIDER),
    ("zai", 429, {"error": {"code": "1313", "message": "m"}}, O.RATE_LIMITED,
     B.ACCOUNT),
    *[("zai", 429, {"error": {"code": code, "message": "m"}}, O.QUOTA, B.ACCOUNT)
      for code in ("1113", "1308", "1309", "1310", "1311", "1314", "1321")],
    ("zai", 400, {"error": {"code": "1211", "message": "m"}}, O.MODEL_NOT_FOUND,
     B.ACCOUNT),
    ("zai", None, {"error": {"code": "1234", "message": "m"}}, O.PROVIDER_ERROR,
     B.PROVIDER),
]  # fmt: skip


@pytest.mark.parametrize(("name", "status", "payload", "outcome", "blame"), MEANINGS)
def test_an_error_means_what_its_host_means(name, status, payload, outcome, blame):
    problem = DIALECTS[name].classify(status, payload, "<html>")
    assert (problem.outcome, problem.blame) == (outcome, blame)


def test_a_429_is_four_facts_and_only_one_is_the_hosts_doing():
    words = {"slow down": 0, "model is overloaded": 1, "no balance left": 0}
    for dialect in DIALECTS.values():
        for message, count in words.items():
            problem = dialect.classify(429, {"error": {"message": message}}, "")
            assert (problem.blame is Blame.PROVIDER) == bool(count)


@each
def test_an_error_inside_a_chunk_is_classified_and_keeps_the_text(dialect):
    chunk = {
        "error": {"code": 429, "message": "slow down"},
        "choices": [{"delta": {"content": "a"}, "finish_reason": "error"}],
    }
    read = dialect.read(chunk)
    assert (read.problem.outcome, read.problem.code) == (Outcome.RATE_LIMITED, "429")
    assert (read.content, read.finish) == ("a", "error")


@each
@pytest.mark.parametrize("code", ["²" * 3, "4" * 5000, 10**30, True, {"a": 1}, [], ""])
def test_no_code_is_too_odd(dialect, code):
    problem = dialect.classify(None, {"error": {"code": code, "message": "m"}}, "")
    assert problem.outcome is Outcome.PROVIDER_ERROR


@each
def test_finish_reasons(dialect):
    for good in ("stop", "length", "tool_calls", "function_call"):
        assert dialect.finish_outcome(good) is Outcome.OK
    assert dialect.finish_outcome("content_filter") is Outcome.CONTENT_FILTER
    # Gateways pass the second one on from the host behind them.
    for broken in ("error", "network_error"):
        assert dialect.finish_outcome(broken) is Outcome.PROVIDER_ERROR
    assert dialect.finish_outcome("tired") is None
    own = {
        "sensitive": Outcome.CONTENT_FILTER,
        "model_context_window_exceeded": Outcome.CONTEXT_OVERFLOW,
    }
    for finish, outcome in own.items():
        meant = dialect.finish_outcome(finish)
        assert meant is (outcome if dialect.name == "zai" else None)


KEYS = (
    "choices delta message content tool_calls function usage error finish_reason index"
    " id arguments name reasoning_details x_groq base_resp metadata code errors"
    " error_code error_msg status type success object"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(NAMES), st.sampled_from([None, 200, 400, 429, 503]))
def test_no_json_at_all_raises(value, name, status):
    DIALECTS[name].read(value, event=b"error")
    DIALECTS[name].read({"choices": [value, {"delta": value}], "usage": value})
    DIALECTS[name].classify(status, value, "text")
