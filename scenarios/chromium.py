"""Chromium in the sandbox, driven over a pipe: no network, a profile of its own.

Its own sandbox needs rights that ours takes away, so it is off in there; ours stands
around the whole browser, and with its first process all others end.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from scenarios.sandbox import MIB, NoSandboxError, find, resident

PLACES: Final = ("/usr/lib/chromium/chromium", "/usr/lib/chromium-browser/chromium")
"""Where Debian has the program itself; in /usr/bin is a script that reads /etc."""
START_S: Final = 30.0
MOST_MIB: Final = 2_048
"""Memory that all its processes together may have in use."""
LOOK_S: Final = 0.25
"""How often that is looked at."""
MOST_BYTES: Final = 8 * MIB
"""Bytes of one message that are read at most; a page decides how long some are."""
FLAGS: Final = (
    "--headless", "--no-sandbox", "--no-zygote", "--disable-gpu", "--no-first-run",
    "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-extensions", "--disable-breakpad", "--mute-audio",
    "--remote-debugging-pipe", "--user-data-dir=/box/profile",
    "--window-size=1000,900",
    "--js-flags=--max-old-space-size=256",
)  # fmt: skip


class BrowserError(Exception):
    """The browser, or the page in it, did not answer in time or not well."""


def program() -> str:
    """Return the path of Chromium's program; NoSandboxError if there is none."""
    for path in PLACES:
        if os.access(path, os.X_OK):
            return path
    found = shutil.which("chromium") or shutil.which("google-chrome-stable")
    if found and Path(found).resolve().is_relative_to("/usr"):
        return str(Path(found).resolve())
    raise NoSandboxError("no chromium; on Debian: apt-get install chromium")


@lru_cache(maxsize=1)
def probe() -> tuple[str, ...]:
    """Return the command line of a browser, tried out; NoSandboxError without one."""
    words = _words(program())
    try:
        with _running(words, "<!doctype html>") as pipe:
            pipe.ask("Browser.getVersion", START_S)
    except (BrowserError, OSError) as error:
        raise NoSandboxError(
            f"no chromium that starts in the sandbox: {error}"
        ) from None
    return words


@contextmanager
def opened(page: str, wall: float) -> Iterator["Page"]:
    """Give a page that has loaded, in a browser of its own for `wall` seconds at most.

    NoSandboxError where there is no browser or no sandbox, BrowserError for a page
    that does not load.
    """
    with _running(probe(), page) as pipe:
        pipe.until = time.monotonic() + wall
        yield Page(pipe)


class Pipe:
    """Chromium's two ends: messages are JSON texts that end in a zero byte."""

    def __init__(self, pid: int, to: int, back: int) -> None:
        self._pid = pid
        self._to, self._back = to, back
        self._number = 0
        self._heard = bytearray()
        self.events: list[dict[str, Any]] = []
        self.until = time.monotonic() + START_S

    def ask(self, method: str, seconds: float, **fields: Any) -> dict[str, Any]:
        """Return the result of a command; BrowserError where there is none."""
        self._number += 1
        session = fields.pop("session", None)
        command = {"id": self._number, "method": method, "params": fields}
        if session is not None:
            command["sessionId"] = session
        with suppress(BrokenPipeError):
            os.write(self._to, json.dumps(command).encode() + b"\0")
        end = min(time.monotonic() + seconds, self.until)
        while True:
            told = self._message(end)
            if told is None:
                raise BrowserError(f"{method}: no answer in time")
            if told.get("id") == self._number:
                if "error" in told:
                    raise BrowserError(f"{method}: {told['error'].get('message')}")
                found: dict[str, Any] = told["result"]
                return found

    def listen(self, seconds: float) -> None:
        """Take what is said for some time."""
        end = min(time.monotonic() + seconds, self.until)
        while self._message(end) is not None:
            pass

    def _message(self, end: float) -> dict[str, Any] | None:
        """Return the next message, None if none came until a moment; note events."""
        while b"\0" not in self._heard:
            left = end - time.monotonic()
            if left <= 0:
                return None
            if resident(self._pid) > MOST_MIB * MIB:
                raise BrowserError(f"it used more than {MOST_MIB} MiB")
            if not select.select([self._back], [], [], min(left, LOOK_S))[0]:
                continue
            data = os.read(self._back, 1 << 16)
            if not data:
                raise BrowserError("the browser ended")
            self._heard += data
            if len(self._heard) > MOST_BYTES:
                raise BrowserError("the page says more than is read")
        raw, _, rest = self._heard.partition(b"\0")
        self._heard = bytearray(rest)
        told: dict[str, Any] = json.loads(raw)
        if "method" in told:
            self.events.append(told)
        return told


