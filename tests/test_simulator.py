"""Simulated hosts: each one's quirks on the real wire, and truth to the schedule."""

import asyncio
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from random import Random
from time import monotonic, perf_counter_ns

import aiohttp
import msgspec
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.provider import ProviderError
from providers.reply import Kind
from providers.simulator import __main__ as command
from providers.simulator.answer import Piece, compose, grouped
from providers.simulator.asked import read_asked
from providers.simulator.bill import Counts, cost_usd
from providers.simulator.cache import BLOCK_WORDS, PrefixCache, block_chain
from providers.simulator.faults import FAULTS, Ills
from providers.simulator.host import SimulatedHost
from providers.simulator.pace import load_factor, queue_ns, token_times
from providers.simulator.profile import PROFILES, dialled
from providers.simulator.prose import prose, tokens_of
from providers.simulator.spawn import spawn
from providers.simulator.truth import read_truth

FAST = {"ttft_ms": 4.0, "gap_ms": 0.2, "tokens": 12}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer"},
                "unit": {"type": "string"},
            },
            "required": ["city", "days"],
        },
    },
}
OTHER = {"type": "function", "function": {"name": "other", "parameters": {}}}
TOOL_PROMPT = 'Use the tool for "São Paulo" over 3 days. Id 7f3a9 is of no use.'


def body(text="Say something.", **fields):
    return {
        "model": "glm-5.2",
        "messages": [{"role": "user", "content": text}],
        "stream": True,
        **fields,
    }


class Heard:
    """One response, read to its end or to its breaking off."""

    def __init__(self, response, raw, broke):
        self.status, self.headers = response.status, response.headers
        self.raw, self.broke = raw, broke

    @property
    def json(self):
        return json.loads(self.raw)

    @property
    def data(self):
        lines = self.raw.decode().split("\n")
        return [line[6:] for line in lines if line.startswith("data: ")]

    @property
    def chunks(self):
        return [json.loads(data) for data in self.data if data != "[DONE]"]

    def deltas(self, field):
        choices = [choice for chunk in self.chunks for choice in chunk["choices"]]
        said = [choice["delta"].get(field) for choice in choices]
        return [each for each in said if each]

    @property
    def content(self):
        return "".join(self.deltas("content"))

    @property
    def finishes(self):
        choices = [choice for chunk in self.chunks for choice in chunk["choices"]]
        return [each["finish_reason"] for each in choices if each["finish_reason"]]

    @property
    def usages(self):
        return [chunk["usage"] for chunk in self.chunks if chunk.get("usage")]


async def ask(host, sent=None, *, headers=None, patience=10.0):
    raw, broke = b"", None
    limit = aiohttp.ClientTimeout(sock_read=patience)
    async with aiohttp.ClientSession(timeout=limit) as session:
        url = f"{host.base_url}/chat/completions"
        sent = body() if sent is None else sent
        data = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        async with session.post(url, data=data, headers=headers) as response:
            try:
                async for part in response.content.iter_any():
                    raw += part
            except (aiohttp.ClientError, TimeoutError) as error:
                broke = error
    return Heard(response, raw, broke)


def port_of(url):
    return int(url.split(":")[2].split("/")[0])


async def soon(seen):
    """Give the host a moment: that a client hung up is noticed only then."""
    for _ in range(2000):
        if seen():
            return
        await asyncio.sleep(0.001)
    pytest.fail("it never happened")


async def heard(profile, sent=None, *, headers=None, patience=10.0, **dials):
    """Ask a host of this profile once; return what was heard, and the truth."""
    async with SimulatedHost(profile, **(FAST | dials)) as host:
        reply = await ask(host, sent, headers=headers, patience=patience)
        await soon(lambda: host.truth)
        return reply, host.truth[0]


# Each host's quirks


@pytest.mark.parametrize(
    ("profile", "prefix"),
    [
        ("ourtoken", "/v1"),
        ("openrouter", "/api/v1"),
        ("zai", "/api/paas/v4"),
        ("generic", "/v1"),
        ("exact", "/v1"),
    ],
)
async def test_every_host_streams_role_then_tokens_then_done(profile, prefix):
    reply, truth = await heard(profile, body(stream_options={"include_usage": True}))
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    first = reply.chunks[0]["choices"][0]["delta"]
    assert first == {"role": "assistant", "content": ""}
    assert reply.data[-1] == "[DONE]"
    assert {chunk["id"] for chunk in reply.chunks} == {truth.response_id}
    assert set(reply.finishes) == {"stop"}
    usage = reply.usages[-1]
    assert usage["completion_tokens"] == truth.completion_tokens == truth.n_tokens
    assert usage["prompt_tokens"] == truth.prompt_tokens == 2 + 4
    thought = usage.get("completion_tokens_details", {}).get("reasoning_tokens", 0)
    assert len(reply.deltas("content")) + thought == truth.n_tokens
    assert PROFILES[profile].prefix == prefix


