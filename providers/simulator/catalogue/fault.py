"""The record of one fault."""

import msgspec

from providers.simulator.player import Play


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes wrong, how it is played, and what a client should make of it.

    A fault has one script (`play`), or one for each of its `variants`, or none when it
    is not of the wire; then `why_not` says why. `at_connect` is true when the script
    is played before anything of a request is read. `outcome` is the right outcome and
    its flags in short: `ok: crlf`, several joined by ` / ` where the variants differ.
    `seen` is where it was seen, as `owner/repo#n`. A slug that is also a name in
    `simulator.faults.FAULTS` means the same fault, which a profile's host then plays.
    """

    number: int
    slug: str
    title: str
    play: Play = ()
    variants: dict[str, Play] = {}
    at_connect: bool = False
    outcome: str = ""
    seen: str = ""
    why_not: str | None = None

    @property
    def plays(self) -> dict[str, Play]:
        """Return the scripts by variant, the only one under ""; none if not played."""
        return self.variants or ({"": self.play} if self.play else {})
