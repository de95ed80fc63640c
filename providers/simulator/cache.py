"""A prefix cache that says how much of a prompt a host has seen before."""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from time import monotonic

BLOCK_WORDS = 64
MAX_BLOCKS = 200_000


def block_chain(model: str, words: list[str]) -> tuple[bytes, ...]:
    """Return one hash for each whole block of 64 words.

    A hash covers everything before it as well, so equal hashes mean equal prefixes.
    """
    chain: list[bytes] = []
    last = model.encode()
    for start in range(0, len(words) - BLOCK_WORDS + 1, BLOCK_WORDS):
        # A word has no space in it, so different blocks never join to equal text.
        block = " ".join(words[start : start + BLOCK_WORDS]).encode()
        last = blake2b(last + block, digest_size=16).digest()
        chain.append(last)
    return tuple(chain)


class PrefixCache:
    """Remembers blocks for a time after they were last used."""

    def __init__(self, ttl_s: float, clock: Callable[[], float] = monotonic) -> None:
        """Start empty; blocks are forgotten after `ttl_s` seconds unused."""
        self._ttl_s = ttl_s
        self._clock = clock
        self._used: dict[bytes, float] = {}

    def cached_tokens(self, chain: tuple[bytes, ...]) -> int:
        """Return how many leading tokens of a prompt are known, in whole blocks."""
        oldest = self._clock() - self._ttl_s
        known = 0
        for block in chain:
            # Strictly newer: a time to live of 0 remembers nothing.
            if self._used.get(block, oldest) <= oldest:
                break
            known += 1
        return known * BLOCK_WORDS

    def remember(self, chain: Iterable[bytes]) -> None:
        """Note that these blocks have been used now."""
        now = self._clock()
        for block in chain:
            # Re-inserted so that the dict stays in order of use.
            self._used.pop(block, None)
            self._used[block] = now
        while len(self._used) > MAX_BLOCKS:
            del self._used[next(iter(self._used))]
