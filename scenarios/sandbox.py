"""A sandbox for code that a model wrote: it computes there, and is judged out here.

What comes out of the sandbox is values as JSON. What they should have been never goes
in, so there is nothing in there that the code could forge: to print PASS, to exit
early or to kill whatever runs it gives no right value.
"""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

import msgspec

from scenarios import seccomp
from scenarios.inside import SOURCE

UID: Final = 61_017
"""Who the code is when root starts it: limits on processes do not bind root."""

MIB: Final = 1 << 20
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
LOOK_S: Final = 0.05
"""How often the memory of all processes together is looked at."""


class NoSandboxError(Exception):
    """There is no sandbox here; the message says why and names the remedy."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the code may use. `wall` and `cpu` in seconds, the others as they say.

    `memory_mib` and CPU time hold for each process, of which there are at most
    `processes`; all of them together have `total_mib` of memory that is in use.
    `output_bytes` is how much is read of its values, and of what it printed.
    """

    wall: float = 10.0
    cpu: int = 5
    memory_mib: int = 512
    total_mib: int = 1024
    disk_mib: int = 16
    processes: int = 16
    output_bytes: int = 65_536


USUAL: Final = Limits()


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """Files by relative path, and what to compute of them, one line of Python each.

    Each of `lines` is (statements to run first, expression whose value is wanted); all
    are run in turn, in one namespace in which `imports` has been run.
    """

    files: Mapping[str, str]
    imports: str
    lines: Sequence[tuple[str, str]]


class Value(msgspec.Struct, frozen=True):
    """What one line gave: a JSON value, or the error (its type first).

    `early` says that the error came before the line itself was run: from what the
    program imports, or from the statements that are run first.
    """

    value: Any = None
    error: str | None = None
    early: bool = False


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a program.

    `values` are those of the first lines, as far as it came. `fault` None means that
    all lines were run; `said` is what the code printed, cut to the limit.
    """

    values: list[Value]
    fault: str | None
    said: str


class Sandbox(msgspec.Struct, frozen=True):
    """A way to run code without network, files of ours, or power over other processes.

    `python` is the interpreter, `prefix` the command line that starts it in there.
    """

    python: str
    prefix: tuple[str, ...]

    def run(self, program: Program, limits: Limits = USUAL) -> Ran:
        """Run a program and return what it computed; never raises for what it does."""
        letter = {
            "limits": _rlimits(limits),
            "files": dict(program.files),
            "imports": program.imports,
            "lines": list(program.lines),
        }
        # Files, not pipes: what is written to them is held by the limit on files.
        with TemporaryFile() as stdin, TemporaryFile() as out, TemporaryFile() as err:
            stdin.write(json.dumps(letter).encode())
            stdin.seek(0)
            with _filter() as refused:
                process = subprocess.Popen(  # noqa: S603 - that is what it is for
                    [*self.prefix, *_inside(self.python, limits, refused.fileno())],
                    stdin=stdin,
                    stdout=out,
                    stderr=err,
                    pass_fds=(refused.fileno(),),
                    start_new_session=True,
                    cwd="/",
                    env={},
                )
            fault = _ended(process, limits)
            heard, said = (_start(file, limits) for file in (out, err))
        found = list(_values(heard, len(program.lines)))
        if fault is None and len(found) < len(program.lines):
            fault = f"it ended early (exit {process.returncode})"
        return Ran(values=found, fault=fault, said=said.decode(errors="replace"))


@lru_cache(maxsize=1)
def find() -> Sandbox:
    """Return this machine's sandbox, tried out; NoSandboxError if there is none."""
    needed = ["bwrap", *(["setpriv"] if os.geteuid() == 0 else [])]
    missing = [name for name in needed if shutil.which(name) is None]
    if missing:
        raise NoSandboxError(
            f"no sandbox: {', '.join(missing)} not found; on Debian or Ubuntu: "
            "apt-get install bubblewrap util-linux"
        )
    why = ""
    for python, prefix in _pythons():
        made = Sandbox(python, (*_lowered(), *_walls(prefix)))
        ran = made.run(Program(files={}, imports="", lines=[("", "6 * 7")]))
        if ran.values == [Value(42)]:
            return made
        why = (ran.said.strip().splitlines() or [ran.fault or "it said nothing"])[-1]
    raise NoSandboxError(
        f"no sandbox: bwrap cannot start one here ({why[:200]}); it needs bubblewrap "
        "0.8 and unprivileged user namespaces, which some systems and containers forbid"
    )