@pytest.mark.parametrize("profile", ["ourtoken", "generic"])
async def test_usage_is_a_last_chunk_of_its_own_and_only_when_asked_for(profile):
    unasked, _ = await heard(profile)
    assert unasked.usages == []
    asked, _ = await heard(profile, body(stream_options={"include_usage": True}))
    assert asked.chunks[-1]["choices"] == []
    assert asked.chunks[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}
    assert len(asked.usages) == 1
    nulls = ["usage" in chunk for chunk in asked.chunks[:-1]]
    assert nulls == [profile == "generic"] * len(nulls)
    assert not any("reasoning" in field for field in asked.raw.decode().split('"'))


async def test_openrouter_comments_names_its_upstream_and_states_the_cost():
    reply, truth = await heard("openrouter", ttft_ms=60)
    assert reply.raw.startswith(b": OPENROUTER PROCESSING\n\n")
    assert {chunk["provider"] for chunk in reply.chunks} == {"SimUpstream"}
    assert reply.headers["X-Generation-Id"] == truth.response_id
    assert truth.response_id.startswith("gen-")
    assert "X-RateLimit-Limit" not in reply.headers
    last = reply.chunks[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["choices"][0]["native_finish_reason"] == "stop"
    assert reply.finishes == ["stop", "stop"]
    assert last["usage"]["cost"] == truth.cost_usd > 0
    stated = last["usage"]["cost_details"]["upstream_inference_cost"]
    assert stated == truth.cost_usd
    pinned = body(provider={"only": ["deepinfra/fp8"], "allow_fallbacks": False})
    reply, _ = await heard("openrouter", pinned)
    assert {chunk["provider"] for chunk in reply.chunks} == {"deepinfra"}


async def test_openrouter_sends_the_same_reasoning_under_two_names():
    reply, truth = await heard("openrouter")
    plain = "".join(reply.deltas("reasoning"))
    detailed = "".join(d[0]["text"] for d in reply.deltas("reasoning_details"))
    assert plain == detailed != ""
    assert len(tokens_of(plain)) == truth.reasoning_tokens > 0
    assert "reasoning_content" not in reply.raw.decode()


async def test_zai_thinks_first_and_puts_usage_on_the_finish_chunk():
    reply, truth = await heard("zai")
    assert len(reply.deltas("reasoning_content")) == truth.reasoning_tokens > 0
    last = reply.chunks[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["completion_tokens"] == truth.completion_tokens
    assert last["request_id"] == truth.response_id
    assert truth.first_reasoning_ns == truth.first_token_ns < truth.first_answer_ns
    assert reply.finishes == ["stop"]


@pytest.mark.parametrize(
    ("profile", "fields"),
    [
        ("zai", {"thinking": {"type": "disabled"}}),
        ("zai", {"reasoning_effort": "none"}),
        ("zai", {"reasoning_effort": "minimal"}),
        ("openrouter", {"reasoning": {"enabled": False}}),
        ("openrouter", {"reasoning": {"effort": "none"}}),
    ],
)
async def test_thinking_can_be_turned_off(profile, fields):
    reply, truth = await heard(profile, body(**fields))
    assert truth.reasoning_tokens == 0
    assert truth.first_reasoning_ns is None
    details = reply.usages[-1]["completion_tokens_details"]
    assert details == {"reasoning_tokens": 0}


def test_more_effort_thinks_more():
    exact = msgspec.structs.replace(PROFILES["zai"], tokens_sigma=0.0)

    def thought(**fields):
        asked = read_asked(json.dumps(body(**fields)).encode())
        return compose(asked, exact, Random(1)).reasoning_tokens

    assert thought() == thought(reasoning_effort="high") == exact.reasoning_tokens
    assert thought(reasoning_effort="max") == 2 * exact.reasoning_tokens
    assert thought(reasoning_effort="low") == exact.reasoning_tokens // 2


async def test_generic_states_its_rate_limit_and_echoes_the_request_id():
    reply, truth = await heard("generic", headers={"X-Request-Id": "abc"})
    assert reply.headers["x-ratelimit-remaining-requests"] == "999"
    assert reply.headers["x-ratelimit-reset-tokens"] == "6m0s"
    assert reply.headers["X-Request-Id"] == truth.request_id == "abc"
    assert {chunk["system_fingerprint"] for chunk in reply.chunks} == {"fp_sim"}


@pytest.mark.parametrize("profile", list(PROFILES))
async def test_an_answer_can_come_whole(profile):
    reply, truth = await heard(profile, body(stream=False))
    assert reply.headers["Content-Type"] == "application/json"
    message = reply.json["choices"][0]["message"]
    assert reply.json["object"] == "chat.completion"
    assert reply.json["usage"]["completion_tokens"] == truth.n_tokens
    fields = PROFILES[profile].reasoning_fields
    texts = [message["content"], *(message[f] for f in fields[:1])]
    assert sum(len(tokens_of(text)) for text in texts) == truth.n_tokens
    assert truth.finish_reason == "stop"


# Refusals


@pytest.mark.parametrize(
    ("profile", "fault", "status", "code"),
    [
        ("generic", "http_429_rate", 429, "rate_limit_exceeded"),
        ("generic", "http_429_quota", 429, "insufficient_quota"),
        ("generic", "http_402", 402, "insufficient_user_quota"),
        ("generic", "http_401", 401, "invalid_api_key"),
        ("generic", "http_500", 500, "internal_error"),
        ("ourtoken", "http_429_overloaded", 429, "engine_overloaded"),
        ("ourtoken", "http_429_account", 429, "account_restricted"),
        ("zai", "http_429_rate", 429, "1302"),
        ("zai", "http_429_overloaded", 429, "1305"),
        ("zai", "http_429_quota", 429, "1113"),
        ("zai", "http_429_account", 429, "1313"),
        ("openrouter", "http_429_rate", 429, 429),
        ("openrouter", "http_429_overloaded", 429, 429),
        ("openrouter", "http_402", 402, 402),
    ],
)
async def test_each_host_refuses_in_its_own_words(profile, fault, status, code):
    reply, truth = await heard(profile, fault=fault)
    assert reply.status == truth.status == status
    error = reply.json["error"]
    assert error["code"] == code
    assert reply.headers.get("Retry-After") == (
        "2" if fault == "http_429_rate" else None
    )
    assert (truth.fault, truth.n_tokens, truth.completion_tokens) == (fault, 0, None)
    assert truth.cost_usd in {0.0, None}
    if profile == "ourtoken":
        assert error["type"] == "new_api_error"
        assert f"(request id: {truth.response_id})" in error["message"]
    if profile == "zai":
        assert set(error) == {"code", "message"}
    if profile == "openrouter":
        assert "error_type" in error["metadata"]
        upstream = error["metadata"].get("provider_name")
        assert (upstream is not None) == (fault == "http_429_overloaded")
        assert ("X-RateLimit-Reset" in reply.headers) == (status == 429)


async def test_a_gateway_page_and_a_welcome_page_are_html():
    reply, _ = await heard("zai", fault="http_502_html")
    assert (reply.status, reply.raw[:6]) == (502, b"<html>")
    reply, _ = await heard("zai", fault="html_200")
    assert (reply.status, reply.raw[:9]) == (200, b"<!doctype")
    assert reply.headers["Content-Type"].startswith("text/html")


async def test_a_key_is_asked_for_only_if_one_is_set():
    async with SimulatedHost("generic", key="right", **FAST) as host:
        assert (await ask(host)).status == 401
        wrong = {"Authorization": "Bearer wrong"}
        refused = await ask(host, headers=wrong)
        assert refused.json["error"]["code"] == "invalid_api_key"
        right = {"Authorization": "Bearer right"}
        assert (await ask(host, headers=right)).status == 200
        # A refusal for the key is no fault of the host.
        assert [row.fault for row in host.truth] == [None, None, None]


@pytest.mark.parametrize(
    ("profile", "status", "code"),
    [
        ("ourtoken", 503, "model_not_found"),
        ("generic", 404, "model_not_found"),
        ("openrouter", 400, 400),
        ("zai", 400, "1211"),
    ],
)
async def test_an_unknown_model_is_refused_as_the_host_would(profile, status, code):
    reply, _ = await heard(profile, models=("glm-5.1",))
    assert (reply.status, reply.json["error"]["code"]) == (status, code)
    assert "glm-5.2" in reply.json["error"]["message"]
    reply, _ = await heard(profile, models=("glm-5.1", "glm-5.2"))
    assert reply.status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"not json",
        b"[1]",
        b"[" * 100_000,
        {"model": "m"},
        {"model": "m", "messages": []},
        {"model": "m", "messages": ["hi"]},
        {"messages": [{"role": "user", "content": "hi"}]},
        body(max_tokens=0),
        body(max_tokens="9"),
        body(max_tokens=True),
    ],
)
async def test_a_wrong_body_is_a_bad_request(sent):
    reply, truth = await heard("generic", sent)
    assert reply.status == truth.status == 400
    assert reply.json["error"]["message"].startswith("Invalid request: ")


