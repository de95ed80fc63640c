"""What errors mean: by their words, as far as their status allows, and their place."""

import pytest

from providers.errors import UNTOLD, in_band, meaning, settled, wording
from providers.outcome import Outcome

O = Outcome  # noqa: E741 - a table of outcomes reads better so


@pytest.mark.parametrize(
    ("status", "message", "outcome"),
    [
        (400, "This model's maximum context length is 8192 tokens", O.CONTEXT_OVERFLOW),
        (400, "prompt is too long: 9 > 8", O.CONTEXT_OVERFLOW),
        (400, "The model `x` does not exist", O.MODEL_NOT_FOUND),
        (400, "x is not a valid model: model not found", O.MODEL_NOT_FOUND),
        (400, "Invalid model", O.MODEL_NOT_FOUND),
        (400, "The model `x` does not support tools", O.BAD_REQUEST),
        (400, "Invalid 'max_tokens': must be at least 1", O.BAD_REQUEST),
        (400, "Invalid API key", O.AUTH_ERROR),
        (400, "blocked by content management policy", O.CONTENT_FILTER),
        (400, "the field is case-sensitive", O.BAD_REQUEST),
        (400, "", O.BAD_REQUEST),
        (401, "insufficient balance", O.AUTH_ERROR),
        (402, "", O.QUOTA),
        (403, "Insufficient permissions for this operation", O.AUTH_ERROR),
        (403, "insufficient quota", O.QUOTA),
        (404, "no such model", O.MODEL_NOT_FOUND),
        (404, "Invalid URL (POST /v1/x)", O.HTTP_ERROR),
        (407, "quota", O.CONNECT_ERROR),
        (413, "too large", O.BAD_REQUEST),
        (422, "model not found", O.MODEL_NOT_FOUND),
        (429, "Rate limit reached, to raise it add a payment method", O.RATE_LIMITED),
        (429, "Requests per min exceeded, see x/account/billing", O.RATE_LIMITED),
        (429, "You exceeded your current quota, please check your plan", O.QUOTA),
        (429, "The model is overloaded, try again later", O.OVERLOADED),
        (429, "x is temporarily rate-limited upstream", O.OVERLOADED),
        (429, "concurrency limit", O.RATE_LIMITED),
        (429, "", O.RATE_LIMITED),
        (500, "quota", O.HTTP_ERROR),
        (502, "", O.HTTP_ERROR),
        (503, "No available channel for model x: model_not_found", O.MODEL_NOT_FOUND),
        (503, "server is busy", O.OVERLOADED),
        (503, "maintenance", O.HTTP_ERROR),
        (524, "", O.HTTP_ERROR),
        (529, "", O.OVERLOADED),
        (None, "boom", O.PROVIDER_ERROR),
        (None, "Upstream error from X: internal", O.PROVIDER_ERROR),
        (None, "rate limit exceeded", O.RATE_LIMITED),
        (None, "insufficient balance", O.QUOTA),
        (None, "load balancer error", O.PROVIDER_ERROR),
    ],
)  # fmt: skip
def test_words_mean_what_their_status_allows(status, message, outcome):
    assert meaning(status, message) is outcome


def test_money_in_the_message_goes_before_a_code_that_says_rate():
    assert settled(O.RATE_LIMITED, 429, "your balance is used up") is O.QUOTA
    assert settled(O.RATE_LIMITED, 429, "slow down") is O.RATE_LIMITED
    assert settled(O.OVERLOADED, 429, "balance") is O.OVERLOADED
    assert settled(None, 429, "slow down") is O.RATE_LIMITED


