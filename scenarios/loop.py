"""A live loop: each step is asked from the host's own answer to the one before."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from scenarios.answer import Answer, Verdict, parse
from scenarios.desk import FINISH, MOST_BYTES, Desk, Expect
from scenarios.request import Message, Request

SAME: Final = 3
"""The same call with the same outcome so often, and nothing changed between: a loop."""

MOST_CALLS: Final = 16
"""Calls of one answer; those beyond are not looked at."""
CALL_TOKENS: Final = 64
"""What stands around a call and its outcome in the history, at most."""

NUDGE: Final = "Call a tool. When all tests pass, call finish."
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Loop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table [loop]: at most so many steps a session."""

    steps: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 12

    def grown(self, turn: int, max_tokens: int) -> int:
        """Return how many tokens the history adds at most to the prompt of a turn."""
        return (turn - 1) * (max_tokens + MOST_BYTES + MOST_CALLS * CALL_TOKENS)


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What there is to do on some files: `tests` say when it is done.

    `solved` are files that pass every test, those that change at least; for
    `h2h scenarios check` alone.
    """

    files: Annotated[Mapping[str, str], msgspec.Meta(min_length=1)]
    tests: Annotated[tuple[Expect, ...], msgspec.Meta(min_length=1)]
    solved: Mapping[str, str] = {}


class Play:
    """One session of one host: `request` is what it is to be asked next.

    Its verdicts, once it is `over`: `solved`, the model called `finish` with all tests
    passing (score: the share that pass); `finished`, it did so within the steps;
    `no-loop`, it did not make one call over and over, which ends the session.
    """

    def __init__(self, opening: Request, task: Task, loop: Loop) -> None:
        self.request = opening
        self.over = False
        self._desk = Desk(task.files, task.tests)
        self._left = loop.steps
        self._steps = 0
        self._made: Counter[tuple[str, str, str]] = Counter()

    def take(self, answer: Answer) -> tuple[Verdict, ...]:
        """Do what an answer calls for; return the verdicts if that was its last."""
        self._left -= 1
        self._steps += 1
        calls, results, looped, finished = [], [], False, False
        room = MOST_BYTES
        for k, call in enumerate(answer.tool_calls[:MOST_CALLS]):
            name, arguments = map(_whole, call)
            said = (
                self._used(name, arguments)
                .encode(errors="replace")[:room]
                .decode(errors="ignore")
            )
            room -= len(said.encode())
            looped |= self._made[name, arguments, said] >= SAME
            finished |= name == FINISH and not said.startswith("error")
            call_id = f"call_{self._steps}_{k}"
            calls.append(_echo(call_id, name, arguments))
            results.append({"role": "tool", "tool_call_id": call_id, "content": said})
            if finished:
                break
        if finished or looped or not self._left:
            self.over = True
            return self._verdicts(finished=finished, looped=looped)
        self._go_on(_whole(answer.content), calls, results)
        return ()

    def _used(self, name: str, arguments: str) -> str:
        before = dict(self._desk.files)
        said, _ = self._desk.use(name, arguments)
        if self._desk.files != before:
            self._made.clear()  # after a change the same call is another one
        self._made[name, arguments, said] += 1
        return said

    def _go_on(
        self, content: str, calls: list[dict[str, Any]], results: list[Message]
    ) -> None:
        said: Message = {"role": "assistant", "content": content or None}
        if calls:
            said["tool_calls"] = calls
        more = [said, *results] if calls else [{**said, "content": content}]
        if not calls:
            more.append({"role": "user", "content": NUDGE})
        messages = (*self.request.messages, *more)
        self.request = msgspec.structs.replace(self.request, messages=messages)

    def _verdicts(self, *, finished: bool, looped: bool) -> tuple[Verdict, ...]:
        faults = self._desk.faults()
        wrong = [f"{name}: {why}" for name, why in faults if why]
        solved = finished and not wrong
        detail = f"steps: {self._steps}"
        if wrong:
            detail += f"; {len(wrong)} of {len(faults)} tests fail: {wrong[0]}"
        share = 1 - len(wrong) / len(faults)
        unfinished = "it made one call over and over" if looped else "no finish called"
        return (
            Verdict("solved", solved, detail[:400], share),
            Verdict("finished", finished, None if finished else unfinished),
            Verdict("no-loop", not looped, unfinished if looped else None),
        )


def _whole(text: str) -> str:
    """Return a text that can be sent: half a surrogate pair cannot."""
    return text.encode(errors="replace").decode()


def _echo(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    """Return a call as the history has it: hosts refuse what is no name or no JSON."""
    value, fault = parse(arguments)
    if fault or not isinstance(value, dict):
        arguments = json.dumps({"unreadable": arguments[:400]})
    function = {
        "name": name if _NAME.fullmatch(name) else "unknown",
        "arguments": arguments,
    }
    return {"id": call_id, "type": "function", "function": function}
