"""What a body is, by its first bytes: headers lie about it."""

from providers.lenient import decode
from providers.outcome import Flag
from providers.sse import BOM

SNIFF_BYTES = 65_536
BLANK = BOM + b" \t\r\n"


class Sniffer:
    """The first bytes of a body, kept until they tell what it is."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._first = b""

    def __len__(self) -> int:
        """Return how many bytes are kept."""
        return len(self._kept)

    def take(self, data: bytes) -> bytes:
        """Return all bytes so far, to go on with; none while they do not tell yet."""
        self._kept += data
        if len(self._kept) < SNIFF_BYTES and not self._tells(data):
            return b""
        return self.rest()

    def rest(self) -> bytes:
        """Return what is kept, and keep it no longer."""
        data = bytes(self._kept)
        self._kept.clear()
        return data

    def _tells(self, data: bytes) -> bool:
        """Return whether the bytes so far suffice: bare JSON needs its first line."""
        if not self._first:
            data = data.lstrip(BLANK)
            self._first = data[:1]
        return bool(self._first) and (self._first != b"{" or b"\n" in data)


def is_stream(data: bytes, flags: set[Flag]) -> bool:
    """Return whether a body that begins so is a stream, and not whole."""
    start = data.lstrip(BLANK)
    if start[:1] == b"{":
        return _is_chunk(start.partition(b"\n")[0], flags)
    return start[:1] not in {b"[", b"<"}


def _is_chunk(line: bytes, flags: set[Flag]) -> bool:
    """Return whether a bare JSON line is a chunk of a stream (NDJSON)."""
    chunk = decode(line, flags)
    if not isinstance(chunk, dict):
        return False
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return chunk.get("object") == "chat.completion.chunk" or (
        isinstance(first, dict) and "delta" in first
    )