def _pythons() -> Iterator[tuple[str, Path | None]]:
    # The system's own needs nothing but /usr, and a user without rights can read it.
    for name in ("python3", *(f"python3.{n}" for n in range(15, 9, -1))):
        if os.access(f"/usr/bin/{name}", os.X_OK):
            yield f"/usr/bin/{name}", None
            break
    base = Path(sys.base_prefix)
    yield str(base / "bin" / f"python3.{sys.version_info.minor}"), base


def _lowered() -> Sequence[str]:
    if os.geteuid() != 0:
        return ()
    who = f"--reuid={UID}", f"--regid={UID}"
    return ("setpriv", *who, "--clear-groups", "--no-new-privs")


def _walls(python: Path | None) -> Iterator[str]:
    yield from ("bwrap", "--unshare-all", "--unshare-user", "--disable-userns")
    yield from ("--die-with-parent", "--new-session")
    yield from ("--cap-drop", "ALL", "--clearenv", "--ro-bind", "/usr", "/usr")
    for name in ("bin", "lib", "lib32", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    if python is not None:
        yield from ("--ro-bind", str(python), str(python))
    yield from ("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev")


def _inside(python: str, limits: Limits, refused: int) -> Sequence[str]:
    size = str(limits.disk_mib * MIB)
    box = ("--size", size, "--tmpfs", "/box", "--chdir", "/box", "--remount-ro", "/")
    return (*box, "--seccomp", str(refused), python, "-I", "-S", "-c", SOURCE)


def _filter() -> IO[bytes]:
    """Return a file with the filter of system calls; NoSandboxError without one."""
    found = seccomp.program()
    if found is None:
        raise NoSandboxError(
            f"no sandbox: the numbers of system calls of {platform.machine()} are not "
            "known; run it on x86_64 or aarch64"
        )
    file = TemporaryFile()  # noqa: SIM115 - whoever gets it closes it
    file.write(found)
    file.seek(0)
    return file


def _rlimits(limits: Limits) -> Mapping[str, int]:
    # Set by the first program in there: its user namespace counts processes anew, and
    # whoever runs h2h may have hundreds of others.
    return {
        "AS": limits.memory_mib * MIB,
        "CPU": limits.cpu,
        "FSIZE": limits.disk_mib * MIB,
        "NPROC": limits.processes,
        "NOFILE": 64,
        "CORE": 0,
    }


def _ended(process: subprocess.Popen[bytes], limits: Limits) -> str | None:
    """Wait for a program's end, and leave nothing of it running; say what was wrong."""
    fault, until = None, time.monotonic() + limits.wall
    try:
        while fault is None:
            try:
                process.wait(LOOK_S)
                break
            except subprocess.TimeoutExpired:
                fault = _too_much(process.pid, limits, until)
    finally:
        with suppress(ProcessLookupError):  # with its first process all others end
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return fault


def _too_much(pid: int, limits: Limits, until: float) -> str | None:
    """Return which limit on all processes together is passed, None if none is."""
    if time.monotonic() > until:
        return f"it took more than {limits.wall:g} s"
    if resident(pid) > limits.total_mib * MIB:
        return f"it used more than {limits.total_mib} MiB"
    return None


def resident(pid: int) -> int:
    """Return the bytes of memory that a process and all that came of it have in use.

    What they share counts for each. 0 once they are gone.
    """
    return PAGE * sum(map(_pages, _family(pid)))


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError, ValueError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def _pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0


def _start(file: IO[bytes], limits: Limits) -> bytes:
    file.seek(0)
    return file.read(limits.output_bytes)


def _values(heard: bytes, wanted: int) -> Iterator[Value]:
    """Yield what was sent of each line, in order, up to what is no such thing."""
    for line in heard.split(b"\n")[:wanted]:
        try:
            yield msgspec.json.decode(line, type=Value)
        except (msgspec.DecodeError, RecursionError):
            return