async def test_other_paths():
    async with (
        SimulatedHost("generic", models=("a", "b")) as generic,
        SimulatedHost("openrouter") as openrouter,
        SimulatedHost("zai") as zai,
        aiohttp.ClientSession() as session,
    ):

        async def get(url):
            async with session.get(url) as response:
                return response.status, await response.json()

        status, listed = await get(f"{generic.base_url}/models")
        assert (status, [m["id"] for m in listed["data"]]) == (200, ["a", "b"])
        _, priced = await get(f"{openrouter.base_url}/models")
        assert priced["data"][0]["pricing"]["prompt"] == "0.0000009300"
        status, refused = await get(f"{zai.base_url}/models")
        assert (status, set(refused["error"])) == (404, {"code", "message"})
        root = zai.base_url.removesuffix("/api/paas/v4")
        assert await get(f"{root}/health") == (200, {"status": "ok"})
        assert zai.truth == []


# Time


async def test_exact_leaves_when_the_schedule_says_so():
    async with SimulatedHost("exact", ttft_ms=30, gap_ms=5, tokens=40) as host:
        asked_ns = perf_counter_ns()
        reply = await ask(host)
        read_ns = perf_counter_ns()
    truth = host.truth[0]
    assert truth.n_tokens == len(truth.chunk_ns) == len(tokens_of(reply.content)) == 40
    assert asked_ns < truth.received_ns < truth.headers_ns < truth.first_token_ns
    assert truth.chunk_ns[0] == truth.first_token_ns == truth.first_answer_ns
    assert truth.chunk_ns[-1] == truth.last_token_ns < truth.end_ns < read_ns
    late_ms = [
        (at - truth.received_ns) / 1e6 - (30 + 5 * nth)
        for nth, at in enumerate(truth.chunk_ns)
    ]
    # Never early; and late by a timer's tick, not by the sum of all before it.
    assert min(late_ms) >= 0
    assert min(late_ms[30:]) < 5


