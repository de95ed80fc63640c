"""Z.ai: the official host of GLM, with errors and finish reasons of its own."""

from typing import Any, ClassVar

from providers.generic import Generic
from providers.outcome import Outcome
from providers.provider import Provider
from scenarios.request import Request

# docs.z.ai, API error codes; those of the wallet and the plan come as HTTP 429.
_QUOTA = ("1113", "1308", "1309", "1310", "1311", *map(str, range(1314, 1322)))
_AUTH = ("1000", "1001", "1002", "1003", "1004")


class Zai(Generic):
    """Z.ai. Tool arguments are streamed only when `tool_stream` asks for it."""

    name: ClassVar[str] = "zai"
    effort_style: ClassVar[str] = "zai"
    codes: ClassVar[dict[str, Outcome]] = (
        Generic.codes
        | {
            "1302": Outcome.RATE_LIMITED,
            "1303": Outcome.RATE_LIMITED,
            "1305": Outcome.OVERLOADED,
            "1313": Outcome.RATE_LIMITED,
            "1211": Outcome.MODEL_NOT_FOUND,
            "1261": Outcome.CONTEXT_OVERFLOW,
            "1301": Outcome.CONTENT_FILTER,
        }
        | dict.fromkeys(_AUTH, Outcome.AUTH_ERROR)
        | dict.fromkeys(_QUOTA, Outcome.QUOTA)
    )
    finishes: ClassVar[dict[str, Outcome]] = Generic.finishes | {
        "sensitive": Outcome.CONTENT_FILTER,
        "model_context_window_exceeded": Outcome.CONTEXT_OVERFLOW,
    }

    def fields(self, request: Request, provider: Provider) -> dict[str, Any]:
        """Return the field without which tool calls of a stream never arrive."""
        return {"tool_stream": True} if request.stream and request.tools else {}
