"""Server-sent events out of bytes, however they are cut and whatever ends a line."""

from typing import NamedTuple

from providers.outcome import Flag

BOM = b"\xef\xbb\xbf"


LINE_BYTES = 64
"""What each line of an open event takes beside its bytes."""


class Event(NamedTuple):
    """One event that carried data; `name` is its `event:` field, b"" without one.

    An event that is named an error counts without data too.
    """

    name: bytes
    data: bytes


def names_error(name: bytes) -> bool:
    """Return whether an event's name says that it is an error."""
    return name.lower() == b"error"


class Decoder:
    """Turn bytes into events. Sans I/O; any cut of the bytes gives the same events.

    Lines end with LF, CRLF or a bare CR, also mixed. Comments are counted, not
    events. A line that starts with `{` stands for an event by itself, since some
    hosts send bare JSON lines. Lines that are no field of the grammar are counted
    as `junk`. `flags` tells what was unusual.
    """

    def __init__(self) -> None:
        self.flags: set[Flag] = set()
        self.comments = 0
        self.junk = 0
        self.fields = 0
        self._head: bytes | None = b""
        self._after_cr = False
        self._parts: list[bytes] = []
        self._pending = 0
        self._held = 0
        self._name = b""
        self._data: list[bytes] = []

    @property
    def spoken(self) -> bool:
        """Return whether anything yet was in the grammar of an event stream."""
        return bool(self.fields or self.comments)

    @property
    def pending(self) -> int:
        """Return the memory in bytes that a line or an event takes as it is open."""
        return self._pending

    @property
    def between(self) -> bool:
        """Return whether the stream stands between two events, with nothing open."""
        return not (
            self._pending or self._data or self._name or self._after_cr or self._head
        )

    def skip(self, n: int) -> None:
        """Count events that were read without this decoder; it stands `between`."""
        self._head = None
        self.fields += n

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes and return the events that they complete."""
        if self._head is not None:
            data = self._start(data)
        if self._after_cr or b"\r" in data:
            data = self._line_ends(data)
        first = data.find(b"\n")
        if first < 0:
            if data:
                self._parts.append(data)
                self._pending += len(data)
            return []
        if self._parts:
            self._parts.append(data)
            data = b"".join(self._parts)
            self._parts.clear()
        elif self._is_one(data, first):
            self.fields += 1
            name, self._name = self._name, b""
            return [Event(name, data[6:-2])]
        return self._lines(data)

    def _is_one(self, data: bytes, first: int) -> bool:
        """Return whether bytes are one whole event of one line, as most reads are."""
        whole = first == len(data) - 2 and data.endswith(b"\n\n")
        return whole and not self._held and data.startswith(b"data: ")

    def _lines(self, data: bytes) -> list[Event]:
        """Return the events that some lines complete; keep what follows the last."""
        lines = data.split(b"\n")
        rest = lines.pop()
        if rest:
            self._parts.append(rest)
        events: list[Event] = []
        held = self._data
        for line in lines:  # the two usual lines stand here, since this is hot
            if line.startswith(b"data: "):
                self.fields += 1
                held.append(line[6:])
                self._held += len(line) + LINE_BYTES
            elif not line:
                if held:
                    data = held[0] if len(held) == 1 else b"\n".join(held)
                    events.append(Event(self._name, data))
                    held.clear()
                    self._held = 0
                elif self._name and names_error(self._name):
                    events.append(Event(self._name, b""))
                self._name = b""
            else:
                self._line(line, events)
        self._pending = len(rest) + self._held
        return events

    def close(self) -> list[Event]:
        """Return the event that the end of the stream left open, if there is one."""
        if self._head:
            head, self._head = self._head, None
            self._parts.append(head)
        if self._after_cr:
            self._after_cr = False
            self.flags.add(Flag.BARE_CR)
        # An empty line ends whatever is open; of an event that is the unended one.
        had = bool(self._parts or self._data or self._name)
        events = self.feed(b"\n\n") if had else []
        if events:
            self.flags.add(Flag.UNENDED_EVENT)
        return events

    def _start(self, data: bytes) -> bytes:
        head = (self._head or b"") + data
        if len(head) < len(BOM) and BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        if head.startswith(BOM):
            self.flags.add(Flag.BOM)
            return head[len(BOM) :]
        return head

    def _line_ends(self, data: bytes) -> bytes:
        """Return the bytes with every line end as LF, noting which ends there were."""
        if not data:
            return data
        if self._after_cr:
            # The line already ended at the CR; a CRLF cut in two ends it only once.
            self._after_cr = False
            if data.startswith(b"\n"):
                self.flags.add(Flag.CRLF)
                data = data[1:]
            else:
                self.flags.add(Flag.BARE_CR)
        if b"\r" not in data:
            return data
        self._after_cr = data.endswith(b"\r")
        pairs = data.count(b"\r\n")
        if pairs:
            self.flags.add(Flag.CRLF)
        if data.count(b"\r") > pairs + self._after_cr:
            self.flags.add(Flag.BARE_CR)
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _line(self, line: bytes, events: list[Event]) -> None:
        """Take a line that is neither empty nor `data: ...` with its space."""
        if line.startswith(b"data:"):
            self.fields += 1
            self._data.append(line[5:])
            self._held += len(line) + LINE_BYTES
        elif line.startswith(b":"):
            self.comments += 1
        elif line.startswith(b"{"):
            self.flags.add(Flag.CONTENT_TYPE_MISMATCH)
            self.fields += 1
            name, self._name = self._name, b""
            events.append(Event(name, line))
        else:
            self._other(line)

    def _other(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        if field.lower() == b"event":
            self._name = value.strip()
        elif field == b"data":
            self._data.append(b"")
            self._held += len(line) + LINE_BYTES
        elif field not in {b"id", b"retry"}:
            self.junk += 1
            return
        self.fields += 1
