"""The openai client, which nobody here wrote, against `h2h simulate`."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest

H2H = Path(sys.executable).with_name("h2h")
FAST = ("--ttft-ms", "5", "--gap-ms", "0.5", "--tokens", "12")
MODEL = "glm-5.2"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city on the coming days.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}


def asked(text="Say something.", **fields):
    messages = [{"role": "user", "content": text}]
    return {"model": MODEL, "messages": messages, **fields}


@contextmanager
def simulated(*arguments):
    """Serve a simulated host as a user does; give a client of it, end with Ctrl-C."""
    command = [H2H, "simulate", *arguments, *FAST]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            said = process.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+\S*", said)
            assert address, f"h2h simulate said {said!r}, which holds no address"
            with openai.OpenAI(
                base_url=address[0], api_key="unused", max_retries=0, timeout=10
            ) as client:
                yield client
        finally:
            process.terminate()
            process.communicate(timeout=10)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def client():
    with simulated("generic") as one:
        yield one


def test_a_chat_has_text_an_end_and_its_tokens(client):
    answer = client.chat.completions.create(**asked(max_tokens=6))
    (choice,) = answer.choices
    assert answer.object == "chat.completion"
    assert answer.model == MODEL
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.finish_reason == "length"
    assert answer.usage.completion_tokens == 6
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 6


def test_a_stream_adds_up_to_an_answer_and_ends_with_its_usage(client):
    wanted = asked(stream=True, stream_options={"include_usage": True})
    *chunks, last = client.chat.completions.create(**wanted)
    deltas = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert last.choices == []
    assert last.usage.completion_tokens == sum(map(bool, deltas)) > 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in [*chunks, last]}) == 1


def test_the_clients_own_assembly_of_a_stream_agrees(client):
    with client.chat.completions.stream(**asked()) as stream:
        said = "".join(e.delta for e in stream if e.type == "content.delta")
        final = stream.get_final_completion()
    assert said
    assert final.choices[0].message.content == said
    assert final.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_with_the_values_that_were_asked_for(client, streamed):
    wanted = asked('Use the tool for "São Paulo" over 3 days.', tools=[WEATHER])
    if streamed:
        with client.chat.completions.stream(**wanted) as stream:
            answer = stream.get_final_completion()
    else:
        answer = client.chat.completions.create(**wanted)
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert (call.type, call.function.name) == ("function", "weather")
    values = json.loads(call.function.arguments)
    assert values == {"city": "São Paulo", "days": 3}


def test_models_are_listed(client):
    assert MODEL in {model.id for model in client.models.list()}


@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [
        ("http_429_rate", openai.RateLimitError, 429),
        ("http_401", openai.AuthenticationError, 401),
        ("http_500", openai.InternalServerError, 500),
    ],
)
def test_a_fault_is_the_clients_own_error(fault, error, status):
    with simulated("generic", "--fault", fault) as client:
        with pytest.raises(error) as raised:
            client.chat.completions.create(**asked())
        assert raised.value.status_code == status
        if status == 429:
            assert float(raised.value.response.headers["Retry-After"]) > 0
        # The faults are of chats; a host that is down otherwise has other means.
        assert list(client.models.list())
