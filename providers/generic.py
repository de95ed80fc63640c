"""The dialect that every OpenAI-compatible host nearly speaks."""

import re
from typing import Any, ClassVar

import msgspec

from providers.dialect import Delta, Problem, ToolPart
from providers.errors import MAX_CHOICES, in_band, settled, wording
from providers.limits import wait_in_body
from providers.outcome import BLAME, Blame, Outcome
from providers.provider import Provider
from providers.usage import read_usage
from scenarios.request import Request

# How each style words an effort. "default" always means: send nothing.
EFFORT: dict[str, dict[str, dict[str, Any]]] = {
    "none": {},
    "zai": {
        "off": {"thinking": {"type": "disabled"}},
        "high": {"thinking": {"type": "enabled"}, "reasoning_effort": "high"},
        "max": {"thinking": {"type": "enabled"}, "reasoning_effort": "max"},
    },
    "openrouter": {
        "off": {"reasoning": {"enabled": False}},
        "high": {"reasoning": {"effort": "high"}},
        "max": {"reasoning": {"effort": "xhigh"}},
    },
    "reasoning_effort": {
        "off": {"reasoning_effort": "none"},
        "high": {"reasoning_effort": "high"},
        "max": {"reasoning_effort": "max"},
    },
    "reasoning_enabled": {
        "off": {"reasoning": {"enabled": False}},
        "high": {"reasoning": {"enabled": True}},
        "max": {"reasoning": {"enabled": True}},
    },
    "chat_template_kwargs": {
        "off": {"chat_template_kwargs": {"enable_thinking": False}},
        "high": {"chat_template_kwargs": {"enable_thinking": True}},
        "max": {"chat_template_kwargs": {"enable_thinking": True}},
    },
    "chat_template_args": {
        "off": {"chat_template_args": {"enable_thinking": False}},
        "high": {"chat_template_args": {"enable_thinking": True}},
        "max": {"chat_template_args": {"enable_thinking": True}},
    },
}

CHAT_OBJECTS = ("chat.completion.chunk", "chat.completion")

REASONING = frozenset({"reasoning_content", "reasoning", "reasoning_details"})

GOOD_FINISHES = frozenset(
    {"stop", "length", "tool_calls", "function_call", "end_turn", "eos", "max_tokens"}
)


