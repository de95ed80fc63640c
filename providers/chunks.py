"""Which bytes of a chunked body are whole chunks, to be read without an HTTP parser.

A host that streams sends each event as an HTTP chunk of its own. aiohttp's parser calls
back into Python four times for each. A whole chunk leaves that parser where it was, at
the start of the next, so whole chunks need not pass through it at all: what does, and
what it keeps the last word on, is everything else: the head, torn chunks, extensions,
the closing chunk with its trailers, and whatever breaks HTTP.
"""

import re

_SIZE = re.compile(rb"0{0,8}([1-9a-fA-F][0-9a-fA-F]{0,6})\r\n")
_END = b"\r\n"
_CLOSING = b"0\r\n\r\n"
_LOST = -1

FEW = 4
"""Fewer chunks in a read are walked through one by one."""

Part = tuple[bool, bytes]


class Chunks:
    """The boundaries of one chunked body, as long as they are certain.

    `split` takes each read after the head, the first from the head's end on.
    """

    def __init__(self) -> None:
        self._ahead = 0
        """How many bytes there are to the next boundary."""

    def sole(self, data: bytes) -> bytes:
        """Return the content of a read that is just one whole chunk, else nothing.

        That is how most reads of a slow stream are.
        """
        if self._ahead == 0 and data.endswith(_END):
            at = data.find(_END, 1, 8)
            if data[:at] == b"%x" % (len(data) - at - 4):
                return data[at + 2 : -2]
        return b""

    def split(self, data: bytes) -> list[Part]:
        """Return a read in parts: (True, the content of whole chunks) or (False, raw).

        Raw parts are for the parser. In their order the parts are the whole read.
        """
        if self._ahead == _LOST:
            return [(False, data)]
        if self._ahead > len(data):
            self._ahead -= len(data)
            return [(False, data)]
        at = self._ahead
        parts = [(False, data[:at])] if at else []
        found, end = self._walk(data, at)
        if found:
            parts.append((True, found[0] if len(found) == 1 else b"".join(found)))
        if end < len(data):
            parts.append((False, data[end:]))
        return parts

    def _walk(self, data: bytes, at: int) -> tuple[list[bytes], int]:
        """Return the contents of the whole chunks from a boundary on, and their end."""
        found, at = _lines(data, at)
        size = _SIZE.match(data, at)
        while size is not None:
            start = size.end()
            stop = start + int(size[1], 16)
            if data[stop : stop + 2] != _END:
                break
            found.append(data[start:stop])
            at = stop + 2
            size = _SIZE.match(data, at)
        if at == len(data):
            self._ahead = 0
        elif size is not None and stop + 2 > len(data):
            self._ahead = stop + 2 - len(data)
        else:
            self._ahead = _LOST  # the last chunk, an extension, or no chunk at all
        return found, at


def _lines(data: bytes, at: int) -> tuple[list[bytes], int]:
    """Return the contents of many whole chunks at once, none unless it is easy.

    It is where no content holds a line end of HTTP: then a read alternates between
    sizes and contents of these sizes. The closing chunk may follow them.
    """
    end = len(data) - len(_CLOSING) if data.endswith(_CLOSING) else len(data)
    lines = data[at:end].split(_END)
    sizes, contents = lines[0:-1:2], lines[1::2]
    if len(sizes) < FEW or lines[-1] or [b"%x" % len(c) for c in contents] != sizes:
        return [], at
    return contents, end
