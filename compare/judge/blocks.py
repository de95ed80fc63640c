"""The blocks of a segment: who answered what in each, and which may be compared."""

from collections.abc import Sequence

import msgspec
import numpy as np

from compare.judge.frame import Bools, Floats, Frame, Ints, Segment

WARM, COLD, UNKNOWN = 1, 0, -1


class Blocks(msgspec.Struct, frozen=True):
    """The blocks of a segment in order, and each host's row in them (-1: none)."""

    frame: Frame
    numbers: Ints
    row: dict[str, Ints]

    def __len__(self) -> int:
        return len(self.numbers)

    def figure(self, host: str, metric: str) -> Floats:
        """Return a host's figure by block, NaN where it has no ok answer with it."""
        rows = self.row[host]
        found = np.where(self.frame.ok[rows], self.frame.figures[metric][rows], np.nan)
        return np.where(rows >= 0, found, np.nan)

    def outcomes(self, host: str) -> Floats:
        """Return 1 for ok, 0 for failed, NaN where the host answers for neither."""
        rows = self.row[host]
        counted = (rows >= 0) & self.frame.judged[rows]
        return np.where(counted, self.frame.ok[rows], np.nan)

    def connections(self, host: str) -> Ints:
        """Return by block whether a connection was warm, cold or not known."""
        kinds = self.frame.codes(
            lambda kind: UNKNOWN if kind.conn_reused is None else kind.conn_reused
        )
        return np.where(self.row[host] >= 0, kinds[self.row[host]], UNKNOWN)

    def prompts(self, host: str) -> Ints:
        """Return by block what tells the prompt apart, 0 where that is not known."""
        return np.where(self.row[host] >= 0, self.frame.prompt[self.row[host]], 0)


def blocks_of(frame: Frame, segment: Segment, hosts: Sequence[str]) -> Blocks:
    """Return the blocks of a segment in which any of the hosts was asked."""
    rows = {host: frame.rows(segment, host) for host in hosts}
    asked = np.concatenate([frame.block[each] for each in rows.values()])
    asked.sort(kind="stable")  # far quicker than np.unique: they come in order
    numbers = asked[np.diff(asked, prepend=-1) > 0]
    table = {}
    for host, each in rows.items():
        table[host] = np.full(len(numbers), -1)
        table[host][np.searchsorted(numbers, frame.block[each])] = each
    return Blocks(frame, numbers, table)


def alike(blocks: Blocks, host: str, reference: str) -> tuple[Bools, bool]:
    """Return which blocks two hosts may be compared in, and whether that was possible.

    A new connection is never compared with a reused one: blocks of unlike ones are left
    out. Where fewer than half would be left (a host that keeps no connection), all
    count, and the second value is False.
    """
    ours, theirs = blocks.connections(host), blocks.connections(reference)
    unlike = (ours != theirs) & (ours != UNKNOWN) & (theirs != UNKNOWN)
    both = (blocks.row[host] >= 0) & (blocks.row[reference] >= 0)
    if 2 * int((unlike & both).sum()) > int(both.sum()):
        return np.ones(len(blocks), dtype=np.bool_), False
    return ~unlike, True
