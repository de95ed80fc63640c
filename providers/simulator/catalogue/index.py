"""Every fault, in order of number, and how one is found by name."""

from difflib import get_close_matches

from providers.provider import ProviderError
from providers.simulator.catalogue import (
    answers,
    bench,
    bodies,
    chunks,
    content,
    ending,
    errors,
    framing,
    refusals,
    transport,
    usage,
)
from providers.simulator.catalogue.fault import Fault
from providers.simulator.faults import FAULTS
from providers.simulator.player import Play

CATALOGUE: tuple[Fault, ...] = (
    *framing.FAULTS,
    *bodies.FAULTS,
    *ending.FAULTS,
    *errors.FAULTS,
    *refusals.FAULTS,
    *chunks.FAULTS,
    *content.FAULTS,
    *usage.FAULTS,
    *transport.FAULTS,
    *answers.FAULTS,
    *bench.FAULTS,
)


def of_a_profile(name: str) -> str | None:
    """Return what a profile's host calls a fault, None if only a script can play it."""
    slugs = {str(fault.number): fault.slug for fault in CATALOGUE}
    slug = slugs.get(name, name)
    return slug if slug in FAULTS else None


def find(name: str) -> tuple[Fault, list[Play]]:
    """Return the fault of a name, and its scripts: all, or that of a named variant.

    A name is a number or a slug, either with `-VARIANT` behind it. Raises
    ProviderError on an unknown name and on a fault that no script can play.
    """
    for fault in CATALOGUE:
        for own in (str(fault.number), fault.slug):
            if name == own:
                return fault, _played(fault)
            variant = name.removeprefix(own + "-")
            if variant != name and variant in fault.variants:
                return fault, [fault.variants[variant]]
    slugs = [fault.slug for fault in CATALOGUE]
    near = get_close_matches(name, [*slugs, *FAULTS], n=1)
    remedy = f"did you mean {near[0]!r}?" if near else "--list-faults lists them all"
    raise ProviderError(f"no fault is called {name!r}; {remedy}")


def _played(fault: Fault) -> list[Play]:
    plays = list(fault.plays.values())
    if not plays:
        raise ProviderError(
            f"fault {fault.number} ({fault.slug}) cannot be played: {fault.why_not}"
        )
    return plays
