"""The program that runs in the sandbox, as text: it knows no right answer."""

from typing import Final

SOURCE: Final = r"""
import json, os, resource, sys

def main():
    letter = json.load(sys.stdin)
    sys.stdin.close()
    for name, most in letter["limits"].items():
        resource.setrlimit(getattr(resource, "RLIMIT_" + name), (most, most))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the code prints is no value
    for path, text in letter["files"].items():
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
    sys.path.insert(0, os.getcwd())
    space = {"__name__": "inside"}
    broken = None
    try:
        exec(letter["imports"], space)
    except BaseException as error:
        broken = told(error)
    for before, wanted in letter["lines"]:
        out.write(line(before, wanted, space, broken) + "\n")
        out.flush()
    try:
        sys.stdout.flush()
    finally:
        os._exit(0)  # no hook of the code's own

def line(before, wanted, space, broken):
    if broken:
        return json.dumps({"error": broken, "early": True})
    try:
        exec(before, space)
    except BaseException as error:
        return json.dumps({"error": told(error), "early": True})
    try:
        value = eval(wanted, space)
        return json.dumps({"value": value}, allow_nan=False)
    except BaseException as error:
        return json.dumps({"error": told(error)})

def told(error):
    return f"{type(error).__name__}: {error}"[:400]

main()
"""
"""Reads a letter (JSON) and writes one JSON line for each line of it."""
