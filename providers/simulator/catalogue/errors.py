"""Faults: errors inside a 200, and answers that are none (44 to 54)."""

from providers.simulator.catalogue.fault import Fault
from providers.simulator.catalogue.words import (
    DONE,
    GOOD,
    LAST,
    ROLE,
    STOP,
    TEXT,
    encoded,
    event,
    head,
    replying,
    streaming,
    used,
)
from providers.simulator.player import Play, Repeat, Send

BOOM = {"message": "boom", "code": "server_error"}
HTML = "text/html; charset=utf-8"
GATEWAY = (
    b"<html>\n<head><title>{status}</title></head>\n<body>\n<center><h1>{status}</h1>"
    b"</center>\n<hr><center>nginx</center>\n</body>\n</html>\n"
    + b"<!-- a padding to disable the friendly error page of some browsers -->\n"
    * 6
)
WELCOME = b"<!doctype html>\n<title>Sign in</title><p>Please sign in to go on.\n"


def page(status: str) -> Play:
    """Return the script of a gateway's error page."""
    return replying(GATEWAY.replace(b"{status}", status.encode()), status, HTML)


def bare(status: str, *fields: str) -> Play:
    """Return the script of a response with no body at all and no length of one."""
    lines = (f"HTTP/1.1 {status}", *fields)
    return (Send(("\r\n".join(lines) + "\r\n\r\n").encode()),)


FAULTS: tuple[Fault, ...] = (
    Fault(
        number=44,
        slug="error_in_200",
        title="HTTP 200 with a JSON error as its body",
        variants={
            "error": replying(encoded({"error": BOOM})),
            "event_stream": replying(
                encoded({"error": BOOM}), kind="text/event-stream"
            ),
            "429": replying(encoded({"error": {"message": "slow down", "code": 429}})),
        },
        outcome="provider_error / rate_limited",
        seen="inference-perf#713, inference-perf#744, bifrost#5963, nodetool#5755",
    ),
    Fault(
        number=45,
        slug="error_first",
        title="an error as the first event",
        play=streaming(event({"error": BOOM}), DONE),
        outcome="provider_error",
        seen="langchainjs#11579",
    ),
    Fault(
        number=46,
        slug="mid_stream_error",
        title="an error object after some tokens",
        play=streaming(ROLE, *TEXT, event({"id": "c1", "choices": [], "error": BOOM})),
        outcome="provider_error",
        seen="OmniRoute#8210, tidebreak#1122",
    ),
    Fault(
        number=47,
        slug="error_before_usage",
        title="an error between the last text and the usage",
        play=streaming(ROLE, *TEXT, event({"error": BOOM}), used(), DONE),
        outcome="provider_error",
    ),
    Fault(
        number=48,
        slug="late_error",
        title="an error behind the finish reason or the usage",
        variants={
            "finish": streaming(ROLE, *TEXT, STOP, event({"error": BOOM}), DONE),
            "usage": streaming(*GOOD[:-1], event({"error": BOOM}), DONE),
        },
        outcome="provider_error: late_error",
    ),
    Fault(
        number=49,
        slug="error_shapes",
        title="an error in another shape: a string, a list, a code, a status",
        variants={
            "string": streaming(ROLE, *TEXT, event({"error": "boom"})),
            "detail": streaming(ROLE, *TEXT, event({"detail": "boom"})),
            "success": streaming(
                ROLE, *TEXT, event({"success": False, "message": "boom"})
            ),
            "type": streaming(ROLE, *TEXT, event({"type": "error", "message": "boom"})),
            "errors": streaming(ROLE, *TEXT, event({"errors": [{"message": "boom"}]})),
            "code": streaming(
                ROLE, *TEXT, event({"error_code": 17, "error_msg": "boom"})
            ),
            "status": streaming(
                ROLE, *TEXT, event({"status": "error", "message": "boom"})
            ),
            "body": replying(encoded({"success": False, "message": "boom"})),
        },
        outcome="provider_error",
        seen="commandcode#785",
    ),
    Fault(
        number=50,
        slug="http_502_html",
        title="HTTP 502 or 504 with a gateway's HTML page",
        variants={
            "502": page("502 Bad Gateway"),
            "504": page("504 Gateway Time-out"),
        },
        outcome="http_error",
    ),
    Fault(
        number=51,
        slug="html_200",
        title="HTTP 200 with an HTML page, as captive portals send",
        play=replying(WELCOME, kind=HTML),
        outcome="wrong_answer_type",
    ),
    Fault(
        number=52,
        slug="empty",
        title="HTTP 200 with an empty body",
        variants={
            "length": replying(b"", kind="text/event-stream"),
            "chunked": (Send(head() + LAST),),
            "blank": replying(b"\n\n", kind="text/event-stream"),
        },
        outcome="empty",
        seen="haystack#12721",
    ),
    Fault(
        number=53,
        slug="no_body_status",
        title="a status that has no body: 204, 205, 304",
        variants={
            "204": bare("204 No Content"),
            "205": bare("205 Reset Content", "Content-Length: 0"),
            "304": bare("304 Not Modified"),
        },
        outcome="empty / http_error",
    ),
    Fault(
        number=54,
        slug="interim_flood",
        title="interim responses (1xx) without end",
        play=(Repeat(b"HTTP/1.1 102 Processing\r\n\r\n", 0.005),),
        outcome="timeout_headers",
    ),
)
