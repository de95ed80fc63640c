"""Faults: the client and its machine (159 to 175), which no host can play."""

from providers.simulator.catalogue.fault import Fault

MACHINE = "it is the client's machine"
PROGRAM = "it is the client's program"


def _own(number: int, slug: str, title: str, outcome: str, why_not: str) -> Fault:
    return Fault(
        number=number, slug=slug, title=title, outcome=outcome, why_not=why_not
    )


FAULTS: tuple[Fault, ...] = (
    _own(159, "clock_step", "the wall clock is set during a run",
         "as it was: clock_step", MACHINE),
    _own(160, "suspend", "the machine sleeps during a run", "run invalid", MACHINE),
    _own(161, "summer_time", "the hour of a schedule is left out, or comes twice",
         "no change", "a probe keeps intervals, not hours"),
    _own(162, "loop_blocked", "the event loop is blocked for a while",
         "as it was: loop_lag", PROGRAM),
    _own(163, "cpu_saturated", "the core of the sender is used up", "run degraded",
         MACHINE),
    _own(164, "disk_full", "the disk is full", "rows wait in memory", MACHINE),
    _own(165, "database_locked", "the database is locked by another program",
         "rows wait in memory", MACHINE),
    _own(166, "database_foreign", "the database is damaged, newer, or none of ours",
         "refused, untouched", MACHINE),
    _own(167, "directory_read_only", "the directory cannot be written to", "refused",
         MACHINE),
    _own(168, "interrupt", "Ctrl-C once, or twice", "interrupted", PROGRAM),
    _own(169, "terminate", "SIGTERM", "interrupted", PROGRAM),
    _own(170, "kill", "SIGKILL at any moment", "run crashed", PROGRAM),
    _own(171, "worker_killed", "the system kills a worker", "lost", PROGRAM),
    _own(172, "output_gone", "standard output is closed, narrow, or no terminal",
         "no traceback", PROGRAM),
    _own(173, "second_writer", "two runs write to one database", "refused", PROGRAM),
    _own(174, "file_changed", "a scenario's file changes after a run",
         "another version", PROGRAM),
    _own(175, "time_back", "the time goes back between two runs", "ids in order",
         MACHINE),
)  # fmt: skip