class Generic:
    """The common dialect. A host's own dialect overrides only where it differs."""

    name: ClassVar[str] = "generic"
    effort_style: ClassVar[str] = "none"
    states_cost: ClassVar[bool] = False
    # Error codes whose meaning this family documents.
    codes: ClassVar[dict[str, Outcome]] = {
        "model_not_found": Outcome.MODEL_NOT_FOUND,
        "context_length_exceeded": Outcome.CONTEXT_OVERFLOW,
        "insufficient_quota": Outcome.QUOTA,
        "insufficient_user_quota": Outcome.QUOTA,
        "invalid_api_key": Outcome.AUTH_ERROR,
        "rate_limit_exceeded": Outcome.RATE_LIMITED,
        "content_filter": Outcome.CONTENT_FILTER,
    }
    # Finish reasons that are not a good end.
    finishes: ClassVar[dict[str, Outcome]] = {
        "error": Outcome.PROVIDER_ERROR,
        "network_error": Outcome.PROVIDER_ERROR,
        "abort": Outcome.PROVIDER_ERROR,  # vLLM: the engine gave the request up
        "insufficient_system_resource": Outcome.OVERLOADED,  # DeepSeek
        "content_filter": Outcome.CONTENT_FILTER,
    }

    def headers(self, provider: Provider) -> dict[str, str]:
        """Return no extra headers: the common dialect needs none."""
        return {}

    def body(self, request: Request, provider: Provider) -> dict[str, Any]:
        """Return the JSON body that asks this request of this provider.

        The provider's `extra_body` goes in last and wins, since it is the user's word.
        """
        body: dict[str, Any] = {
            "model": provider.model,
            "messages": request.messages,
            provider.max_tokens_field: request.max_tokens,
            "stream": request.stream,
        }
        if request.stream and provider.stream_usage == "include_usage":
            body["stream_options"] = {"include_usage": True}
        for field in ("temperature", "top_p", "stop", "seed", "tools", "tool_choice",
                      "response_format"):  # fmt: skip
            value = getattr(request, field)
            if value is not None:
                body[field] = value
        body |= self.fields(request, provider)
        body |= self.effort(request, provider)
        return body | provider.extra_body

    def fields(self, request: Request, provider: Provider) -> dict[str, Any]:
        """Return the body fields that only this family of hosts has."""
        return {}

    def effort(self, request: Request, provider: Provider) -> dict[str, Any]:
        """Return the body fields that ask this host for the wished effort."""
        effort = request.effort or provider.effort or "default"
        style = provider.effort_style or self.effort_style
        return EFFORT[style].get(effort, {})

    def read(self, chunk: Any, *, event: bytes = b"") -> Delta:
        """Return what a decoded chunk or answer says; odd shapes say nothing."""
        error = in_band(chunk, event)
        problem = None if error is None else self.classify(None, {"error": error}, "")
        if not isinstance(chunk, dict):
            return Delta(odd=problem is None, foreign=True, problem=problem)
        get = chunk.get
        delta = Delta(
            id=_name(get("id")),
            model=_name(get("model")),
            problem=problem,
            foreign="choices" not in chunk and get("object") not in CHAT_OBJECTS,
        )
        if "provider" in chunk:
            delta.upstream = _name(chunk["provider"])
        if "system_fingerprint" in chunk:
            delta.fingerprint = _name(chunk["system_fingerprint"])
        choices = get("choices")
        if isinstance(choices, list):
            for each in choices[:MAX_CHOICES]:
                self._choice(each, delta)
        if get("usage") or "x_groq" in chunk:
            self._usage(chunk, delta)
        return delta

    def _choice(self, choice: Any, delta: Delta) -> None:
        if not isinstance(choice, dict):
            return
        said = choice.get("delta") or choice.get("message")
        if isinstance(choice.get("index"), int) and choice["index"] > 0:
            other = Delta()
            self._said(said if isinstance(said, dict) else choice, other)
            delta.beside |= bool(other.content or other.reasoning or other.tools)
            return
        if isinstance(said, dict):
            self._said(said, delta)
        elif "text" in choice:
            delta.content += _text(choice["text"])
        finish = choice.get("finish_reason")
        if finish:
            # A router's own word may hide that its upstream failed.
            native = str(choice.get("native_finish_reason")).lower()
            failed = self.finishes.get(native) is Outcome.PROVIDER_ERROR
            delta.finish = native if failed else str(finish)

    def _said(self, said: dict[str, Any], delta: Delta) -> None:
        content = said.get("content")
        if isinstance(content, str):
            delta.content += content
        elif content is not None:
            delta.content += _text(content)
            delta.odd |= not isinstance(content, list)
        if "refusal" in said:
            delta.content += _text(said["refusal"])
        if not REASONING.isdisjoint(said):
            delta.reasoning += self.reasoning(said)
        calls = said.get("tool_calls")
        if calls and isinstance(calls, list):
            parts = (part for call in calls if (part := _tool_part(call)) is not None)
            delta.tools = (*delta.tools, *parts)

    def reasoning(self, said: dict[str, Any]) -> str:
        """Return the reasoning text of a delta, once, under whichever name it has."""
        text = _text(said.get("reasoning_content")) or _text(said.get("reasoning"))
        if text:
            return text
        details = said.get("reasoning_details")
        if not isinstance(details, list):
            return ""
        return "".join(
            _text(part.get("text")) or _text(part.get("summary"))
            for part in details
            if isinstance(part, dict)
        )

    def _usage(self, chunk: dict[str, Any], delta: Delta) -> None:
        raw, source = chunk.get("usage"), "final_chunk"
        if not isinstance(raw, dict):
            groq = chunk.get("x_groq")
            raw = groq.get("usage") if isinstance(groq, dict) else None
            source = "x_groq"
        if isinstance(raw, dict) and raw:
            if source == "final_chunk" and delta.finish:
                source = "finish_chunk"
            delta.usage, delta.usage_odd = read_usage(raw, source)

    def classify(self, status: int | None, payload: Any, text: str) -> Problem:
        """Return what an error means: its HTTP status if it had one, and its body."""
        code, message = wording(payload, text)
        inside = status is None
        if inside and code is not None and re.fullmatch(r"[45][0-9]{2}", code):
            status = int(code)
        outcome = settled(self.codes.get(code or ""), status, message)
        if inside and outcome is Outcome.HTTP_ERROR:
            outcome = Outcome.PROVIDER_ERROR  # the status that was sent is 200
        return Problem(
            outcome=outcome,
            blame=self.blame(outcome, status),
            code=code or (str(status) if status else None),
            message=message,
            retry_after_s=wait_in_body(payload),
        )

    def blame(self, outcome: Outcome, status: int | None) -> Blame | None:
        """Return whose doing an error is. Our own 4xx requests are the account's."""
        if outcome is Outcome.HTTP_ERROR and status is not None and status < 500:
            return Blame.ACCOUNT
        return BLAME[outcome]

    def finish_outcome(self, finish: str) -> Outcome | None:
        """Return what a finish reason means for the outcome; None if unknown."""
        finish = finish.lower()
        return Outcome.OK if finish in GOOD_FINISHES else self.finishes.get(finish)


def _text(value: Any) -> str:
    """Return text from a string or a list of text parts; anything else is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(
            part["text"]
            for part in value
            if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return ""


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _tool_part(call: Any) -> ToolPart | None:
    if not isinstance(call, dict):
        return None
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    index, id_ = call.get("index"), call.get("id")
    arguments = function.get("arguments")
    if isinstance(arguments, (dict, list)):
        arguments = msgspec.json.encode(arguments).decode()  # some hosts send objects
    return ToolPart(
        index=index if isinstance(index, int) else None,
        id=str(id_) if id_ not in (None, "") else None,
        name=_name(function.get("name")),
        arguments=arguments if isinstance(arguments, str) else "",
    )
