"""A file system in memory and the tools of a live loop; what a task wants of its files.

`run_tests` judges the text of files and runs nothing: what a model wrote is never
executed while others are measured, and the verdict costs microseconds.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from scenarios.answer import parse, same
from scenarios.request import ScenarioError

MOST_BYTES: Final = 8_000
"""Bytes of what tools say in one step; what is longer is cut."""
MOST_FILES: Final = 1_000
MOST_FILE: Final = 100_000
"""Characters of a file."""

_TEXT: Final = {"type": "string"}


def _tool(name: str, what: str, wanted: str = "", may: str = "") -> dict[str, Any]:
    names = (*wanted.split(), *may.split())
    parameters = {
        "type": "object",
        "properties": dict.fromkeys(names, _TEXT),
        "required": wanted.split(),
        "additionalProperties": False,
    }
    function = {"name": name, "description": what, "parameters": parameters}
    return {"type": "function", "function": function}


TOOLS: Final = (
    _tool(
        "list", "List the paths of all files, or of those below a folder.", may="path"
    ),
    _tool("read", "Read a file.", "path"),
    _tool("grep", "Find the lines of all files that hold a text.", "text", "path"),
    _tool(
        "edit",
        "Replace a text that stands exactly once in a file by another. With an empty "
        "`old` write a new file.",
        "path old new",
    ),
    _tool("run_tests", "Run the tests; each says whether it passes, and why not."),
    _tool("finish", "Say that the task is done. Only when all tests pass.", may="note"),
)
"""The tools that are offered in every live loop, as the chat API has them."""

FINISH: Final = "finish"


class Expect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A test: what must be true of one file once a task is done.

    It `contains` a text, or `lacks` it; or at the `key` of a JSON file (names and
    places, joined by dots) stands what it `equals`.
    """

    name: Annotated[str, msgspec.Meta(min_length=1)]
    file: str
    contains: str | None = None
    lacks: str | None = None
    key: str | None = None
    equals: Any = msgspec.UNSET

    def refuse(self, where: str) -> None:
        """Raise ScenarioError unless it says exactly one thing."""
        said = [self.contains, self.lacks, self.key]
        if sum(each is not None for each in said) != 1:
            raise ScenarioError(
                f"{where}: a test says one of contains, lacks or key; write one"
            )
        if (self.key is None) != (self.equals is msgspec.UNSET):
            raise ScenarioError(f"{where}: key and equals go together; write both")

    def fault(self, files: Mapping[str, str]) -> str | None:
        """Return what is wrong, None if nothing is."""
        text = files.get(self.file)
        if text is None:
            return f"{self.file}: there is no such file"
        if self.contains is not None and self.contains not in text:
            return f"{self.file}: {self.contains!r} is not in it"
        if self.lacks is not None and self.lacks in text:
            return f"{self.file}: {self.lacks!r} is in it"
        return self._fault_of_key(text) if self.key is not None else None

    def _fault_of_key(self, text: str) -> str | None:
        value, fault = parse(text)
        if fault:
            return f"{self.file}: {fault}"
        for step in (self.key or "").split("."):
            try:
                value = value[int(step)] if isinstance(value, list) else value[step]
            except (KeyError, IndexError, TypeError, ValueError):
                return f"{self.file}: there is nothing at {self.key}"
        if not same(value, self.equals):
            return f"{self.file}: {self.key} is {value!r:.80}, not {self.equals!r:.80}"
        return None


class Desk:
    """The files of one session, and what the tools do with them."""

    def __init__(self, files: Mapping[str, str], tests: tuple[Expect, ...]) -> None:
        self.files = dict(files)
        self._tests = tests

    def faults(self) -> list[tuple[str, str | None]]:
        """Return each test's name and what is wrong, None where it passes."""
        return [(test.name, test.fault(self.files)) for test in self._tests]

    def use(self, name: str, arguments: str) -> tuple[str, bool]:
        """Return what a tool says, and whether the call was a valid one."""
        value, fault = parse(arguments)
        if fault or not isinstance(value, dict):
            return f"error: the arguments are no JSON object: {fault or ''}", False
        known = {tool["function"]["name"]: tool["function"] for tool in TOOLS}
        if name not in known:
            return (
                f"error: there is no tool {name!r:.80}; use {', '.join(known)}",
                False,
            )
        parameters = known[name]["parameters"]
        missing = [key for key in parameters["required"] if key not in value]
        unknown = [key for key in value if key not in parameters["properties"]]
        mistyped = [key for key, each in value.items() if not isinstance(each, str)]
        for what, keys in (
            ("missing", missing), ("unknown", unknown), ("not a text", mistyped)
        ):  # fmt: skip
            if keys:
                return f"error: {what}: {', '.join(map(str, keys))[:200]}", False
        said: str = getattr(self, f"_{name}")(**value)
        return said, True

    def _list(self, path: str = "") -> str:
        root = path.strip("./")
        found = sorted(name for name in self.files if name.startswith(root))
        return "\n".join(found) or f"error: nothing below {path}"

    def _read(self, path: str) -> str:
        if path not in self.files:
            return f"error: there is no file {path:.80}; list has them all"
        return self.files[path]

    def _grep(self, text: str, path: str = "") -> str:
        root = path.strip("./")
        hits = [
            f"{name}:{n}: {line[:200]}"
            for name, whole in sorted(self.files.items())
            if name.startswith(root)
            for n, line in enumerate(whole.split("\n"), 1)
            if text in line
        ]
        return "\n".join(hits[:200]) or "no line has it"

    def _edit(self, path: str, old: str, new: str) -> str:
        whole = self.files.get(path)
        if whole is None and not old and path:
            whole, changed = "", new
        elif whole is None:
            return f"error: there is no file {path:.80}"
        elif not old or whole.count(old) != 1:
            n = whole.count(old) if old else 0
            return f"error: `old` stands {n} times in {path}, not once; nothing changed"
        else:
            changed = whole.replace(old, new)
        if len(changed) > MOST_FILE or len(self.files) > MOST_FILES:
            return "error: too large; nothing changed"
        self.files[path] = changed
        return f"changed {path}"

    def _run_tests(self) -> str:
        found = self.faults()
        good = sum(fault is None for _, fault in found)
        lines = [
            f"FAIL {name}: {why}" if why else f"PASS {name}" for name, why in found
        ]
        return "\n".join([f"{good} of {len(found)} tests pass", *lines])

    def _finish(self, note: str = "") -> str:
        return "finished" + note[:0]
