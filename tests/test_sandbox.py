import os
import socket
import sqlite3
import time
from pathlib import Path

import pytest

from scenarios import sandbox, seccomp
from scenarios.sandbox import Limits, NoSandboxError, Program, Value, find

QUICK = Limits(wall=5.0, cpu=2)


@pytest.fixture(scope="module")
def box():
    try:
        return find()
    except NoSandboxError as error:
        pytest.skip(str(error))


def ran(box, code, *lines, limits=QUICK):
    program = Program(
        files={"solution.py": code},
        imports="from solution import *",
        lines=[line if isinstance(line, tuple) else ("", line) for line in lines],
    )
    return box.run(program, limits)


def values(box, code, *lines):
    return [value.value for value in ran(box, code, *lines).values]


def nothing_runs():
    """Tell whether all processes in a sandbox are gone; the last may be dying yet."""
    until = time.monotonic() + 5
    while (found := running()) and time.monotonic() < until:
        os.sched_yield()
    return not found


def running():
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
        except OSError:
            continue
        found += [text] if b"no hook of the code's own" in text else []
    return found


def test_lines_are_run_in_one_namespace_in_order(box):
    code = "class Stack(list):\n    def top(self): return self[-1]"
    found = values(box, code, ("s = Stack()", "len(s)"), ("s.append(7)", "s.top()"))
    assert found == [0, 7]


def test_files_stand_where_they_are_said_to(box):
    program = Program(
        files={"pack/__init__.py": "", "pack/deep/a.py": "X = 'é☃'"},
        imports="from pack.deep import a",
        lines=[("", "a.X"), ("", "open('pack/deep/a.py').read()")],
    )
    found = box.run(program)
    assert [each.value for each in found.values] == ["é☃", "X = 'é☃'"]
    assert found.fault is None


def test_an_error_is_that_lines_own(box):
    found = ran(box, "def f(n): return 1 / n", "f(0)", "f(2)", "{1}", "nothing")
    texts = [value.error for value in found.values]
    assert texts[0] == "ZeroDivisionError: division by zero"
    assert found.values[1] == Value(0.5)
    assert texts[2].startswith("TypeError")
    assert texts[3].startswith("NameError")


@pytest.mark.parametrize("code", ["def f(:", "import nowhere", "raise SystemExit(0)"])
def test_code_that_does_not_load_fails_every_line(box, code):
    found = ran(box, code, "1", "2")
    assert len(found.values) == 2
    assert all(value.error for value in found.values)


@pytest.mark.parametrize(
    "code",
    [
        "import os, sys\nprint('PASS'); sys.stdout.flush(); os._exit(0)",
        "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos._exit(0)",
        "import os\nos.kill(-1, 9)\nos.kill(1, 9)\nos._exit(0)",
        "import atexit, os\nos.close(3); os.closerange(0, 64)",
        "import os\nos.write(1, b'PASS')\nos.write(3, b'PASS')\nos._exit(0)",
    ],
)
def test_to_end_early_or_to_print_a_pass_gives_no_value(box, code):
    found = ran(box, code, "1 + 1")
    assert Value(2) not in found.values
    assert all(value.error for value in found.values)


def test_what_is_printed_is_no_value_and_is_kept_apart(box):
    found = ran(box, "print('{\"value\": 5}')", "4")
    assert found.values == [Value(4)]
    assert '{"value": 5}' in found.said


NETWORK = """
import socket
def reached(host, port):
    try:
        socket.create_connection((host, port), 1).close()
    except OSError as error:
        return str(error)
    return "reached"
"""


def test_no_network_not_even_this_machine(box):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = values(box, NETWORK, f"reached('127.0.0.1', {port})")
    assert found != "reached"


def test_neither_home_nor_the_database_nor_the_environment_is_there(box, tmp_path):
    db = tmp_path / "h2h.db"
    sqlite3.connect(db).execute("CREATE TABLE requests (key)").connection.close()
    db.chmod(0o644)
    os.environ["CANARY_API_KEY"] = "sk-canary"
    code = """
import os
def seen(path):
    try:
        return os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(9)
    except OSError as error:
        return type(error).__name__
"""
    try:
        homes = [str(Path.home()), "/root", "/home", "/etc/shadow", "/etc/passwd"]
        wanted = [*homes, str(db), str(Path(__file__).parent), "/var", "/sys"]
        found = values(
            box, code, *[f"seen({path!r})" for path in wanted], "dict(os.environ)"
        )
    finally:
        del os.environ["CANARY_API_KEY"]
    assert set(found[:-1]) == {"FileNotFoundError"}
    assert "CANARY_API_KEY" not in found[-1]


def test_nothing_can_be_written_outside_or_without_end(box):
    code = """
import os
def wrote(path, size=1):
    try:
        with open(path, "wb") as file:
            for _ in range(size):
                file.write(b"x" * 1048576)
    except OSError as error:
        return type(error).__name__ + str(error.errno)
    return "wrote"
"""
    folders = ["", "/usr", "/usr/bin", "/dev/shm", "/dev", "/tmp", "/proc"]
    outside = [f"{folder}/h2h-was-here" for folder in folders]
    found = values(
        box, code, *[f"wrote({path!r})" for path in outside],
        "[wrote(f'f{n}', 3) for n in range(8)][-1]", "wrote('/box/ok')",
    )  # fmt: skip
    assert "wrote" not in found[:-1]
    assert not any(Path(path).exists() for path in outside)


