"""A coding agent's session, turn by turn: files read, edits, tests, a compaction.

Every host is shown the same history, whatever it answered (teacher forcing). Its size
is that of a published sample: a prompt that grows from about 20,000 to 93,000 tokens
over 30 turns, 95 % of it seen before. How it grows in between, the compaction and the
pauses are made up to fit.
"""

import json
import random
from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec

from scenarios.prompts import text
from scenarios.request import Message

Size = Annotated[int, msgspec.Meta(ge=1_000, le=10**6)]

WORDS_A_LINE: Final = 9
TOKENS_A_LINE: Final = 13
"""Nine words, the space before a number, it, a bar and the line's end."""
READ: Final = 2_400
"""At most so many tokens come out of one call of a tool."""
SUMMARY: Final = 0.2
"""A compaction leaves so much of the first prompt's size in place of the history."""
AGAIN: Final = 60
"""After it each turn adds one part in so many of what the prompt had grown by."""
THINK: Final = (
    1.8, 0.6, 2.4, 0.9, 7.5, 1.1, 0.7, 3.2, 1.4, 12.0, 0.8, 2.1, 0.5, 4.6, 1.3, 0.9,
    21.0, 1.0, 2.8, 5.5, 0.7, 1.6, 9.0, 1.2, 0.6, 3.8, 1.5, 0.8, 2.2,
)  # fmt: skip
"""Seconds from an answer to the next turn: tools mostly, now and then a human."""


class Agent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table [agent]: so many turns, prompts of about `first` to `peak` tokens.

    At turn `compaction` a summary takes the place of the history. `think` are the
    seconds before each turn but the first; they begin anew where there are fewer.
    """

    turns: Annotated[int, msgspec.Meta(ge=2, le=1_000)] = 30
    first: Size = 20_000
    peak: Size = 93_000
    compaction: Annotated[int, msgspec.Meta(ge=3)] = 20
    think: Annotated[
        tuple[Annotated[float, msgspec.Meta(ge=0)], ...], msgspec.Meta(min_length=1)
    ] = THINK

    def pause(self, turn: int) -> float:
        """Return the seconds of thought before a turn (from 1)."""
        return self.think[(turn - 2) % len(self.think)] if turn > 1 else 0.0

    def sizes(self) -> list[int]:
        """Return about how many tokens the prompt of each turn has.

        It grows fast at first, while files are read, and ever slower until the
        compaction.
        """
        grown, last = self.peak - self.first, min(self.compaction, self.turns + 1) - 1
        found = []
        for turn in range(1, self.turns + 1):
            if turn < self.compaction:
                left = 1 - (turn - 1) / max(last - 1, 1)
                found.append(self.first + round(grown * (1 - left**3)))
            else:
                kept = self.first * (1 + SUMMARY)
                since = turn - self.compaction
                found.append(round(kept + since * grown / AGAIN))
        return found


def turns(
    agent: Agent, opening: list[Message], used: int, key: str, index: int
) -> Iterator[list[Message]]:
    """Yield the messages of each turn of session number `index`.

    `opening` ends in the user's task and has about `used` tokens, the tools included;
    files are put below the task until the first prompt has its size. What is yielded
    shares its texts with the turns before it, and is made when it is asked for.
    """
    words = _Words(key, index, agent.peak)
    draw = random.Random(f"agent/{key}/{index}")
    sizes = agent.sizes()
    task = opening[-1]
    given = _listing(words, "src/" + words.name(draw), max(sizes[0] - used, 0))
    head = [*opening[:-1], {**task, "content": f"{task['content']}\n\n{given}"}]
    history = head
    for turn, size in enumerate(sizes, 1):
        if turn == agent.compaction:
            summary = _prose(words, size - sizes[0])
            history = [*head, {"role": "user", "content": f"{COMPACTED}\n\n{summary}"}]
        elif turn > 1:
            more = _step(words, draw, turn, size - sizes[turn - 2])
            history = [*history, *more]
        yield history


COMPACTED: Final = (
    "The conversation so far was compacted. What was done, found out and is left:"
)


class _Words:
    """Words one after the other, out of a text that every session turns on its own."""

    def __init__(self, key: str, index: int, tokens: int) -> None:
        self._text = text(tokens, key, index)
        self._at = 0

    def take(self, n: int) -> list[str]:
        """Return the next n words."""
        found: list[str] = []
        while len(found) < n:
            wanted = n - len(found)
            part = self._text[self._at : self._at + 12 * wanted + 12].split(" ")
            whole = part[:wanted]
            self._at += sum(map(len, whole)) + len(whole)
            if self._at >= len(self._text):
                self._at = 0
            found += whole
        return found

    def name(self, draw: random.Random) -> str:
        """Return a file's name."""
        return f"{'_'.join(self.take(2))}{draw.randint(1, 99)}.py"


