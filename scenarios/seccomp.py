"""Which system calls the sandbox refuses: memory and powers that no limit of ours sees.

Address space is limited, and so are files. Shared memory of System V, files without a
name and rings of the kernel's are neither: what is kept in there counts for nobody, and
some of it outlives a process.
"""

import errno
import platform
import struct
from typing import Final

_LOAD, _EQUAL, _LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_NUMBER, _ARCH = 0, 4
"""Where a system call's number and the machine's kind stand in what a filter sees."""
_X32: Final = 0x40000000
"""From here on x86-64 has the same calls once more, under other numbers."""

_KINDS: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
REFUSED: Final[dict[str, tuple[int, int]]] = {
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "vmsplice": (278, 75),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "open_by_handle_at": (304, 265),
    "mount": (165, 40),
}
"""What is refused, by its numbers on x86-64 and aarch64 (Linux's own tables)."""


def program(machine: str | None = None) -> bytes | None:
    """Return the filter for `bwrap --seccomp`, None for a machine of unknown numbers.

    Classic BPF, eight bytes an instruction: calls of another kind of machine end the
    process, refused ones fail with EPERM, all others pass.
    """
    kind = machine or platform.machine()
    if kind not in _KINDS:
        return None
    place = list(_KINDS).index(kind)
    numbers = [each[place] for each in REFUSED.values()]
    doubled = [(_LEAST, len(numbers) + 1, 0, _X32)] if kind == "x86_64" else []
    tests = [(_EQUAL, len(numbers) - n, 0, number) for n, number in enumerate(numbers)]
    steps = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _KINDS[kind]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *doubled,
        *tests,
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