def test_a_schedule_is_exact_without_jitter_and_has_its_medians_with_it():
    exact = dialled(PROFILES["exact"], ttft_ms=100, gap_ms=10)
    assert token_times(exact, Random(1), 3) == [100_000_000, 110_000_000, 120_000_000]
    drawn = [token_times(PROFILES["zai"], Random(seed), 2) for seed in range(2001)]
    ttfts = sorted(first for first, _ in drawn)
    gaps = sorted(second - first for first, second in drawn)
    assert ttfts[1000] / 1e6 == pytest.approx(280, rel=0.03)
    assert gaps[1000] / 1e6 == pytest.approx(7, rel=0.03)
    assert ttfts[100] < 0.8 * ttfts[1000] < 1.2 * ttfts[1000] < ttfts[-100]


def test_load_a_queue_and_a_cached_prefix_move_the_schedule():
    profile = msgspec.structs.replace(
        PROFILES["exact"], slowdown=0.5, slots=2, queue_ms=7.0, cache_speedup=0.6
    )
    assert [load_factor(profile, n) for n in (1, 2, 3)] == [1.0, 1.5, 2.0]
    assert [queue_ns(profile, n) for n in (1, 2, 4)] == [0, 0, 14_000_000]
    slow = token_times(profile, Random(1), 2, factor=1.5, queued_ns=1_000_000)
    assert slow == [151_000_000, 166_000_000]
    assert token_times(profile, Random(1), 1, cached_share=0.5) == [70_000_000]
    assert len(token_times(profile, Random(1), 0)) == 1


async def test_requests_in_flight_slow_each_other():
    loaded = msgspec.structs.replace(PROFILES["exact"], slowdown=1.0, tokens=2)
    async with SimulatedHost(loaded, ttft_ms=50, gap_ms=1) as host:
        await asyncio.gather(ask(host, body("one")), ask(host, body("two")))
    waits = sorted(row.first_token_ns - row.received_ns for row in host.truth)
    assert 50e6 <= waits[0] < 100e6 <= waits[1]


# What is said


async def test_a_seed_says_the_same_again_and_another_does_not():
    async def said(seed, profile="ourtoken"):
        dials = FAST | {"ttft_ms": 0.1, "gap_ms": 0.01}
        async with SimulatedHost(profile, seed=seed, **dials) as host:
            return (await ask(host)).content, host.truth[0].response_id

    assert await said(1) == await said(1)
    assert (await said(1))[0] != (await said(2))[0]
    assert (await said(1))[0] != (await said(1, "exact"))[0]


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_max_tokens_holds_for_reasoning_and_answer_together(field):
    reply, truth = await heard("zai", body(**{field: 20}), tokens=60)
    assert truth.n_tokens == reply.usages[-1]["completion_tokens"] == 20
    assert reply.finishes == ["length"]
    reply, truth = await heard("zai", body(**{field: 3}))
    assert (truth.n_tokens, truth.reasoning_tokens, reply.content) == (3, 3, "")
    assert truth.first_answer_ns is None
    assert reply.finishes == ["length"]


def composed(text="hi", profile="generic", **fields):
    asked = read_asked(json.dumps(body(text, **fields)).encode())
    return compose(asked, PROFILES[profile], Random(1))


@pytest.mark.parametrize("max_tokens", [1, 5, 16, 500])
def test_an_answer_is_never_longer_than_max_tokens(max_tokens):
    answer = composed(max_tokens=max_tokens)
    assert answer.tokens <= max_tokens
    assert (answer.finish == "length") == (max_tokens < 48 / 2)


def test_text_conventions():
    assert (
        composed('Reply with the single word "banana".').text(Kind.CONTENT) == "banana"
    )
    repeated = composed('Repeat "two words" and go on.').text(Kind.CONTENT)
    assert repeated.startswith("two words ")
    assert len(tokens_of(repeated)) > 20
    first = tokens_of(composed().text(Kind.CONTENT))[:3]
    stopped = composed(stop=[first[2]]).text(Kind.CONTENT)
    assert stopped == "".join(first[:2])
    parts = [{"type": "text", "text": 'the single word "x"'}, {"type": "image_url"}]
    assert composed(parts).text(Kind.CONTENT) == "x"


@given(st.integers(0, 10_000), st.integers(0, 400))
def test_prose_has_as_many_tokens_as_asked_and_they_join_to_it(seed, n_words):
    text = prose(Random(seed), n_words)
    assert len(tokens_of(text)) == n_words
    assert "".join(tokens_of(text)) == text


@given(
    st.lists(st.sampled_from([Kind.CONTENT, Kind.REASONING]), max_size=60),
    st.integers(1, 20),
)
def test_grouping_keeps_text_order_and_tokens(kinds, size):
    pieces = [Piece(kind=kind, text=f" {n}") for n, kind in enumerate(kinds)]
    merged = grouped(pieces, size)
    assert "".join(p.text for p in merged) == "".join(p.text for p in pieces)
    assert [p.kind for p in merged for _ in range(p.tokens)] == kinds
    assert all(piece.tokens <= size for piece in merged)


