"""Faults: how a stream ends (31 to 43)."""

from providers.simulator.catalogue.fault import Fault

FAULTS: tuple[Fault, ...] = ()