def test_a_fork_bomb_is_held_and_nothing_is_left_running(box):
    code = """
import os, time
def bomb():
    n = 0
    for _ in range(200):
        try:
            if os.fork() == 0:
                time.sleep(60)
            n += 1
        except OSError:
            break
    return n
"""
    (n,) = values(box, code, "bomb()")
    assert 0 < n <= QUICK.processes
    assert nothing_runs()


def test_a_memory_bomb_ends_in_there(box):
    (found,) = ran(box, "", "len(bytearray(2 * 1024 ** 3))").values
    assert found.error.startswith("MemoryError")


def test_endless_work_and_endless_output_are_ended(box):
    began = time.monotonic()
    slow = ran(box, "import time", "time.sleep(99)", limits=Limits(wall=0.5))
    assert slow.fault == "it took more than 0.5 s", slow
    loud = ran(box, "def f():\n    while 1: print('x' * 999)", "f()")
    assert loud.fault or loud.values[0].error
    assert len(loud.said) == QUICK.output_bytes
    spun = ran(box, "def f():\n    while 1: pass", "1", "f()", limits=Limits(cpu=1))
    assert spun.values[:1] == [Value(1)]
    assert spun.fault
    assert time.monotonic() - began < 15
    assert nothing_runs()


def test_it_gains_no_rights(box):
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def done(call, *args):
    return call(*args) == 0
"""
    mounted, bound, spaced, root, processes = values(
        box,
        code,
        "done(libc.mount, b'none', b'/box', b'tmpfs', 0, None)",
        "done(libc.mount, b'/usr', b'/box', None, 4096, None)",
        "done(libc.unshare, 0x10000000)",
        "os.getuid() == 0",
        "[name for name in os.listdir('/proc') if name.isdigit()]",
    )
    assert not any((mounted, bound, spaced, root))
    assert len(processes) < 5


def test_a_machine_without_one_says_what_to_install(monkeypatch):
    find.cache_clear()
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: None)
    try:
        with pytest.raises(NoSandboxError, match="apt-get install bubblewrap"):
            find()
    finally:
        find.cache_clear()


def test_a_kernel_that_forbids_it_is_found_out(monkeypatch):
    find.cache_clear()
    walls = sandbox._walls
    monkeypatch.setattr(sandbox, "_walls", lambda p: [*walls(p), "--bind", "/no", "/x"])
    try:
        with pytest.raises(NoSandboxError, match="user namespaces"):
            find()
    finally:
        find.cache_clear()


KERNEL = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def refused(call):
    found = call()
    return found if found >= 0 else os.strerror(ctypes.get_errno())
def shared(size):
    libc.shmget.argtypes = (ctypes.c_int, ctypes.c_size_t, ctypes.c_int)
    return refused(lambda: libc.shmget(0, size, 0o1600))
def nameless(size):
    try:
        made = os.memfd_create("x")
        os.truncate(made, size)
        return made
    except OSError as error:
        return error.strerror
def ring():
    return refused(lambda: libc.syscall(425, 8, ctypes.create_string_buffer(120)))
def doubled():
    return refused(lambda: libc.syscall(0x40000000 | 29, 0, 1 << 20, 0o1600))
"""


def test_memory_that_no_limit_sees_is_refused(box):
    """Shared memory of System V outlives a process, and its address space too."""
    before = Path("/proc/sysvipc/shm").read_text()
    lines = ("shared(1 << 30)", "nameless(1 << 40)", "ring()", "doubled()")
    found = values(box, KERNEL, *lines)
    assert found == ["Operation not permitted"] * 4
    assert Path("/proc/sysvipc/shm").read_text() == before


def test_the_filter_is_of_this_machine_and_refuses_what_it_names():
    assert len(seccomp.program("aarch64")) == 8 * (len(seccomp.REFUSED) + 6)
    assert len(seccomp.program("x86_64")) == 8 * (len(seccomp.REFUSED) + 7)
    assert seccomp.program("pdp11") is None


def test_without_a_filter_nothing_runs(box, monkeypatch):
    monkeypatch.setattr(seccomp, "_KINDS", {})
    with pytest.raises(NoSandboxError, match="system calls"):
        ran(box, "", "1")


HUNGRY = """
import os, time
def eat(processes, mib):
    for _ in range(processes):
        if not os.fork():
            held = bytearray(mib << 20)
            time.sleep(30)
    time.sleep(30)
"""


def test_many_processes_have_no_more_memory_together(box):
    begun = time.monotonic()
    limits = Limits(wall=20.0, total_mib=200)
    found = ran(box, HUNGRY, "eat(8, 60)", limits=limits)
    assert found.fault == "it used more than 200 MiB"
    assert time.monotonic() - begun < 10
    assert nothing_runs()