async def test_a_tool_call_is_streamed_in_fragments():
    reply, truth = await heard("generic", body(TOOL_PROMPT, tools=[WEATHER]))
    calls = [call for calls in reply.deltas("tool_calls") for call in calls]
    assert calls[0]["function"] == {"name": "weather", "arguments": ""}
    assert calls[0]["id"].startswith("call_")
    assert all("name" not in call["function"] for call in calls[1:])
    assert len(calls) in {3, 4}
    arguments = "".join(call["function"]["arguments"] for call in calls)
    assert json.loads(arguments) == {"city": "São Paulo", "days": 3}
    assert reply.finishes == ["tool_calls"]
    assert truth.first_answer_ns == truth.first_token_ns


async def test_zai_sends_a_tool_call_in_one_delta_unless_asked_to_stream_it():
    off = {"thinking": {"type": "disabled"}, "tools": [WEATHER]}
    whole, _ = await heard("zai", body(TOOL_PROMPT, **off))
    (calls,) = whole.deltas("tool_calls")
    assert calls[0]["function"]["name"] == "weather"
    assert json.loads(calls[0]["function"]["arguments"])["days"] == 3
    streamed, _ = await heard("zai", body(TOOL_PROMPT, tool_stream=True, **off))
    assert len(streamed.deltas("tool_calls")) > 2


def test_which_tool_is_called():
    tools = [WEATHER, OTHER]
    assert composed(TOOL_PROMPT, tools=tools).calls[0][0] == "weather"
    named = {"type": "function", "function": {"name": "other"}}
    answer = composed(TOOL_PROMPT, tools=tools, tool_choice=named)
    assert answer.calls == [("other", "{}")]
    answer = composed(TOOL_PROMPT, tools=tools, tool_choice="none")
    assert (answer.calls, answer.finish) == ([], "stop")


def test_arguments_take_what_the_user_wrote_in_order():
    properties = {
        "a": {"type": "string"},
        "b": {"type": "string"},
        "n": {"type": "number"},
        "i": {"type": "integer"},
        "e": {"enum": ["x", "y"]},
        "ok": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "more": {
            "type": "object",
            "properties": {"z": {"type": ["null", "integer"]}},
            "required": ["z"],
        },
        "skipped": {"type": "string"},
    }
    required = [name for name in properties if name != "skipped"]
    schema = {"type": "object", "properties": properties, "required": required}
    tool = {"type": "function", "function": {"name": "t", "parameters": schema}}
    text = 'From "one 1" to "two 2": -2.5, 7, "y", "three" and 11; 9ab is no number'
    arguments = json.loads(composed(text, tools=[tool]).text(Kind.TOOL))
    assert arguments == {
        "a": "one 1",
        "b": "two 2",
        "n": -2.5,
        "i": 7,
        "e": "y",
        "ok": True,
        "tags": ["three"],
        "more": {"z": 11},
    }


async def test_json_has_the_keys_that_were_quoted():
    sent = body('Give "name" and "city".', response_format={"type": "json_object"})
    reply, _ = await heard("generic", sent)
    assert list(json.loads(reply.content)) == ["name", "city"]
    assert len(reply.deltas("content")) > 3