class Page:
    """The one page of a browser. `errors` are those that it put out so far."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        target = pipe.ask("Target.createTarget", START_S, url="about:blank")
        joined = pipe.ask(
            "Target.attachToTarget", START_S, targetId=target["targetId"], flatten=True
        )
        self._session = joined["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        loaded = self.ask("Page.navigate", url="file:///page.html")
        while not any(e["method"] == "Page.loadEventFired" for e in pipe.events):
            if time.monotonic() > pipe.until:
                raise BrowserError("the page does not load in time")
            pipe.listen(0.1)
        world = self.ask(
            "Page.createIsolatedWorld", frameId=loaded["frameId"], worldName="h2h"
        )
        self._world = world["executionContextId"]

    def ask(self, method: str, **fields: Any) -> dict[str, Any]:
        """Return the result of a command about the page."""
        return self._pipe.ask(method, 10.0, session=self._session, **fields)

    def rest(self, seconds: float) -> None:
        """Let the page go on for some time."""
        self._pipe.listen(seconds)

    def value(self, script: str, *, apart: bool = False) -> Any:
        """Return what an expression comes to, None where it fails.

        With `apart` it sees the document, and nothing that the page's scripts changed.
        """
        where = {"contextId": self._world} if apart else {}
        told = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, **where
        )
        return None if "exceptionDetails" in told else told["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key,
                windowsVirtualKeyCode=code,
            )  # fmt: skip

    @property
    def errors(self) -> list[str]:
        """Return the errors of the console, uncaught ones too."""
        found = (_error(each["method"], each["params"]) for each in self._pipe.events)
        return [each for each in found if each is not None]


def _error(method: str, told: dict[str, Any]) -> str | None:
    """Return the error that an event tells of, None if it tells of none."""
    if method == "Runtime.exceptionThrown":
        details = told["exceptionDetails"]
        thrown = details.get("exception", {}).get("description")
        return str(thrown or details.get("text"))
    if method == "Log.entryAdded" and told["entry"].get("level") == "error":
        return str(told["entry"].get("text"))
    if method == "Runtime.consoleAPICalled" and told["type"] == "error":
        return str([each.get("value") for each in told["args"]])
    return None


def _words(chromium: str) -> tuple[str, ...]:
    inside = find().prefix
    box = ("--size", str(256 * MIB), "--tmpfs", "/box", "--tmpfs", "/tmp")  # noqa: S108 - in there
    more = ("--ro-bind-try", "/etc/fonts", "/etc/fonts", "--setenv", "HOME", "/box")
    return (*inside, *box, *more, "--chdir", "/box", chromium)


@contextmanager
def _running(words: tuple[str, ...], page: str) -> Iterator[Pipe]:
    """Give the pipe of a browser that has a page at /page.html; end all of it after."""
    text = _page(page)
    theirs_in, to = os.pipe()
    back, theirs_out = os.pipe()
    *inside, chromium = words
    # Chromium wants its pipe at 3 and 4; whoever starts it has them somewhere else.
    shell = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
    command = [*inside, "--ro-bind-data", str(text), "/page.html", "--remount-ro", "/"]
    command += ["/usr/bin/bash", "-c", shell, chromium, *FLAGS, "about:blank"]
    process = subprocess.Popen(  # noqa: S603 - that is what it is for
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(text, theirs_in, theirs_out),
        start_new_session=True,
        cwd="/",
        env={},
    )
    for end in (text, theirs_in, theirs_out):
        os.close(end)
    try:
        yield Pipe(process.pid, to, back)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(to)
        os.close(back)


def _page(text: str) -> int:
    """Return a file of a page's text, open for reading."""
    made = os.memfd_create("page")
    with os.fdopen(os.dup(made), "wb") as file:
        file.write(text.encode("utf-8", "replace"))
    os.lseek(made, 0, os.SEEK_SET)
    return made
