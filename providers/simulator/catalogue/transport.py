"""Faults: the connection and HTTP (120 to 158)."""

from providers.simulator.catalogue.fault import Fault

FAULTS: tuple[Fault, ...] = ()