def test_json_follows_a_schema():
    properties = {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 40},
        "left_out": {"type": "string"},
    }
    schema = {"type": "object", "properties": properties, "required": ["name", "age"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = composed('Fill "name" and "age" for "Ada".', response_format=wanted)
    said = json.loads(answer.text(Kind.CONTENT))
    assert said["name"] == "Ada"
    assert said["age"] == 40
    assert set(said) == {"name", "age"}


# The prefix cache, and what is billed


async def test_a_prefix_seen_before_is_cached_in_whole_blocks():
    long = " ".join(f"w{n}" for n in range(200))
    async with SimulatedHost("zai", **FAST) as host:
        first = await ask(host, body(long))
        again = await ask(host, body(long + " and more"))
        other = await ask(host, body("new " + long))
    cached = [
        reply.usages[-1]["prompt_tokens_details"]["cached_tokens"]
        for reply in (first, again, other)
    ]
    assert cached == [0, 3 * BLOCK_WORDS, 0] == [r.cached_tokens for r in host.truth]
    price = PROFILES["zai"].price
    row = host.truth[1]
    billed = (
        (row.prompt_tokens - row.cached_tokens) * price.input
        + row.cached_tokens * price.cached
        + row.completion_tokens * price.output
    ) / 1e6
    assert row.cost_usd == pytest.approx(billed)


def test_the_cache_forgets_after_its_time_and_knows_only_prefixes():
    now = [0.0]
    cache = PrefixCache(ttl_s=10.0, clock=lambda: now[0])
    words = [str(n) for n in range(300)]
    chain = block_chain("m", words)
    assert len(chain) == 4
    assert cache.cached_tokens(chain) == 0
    cache.remember(chain[:2])
    assert cache.cached_tokens(chain) == 2 * BLOCK_WORDS
    assert cache.cached_tokens(block_chain("another", words)) == 0
    assert cache.cached_tokens(block_chain("m", words[1:])) == 0
    now[0] = 9.0
    cache.remember(chain[:1])
    now[0] = 11.0
    assert cache.cached_tokens(chain) == BLOCK_WORDS
    nothing = PrefixCache(ttl_s=0.0, clock=lambda: now[0])
    nothing.remember(chain)
    assert nothing.cached_tokens(chain) == 0


def test_the_bill_is_exact_and_unknown_without_a_price():
    counts = Counts(prompt=1_000_000, cached=400_000, completion=10, reasoning=4)
    assert cost_usd(PROFILES["ourtoken"].price, counts) == 0.504 + 0.0624 + 0.0000264
    assert cost_usd(PROFILES["ourtoken"].price, None) == 0.0
    assert cost_usd(None, counts) is None


def test_prompt_tokens_are_words_and_four_a_message():
    sent = body("one two three", tools=[WEATHER])
    sent["messages"].insert(0, {"role": "system", "content": None})
    asked = read_asked(json.dumps(sent).encode())
    assert asked.prompt_tokens == 3 + len(json.dumps([WEATHER]).split()) + 4 * 2


# Faults inside an answer


async def test_a_stall_keeps_the_connection_open_and_silent():
    reply, truth = await heard("generic", fault="stall", fault_after=3, patience=0.2)
    assert isinstance(reply.broke, TimeoutError)
    assert len(reply.deltas("content")) == truth.n_tokens == 3
    assert (truth.finish_reason, truth.fault) == (None, "stall")
    assert truth.end_ns - truth.last_token_ns > 80e6


@pytest.mark.parametrize("stream", [True, False])
async def test_a_stall_can_be_over_and_the_answer_goes_on(stream):
    dials = {"fault": "stall", "fault_after": 3, "stall_s": 0.05}
    dials |= {"ttft_ms": 0, "gap_ms": 5}
    reply, truth = await heard("exact", body(stream=stream), **dials)
    assert reply.broke is None
    assert (truth.n_tokens, truth.finish_reason) == (12, "stop")
    gaps = [b - a for a, b in itertools.pairwise(truth.chunk_ns)]
    if stream:
        assert gaps[2] >= 50e6
        # The rest keeps its distances: it does not come in a burst to catch up.
        # From the request on: a first token that was late is not waited for again.
        assert truth.last_token_ns - truth.received_ns >= 50e6 + 10 * 5e6
    else:
        assert reply.json["usage"]["completion_tokens"] == 12
        assert gaps[0] >= 50e6


@pytest.mark.parametrize("fault", ["cut", "reset"])
async def test_a_cut_and_a_reset_end_without_an_end(fault):
    reply, truth = await heard("ourtoken", fault=fault, fault_after=4)
    assert reply.broke is not None
    if fault == "cut":  # a reset may take what was not yet read with it
        assert len(reply.deltas("content")) == 4
        assert isinstance(reply.broke, aiohttp.ClientPayloadError)
    assert reply.finishes == []
    assert "[DONE]" not in reply.data
    # What was sent is billed, and no more.
    assert truth.completion_tokens == truth.n_tokens == 4
    counts = Counts(prompt=truth.prompt_tokens, cached=0, completion=4, reasoning=0)
    assert truth.cost_usd == cost_usd(PROFILES["ourtoken"].price, counts)


async def test_a_cut_is_seen_as_fin_and_a_reset_as_rst():
    seen = {}
    for fault in ("cut", "reset"):
        async with SimulatedHost("generic", fault=fault, **FAST) as host:
            port = port_of(host.base_url)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            sent = json.dumps(body()).encode()
            head = (
                "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                f"Content-Length: {len(sent)}\r\n\r\n"
            )
            writer.write(head.encode() + sent)
            try:
                while await reader.read(65536):
                    pass
                seen[fault] = "fin"
            except ConnectionResetError:
                seen[fault] = "rst"
            writer.close()
    assert seen == {"cut": "fin", "reset": "rst"}


@pytest.mark.parametrize("profile", ["generic", "zai", "openrouter", "ourtoken"])
async def test_an_error_can_come_mid_stream(profile):
    reply, truth = await heard(profile, fault="mid_stream_error", fault_after=2)
    last = reply.chunks[-1] if profile == "openrouter" else json.loads(reply.data[-1])
    assert last["error"]["message"].startswith("The server had an error")
    assert reply.broke is None
    assert truth.n_tokens == 2
    assert truth.finish_reason is None
    if profile == "openrouter":
        assert last["choices"][0]["finish_reason"] == "error"
        assert last["error"]["code"] == 502
    else:
        assert "choices" not in last


async def test_answers_that_are_none():
    reply, _ = await heard("generic", fault="error_in_200")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json["error"]["code"] == "server_error"
    reply, truth = await heard("generic", fault="garbage")
    assert (reply.status, reply.raw[:2]) == (200, b"\x00\xff")
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    assert (truth.n_tokens, truth.completion_tokens) == (0, None)
    reply, _ = await heard("generic", fault="empty")
    assert (reply.status, reply.raw) == (200, b"")


async def test_a_fake_stream_has_one_chunk_at_the_end():
    dials = {"ttft_ms": 5, "gap_ms": 2, "tokens": 12}
    reply, truth = await heard("exact", fault="fake_stream", **dials)
    assert len(reply.deltas("content")) == len(truth.chunk_ns) == 1
    assert truth.n_tokens == 12
    assert truth.first_token_ns - truth.received_ns >= (5 + 2 * 11) * 1e6
    reply, truth = await heard("zai", fault="fake_stream", gap_ms=5)
    assert len(truth.chunk_ns) == 2
    # Reasoning waits for the answer: 12 tokens, 60 ms, would be between them.
    assert truth.first_answer_ns - truth.first_reasoning_ns < 30e6


async def test_coalesced_events_carry_eight_tokens_and_leave_with_the_last():
    dials = {"ttft_ms": 5, "gap_ms": 2, "tokens": 20}
    reply, truth = await heard("exact", fault="coalesced", **dials)
    assert [len(tokens_of(said)) for said in reply.deltas("content")] == [8, 8, 4]
    assert truth.n_tokens == 20
    assert truth.first_token_ns - truth.received_ns >= (5 + 2 * 7) * 1e6


async def test_what_a_host_can_leave_out():
    wanted = body(stream_options={"include_usage": True})
    reply, truth = await heard("generic", wanted, fault="no_usage")
    assert reply.usages == []
    assert truth.completion_tokens == truth.n_tokens
    assert reply.data[-1] == "[DONE]"
    reply, _ = await heard("zai", fault="no_usage")
    assert (reply.usages, reply.finishes) == ([], ["stop"])
    reply, _ = await heard("generic", wanted, fault="no_done")
    assert len(reply.usages) == 1
    assert "[DONE]" not in reply.data
    assert reply.broke is None


async def test_slow_takes_five_times_as_long():
    dials = {"ttft_ms": 4, "gap_ms": 1, "tokens": 3}
    _, truth = await heard("exact", fault="slow", **dials)
    assert truth.first_token_ns - truth.received_ns >= 20e6
    assert truth.last_token_ns - truth.received_ns >= 30e6


@pytest.mark.parametrize("fault", list(FAULTS))
async def test_every_fault_strikes_an_answer_that_is_not_streamed_as_well(fault):
    dials = {"fault": fault, "stall_s": 0.0, "ttft_ms": 1, "gap_ms": 0.1}
    reply, truth = await heard("openrouter", body(stream=False), **dials)
    assert truth.fault == fault
    assert truth.status == reply.status
    assert (reply.broke is not None) == (fault in {"cut", "reset"})


async def test_a_share_of_requests_is_struck_the_same_ones_each_time():
    async def struck():
        dials = FAST | {"ttft_ms": 0.1, "gap_ms": 0.0, "tokens": 1}
        async with SimulatedHost(
            "generic", fault="http_500", fault_share=0.3, **dials
        ) as host:
            return [(await ask(host, body(f"no {n}"))).status for n in range(40)]

    first = await struck()
    assert first == await struck()
    assert 4 <= first.count(500) <= 20


def test_a_share_is_about_that_share_even_of_equal_bodies():
    ills = Ills(fault="cut", share=0.05)
    struck = sum(ills.strikes(1, "zai", "same", nth) for nth in range(4000))
    assert struck == pytest.approx(200, rel=0.3)
    assert not Ills(fault="cut", share=0.0).strikes(1, "zai", "same", 0)
    assert Ills(fault="cut", share=1.0).strikes(1, "zai", "same", 0)
    assert not Ills().strikes(1, "zai", "same", 0)


# Coming and going


async def test_a_client_that_hangs_up_frees_its_place_and_is_logged():
    async with SimulatedHost("generic", fault="stall", **FAST) as host:
        await ask(host, patience=0.05)
        await soon(lambda: host.truth)
        assert host.truth[0].fault == "stall"
        assert not host._tasks


async def test_closing_cuts_off_what_is_in_flight_at_once():
    async with SimulatedHost("generic", fault="stall", **FAST) as host:
        pending = asyncio.create_task(ask(host))
        await soon(lambda: host._tasks)
        began = monotonic()
    assert monotonic() - began < 2
    with pytest.raises(aiohttp.ClientError):
        raise (await pending).broke
    assert len(host.truth) == 1


async def test_many_requests_at_once_are_all_true():
    async with SimulatedHost("ourtoken", ttft_ms=20, gap_ms=1) as host:
        replies = await asyncio.gather(
            *(ask(host, body(f"number {n}", max_tokens=30)) for n in range(30))
        )
    assert sorted(row.index for row in host.truth) == list(range(1, 31))
    tokens = {row.response_id: row.n_tokens for row in host.truth}
    assert len(tokens) == 30
    for reply in replies:
        assert len(reply.deltas("content")) == tokens[reply.chunks[0]["id"]]


async def test_truth_goes_to_a_file_as_well(tmp_path):
    path = tmp_path / "truth.jsonl"
    async with (
        SimulatedHost("zai", truth_file=path, **FAST) as one,
        SimulatedHost("exact", truth_file=path, **FAST) as two,
    ):
        await ask(one)
        await ask(two)
    assert read_truth(path) == [*one.truth, *two.truth]


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"profile": "opnrouter"}, "did you mean 'openrouter'"),
        ({"profile": "xyz"}, "known: ourtoken, openrouter"),
        ({"fault": "stal"}, "did you mean 'stall'"),
        ({"fault": "cut", "fault_share": 1.5}, "from 0 to 1|0 to 1"),
        ({"fault_share": float("nan")}, "fault_share is nan"),
        ({"fault": "cut", "fault_after": -1}, "fault_after is -1"),
        ({"ttft_ms": -1.0}, "ttft_ms is -1.0"),
        ({"gap_ms": float("nan")}, "gap_ms is nan"),
        ({"tokens": 0}, "tokens is 0"),
    ],
)
def test_a_wrong_dial_is_refused_with_the_remedy(wrong, remedy):
    with pytest.raises(ProviderError, match=remedy):
        SimulatedHost(**wrong)


