"""Scripted hosts for live loops: each answers what it is shown in its own way."""

import json

from providers.simulator.catalogue.words import DONE, chunk, said, stream, used
from providers.simulator.player import ByteHost, Send
from scenarios import scenario as scenes

TASKS = {case.user: case.task for case in scenes.load("tool-loop").cases}


def task_of(messages):
    """Return the task that a history is about."""
    (user,) = [m["content"] for m in messages[:2] if m["role"] == "user"]
    return TASKS[user]


def solver(messages):
    """Return the call of a model that reads, writes what is right, tests and ends."""
    task = task_of(messages)
    done = sum(m["role"] == "assistant" for m in messages)
    edits = [
        (path, task.files[path], text)
        for path, text in task.solved.items()
        if task.files[path] != text
    ]
    calls = [("list", {})]
    calls += [
        ("edit", dict(zip(("path", "old", "new"), e, strict=True))) for e in edits
    ]
    calls += [("run_tests", {}), ("finish", {"note": "done"})]
    return [calls[done]], ""


def looper(messages):
    return [("read", {"path": "README.md"})], ""


def giver_up(messages):
    return [("finish", {})], ""


def blunderer(messages):
    """Call a tool that is none, one with a wrong argument, one in no JSON; or none."""
    done = sum(m["role"] == "assistant" for m in messages)
    wrong = [
        [("delete", {"path": f"x{done}"})],
        [("read", {"file": f"x{done}"})],
        [("read", "{" * (1 + done))],
        [],
    ]
    return wrong[done % 4], "I wonder."


def leaker(messages):
    """Say the call in the text, then make the solver's."""
    done = sum(m["role"] == "assistant" for m in messages)
    if done == 0:
        return [], "<tool_call>list</tool_call>"
    rest = [m for m in messages if not _leak(m)]
    return solver(rest)


def _leak(message):
    return "<tool_call>" in (message.get("content") or "")


def events(calls, text):
    """Return the events of an answer with some calls."""
    parts = [chunk({"content": text})] if text else []
    for n, (name, arguments) in enumerate(calls):
        told = arguments if isinstance(arguments, str) else json.dumps(arguments)
        function = {"name": name, "arguments": told}
        call = {"index": n, "id": f"c{n}", "type": "function", "function": function}
        parts.append(chunk({"tool_calls": [call]}))
    return [*parts, chunk(finish="tool_calls" if calls else "stop")]


class LoopHost(ByteHost):
    """A host that answers each request by what `model` makes of its messages."""

    def __init__(self, model):
        super().__init__(self.answer)
        self.model = model
        self.bodies = []

    def answer(self, asked):
        body = json.loads(asked.body)
        self.bodies.append(body)
        if (told := self.model(body["messages"])) is None:
            return (Send(stream(said(""), DONE)),)
        return (Send(stream(*events(*told), used(len(asked.body) // 4, 9), DONE)),)
