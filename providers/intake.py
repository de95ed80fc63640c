"""What the bytes of one response say, as they come."""

from collections.abc import Mapping, Sequence

import msgspec

from providers.alike import BETWEEN, Alike, by_event
from providers.answer import Answer
from providers.dialect import Delta, Dialect
from providers.frame import Run
from providers.lenient import decode, decode_whole
from providers.outcome import Flag
from providers.plainchunk import PlainChunk
from providers.provider import Caps
from providers.shapes import Shapes
from providers.sniff import BLANK, Sniffer, is_stream
from providers.sse import Decoder, Event, names_error

EXTRA_EVENTS = 4_096
OPENING_BYTES = 512
ERROR_BYTES = 4_096
WINDOW = 256
"""Events looked at for one run: a short run among many must not cost all of them."""


class Intake:
    """One response as far as it has come: its head, its body, its answer.

    `opening` is how the body began. `sse` is None unless the body is a stream.
    `body_ns` is when the last bytes of a body that is none came, None while they are
    blank; `progress_ns` when the last data event did. `over_cap` turns true when the
    response has sent more than it may, `torn` when it ended within an event.
    """

    def __init__(
        self,
        dialect: Dialect,
        shapes: Shapes,
        *,
        stream: bool,
        max_tokens: int,
        caps: Caps,
    ) -> None:
        self._shapes = shapes
        self._caps = caps
        self._most_events = min(caps.events, 2 * max_tokens + EXTRA_EVENTS)
        self._sniffer = Sniffer()
        self._body: list[bytes] = []
        self.stream = stream
        self.max_tokens = max_tokens
        self.sse: Decoder | None = None
        self.answer = Answer(dialect)
        self._alike = Alike(shapes)
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.bytes = 0
        self.opening = b""
        self.flags: set[Flag] = set()
        self.headers_ns: int | None = None
        self.first_event_ns: int | None = None
        self.done_ns: int | None = None
        self.body_ns: int | None = None
        self.progress_ns: int | None = None
        self.n_blank = 0
        self.over_cap = False
        self.torn = False

    @property
    def finished(self) -> bool:
        """Return whether the host said that nothing more will come."""
        return self.done_ns is not None

    @property
    def begun(self) -> bool:
        """Return whether a first token has come."""
        return self.answer.n_content > 0

    @property
    def error(self) -> bool:
        """Return whether the response is an HTTP error or a redirect."""
        return self.status is not None and self.status >= 300

    @property
    def body(self) -> bytes:
        """Return the body of a response that is no stream."""
        return b"".join(self._body)

    def head(self, at: int, status: int, headers: Mapping[str, str]) -> None:
        """Note the response's head."""
        self.headers_ns = at
        self.status = status
        self.headers = headers
        coding = headers.get("Content-Encoding", "").strip().lower()
        if coding not in {"", "identity"}:
            self.flags.add(Flag.COMPRESSED)

    def feed_all(self, stamps: Sequence[int], parts: list[bytes]) -> None:
        """Take parts of the body, each with its moment; like ones at once."""
        if parts and self._starts_as_stream(parts[0]):
            self._open_stream()
        at = 0
        while at < len(parts):
            done = 0
            if self._may_be_plain():
                if BETWEEN in parts[at]:
                    stamps, parts = by_event(stamps[at:], parts[at:])
                    at = 0
                done = self._several(stamps, parts, at)
            if not done:
                self.feed(stamps[at], parts[at])
            at += done or 1

    def _may_be_plain(self) -> bool:
        """Return whether like events may come next: none is open, nothing unusual."""
        return (
            self.sse is not None
            and self.sse.between
            and self.done_ns is None
            and not self.over_cap
            and not self._alike.given_up
        )

    def _several(self, stamps: Sequence[int], parts: list[bytes], at: int) -> int:
        """Take the like events that parts begin with; return how many, 0 if none.

        After a finish a run would have little to gain, and its output to be flagged.
        """
        closing = self.answer.finish is not None
        run = self._alike.run(parts[at : at + WINDOW], closing=closing)
        if run is None:
            return 0
        n = _size(run)
        stamps, parts = stamps[at : at + n], parts[at : at + n]
        self.bytes += sum(map(len, parts))
        if len(self.opening) < OPENING_BYTES:
            self._open(b"".join(parts[:OPENING_BYTES]))
        if self.first_event_ns is None:
            self.first_event_ns = stamps[0]
        self.progress_ns = stamps[-1]
        assert self.sse is not None  # noqa: S101 - `_may_be_plain` looked
        self.sse.skip(n)
        if isinstance(run, Run):
            self.answer.take_run(stamps, run)
        elif isinstance(run, Delta):
            self.answer.take(stamps[0], run)
        else:
            self.answer.take_plain(stamps, run)
        self._cap(self.sse)
        return n

    def feed(self, at: int, data: bytes) -> None:
        """Take bytes of the body that reached the process at one moment."""
        self.bytes += len(data)
        if self.over_cap:
            return
        self._open(data)
        if self.sse is None and (self.body_ns is not None or data.strip(BLANK)):
            self.body_ns = at
        if self.sse is None and not self._body:
            data = self._sniff(data)
        if self.sse is not None:
            self._stream(at, self.sse, data)
        else:
            self._collect(data)

    def _open(self, data: bytes) -> None:
        if len(self.opening) < OPENING_BYTES:
            self.opening += data[: OPENING_BYTES - len(self.opening)]

    def end(self, at: int) -> None:
        """Take the end of the body; what it left open is read as far as it goes."""
        if self.sse is None:
            self._body.append(self._sniffer.rest())
            self._whole(at if self.body_ns is None else self.body_ns)
            return
        n_bad = self.answer.n_bad
        for event in self.sse.close():
            self._event(self.progress_ns or at, event)
        self.torn = self.answer.n_bad > n_bad and not self.finished
        self.flags |= self.sse.flags
        if self.sse.comments or self.n_blank:
            self.flags.add(Flag.COMMENTS_SEEN)
        if self.sse.junk:
            self.flags.add(Flag.BAD_EVENT)

    def _collect(self, data: bytes) -> None:
        room = self._caps.error_bytes if self.error else self._caps.kept_bytes
        over = self.bytes - room
        if over > 0:
            self.over_cap = True
            data = data[: max(len(data) - over, 0)]
        if data:
            self._body.append(data)

    def _stream(self, at: int, sse: Decoder, data: bytes) -> None:
        for event in sse.feed(data):
            self._event(at, event)
        self._cap(sse)

    def _cap(self, sse: Decoder) -> None:
        if (
            self.bytes > self._caps.body_bytes
            or sse.pending > self._caps.line_bytes
            or self.answer.n_chars > self._caps.kept_bytes
            or self._n_events(sse) > self._caps.events
            or self.answer.n_content > self._most_events
        ):
            self.over_cap = True

    def _n_events(self, sse: Decoder) -> int:
        """Return how many things came, those without data too."""
        return self.answer.n_events + self.n_blank + sse.comments + sse.junk

    def _sniff(self, data: bytes) -> bytes:
        """Decide by the first bytes what the body is; none to go on with until then."""
        if self.error:
            return data
        data = self._sniffer.take(data)
        if data and is_stream(data, self.flags):
            self._open_stream()
        return data

    def _starts_as_stream(self, data: bytes) -> bool:
        """Return whether these are the first bytes of a body, and a data field."""
        fresh = self.sse is None and not self._body and not self._sniffer
        return fresh and not self.error and data.startswith(b"data:")

    def _open_stream(self) -> None:
        self.sse = Decoder()
        kind = self.headers.get("Content-Type", "").lower()
        if kind and "event-stream" not in kind:
            self.flags.add(Flag.CONTENT_TYPE_MISMATCH)

    def _event(self, at: int, event: Event) -> None:
        data = event.data.strip()
        failed = names_error(event.name)
        if not data and not failed:
            self.n_blank += 1  # a heartbeat in the form of data
            return
        if self.first_event_ns is None:
            self.first_event_ns = at
        if data == b"[DONE]" and not failed:
            self._done(at)
            return
        delta = self._shapes.read(data, event.name, self.flags)
        if delta is None and failed:
            words = data[:ERROR_BYTES].decode("utf-8", "replace")
            delta = self._shapes.said(words, b"error")
        if self.done_ns is not None:
            late = delta is not None and delta.problem is not None
            self.flags |= {Flag.DATA_AFTER_DONE, *([Flag.LATE_ERROR] if late else [])}
        elif delta is None:
            self.answer.bad()
        else:
            self.progress_ns = at
            self.answer.take(at, delta)

    def _done(self, at: int) -> None:
        if self.done_ns is not None:
            self.flags.add(Flag.DONE_TWICE)
            return
        self.done_ns = self.progress_ns = at

    def _whole(self, at: int) -> None:
        """Read a body that was no stream: one JSON answer, an error, or neither."""
        if self.error:
            return
        body = self.body
        chunk = whole = decode_whole(body, self.flags)
        if whole is None:  # lines of JSON: the first may be an error
            chunk = decode(body.lstrip(BLANK).partition(b"\n")[0], self.flags)
        delta = self._shapes.said(chunk)
        if delta is None or not (isinstance(whole, dict) or delta.problem):
            return
        if delta.usage is not None:
            delta.usage = msgspec.structs.replace(delta.usage, source="body")
        self.answer.take(at, delta)
        if self.stream and delta.problem is None:
            self.flags.add(Flag.NONSTREAM_ANSWER)


def _size(run: Run | list[PlainChunk] | Delta) -> int:
    """Return how many events these are."""
    if isinstance(run, Run):
        return len(run.texts)
    return 1 if isinstance(run, Delta) else len(run)