@pytest.mark.parametrize(
    ("chunk", "event"),
    [
        ({"error": {"message": "boom"}}, b""),
        ({"error": "boom"}, b""),
        ({"choices": [{"error": {"message": "boom"}, "finish_reason": "error"}]}, b""),
        ({"x_groq": {"error": "boom"}}, b""),
        ({"base_resp": {"status_code": 1002, "status_msg": "boom"}}, b""),
        ({"object": "error", "message": "boom"}, b""),
        ({"success": False, "message": "boom"}, b""),
        ({"detail": "boom"}, b""),
        ({"message": "boom"}, b"error"),
        ({"error": {"detail": [{"loc": ["a"], "msg": "boom"}]}}, b""),
        ({"type": "error", "message": "boom"}, b""),
        ({"type": "error", "error": {"type": "overloaded", "message": "boom"}}, b""),
        ({"object": "Error", "message": "boom"}, b""),
        ({"status": "error", "message": "boom"}, b""),
        ({"status": "failed", "choices": [], "msg": "boom"}, b""),
        ({"errors": [{"message": "boom"}]}, b""),
        ({"errors": ["boom"]}, b""),
        ({"errors": {"message": "boom"}}, b""),
        ({"error_msg": "boom"}, b""),
        ({"error_message": "boom", "choices": []}, b""),
        ({"error_code": 336003, "error_msg": "boom"}, b""),
        ({"code": 500, "msg": "boom"}, b""),
        ({"code": "Throttling", "message": "boom"}, b""),
        ({"status": 500, "message": "boom"}, b""),
        ({"type": "response.failed", "message": "boom"}, b""),
        ({"choices": [{"delta": {"error": "boom"}}]}, b""),
        ({"choices": [{"message": {"error": {"message": "boom"}}}]}, b""),
        ({"choices": [{}, {"error": "boom"}]}, b""),
        ([{"error": {"message": "boom"}}], b""),
        ("boom", b"error"),
        (["boom"], b"error"),
        ([{"message": "boom"}], b"error"),
        ({"message": "boom"}, b"Error"),
    ],
)
def test_an_error_is_found_wherever_it_stands(chunk, event):
    error = in_band(chunk, event)
    assert error is not None
    assert "boom" in wording({"error": error}, "")[1]


@pytest.mark.parametrize(
    "chunk",
    [{}, {"error": None}, {"error": {}}, {"choices": []}, {"choices": None},
     {"base_resp": {"status_code": 0}}, {"x_groq": {"id": "x"}}, {"x_groq": None},
     {"success": True}, {"choices": [{"error": None}]}, {"choices": [None]},
     {"choices": [], "detail": "x"},
     {"error": False}, {"error": 0}, {"error": "none"}, {"errors": []},
     {"error_code": 0, "error_msg": "success"}, {"error_code": "0"}, {"error_msg": ""},
     {"error_code": 0, "error_msg": "the request was served", "choices": []},
     {"status": "completed"}, {"status": 200}, {"type": "chunk"}, {"object": "list"},
     {"code": 0, "message": "boom"}, {"code": 200, "msg": "done"}, {"code": 500},
     {"code": 7, "message": "x", "choices": [{"delta": {"content": "a"}}]},
     {"status": 200, "message": "boom"}, {"status": "queued", "message": "boom"},
     {"choices": [{"delta": {"error": None}}]}, {"choices": [{"delta": "error"}]},
     [{"id": "x"}], [[{"error": "boom"}]],
     {"message": "error"}, {"choices": [{"delta": {"content": "error"}}]},
     "boom", ["boom"], 5, None],
)  # fmt: skip
def test_a_chunk_without_an_error_has_none(chunk):
    assert in_band(chunk, b"") is None


@pytest.mark.parametrize(
    ("payload", "code", "message"),
    [
        ({"error": {"message": "m", "type": "t", "code": "c"}}, "c", "m t"),
        ({"error": {"message": "m", "type": "t", "code": None}}, "t", "m t"),
        ({"error": {"code": 429, "message": "m", "metadata": {"raw": "r"}}}, "429",
         "m r"),
        ({"error": {"code": "1305", "message": "m"}}, "1305", "m"),
        ({"object": "error", "message": "m", "code": 404}, "404", "m"),
        ({"base_resp": {}, "status_code": 1008, "status_msg": "m"}, "1008", "m"),
        ({"error": "m"}, None, "m"),
        ({"error": 429}, "429", "429"),
        ({"error": True}, None, "True"),
        ({"errors": [{"message": "m", "code": "c"}]}, "c", "m"),
        ([{"error": {"message": "m", "code": 400}}], "400", "m"),
        ({"error_code": 17, "error_msg": "m"}, "17", "m"),
        ({"error": None}, None, "the text"),
        (None, None, "the text"),
        ("m", None, "m"),
    ],
)  # fmt: skip
def test_code_and_message_out_of_every_shape(payload, code, message):
    assert wording(payload, "the text") == (code, message)


def test_an_error_that_is_nested_too_deeply_to_be_spelled_out_is_still_one():
    deep = []
    for _ in range(5_000):
        deep = [deep]
    assert wording({"error": deep}, "") == (None, UNTOLD)
    assert wording({"error": {"code": deep, "message": deep}}, "")[1] == UNTOLD