def _step(words: _Words, draw: random.Random, turn: int, tokens: int) -> list[Message]:
    """Return what one turn adds: the assistant's calls, and what came of them."""
    n = max(1, -(-tokens // READ))
    calls, results = [], []
    for k in range(n):
        name, arguments, said = _call(words, draw, tokens // n)
        call_id = f"call_{turn}_{k}"
        function = {"name": name, "arguments": json.dumps(arguments)}
        calls.append({"id": call_id, "type": "function", "function": function})
        results.append({"role": "tool", "tool_call_id": call_id, "content": said})
    return [
        {"role": "assistant", "content": _prose(words, 24), "tool_calls": calls},
        *results,
    ]


def _call(
    words: _Words, draw: random.Random, tokens: int
) -> tuple[str, dict[str, Any], str]:
    """Return a tool's name and arguments, and about so many tokens of its output."""
    path = f"src/{words.name(draw)}"
    kind = draw.choices(("read", "grep", "edit", "bash"), (5, 2, 2, 2))[0]
    if kind == "read":
        return kind, {"path": path}, _listing(words, path, tokens)
    if kind == "grep":
        (wanted,) = words.take(1)
        return kind, {"pattern": wanted, "path": "src"}, _hits(words, draw, tokens)
    if kind == "edit":
        old, new = (" ".join(words.take(tokens // 4)) for _ in range(2))
        arguments = {"path": path, "old": old, "new": new}
        return kind, arguments, _listing(words, path, tokens // 2)
    return kind, {"command": "python -m pytest -q"}, _tests(words, draw, tokens)


def _listing(words: _Words, path: str, tokens: int) -> str:
    """Return the numbered lines of a file."""
    n = max(tokens // TOKENS_A_LINE, 1)
    found = words.take(n * WORDS_A_LINE)
    lines = (
        f"{k + 1:>5}| {' '.join(found[k * WORDS_A_LINE : (k + 1) * WORDS_A_LINE])}"
        for k in range(n)
    )
    return f"{path}\n" + "\n".join(lines)


def _hits(words: _Words, draw: random.Random, tokens: int) -> str:
    n = max(tokens // 19, 1)
    names = [words.name(draw) for _ in range(6)]
    lines = (
        f"src/{names[k % 6]}:{draw.randint(1, 900)}: {' '.join(words.take(8))}"
        for k in range(n)
    )
    return "\n".join(lines)


def _tests(words: _Words, draw: random.Random, tokens: int) -> str:
    n = max(tokens // 17, 1)
    found = words.take(5 * n)
    lines = (
        f"tests/test_{found[5 * k]}.py::test_{'_'.join(found[5 * k + 1 : 5 * k + 5])}"
        f" {'FAILED' if draw.random() < 0.04 else 'PASSED'}"
        for k in range(n)
    )
    return "\n".join(lines)


def _prose(words: _Words, tokens: int) -> str:
    return " ".join(words.take(max(tokens, 1))).capitalize() + "."


def about(shown: str) -> int:
    """Return about how many tokens a JSON text has: a little over four letters each."""
    return len(shown) * 10 // 43
