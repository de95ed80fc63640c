"""A tape: bytes that choose a host, a head and the reads, then the body as it came.

The first byte chooses dialect, status and whether a stream was asked for, the second
the content type, the caps and how many reads follow; one byte for the length of each,
all but the last. Any bytes at all are a tape.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from providers.outcome import Outcome
from providers.provider import Caps
from providers.reader import Reader
from providers.registry import DIALECTS, dialect
from providers.reply import Reply, Stamps
from providers.secret import Secret

KEY = "sk-CANARY-0123456789abcdef"
KINDS = ("text/event-stream", "application/json", "text/html", "")
NARROW = Caps(body_bytes=1500, line_bytes=400, events=6, error_bytes=300)
STATUSES = (200, 200, 200, 200, 204, 302, 429, 503)

Piece = tuple[int, bytes]


class Tape(msgspec.Struct, frozen=True, kw_only=True):
    """One response: what was asked, its head, and its body read by read."""

    dialect: str
    stream: bool
    status: int
    headers: Mapping[str, str]
    caps: Caps | None
    pieces: tuple[Piece, ...]


def tape(data: bytes) -> Tape:
    """Return the tape that some bytes stand for."""
    first, second, rest = (*data[:2], 0, 0)[0], (*data[1:2], 0)[0], data[2:]
    n = second & 15
    return Tape(
        dialect=sorted(DIALECTS)[first & 3],
        stream=not first & 4,
        status=STATUSES[first >> 3 & 7],
        headers={"Content-Type": KINDS[second >> 4 & 3], "X-RateLimit-Key": KEY},
        caps=NARROW if second >> 6 == 3 else None,
        pieces=tuple(_pieces(rest[:n], rest[n:])),
    )


def _pieces(lengths: bytes, body: bytes) -> Iterator[Piece]:
    at = 10
    for length in lengths:
        if body[:length]:
            yield at, body[:length]
        at, body = at + 1, body[length:]
    if body:
        yield at, body


def check(data: bytes) -> None:
    """Read a tape in every way, and fail where they differ or something leaks."""
    given = tape(data)
    batched = read(given, given.pieces, at_once=True)
    singly = read(given, given.pieces, at_once=False)
    sound(given, batched)
    sound(given, singly)
    if given.caps is not None:
        return  # where a cap cuts depends on the reads
    assert batched == singly, f"at once {batched}\nsingly {singly}"
    body = b"".join(part for _, part in given.pieces)
    whole = timeless(read(given, ((10, body),) if body else (), at_once=True))
    assert whole == timeless(singly), f"whole {whole}\ncut {singly}"


def read(given: Tape, pieces: Sequence[Piece], *, at_once: bool) -> Reply:
    """Return the Reply to a tape, its reads fed all at once or one by one."""
    reader = Reader(
        dialect(given.dialect),
        stream=given.stream,
        max_tokens=16,
        model="m",
        request_bytes=100,
        caps=given.caps,
        secrets=[Secret(KEY)],
    )
    reader.head(5, given.status, given.headers)
    if at_once:
        reader.feed_all([at for at, _ in pieces], [part for _, part in pieces])
    else:
        for at, part in pieces:
            reader.feed(at, part)
    return reader.close(9_999)


def sound(given: Tape, reply: Reply) -> None:
    """Fail where a Reply is none that a row could be made of."""
    assert isinstance(reply.outcome, Outcome)
    assert (reply.blame is None) == (reply.outcome is Outcome.OK)
    assert reply.bytes_received == sum(len(part) for _, part in given.pieces)
    assert KEY not in repr(reply), "the key leaks"
    assert reply.outcome is not Outcome.OK or reply.content or reply.tool_calls
    msgspec.json.encode(reply.content)
    for text in (reply.error_excerpt, reply.error_code, reply.model_served,
                 reply.response_id, reply.finish_reason, reply.upstream):  # fmt: skip
        (text or "").encode()
    stamps = [at for at, _ in reply.timeline]
    assert stamps == sorted(stamps)
    for count in msgspec.structs.astuple(reply.usage)[:6] if reply.usage else ():
        assert count is None or 0 <= count < 2**63


def timeless(reply: Reply) -> Reply:
    """Return a Reply without its moments, which depend on the reads."""
    kinds = tuple((0, kind) for _, kind in reply.timeline)
    return msgspec.structs.replace(reply, stamps=Stamps(), timeline=kinds)
