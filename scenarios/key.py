"""The key to scenarios: which case a prompt asks, and an answer that is known right."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from scenarios.answer import Answer
from scenarios.calls import ToolCall, ToolCalls
from scenarios.checks import Check, is_late, judge
from scenarios.code import Code
from scenarios.content import Case, Scenario, checks_of
from scenarios.draw import drawn
from scenarios.hay import statements
from scenarios.request import Message
from scenarios.session import asked
from scenarios.texts import Contains, Equals, Number

NO_IDEA: Final = "I do not know."

_HEADING: Final = re.compile(r"Label: \w+(?: \w+)*\n\n")
_FILLER: Final = "\x00"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a model could say; each call is (name, arguments as JSON text)."""

    content: str = ""
    calls: tuple[tuple[str, str], ...] = ()


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A case that a prompt asks: an answer to it that passes, and one that does not.

    `needs` says how often each statement stands in the prompt that nobody could be
    right without. A case of
    which no passing or no failing answer is known is not in the key.
    """

    scenario: str
    case: str
    right: Reply
    wrong: Reply
    needs: Mapping[str, int] = {}


class Key:
    """The answers to all cases of some scenarios, with the values that `seed` draws."""

    def __init__(self, scenarios: Iterable[Scenario], seed: int = 0) -> None:
        self._whole: dict[str, Known] = {}
        self._around: list[tuple[str, str, Known]] = []
        for scenario in scenarios:
            filled = drawn(scenario, seed)
            for case in filled.cases:
                self._add(filled, case)

    def _add(self, scenario: Scenario, case: Case) -> None:
        known = _known(scenario, case)
        if known is None:
            return
        for messages in asked(scenario, case, _FILLER):
            start, filler, end = _said(messages).partition(_FILLER)
            if filler:
                self._around.append((start, end, known))
            else:
                self._whole[start] = known

    def find(self, messages: Sequence[Message]) -> Known | None:
        """Return what is known of a prompt, None for one that no case asks."""
        text = _said(messages)
        if text in self._whole:
            return self._whole[text]
        for start, end, known in self._around:
            fits = text.startswith(start) and text.endswith(end)
            if fits and all(text.count(s) == n for s, n in known.needs.items()):
                return known
        return None


def _known(scenario: Scenario, case: Case) -> Known | None:
    checks = checks_of(scenario, case.id)
    right = next((r for r in _right(case, checks) if _passes(r, checks)), None)
    wrong = next((w for w in _wrong(scenario, case) if not _passes(w, checks)), None)
    late = any(isinstance(check, Code) for check in checks)
    if right is None or (wrong is None and not late):
        return None
    return Known(
        scenario=scenario.name,
        case=case.id,
        right=right,
        wrong=wrong or Reply(content=NO_IDEA),
        needs=Counter(statements(case.hay, case.values)) if case.hay else {},
    )


def _right(case: Case, checks: Sequence[Check]) -> Iterator[Reply]:
    """Yield answers that the case's own words, or its checks, say are right."""
    if case.good is not None:
        yield Reply(content=case.good)
    for check in checks:
        if isinstance(check, Code) and check.reference:
            yield Reply(content=check.reference)
        if isinstance(check, ToolCalls):
            calls = tuple(
                (call.tool, _json({k: v[0] for k, v in call.arguments.items()}))
                for call in check.calls
            )
            yield Reply(calls=calls) if calls else Reply(content=NO_IDEA)
        if isinstance(check, ToolCall) and check.arguments is not None:
            yield Reply(calls=((check.tool, _json(check.arguments)),))
        if isinstance(check, Equals):
            yield Reply(content=check.text)
        if isinstance(check, Number):
            yield Reply(content=f"{check.value:g}")
    parts = [check.text for check in checks if isinstance(check, Contains)]
    if parts:
        yield Reply(content=" ".join(parts))


def _wrong(scenario: Scenario, case: Case) -> Iterator[Reply]:
    yield from (Reply(content=text) for text in case.bad)
    yield Reply(content=NO_IDEA)
    for tool in case.tools or scenario.request.tools or ():
        yield Reply(calls=((tool["function"]["name"], "{}"),))


def _passes(reply: Reply, checks: Sequence[Check]) -> bool:
    """Tell whether no check that takes but a moment says anything against it."""
    answer = Answer(
        content=reply.content,
        tool_calls=reply.calls,
        finish_reason="tool_calls" if reply.calls else "stop",
    )
    verdicts = (judge(check, answer) for check in checks if not is_late(check))
    return all(verdict.passed for verdict in verdicts)


def _said(messages: Sequence[Message]) -> str:
    """Return all that is said in a prompt, who says it, and no nonce."""
    texts = [f"{each.get('role')}\x1f{_text(each.get('content'))}" for each in messages]
    if texts:
        role, _, first = texts[0].partition("\x1f")
        texts[0] = f"{role}\x1f{_HEADING.sub('', first, count=1)}"
    return "\x1e".join(texts)


def _text(content: Any) -> str:
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(text for text in parts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
