"""Faults: what chunks may carry (83 to 101)."""

from providers.simulator.catalogue.fault import Fault

FAULTS: tuple[Fault, ...] = ()
