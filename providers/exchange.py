"""One request on its way: what is sent, what comes, and the clock that may end it."""

import asyncio
import hashlib
from functools import lru_cache, partial
from time import perf_counter_ns

import aiohttp
import msgspec
from aiohttp.connector import Connection

from providers import post
from providers.failure import failed
from providers.line import Line
from providers.outcome import Outcome
from providers.provider import Caps, Deadlines
from providers.reader import Reader
from providers.reply import Reply
from providers.start import Start
from providers.tape import CURRENT, Tape
from providers.turnstile import Turnstile
from scenarios.request import Arrival

TICK_S = 0.5
SLICE_BYTES = 16 << 10
"""How much of a stream may wait to be decoded: less at once stalls nobody else."""
SHORTEST_TICK_S = 0.005
DRAIN_S = 1.0
NS = 1_000_000_000


class Exchange:
    """One request and its response. `run` gives the Reply, `end` ends it early.

    What arrives is decoded on a timer or at the end: a stream wakes no task, and its
    stamps are the socket's own.
    """

    def __init__(
        self,
        line: Line,
        arrival: Arrival,
        start: Start,
        deadlines: Deadlines,
        caps: Caps,
        turnstile: Turnstile,
    ) -> None:
        provider, request = line.provider, arrival.request
        self._line = line
        self._start = start
        self._deadlines = deadlines
        self._turnstile = turnstile
        self._stream = request.stream
        self._body = msgspec.json.encode(line.dialect.body(request, provider))
        self._reader = Reader(
            line.dialect,
            stream=request.stream,
            max_tokens=request.max_tokens,
            model=provider.model,
            request_bytes=len(self._body),
            caps=caps,
            secrets=provider.secrets,
            shapes=line.shapes,
        )
        self._tape = Tape(self._filled)
        self._started = self._drained = max(perf_counter_ns(), start.moment or 0)
        self._over = False
        self._ending: Outcome | None = None
        self._late = False
        self._way = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None
        self._tick_s = _tick_of(deadlines)

    def end(self, outcome: Outcome | None) -> None:
        """End the exchange now, with this outcome or as it stands (None)."""
        if self._over:
            return
        self._over, self._ending = True, outcome
        if self._tape.sent is None:
            self._way.reschedule(asyncio.get_running_loop().time())
        self._tape.finish()

    async def run(self) -> Reply:
        """Send, wait for the end of the body without waking for its parts, reply."""
        tape = self._tape
        token = CURRENT.set(tape)
        try:
            self._look_again(self._tick_s)
            await self._exchange()
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            # The way's own TimeoutError is an OSError too: then `end` chose.
            if not self._way.expired():
                tape.fail(failure)
        finally:
            CURRENT.reset(token)
            if self._timer is not None:
                self._timer.cancel()
            self._over = True  # nothing is left that could be ended
            self._drain()
            tape.release()
        return self._reply()

    async def _exchange(self) -> None:
        """Go all the way: a connection, the request, the end of the response."""
        way, tape, connection = self._line.post, self._tape, None
        try:
            async with self._way:
                connection = await self._made_ready()
                go = partial(self._go, connection)
                await self._start.go(go, self._turnstile.alarm)
                if tape.sent is None and not self._over:
                    if connection is not None:
                        connection.close()  # by now its host has closed it
                    connection = await way.connection()
                    self._send(connection)
            if not self._over:
                await tape.ended()
            await self._turnstile.end()
        finally:
            if connection is not None:
                post.leave(connection, tape)

    async def _made_ready(self) -> Connection | None:
        """Do what can be done before the start: take a connection that stands.

        None is opened ahead: what that takes is for the figures to show.
        """
        try:
            await self._turnstile.begin()
            return await self._line.post.pooled()
        except BaseException:
            self._start.leave(self._turnstile.alarm)
            raise

    def _go(self, connection: Connection | None) -> None:
        """Send at the start, if there is a connection that its host has not closed."""
        if connection is not None and post.usable(connection) and not self._over:
            self._send(connection)

    def _send(self, connection: Connection) -> None:
        head = self._line.post.head(len(self._body))
        post.send(connection, self._tape, head, self._body)

    def _tick(self) -> None:
        """Decode what has to be, and end the exchange if its time or room is over.

        A stream that goes on well is decoded in slices, or when it has ended.
        """
        if self._due_slice():
            self._drain()
        over = self._overdue(perf_counter_ns())
        if over is not None:
            self._drain()
            over = self._overdue(perf_counter_ns())
        seen = self._reader.seen
        if seen.over_cap:
            self.end(Outcome.LIMIT_EXCEEDED)
        elif over is not None and self._late:
            self.end(over)
        elif seen.done_ns and perf_counter_ns() - seen.done_ns > DRAIN_S * NS:
            self.end(None)
        else:
            # A deadline has passed only when it still has after one more look at the
            # socket: if our own loop was stuck, the bytes may be waiting there.
            self._late = over is not None
            self._look_again(SHORTEST_TICK_S if self._late else self._tick_s)

    def _look_again(self, wait: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(wait, self._tick)

    def _due_slice(self) -> bool:
        """Return whether what has come should be decoded before the end."""
        held, limits = self._tape.held, self._deadlines
        longest = min(limits.token_gap, limits.first_token) / 4
        long_ago = perf_counter_ns() - self._drained > longest * NS
        return held > SLICE_BYTES or long_ago or self._tape.pausing()

    def _overdue(self, now: int) -> Outcome | None:
        """Return which deadline has passed, if one has."""
        tape, limits = self._tape, self._deadlines
        if now - self._started > limits.total * NS:
            return Outcome.TIMEOUT_TOTAL
        if tape.sent is None:
            late = now - self._started > limits.connect * NS
            unknown = Outcome.DNS_ERROR if tape.resolving else Outcome.TIMEOUT_CONNECT
            return unknown if late else None
        waited = (now - tape.sent) / NS
        if tape.headers is None:
            patience = limits.headers if self._stream else limits.first_token
            return Outcome.TIMEOUT_HEADERS if waited > patience else None
        return None if self._reader.seen.finished else self._stalled(now, waited)

    def _stalled(self, now: int, waited: float) -> Outcome | None:
        """Return which deadline of a body has passed, if one has.

        In a stream tokens and data events count, in a body that was to be whole bytes.
        """
        seen, limits = self._reader.seen, self._deadlines
        bytes_count = not self._stream and seen.sse is None
        if seen.begun or seen.error or (bytes_count and seen.body_ns):
            since = seen.progress_ns or seen.body_ns or self._tape.headers or now
            late = now - since > limits.token_gap * NS
            return Outcome.TIMEOUT_TOKEN_GAP if late else None
        late = waited > limits.first_token
        return Outcome.TIMEOUT_FIRST_TOKEN if late else None

    def _drain(self) -> None:
        """Feed the reader what has arrived, each piece with the stamp of its read."""
        tape, seen = self._tape, self._reader.seen
        self._drained = perf_counter_ns()
        if seen.status is None and tape.status is not None:
            at = tape.headers or perf_counter_ns()
            self._reader.head(at, tape.status, tape.fields)
        while tape.held:
            self._reader.feed_all(*tape.take())
            if not seen.over_cap:
                tape.go_on()

    def _filled(self) -> None:
        """Take much at once, and stop when it is too much."""
        self._drain()
        if self._reader.seen.over_cap:
            self.end(Outcome.LIMIT_EXCEEDED)

    def _reply(self) -> Reply:
        """Return the Reply: a body's end goes before a failure, that before `end`."""
        tape = self._tape
        too_much = Outcome.LIMIT_EXCEEDED if self._reader.seen.over_cap else None
        ending, error = self._ending, None
        if tape.eof is not None:
            ending = None  # the body ended before `end` could take effect
        elif tape.failure is not None:
            ending, error = failed(tape.failure, tape)
            tape.failure = None  # it knows this frame: a circle
        return self._reader.close(
            tape.eof or perf_counter_ns(),
            ending or too_much,
            stamps=_moments(tape, secure=self._line.secure),
            error=error,
            conn_reused=tape.reused,
            body_sha256=hashlib.sha256(self._body).hexdigest(),
        )


@lru_cache(maxsize=64)
def _tick_of(deadlines: Deadlines) -> float:
    """Return how often to look, so that no deadline is missed by much."""
    shortest: float = min(msgspec.structs.astuple(deadlines))
    return min(TICK_S, max(shortest / 4, SHORTEST_TICK_S))


def _moments(tape: Tape, *, secure: bool) -> dict[str, int | None]:
    """Return the stamps and durations that the tape holds, by their names."""
    moments = {"sent": tape.sent, "headers": tape.headers}
    if tape.reused is False and tape.tcp is not None:
        begun = tape.resolved or tape.opening or tape.tcp
        moments["dns"] = tape.dns
        moments["connect"] = tape.tcp - begun
        if secure and tape.secured is not None:
            moments["tls"] = tape.secured - tape.tcp
    return moments