async def test_a_port_in_use_is_an_error_and_leaves_nothing_open():
    async with SimulatedHost("generic") as host:
        port = port_of(host.base_url)
        with pytest.raises(OSError, match="address already in use"):
            await SimulatedHost("zai", port=port).__aenter__()


# As others see it


async def test_the_openai_client_gets_along_with_every_host():
    for profile in PROFILES:
        async with SimulatedHost(profile, key="k", **FAST) as host:
            client = openai.AsyncOpenAI(
                base_url=host.base_url, api_key="k", max_retries=0
            )
            messages = [{"role": "user", "content": TOOL_PROMPT}]
            asked = {"model": "glm-5.2", "messages": messages}
            whole = await client.chat.completions.create(**asked)
            assert whole.usage.completion_tokens == host.truth[0].n_tokens
            stream = await client.chat.completions.create(
                stream=True, stream_options={"include_usage": True}, **asked
            )
            chunks = [chunk async for chunk in stream]
            assert chunks[-1].usage.completion_tokens == host.truth[1].n_tokens
            called = await client.chat.completions.create(tools=[WEATHER], **asked)
            (call,) = called.choices[0].message.tool_calls
            assert json.loads(call.function.arguments)["city"] == "São Paulo"
            assert called.choices[0].finish_reason == "tool_calls"
            await client.close()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("http_429_rate", openai.RateLimitError),
        ("http_401", openai.AuthenticationError),
        ("http_500", openai.InternalServerError),
        ("mid_stream_error", openai.APIError),
    ],
)
async def test_the_openai_client_sees_the_faults(fault, error):
    async with SimulatedHost("generic", fault=fault, **FAST) as host:
        client = openai.AsyncOpenAI(base_url=host.base_url, api_key="k", max_retries=0)
        with pytest.raises(error):
            async for _ in await client.chat.completions.create(**body()):
                pass
        await client.close()


