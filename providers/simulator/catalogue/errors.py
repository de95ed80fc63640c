"""Faults: errors inside a 200 and errors of HTTP (44 to 67)."""

from providers.simulator.catalogue.fault import Fault

FAULTS: tuple[Fault, ...] = ()
