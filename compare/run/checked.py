"""What an answer is held to: a line for each check, and what they come to together."""

from collections.abc import Sequence
from math import fsum
from typing import Any

import msgspec
from msgspec.structs import replace

from compare.run.sender import Result
from data.row import CheckRow
from providers.outcome import Outcome
from providers.provider import Provider
from providers.reply import Reply
from providers.secret import hide
from scenarios.calls import fitting
from scenarios.checks import CAP, Answer, Check, Verdict, is_late, judge
from scenarios.request import Request

ANSWERED = frozenset({Outcome.OK})


def answer_of(reply: Reply) -> Answer | None:
    """Return what checks look at, None where no answer came."""
    if reply.outcome not in ANSWERED:
        return None
    return Answer(
        content=reply.content,
        tool_calls=tuple((call.name, call.arguments) for call in reply.tool_calls),
        finish_reason=reply.finish_reason,
    )


def said(answer: Answer | None, request: Request) -> dict[str, Any]:
    """Return the columns of what was answered: what tells it apart, its tool calls."""
    if answer is None:
        return {}
    return {
        "answer_sha256": answer.digest,
        "n_tool_calls": len(answer.tool_calls),
        "n_tool_calls_fit": fitting(answer, request.tools or ()),
    }


def checked(
    run_id: str,
    result: Result,
    answer: Answer | None,
    checks: Sequence[Check],
    provider: Provider,
) -> list[CheckRow]:
    """Return a line for each check; an answer that never came passes none."""
    seq, lines = result.arrival.seq, []
    for check in checks:
        line = CheckRow(run_id=run_id, seq=seq, name=check.name, passed=None)
        if answer is None:
            lines.append(replace(line, detail=f"no answer: {result.reply.outcome}"))
        elif is_late(check) and answer.size <= CAP:
            # Hidden before it is judged: a key that is echoed is never at rest.
            kept = hide(msgspec.json.encode(answer).decode(), provider.secrets)
            waits = "waits for the end of the run"
            lines.append(replace(line, detail=waits, answer=kept))
        else:
            lines.append(_judged(line, judge(check, answer), provider))
    for verdict in result.verdicts:
        line = CheckRow(run_id=run_id, seq=seq, name=verdict.name, passed=None)
        lines.append(_judged(line, verdict, provider))
    return lines


def _judged(line: CheckRow, verdict: Verdict, provider: Provider) -> CheckRow:
    """Return a line with its verdict; what that quotes of the answer may be a key."""
    return replace(
        line,
        passed=None if verdict.passed is None else int(verdict.passed),
        detail=verdict.detail and hide(verdict.detail, provider.secrets),
        score=verdict.score,
    )


def passed(lines: Sequence[CheckRow]) -> int | None:
    """Return 0 if any check failed, 1 if all passed, None if that is not known yet."""
    found = [line.passed for line in lines]
    if not found or 0 in found:
        return 0 if found else None
    return None if None in found else 1


def score(lines: Sequence[CheckRow]) -> float | None:
    """Return the mean score of the checks that were made."""
    scores = [
        line.passed if line.score is None else line.score
        for line in lines
        if line.passed is not None
    ]
    return fsum(scores) / len(scores) if scores else None