# In a process of its own


def test_spawned_hosts_answer_write_truth_and_end_with_the_block(tmp_path, monkeypatch):
    # A folder of the same name where the user stands must not be run instead.
    (tmp_path / "providers").mkdir()
    monkeypatch.chdir(tmp_path)
    truth = tmp_path / "truth.jsonl"
    with spawn(["exact", "zai"], truth=truth, ttft_ms=5, gap_ms=1, tokens=4) as urls:
        assert list(urls) == ["exact", "zai"]
        sent_ns = perf_counter_ns()
        client = openai.OpenAI(base_url=urls["exact"], api_key="k", max_retries=0)
        with client:
            client.chat.completions.create(**(body() | {"stream": False}))
        read_ns = perf_counter_ns()
    (row,) = read_truth(truth)
    assert (row.profile, row.n_tokens) == ("exact", 4)
    if sys.platform == "linux":  # one monotonic clock for all processes
        assert sent_ns < row.received_ns < row.end_ns < read_ns
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(urls["exact"])), timeout=1)


@pytest.mark.parametrize("how", ["stdin", "signal"])
def test_the_process_ends_with_its_parent_or_by_a_signal_with_exit_code_0(how):
    root = Path(__file__).resolve().parents[1]
    arguments = ["-m", "providers.simulator", "generic"]
    process = subprocess.Popen(
        [sys.executable, *arguments, "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    line = json.loads(process.stdout.readline())
    assert line["profile"] == "generic"
    assert line["base_url"].startswith("http://127.0.0.1:")
    if how == "stdin":
        process.stdin.close()
    else:
        process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    process.stdout.close()
    process.stdin.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["opnrouter"], "did you mean 'openrouter'?"),
        (["zai", "--fault", "stal"], "did you mean 'stall'?"),
        (["zai", "--truth", "/no/such/folder/x"], "/no/such/folder/x"),
        (["zai", "--port", "99999"], "0-65535"),
    ],
)
def test_wrong_usage_is_one_clear_error(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_spawn_refuses_what_cannot_be(capfd):
    with pytest.raises(ProviderError, match="'zai'"), spawn(["zia"]):
        pass
    with pytest.raises(ProviderError, match="once"), spawn(["zai", "zai"]):
        pass
    with pytest.raises(ProviderError, match="did not start"), spawn(["zai"], fault="x"):
        pass
    assert "no fault is called 'x'" in capfd.readouterr().err
