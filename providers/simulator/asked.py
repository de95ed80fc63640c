"""What a request body asks of a simulated host."""

import json
from hashlib import sha256
from typing import Any

import msgspec


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request as a host reads it.

    `words` are those of the tools and then of all messages, the unit of the prefix
    cache. `max_tokens` is None when the client set no limit. `last_user` is the
    text of the last user message, empty when there is none.
    """

    body: dict[str, Any]
    digest: str
    model: str
    stream: bool
    include_usage: bool
    max_tokens: int | None
    words: list[str]
    prompt_tokens: int
    last_user: str


def read_asked(raw: bytes) -> Asked:
    """Return what a request body asks. Raises ValueError that says what is wrong."""
    body = _object(raw)
    messages = _messages(body)
    tools = body.get("tools") or []
    # The standard library's JSON has spaces, so that it has words.
    words = json.dumps(tools).split() if tools else []
    for message in messages:
        words += text_of(message.get("content")).split()
    users = [m for m in messages if m.get("role") == "user"]
    options = body.get("stream_options")
    return Asked(
        body=body,
        digest=sha256(raw).hexdigest(),
        model=_model(body),
        stream=body.get("stream") is True,
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        max_tokens=_max_tokens(body),
        words=words,
        prompt_tokens=len(words) + 4 * len(messages),
        last_user=text_of(users[-1].get("content")) if users else "",
    )


def text_of(content: Any) -> str:
    """Return the text of a message's content: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, dict))
    return " ".join(text for text in parts if isinstance(text, str))


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - one kind
    return body


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ValueError("messages must be a list that is not empty")
    if not all(isinstance(message, dict) for message in messages):
        raise ValueError("each of the messages must be an object")
    return messages


def _model(body: dict[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise ValueError("model must be a string that is not empty")
    return model


def _max_tokens(body: dict[str, Any]) -> int | None:
    given = (body.get("max_completion_tokens"), body.get("max_tokens"))
    limit = next((value for value in given if value is not None), None)
    if limit is None:
        return None
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ValueError("max_tokens must be a whole number from 1")
    return limit
