"""Refusals and error bodies, worded as each kind of host words them."""

from collections.abc import Callable
from typing import Any

import msgspec

from providers.simulator.profile import Profile


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of error. `code` is that of the OpenAI family, `zai` that of Z.ai.

    `category` is the OpenAI family's `type` and OpenRouter's `error_type`. `by_host`
    is true where a router would say that its upstream refused. `retry_after_s` is
    None where no Retry-After is sent.
    """

    status: int
    message: str
    category: str
    code: str
    zai: str
    by_host: bool = False
    retry_after_s: int | None = None


REFUSALS: dict[str, Refusal] = {
    "http_429_rate": Refusal(
        status=429,
        message="Rate limit reached: too many requests for this key",
        category="rate_limit_exceeded",
        code="rate_limit_exceeded",
        zai="1302",
        retry_after_s=2,
    ),
    "http_429_overloaded": Refusal(
        status=429,
        message="The model is overloaded, please try again later",
        category="provider_overloaded",
        code="engine_overloaded",
        zai="1305",
        by_host=True,
    ),
    "http_429_quota": Refusal(
        status=429,
        message="Insufficient balance or quota: recharge to go on",
        category="insufficient_quota",
        code="insufficient_quota",
        zai="1113",
    ),
    "http_429_account": Refusal(
        status=429,
        message="This account is restricted because of unusually frequent use",
        category="account_restricted",
        code="account_restricted",
        zai="1313",
    ),
    "http_402": Refusal(
        status=402,
        message="Insufficient credits: this request needs a larger balance",
        category="payment_required",
        code="insufficient_user_quota",
        zai="1113",
    ),
    "http_401": Refusal(
        status=401,
        message="Invalid API key: authentication failed",
        category="authentication_error",
        code="invalid_api_key",
        zai="1002",
    ),
    "http_500": Refusal(
        status=500,
        message="Internal server error",
        category="server_error",
        code="internal_error",
        zai="500",
    ),
    "mid_stream_error": Refusal(
        status=502,
        message="The server had an error while answering",
        category="server_error",
        code="server_error",
        zai="1234",
        by_host=True,
    ),
    "unknown_model": Refusal(
        status=404,
        message="The model does not exist",
        category="invalid_request_error",
        code="model_not_found",
        zai="1211",
    ),
    "bad_request": Refusal(
        status=400,
        message="Invalid request",
        category="invalid_request_error",
        code="invalid_request",
        zai="1210",
    ),
    "unknown_path": Refusal(
        status=404,
        message="Invalid URL",
        category="invalid_request_error",
        code="not_found",
        zai="404",
    ),
}
"""Every refusal by name; those that are faults have the fault's name."""

GATEWAY_PAGE = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n"
    b"</body>\r\n</html>\r\n"
)
WELCOME_PAGE = (
    b"<!doctype html>\n<html><head><title>Welcome</title></head>"
    b"<body><p>Please sign in to use this network.</p></body></html>\n"
)


def error_object(
    profile: Profile, refusal: Refusal, response_id: str, headers: dict[str, str]
) -> dict[str, Any]:
    """Return the JSON body of an error, in the shape of this host's family."""
    return SHAPES[profile.error_shape](profile, refusal, response_id, headers)


def _openai(
    _p: Profile, refusal: Refusal, _id: str, _h: dict[str, str]
) -> dict[str, Any]:
    return {
        "error": {
            "message": refusal.message,
            "type": refusal.category,
            "param": None,
            "code": refusal.code,
        }
    }


def _newapi(
    _p: Profile, refusal: Refusal, id_: str, _h: dict[str, str]
) -> dict[str, Any]:
    return {
        "error": {
            "message": f"{refusal.message} (request id: {id_})",
            "type": "new_api_error",
            "param": "",
            "code": refusal.code,
        }
    }


def _openrouter(
    p: Profile, refusal: Refusal, _id: str, headers: dict[str, str]
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"error_type": refusal.category}
    if refusal.by_host:
        metadata |= {"provider_name": p.upstream, "raw": refusal.message}
    if headers:
        metadata["headers"] = headers
    error = {"code": refusal.status, "message": refusal.message, "metadata": metadata}
    return {"error": error}


def _zai(_p: Profile, refusal: Refusal, _id: str, _h: dict[str, str]) -> dict[str, Any]:
    return {"error": {"code": refusal.zai, "message": refusal.message}}


SHAPES: dict[str, Callable[[Profile, Refusal, str, dict[str, str]], dict[str, Any]]] = {
    "openai": _openai,
    "newapi": _newapi,
    "openrouter": _openrouter,
    "zai": _zai,
}
"""The four families of error bodies."""
