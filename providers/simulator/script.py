"""What a simulated host is going to send: every byte and its moment, in advance."""

from random import Random
from typing import Literal

import msgspec

from providers.reply import Kind
from providers.simulator.answer import Answer, grouped
from providers.simulator.faults import ENDINGS, TOKENS_PER_EVENT
from providers.simulator.frames import DONE, Frames
from providers.simulator.pace import MS
from providers.simulator.profile import Profile
from providers.simulator.refusal import WELCOME_PAGE

EVENT_STREAM = "text/event-stream; charset=utf-8"
JSON = "application/json"
HTML = "text/html; charset=utf-8"

Act = Literal["write", "stall", "cut", "reset"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do, `at_ns` after the request was received.

    `tokens` is how many tokens of the kind the bytes carry, `finish` the finish
    reason that they state.
    """

    at_ns: int
    data: bytes = b""
    kind: Kind = Kind.OTHER
    tokens: int = 0
    finish: str | None = None
    act: Act = "write"


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """A whole response. `length` is its Content-Length, None for a stream."""

    steps: list[Step]
    status: int = 200
    content_type: str = JSON
    headers: dict[str, str] = {}
    headers_at_ns: int = 0
    length: int | None = None


def one_body(
    body: bytes, *, status: int = 200, content_type: str = JSON, at_ns: int = 0
) -> Script:
    """Return the response that is one body, sent at once with its headers."""
    return Script(
        steps=[Step(at_ns=at_ns, data=body)] if body else [],
        status=status,
        content_type=content_type,
        headers_at_ns=at_ns,
        length=len(body),
    )


def no_answer(
    fault: str, error: bytes, rng: Random, *, stream: bool, at_ns: int
) -> Script:
    """Return the response that has status 200 but is no answer."""
    answer_type = EVENT_STREAM if stream else JSON
    body, content_type = {
        "error_in_200": (error, JSON),
        "garbage": (b"\x00\xff<garbage>" + rng.randbytes(200), answer_type),
        "html_200": (WELCOME_PAGE, HTML),
        "empty": (b"", answer_type),
    }[fault]
    return one_body(body, content_type=content_type, at_ns=at_ns)


def whole(
    profile: Profile,
    body: bytes,
    answer: Answer,
    times: list[int],
    *,
    fault: str | None,
    fault_after: int,
) -> Script:
    """Return the response of an answer that is not streamed: it comes when it is done.

    A fault that strikes after some tokens strikes here after half of the body.
    """
    at = times[-1] + round(profile.tail_ms * MS)
    kind = Kind.TOOL if answer.calls else Kind.CONTENT
    half = len(body) // 2 if fault in ENDINGS else 0
    early = min(fault_after, answer.tokens) if half else 0
    rest = Step(
        at_ns=at,
        data=body[half:],
        kind=kind,
        tokens=answer.tokens - early,
        finish=answer.finish,
    )
    steps = [rest]
    if half:
        first = Step(at_ns=at, data=body[:half], kind=kind, tokens=early)
        steps = [first, Step(at_ns=at, act=_act(fault)), rest]
    return Script(steps=steps, headers_at_ns=at, length=len(body))


def streamed(
    profile: Profile,
    frames: Frames,
    answer: Answer,
    times: list[int],
    *,
    end: bytes,
    error: bytes,
    fault: str | None,
    fault_after: int,
) -> Script:
    """Return the response of a streamed answer.

    `times` has the moment of each token; an event leaves with its last token. `end`
    is what follows the answer, `error` what breaks it off.
    """
    headers_at = round(times[0] * profile.headers_share)
    role_at = round(times[0] * profile.role_share)
    steps = _comments(profile, headers_at, role_at)
    steps.append(Step(at_ns=role_at, data=frames.role()))
    tokens = _tokens(profile, frames, answer, times, fault)
    at = times[-1] + round(profile.tail_ms * MS)
    closing = end if fault == "no_done" else end + DONE
    rest = [*tokens, Step(at_ns=at, data=closing, finish=answer.finish)]
    if fault in ENDINGS:
        early = _first(tokens, fault_after)
        at = early[-1].at_ns if early else times[0]
        broken = error if fault == "mid_stream_error" else b""
        steps += [*early, Step(at_ns=at, data=broken, act=_act(fault))]
        # Only a stall can be over, and then the answer goes on.
        rest = rest[len(early) :] if fault == "stall" else []
    steps += rest
    return Script(steps=steps, content_type=EVENT_STREAM, headers_at_ns=headers_at)


def _comments(profile: Profile, start: int, end: int) -> list[Step]:
    if profile.comment is None:
        return []
    every = round(profile.comment_every_ms * MS)
    return [Step(at_ns=at, data=profile.comment) for at in range(start, end, every)]


def _tokens(
    profile: Profile,
    frames: Frames,
    answer: Answer,
    times: list[int],
    fault: str | None,
) -> list[Step]:
    size = TOKENS_PER_EVENT.get(fault or "", profile.tokens_per_event)
    steps = []
    n_sent = 0
    for piece in grouped(answer.pieces, size):
        n_sent += piece.tokens
        at = times[-1] if fault == "fake_stream" else times[n_sent - 1]
        data = frames.piece(piece)
        steps.append(Step(at_ns=at, data=data, kind=piece.kind, tokens=piece.tokens))
    return steps


def _first(steps: list[Step], n_tokens: int) -> list[Step]:
    """Return the steps up to the one in which the n-th token leaves."""
    kept = []
    for step in steps:
        if n_tokens <= 0:
            break
        kept.append(step)
        n_tokens -= step.tokens
    return kept


def _act(fault: str | None) -> Act:
    acts: dict[str | None, Act] = {"stall": "stall", "cut": "cut", "reset": "reset"}
    return acts.get(fault, "write")
