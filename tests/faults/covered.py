"""Which test shows each fault of the catalogue."""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path

TESTS = Path(__file__).parents[1]
GROUPS = (
    "framing", "ending", "errors", "chunks", "content", "usage", "transport",
)  # fmt: skip


def listed(path):
    """Return the tests of each number in a file of `number test` lines."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        number, _, test = line.partition(" ")
        if number != "#":
            found.setdefault(int(number), []).append(f"tests/{test}")
    return found


# Faults that need more than one request to one script, and those of the client and
# its machine: by tests of their own, here or of the room that they are about.
ELSEWHERE = listed(TESTS / "faults" / "elsewhere.txt")


@cache
def expectations():
    """Return what is expected by test id, with the module that says so."""
    found = {}
    for group in GROUPS:
        path = TESTS / "faults" / f"test_{group}.py"
        if path.exists():
            module = import_module(f"faults.{path.stem}")
            found |= {case: (path.name, e) for case, e in module.EXPECTED.items()}
    return found


def expected_of(fault):
    """Return what is expected of a fault, by variant in the catalogue's order."""
    known = expectations()
    return {
        variant: known[case][1]
        for variant in fault.plays
        if (case := f"{fault.number}-{variant}".rstrip("-")) in known
    }


def shown_by(fault):
    """Return the tests that show a fault, as `file` and `file::test`."""
    cases = (f"{fault.number}-{variant}".rstrip("-") for variant in fault.plays)
    known = expectations()
    files = [f"tests/faults/{known[case][0]}" for case in cases if case in known]
    return tuple(dict.fromkeys((*files, *ELSEWHERE.get(fault.number, ()))))


def exists(test):
    """Return whether a test id (`tests/file.py::test`) names a test that is there."""
    name, _, function = test.partition("::")
    path = TESTS.parent / name
    if not path.exists():
        return False
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    names = {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
    return not function or function in names
