"""What became of a response, by all that was seen of it."""

import re

from providers.dialect import Dialect, Problem
from providers.intake import Intake
from providers.lenient import decode
from providers.outcome import BLAME, Flag, Outcome

ERROR_TEXT_BYTES = 4_096
DATA = b"data:"
PARTIAL, NOT_MODIFIED = 206, 304
"""Answers to a range and to a condition, of which no request has any (RFC 9110)."""

AFTER_DONE = frozenset(
    {Outcome.TRUNCATED, Outcome.TIMEOUT_TOKEN_GAP, Outcome.TIMEOUT_TOTAL,
     Outcome.INTERRUPTED, Outcome.LIMIT_EXCEEDED, Outcome.DISCONNECTED}
)  # fmt: skip
"""A response that ended in one of these ways after [DONE] is a whole response."""


def verdict(
    intake: Intake, dialect: Dialect, ending: Outcome | None
) -> tuple[Outcome, Problem | None]:
    """Return the outcome of a response, and the host's own words if it named an error.

    `ending` is what cut the response short, None if it ended by itself. What the host
    said of itself goes before how the connection ended.
    """
    problem = _stated(intake, dialect)
    if problem is not None:
        return problem.outcome, problem
    if ending is not None and not (intake.finished and ending in AFTER_DONE):
        return ending, None
    return _ended(intake, dialect), None


def _stated(intake: Intake, dialect: Dialect) -> Problem | None:
    """Return the error that the host stated: by its status or inside the body."""
    status = intake.status
    if status is None or not intake.error:
        return intake.answer.problem
    if status == NOT_MODIFIED:
        return Problem(
            outcome=Outcome.HTTP_ERROR,
            blame=BLAME[Outcome.HTTP_ERROR],
            code=str(status),
            message="not modified, which nobody asked",
        )
    return _redirect(intake) if status < 400 else _http_error(intake, dialect)


def _redirect(intake: Intake) -> Problem:
    # A query or a fragment may hold anybody's token.
    target = re.split(r"[?#]", intake.headers.get("Location", ""))[0]
    return Problem(
        outcome=Outcome.REDIRECT_REFUSED,
        blame=BLAME[Outcome.REDIRECT_REFUSED],
        code=str(intake.status),
        message=f"redirect to {target or 'nowhere'} refused",
    )


def _http_error(intake: Intake, dialect: Dialect) -> Problem:
    body = intake.body
    text = body[:ERROR_TEXT_BYTES].decode("utf-8", "replace")
    try:
        return dialect.classify(intake.status, decode(body, intake.flags), text)
    except RecursionError:  # nested too deeply to be spelled out
        return dialect.classify(intake.status, None, text)


def _ended(intake: Intake, dialect: Dialect) -> Outcome:
    """Return what became of a response whose body ended by itself."""
    answer, streamed = intake.answer, intake.sse is not None
    if intake.status == PARTIAL:
        return Outcome.PROTOCOL_ERROR
    if not streamed and not intake.body.strip():
        return Outcome.EMPTY
    if answer.foreign:
        return Outcome.WRONG_ANSWER_TYPE
    if not answer.n_read:
        return _unread(intake)
    if streamed and not intake.finished and (answer.finish is None or intake.torn):
        return Outcome.TRUNCATED
    if answer.finish is None:
        intake.flags.add(Flag.NO_FINISH_REASON)
    if streamed and not intake.finished:
        intake.flags.add(Flag.NO_DONE)
    return _finished(intake, dialect)


def _finished(intake: Intake, dialect: Dialect) -> Outcome:
    """Return what a response is that came to its end: by its finish and its text."""
    answer, flags = intake.answer, intake.flags
    meant = dialect.finish_outcome(answer.finish) if answer.finish else Outcome.OK
    if meant is None:
        flags.add(Flag.UNKNOWN_FINISH_REASON)
    elif meant is Outcome.CONTENT_FILTER and answer.answered:
        flags.add(Flag.FILTERED)
    elif meant is not Outcome.OK:
        return meant
    if answer.answered:
        if dialect.states_cost and (answer.usage is None or not answer.usage.cost_usd):
            flags.add(Flag.COST_MISSING)
        return Outcome.OK
    hidden = answer.usage.reasoning_tokens if answer.usage else None
    return Outcome.REASONING_ONLY if answer.reasoning or hidden else Outcome.EMPTY


def _unread(intake: Intake) -> Outcome:
    """Return what a body is in which nothing was understood."""
    sse = intake.sse
    if sse is None and intake.answer.n_events:
        return Outcome.EMPTY
    if sse is None:
        return Outcome.PROTOCOL_ERROR if _cut(intake) else Outcome.WRONG_ANSWER_TYPE
    if intake.torn or DATA.startswith(intake.opening):
        return Outcome.TRUNCATED
    if intake.answer.n_bad:
        return Outcome.PROTOCOL_ERROR
    if intake.finished:
        return Outcome.EMPTY
    return Outcome.TRUNCATED if sse.spoken else Outcome.WRONG_ANSWER_TYPE


def _cut(intake: Intake) -> bool:
    """Return whether a body is the beginning of one JSON object.

    Lines of whole objects are none: they are another host's kind of stream.
    """
    body = intake.body.lstrip()
    first, _, rest = body.partition(b"\n")
    lines = bool(rest.strip()) and decode(first, intake.flags) is not None
    return body[:1] == b"{" and not lines and decode(body, intake.flags) is None
