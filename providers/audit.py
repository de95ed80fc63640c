"""What is odd about a response without changing what became of it."""

from itertools import islice
from operator import eq

import msgspec

from providers.answer import Answer
from providers.intake import Intake
from providers.lenient import decode
from providers.outcome import Flag, Outcome
from providers.reply import ToolCall, Usage
from providers.usage import unreadable_cost

TOKEN_SLACK = 64
PROMPT_SLACK = 65_536
TOOL_MARKUP = ("<tool_call>", "<arg_key>", "<|tool_call", "<function=")


def plausible(intake: Intake, request_bytes: int) -> Usage | None:
    """Return the last usage seen, its impossible counts made None and flagged.

    More than 4 output tokens a byte received, beside hidden reasoning, cannot be, nor
    more than were allowed and shown, nor none for what was shown; nor more than 4 input
    tokens a byte sent, beside what a host may put in front. `request_bytes` 0 means
    unknown.
    """
    usage, answer = intake.answer.usage, intake.answer
    if usage is None:
        return None
    shown = sum(map(len, answer.content)) + sum(map(len, answer.reasoning))
    allowed = intake.max_tokens + TOKEN_SLACK + shown
    most_out = min(4 * intake.bytes + (usage.reasoning_tokens or 0), allowed)
    most_in = 4 * request_bytes + PROMPT_SLACK
    doubtful: set[str] = set()
    uncounted = usage.completion_tokens == 0 and shown
    if uncounted or (usage.completion_tokens or 0) > most_out:
        doubtful |= {"completion_tokens", "total_tokens"}
    if (usage.reasoning_tokens or 0) > allowed:
        doubtful.add("reasoning_tokens")
    if request_bytes and (usage.prompt_tokens or 0) > most_in:
        doubtful |= {"prompt_tokens", "total_tokens"}
    if doubtful or answer.usage_odd:
        intake.flags.add(Flag.USAGE_IMPLAUSIBLE)
    if not doubtful:
        return usage
    return msgspec.structs.replace(usage, **dict.fromkeys(doubtful))


def oddities(
    intake: Intake, outcome: Outcome, usage: Usage | None, model: str
) -> set[Flag]:
    """Return the flags that only the whole response shows."""
    answer = intake.answer
    text = "".join(answer.content)
    made = usage.completion_tokens if usage else None
    calls = answer.calls.whole()
    shown = text + "".join(call.name for call in calls)
    found = {
        Flag.USAGE_MISSING: outcome is Outcome.OK and usage is None,
        Flag.USAGE_MISMATCH: usage is not None
        and (_mismatched(usage) or (outcome is Outcome.EMPTY and (made or 0) > 1)),
        Flag.COST_IMPLAUSIBLE: usage is not None
        and ((usage.cost_usd or "").startswith("-") or unreadable_cost(usage)),
        Flag.MODEL_NOT_REQUESTED: bool(answer.model)
        and (answer.model or "").lower() != model.lower(),
        Flag.SINGLE_CHUNK_STREAM: outcome is Outcome.OK
        and intake.stream
        and intake.sse is not None
        and answer.n_content == 1
        and made != 1,
        Flag.SHORT_LENGTH: answer.finish == "length"
        and made is not None
        and made < intake.max_tokens,
        Flag.DUP_CHUNK: _repeated(answer, made),
        Flag.TOOL_INVALID: outcome is Outcome.OK and not all(map(_callable, calls)),
        Flag.TOOL_MARKUP_LEAK: any(mark in shown for mark in TOOL_MARKUP),
        Flag.STREAM_ANSWER: not intake.stream and intake.sse is not None,
    }
    return {flag for flag, holds in found.items() if holds}


def _repeated(answer: Answer, made: int | None) -> bool:
    """Return whether chunks came twice: a model may say a word twice in a row.

    An event with output stands for a token or more. Where there are more such events
    than tokens, and as many repeat the one before, the repeats are what is too much.
    """
    over = answer.n_content - made if made else 0
    if over <= 0:
        return False
    texts = (answer.content, answer.reasoning)
    return over <= sum(sum(map(eq, text, islice(text, 1, None))) for text in texts)


def _callable(call: ToolCall) -> bool:
    """Return whether a tool call can be carried out: a name, and a JSON object."""
    arguments = decode(call.arguments.encode("utf-8", "replace"), set())
    return bool(call.name) and isinstance(arguments, dict)


def _mismatched(usage: Usage) -> bool:
    """Return whether the parts of a usage contradict its wholes."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    parts = None if prompt is None or completion is None else prompt + completion
    return (
        (usage.total_tokens is not None and parts not in {None, usage.total_tokens})
        or _more(usage.cached_tokens, prompt)
        or _more(usage.reasoning_tokens, completion)
    )


def _more(part: int | None, whole: int | None) -> bool:
    return part is not None and whole is not None and part > whole
