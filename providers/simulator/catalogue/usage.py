"""Faults: usage and price (102 to 119)."""

from providers.simulator.catalogue.fault import Fault

FAULTS: tuple[Fault, ...] = ()
