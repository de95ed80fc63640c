"""Which bytes of a chunked body are whole chunks, to be read without an HTTP parser.

A host that streams sends each event as an HTTP chunk of its own. aiohttp's parser calls
back into Python four times for each. A whole chunk leaves that parser where it was, at
the start of the next, so whole chunks need not pass through it at all: what does, and
what it keeps the last word on, is everything else: the head, torn chunks, extensions,
the closing chunk with its trailers, and whatever breaks HTTP.
"""

import re
from functools import lru_cache

_SIZE = re.compile(rb"0{0,8}([1-9a-fA-F][0-9a-fA-F]{0,6})")
_END = b"\r\n"
_WIDEST = 17
"""No size that is read here is wider than this, its line's end included."""
_CLOSING = b"0\r\n\r\n"
_LOST = -1
_FEW = 4
"""Fewer chunks in a read are walked through one by one."""


class Chunks:
    """The boundaries of one chunked body, as long as they are certain.

    `ahead` is how many bytes there are to the next boundary, -1 once that is unknown.
    """

    __slots__ = ("ahead",)

    def __init__(self) -> None:
        self.ahead = 0

    def split(self, data: bytes) -> tuple[bytes, list[bytes], bytes]:
        """Take a read: the first from the head's end on, each where the last ended.

        Return what stands before its whole chunks, their contents, and what stands
        after them. Before and after are for the parser.
        """
        if self.ahead == _LOST:
            return data, [], b""
        if self.ahead > len(data):
            self.ahead -= len(data)
            return data, [], b""
        at = self.ahead
        found, end = self._walk(data, at)
        return data[:at], found, data[end:]

    def _walk(self, data: bytes, at: int) -> tuple[list[bytes], int]:
        """Return the contents of the whole chunks from a boundary on, and their end."""
        found, at = _lines(data, at)
        self.ahead = 0
        while (end := data.find(_END, at, at + _WIDEST)) > 0:
            stop = end + 2 + _size(data[at:end])
            if data[stop : stop + 2] != _END or stop < end + 3:
                torn = end + 2 < stop > len(data) - 2
                self.ahead = stop + 2 - len(data) if torn else _LOST
                return found, at
            found.append(data[end + 2 : stop])
            at = stop + 2
        if at < len(data):
            self.ahead = _LOST  # a size that is torn itself, or no chunk at all
        return found, at


def _lines(data: bytes, at: int) -> tuple[list[bytes], int]:
    """Return the contents of many whole chunks at once, none unless it is easy.

    It is where no content holds a line end of HTTP: then a read alternates between
    sizes and contents of these sizes. The closing chunk may follow them.
    """
    end = len(data) - len(_CLOSING) if data.endswith(_CLOSING) else len(data)
    lines = data[at:end].split(_END)
    sizes, contents = lines[0:-1:2], lines[1::2]
    if len(sizes) < _FEW or lines[-1]:
        return [], at
    lengths = list(map(len, contents))
    spelled = {length: b"%x" % length for length in set(lengths)}
    if [spelled[length] for length in lengths] != sizes:
        return [], at
    return contents, end


@lru_cache(maxsize=1024)
def opening(length: int) -> bytes:
    """Return how a read of this length begins if it is one whole chunk.

    As most hosts spell it: a size in lower case, without zeros in front. Where no chunk
    is so long it is longer than the read, which then does not begin so.
    """
    for digits in range(1, 8):
        size = length - digits - 4
        if size > 0 and len(b"%x" % size) == digits:
            return b"%x\r\n" % size
    return bytes(length + 1)


@lru_cache(maxsize=1024)
def _size(text: bytes) -> int:
    """Return the size that a chunk's first line states, -3 unless it is plain."""
    found = _SIZE.fullmatch(text)
    return int(found[1], 16) if found else -3
