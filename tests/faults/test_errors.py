"""Faults 44 to 67: errors inside a 200 and errors of HTTP."""

import pytest

from faults.expecting import expect, met
from providers.outcome import Blame, Flag, Outcome
from providers.provider import Caps, Deadlines
from providers.secret import Secret
from providers.simulator.catalogue.errors import GATEWAY, WELCOME

O, F = Outcome, Flag  # noqa: E741 - a table of outcomes reads better so

KEY = "sesame-0123456789-open"
SENT = "sent headers"
TEXTS = "sent headers first_event first_token first_answer last_token"


def refused(outcome, status, **facts):
    """Return what is expected of an HTTP error: nothing of an answer was reached."""
    return expect(outcome, only=SENT, http_status=status, **facts)


def slow(seconds, **facts):
    return refused(O.RATE_LIMITED, 429, retry_after_s=seconds, **facts)


def excerpt(status):
    return GATEWAY.replace(b"{status}", status.encode())[:512].decode()


EXPECTED = {
    "44-error": expect(O.PROVIDER_ERROR, only=SENT, error_code="server_error"),
    "44-event_stream": expect(O.PROVIDER_ERROR, only=SENT, error_code="server_error"),
    "44-429": expect(O.RATE_LIMITED, only=SENT, error_code="429"),
    "45": expect(O.PROVIDER_ERROR, only=f"{SENT} first_event done"),
    "46": expect(O.PROVIDER_ERROR, only=TEXTS, error_excerpt="boom"),
    "47": expect(O.PROVIDER_ERROR),
    "48-finish": expect(O.PROVIDER_ERROR, F.LATE_ERROR, only=f"{TEXTS} done"),
    "48-usage": expect(O.PROVIDER_ERROR, F.LATE_ERROR),
    "49-string": expect(O.PROVIDER_ERROR, only=TEXTS, error_excerpt="boom"),
    "49-detail": expect(O.PROVIDER_ERROR, only=TEXTS, error_excerpt="boom"),
    "49-success": expect(O.PROVIDER_ERROR, only=TEXTS, error_excerpt="boom"),
    "49-type": expect(O.PROVIDER_ERROR, only=TEXTS, error_excerpt="boom error"),
    "49-errors": expect(O.PROVIDER_ERROR, only=TEXTS, error_excerpt="boom"),
    "49-code": expect(
        O.PROVIDER_ERROR, only=TEXTS, error_code="17", error_excerpt="boom"
    ),
    "49-status": expect(O.PROVIDER_ERROR, only=TEXTS, error_excerpt="boom"),
    "49-body": expect(O.PROVIDER_ERROR, only=SENT, error_excerpt="boom"),
    "50-502": refused(O.HTTP_ERROR, 502, error_excerpt=excerpt("502 Bad Gateway")),
    "50-504": refused(O.HTTP_ERROR, 504, error_excerpt=excerpt("504 Gateway Time-out")),
    "51": expect(O.WRONG_ANSWER_TYPE, only=SENT, error_excerpt=WELCOME.decode()),
    "52-length": expect(O.EMPTY, only=SENT, bytes_received=0),
    "52-chunked": expect(O.EMPTY, only=SENT, bytes_received=0),
    "52-blank": expect(O.EMPTY, only=SENT, bytes_received=2),
    "53-204": refused(O.EMPTY, 204),
    "53-205": refused(O.EMPTY, 205),
    "53-304": refused(O.HTTP_ERROR, 304, error_code="304"),
    "54": expect(
        O.TIMEOUT_HEADERS,
        only="sent",
        given={"deadlines": Deadlines(headers=0.15, total=5)},
    ),
    "55-401": refused(O.AUTH_ERROR, 401, error_excerpt="Invalid API key"),
    "55-403": refused(O.AUTH_ERROR, 403),
    "55-402": refused(O.QUOTA, 402),
    "56-model": refused(O.MODEL_NOT_FOUND, 404, error_code="model_not_found"),
    "56-words": refused(O.MODEL_NOT_FOUND, 404, error_code="404"),
    "56-path": refused(O.HTTP_ERROR, 404, blame=Blame.ACCOUNT, error_code="404"),
    "57": slow(20.0, ratelimit={"retry-after": "20"}),
    "58-imf": slow(30.0),
    "58-rfc850": slow(30.0),
    "58-asctime": slow(30.0),
    "59-ms": slow(1.5, ratelimit={"retry-after-ms": "1500"}),
    "59-reset": slow(
        360.0,
        ratelimit={
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "6m0s",
            "x-ratelimit-reset-requests_s": "360",
        },
    ),
    "60-negative": slow(None, ratelimit={"retry-after": "-5"}),
    "60-huge": slow(86_400.0),
    "60-exponent": slow(None),
    "60-nan": slow(None),
    "60-letters": slow(None),
    "60-twice": slow(20.0),
    "61": slow(None, error_excerpt=None),
    "62-499": refused(O.HTTP_ERROR, 499, blame=Blame.ACCOUNT),
    "62-520": refused(O.HTTP_ERROR, 520),
    "62-522": refused(O.HTTP_ERROR, 522),
    "62-524": refused(O.HTTP_ERROR, 524),
    "62-526": refused(O.HTTP_ERROR, 526),
    "62-529": refused(O.OVERLOADED, 529),
    "62-599": refused(O.HTTP_ERROR, 599),
    "63": refused(O.HTTP_ERROR, 503, error_code="503"),
    "64": refused(O.HTTP_ERROR, 500, error_excerpt="x" * 512),
    "65": refused(
        O.AUTH_ERROR,
        401,
        error_excerpt="Incorrect API key provided: ***.",
        given={"host": {"api_key": Secret(KEY)}},
    ),
    "66-400": refused(O.BAD_REQUEST, 400),
    "66-422": refused(O.BAD_REQUEST, 422),
    "67-max_tokens": refused(O.BAD_REQUEST, 400, error_code="unsupported_parameter"),
    "67-temperature": refused(O.BAD_REQUEST, 400, error_code="unsupported_value"),
}


@pytest.mark.parametrize("case", EXPECTED)
async def test_an_error(case):
    reply = await met(case, EXPECTED[case])
    assert KEY not in repr(reply)


async def test_a_huge_error_is_read_no_further_than_its_cap():
    reply = await met("64", EXPECTED["64"])
    assert Caps().error_bytes < reply.bytes_received < 8 << 20


@pytest.mark.parametrize("case", ["57", "63", "50-502", "61"])
async def test_an_error_ends_its_request_at_once(case):
    stamps = (await met(case, EXPECTED[case])).stamps
    assert (stamps.end - stamps.headers) / 1e9 < 5, "it waited for a deadline"
