"""`h2h` as a process of its own that need not import the program first.

To import it takes longer than most of what tests have it do. So one interpreter imports
it once, and forks for each command that is typed: a process as any other, with streams,
folder and environment of its own, to be signalled and waited for. Only what an
interpreter settles as it starts (the encoding of its streams, say) is the first one's.
For Linux.
"""

import contextlib
import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

LETTER = 1 << 20
"""Bytes that a command and its environment may take."""


class Nursery:
    """The interpreter that forks."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LETTER)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def close(self) -> None:
        """End it; what it forked goes on."""
        self._line.close()
        self._process.wait()

    def start(self, words, folder, env, stdout=subprocess.PIPE):
        """Start `h2h` with some words, as `subprocess.Popen` would."""
        out, into_out = os.pipe() if stdout == subprocess.PIPE else (None, None)
        err, into_err = os.pipe()
        line, theirs = socket.socketpair()
        letter = json.dumps([words, str(folder), env]).encode()
        fds = [stdout.fileno() if into_out is None else into_out, into_err]
        with theirs:
            socket.send_fds(self._line, [letter], [*fds, theirs.fileno()])
        for fd in {into_out, into_err} - {None}:
            os.close(fd)
        return Forked(words, line, out, err)


class Forked:
    """A forked `h2h`: as much of `subprocess.Popen` as tests need."""

    def __init__(self, args, line, out, err) -> None:
        self.args, self.returncode = args, None
        with line:
            self._line = line.makefile()
        told = self._line.readline()
        assert told, "the interpreter that forks has ended"
        self.pid = int(told)
        self.stdout = None if out is None else os.fdopen(out, encoding="utf-8")
        self.stderr = os.fdopen(err, encoding="utf-8")

    def wait(self, timeout=None):
        """Return the exit code, negative for a signal, as soon as there is one."""
        if self.returncode is None:
            with selectors.DefaultSelector() as ready:
                ready.register(self._line, selectors.EVENT_READ)
                if not ready.select(timeout):
                    raise subprocess.TimeoutExpired(self.args, timeout)
            with self._line:
                self.returncode = int(self._line.readline())
        return self.returncode

    def poll(self):
        """Return the exit code, or None as long as there is none."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def communicate(self, timeout=None):
        """Return what is still to be read of its output and errors, once it ended."""
        with ThreadPoolExecutor(2) as readers:
            streams = (self.stdout, self.stderr)
            said = [each and readers.submit(_rest_of, each) for each in streams]
            try:
                found = [each and each.result(timeout) for each in said]
            except TimeoutError as error:
                self.kill()
                raise subprocess.TimeoutExpired(self.args, timeout) from error
        self.wait(timeout)
        return tuple(found)

    def send_signal(self, number) -> None:
        """Send a signal, if it has not ended yet."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()


def _rest_of(stream):
    with stream:
        return stream.read()


# ---------------------------------------------------- what the one that forks does


def imported():
    """Import all of the program; return its entry point."""
    for room in ("compare", "data", "providers", "scenarios"):
        path = import_module(room).__path__
        for _, name, _ in pkgutil.walk_packages(path, f"{room}."):
            if not name.endswith("__main__"):
                import_module(name)
    return sys.modules["compare.cli.main"].main


def forked(line):
    """Fork for each letter and tell of it: its id, and in the end its exit code.

    Return the letter and its streams in the process that is to heed them, and None in
    this one when no more can come.
    """
    living = {}
    with selectors.DefaultSelector() as events:
        events.register(line, selectors.EVENT_READ)
        while True:
            for key, _ in events.select():
                if key.data is not None:
                    _tell_the_end(key.data, living.pop(key.data))
                    events.unregister(key.fd)
                    os.close(key.fd)
                    continue
                letter, fds, _, _ = socket.recv_fds(line, LETTER, 3)
                if not letter:
                    return None
                *streams, status = fds
                if not (pid := os.fork()):
                    for fd in [status, *living.values(), *_watched(events)]:
                        os.close(fd)
                    return json.loads(letter), streams
                os.write(status, b"%d\n" % pid)
                living[pid] = status
                events.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                for fd in streams:
                    os.close(fd)


def _watched(events):
    return [key.fd for key in events.get_map().values() if key.data is not None]


def _tell_the_end(pid, status):
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(OSError):  # nobody may be left to hear it
        os.write(status, b"%d\n" % code)
    os.close(status)


def become(words, folder, env, streams):
    """Be the process in which somebody typed `h2h` and some words."""
    sys.argv = ["h2h", *words]
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for at, fd in enumerate(streams, 1):
        os.dup2(fd, at)
        os.close(fd)
    sys.stdout, sys.stderr = _anew(sys.stdout), _anew(sys.stderr)


def _anew(stream):
    """Return a stream of what is now below its number: that may be no file any more."""
    return open(
        stream.fileno(), "w", encoding=stream.encoding, errors=stream.errors,
        buffering=1 if stream.line_buffering else -1, closefd=False,
    )  # fmt: skip


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))
    main = imported()
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as line:
        asked = forked(line)
    if asked is not None:
        become(*asked[0], asked[1])
        main()
