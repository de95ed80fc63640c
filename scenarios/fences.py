"""Code out of an answer: fenced blocks, files by name, and patches to files."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([^`\n]{0,200})\Z")
_HUNK: Final = re.compile(r"@@ -(\d{1,7})(?:,\d{1,7})? \+\d{1,7}(?:,\d{1,7})? @@")
_PATH: Final = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}/){0,8}[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}\Z"
)
_MARKS: Final = "`*#:() \t"


class PatchError(Exception):
    """A patch does not fit the files; the message says where."""


class Block(msgspec.Struct, frozen=True):
    """A fenced block: what stands behind the fence, the line before it, its text."""

    info: str
    before: str
    text: str

    @property
    def language(self) -> str:
        """Return the first word behind the fence, in small letters."""
        return (self.info.split() or [""])[0].lower()

    @property
    def path(self) -> str | None:
        """Return the file that it is, as its fence or the line before names it."""
        for word in (*self.info.split(), *self.before.split()[-3:]):
            name = word.partition("=")[2] or word
            name = name.strip(_MARKS + "\"'").removeprefix("./")
            if "." in name and _PATH.match(name) and ".." not in name:
                return name
        return None


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a text; one that is not closed ends with it."""
    found: list[Block] = []
    fence, info, before, last = "", "", "", ""
    held: list[str] = []
    for line in text.split("\n"):
        mark = _FENCE.match(line.rstrip())
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                found.append(Block(info, before, "\n".join(held) + "\n"))
                fence, held, last = "", [], ""
            else:
                held.append(line)
        elif mark:
            fence, info, before = mark[1], mark[2].strip(), last
        elif line.strip():
            last = line.strip()
    if fence:
        found.append(Block(info, before, "\n".join(held)))
    return found


def code(text: str, languages: Sequence[str]) -> str:
    """Return the code of an answer: its longest block of a language, or all of it.

    A block that names no language counts; blocks of other languages only if there is
    no other.
    """
    found = blocks(text)
    liked = [b for b in found if b.language in languages] or [
        b for b in found if not b.language
    ]
    chosen = liked or found
    return max(chosen, key=lambda b: len(b.text)).text if chosen else text


def files(text: str) -> dict[str, str]:
    """Return the whole files of an answer: of each path the last block that is it."""
    return {b.path: b.text for b in blocks(text) if b.path and b.language != "diff"}


def patched(old: Mapping[str, str], patch: str) -> dict[str, str]:
    """Return files as a unified diff changes them; PatchError where it does not fit.

    Line numbers are a hint: a hunk goes to the nearest place that has its lines.
    """
    made = dict(old)
    lines = patch.split("\n")
    at, path = 0, None
    while at < len(lines):
        line = lines[at]
        if line.startswith("+++ "):
            path = _named(line)
            if path is None:
                raise PatchError(f"line {at + 1}: no path in {line[:80]!r}")
            made.setdefault(path, "")
        elif (mark := _HUNK.match(line)) is not None:
            if path is None:
                raise PatchError(f"line {at + 1}: a hunk before any +++ line")
            before, after, at = _hunk(lines, at + 1)
            made[path] = _applied(made[path], before, after, int(mark[1]), path)
            continue
        at += 1
    if path is None:
        raise PatchError("no patch in the answer")
    return made


def _named(line: str) -> str | None:
    name = line[4:].partition("\t")[0].strip()
    name = name.removeprefix("b/").removeprefix("./")
    return name if _PATH.match(name) and ".." not in name else None


def _hunk(lines: Sequence[str], at: int) -> tuple[list[str], list[str], int]:
    before, after = [], []
    while at < len(lines):
        line = lines[at]
        if line.startswith(("@@", "--- ", "diff ", "+++ ")):
            break
        if line.startswith(("-", " ")) or not line:
            before.append(line[1:])
        if line.startswith(("+", " ")) or not line:
            after.append(line[1:])
        at += 1
    while before and after and not before[-1] and not after[-1]:  # blank lines behind
        before.pop()
        after.pop()
    return before, after, at


def _applied(
    text: str, before: Sequence[str], after: Sequence[str], hint: int, path: str
) -> str:
    lines = text.split("\n")
    fits = [
        at
        for at in range(len(lines) - len(before) + 1)
        if lines[at : at + len(before)] == list(before)
    ]
    if not fits:
        raise PatchError(f"{path}: no place has the lines of the hunk at {hint}")
    at = min(fits, key=lambda place: abs(place - hint + 1))
    return "\n".join([*lines[:at], *after, *lines[at + len(before) :]])
