"""Faults: what a chunk may look like (68 to 82)."""

from providers.simulator.catalogue.fault import Fault

FAULTS: tuple[Fault, ...] = ()
