"""One request on its way: what is sent, what comes, and the clock that may end it."""

import asyncio
import hashlib
from functools import lru_cache
from time import perf_counter_ns

import aiohttp
import msgspec

from providers import tap
from providers.failure import failed
from providers.line import Line
from providers.outcome import Outcome
from providers.provider import Caps, Deadlines
from providers.reader import Reader
from providers.reply import Reply
from scenarios.request import Arrival

TICK_S = 0.25
SHORTEST_TICK_S = 0.005
DRAIN_S = 1.0
NS = 1_000_000_000


class Exchange:
    """One request and its response. `run` gives the Reply, `end` ends it early.

    What arrives is decoded on a timer: a stream wakes no task, and its stamps are the
    socket's own.
    """

    def __init__(
        self, line: Line, arrival: Arrival, deadlines: Deadlines, caps: Caps
    ) -> None:
        provider, request = line.provider, arrival.request
        self._line = line
        self._deadlines = deadlines
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
        )
        self._tape = tap.Tape(self._filled)
        self._started = perf_counter_ns()
        self._ending: Outcome | None = None
        self._late = False
        self._scope = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None
        self._tick_s = _tick_of(deadlines)

    def end(self, outcome: Outcome | None) -> None:
        """End the exchange now, with this outcome or as it stands (None)."""
        if self._scope.when() is None:
            self._ending = outcome
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> Reply:
        """Send, wait for the end of the body without waking for its parts, reply."""
        error: str | None = None
        token = tap.CURRENT.set(self._tape)
        try:
            async with self._scope:
                self._tick()
                await self._exchange()
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            # The scope's own TimeoutError is an OSError too: then `end` chose.
            if not self._scope.expired():
                self._ending, error = failed(failure, self._tape)
        else:
            self._ending = None  # the body ended before `end` could take effect
        finally:
            tap.CURRENT.reset(token)
            if self._timer is not None:
                self._timer.cancel()
            self._tape.wake = None  # nothing is left that could be ended
            self._drain()
            self._tape.release()
        return self._reply(error)

    async def _exchange(self) -> None:
        line = self._line
        async with line.session.post(
            line.url,
            data=self._body,
            allow_redirects=False,
            proxy=line.provider.proxy,
        ) as response:
            try:
                await _whole(response.content)
            except BaseException:
                response.close()
                raise

    def _tick(self) -> None:
        """Decode what has come, and end the exchange if its time or room is over."""
        self._drain()
        seen, now = self._reader.seen, perf_counter_ns()
        over = self._overdue(now)
        if seen.over_cap:
            self.end(Outcome.LIMIT_EXCEEDED)
        elif over is not None and self._late:
            self.end(over)
        elif seen.done_ns is not None and now - seen.done_ns > DRAIN_S * NS:
            self.end(None)
        else:
            # A deadline has passed only when it still has after one more look at the
            # socket: if our own loop was stuck, the bytes may be waiting there.
            self._late = over is not None
            wait = SHORTEST_TICK_S if self._late else self._tick_s
            self._timer = asyncio.get_running_loop().call_later(wait, self._tick)

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
        if not self._stream or self._reader.seen.finished:
            return None
        return self._stalled(now, waited)

    def _stalled(self, now: int, waited: float) -> Outcome | None:
        """Return which deadline of a stream's tokens has passed, if one has."""
        seen, limits = self._reader.seen, self._deadlines
        if seen.begun or seen.error:
            since = seen.progress_ns or seen.body_ns or self._tape.headers or now
            late = now - since > limits.token_gap * NS
            return Outcome.TIMEOUT_TOKEN_GAP if late else None
        late = waited > limits.first_token
        return Outcome.TIMEOUT_FIRST_TOKEN if late else None

    def _drain(self) -> None:
        """Feed the reader what has arrived, each piece with the stamp of its read."""
        tape, seen = self._tape, self._reader.seen
        if seen.status is None and tape.status is not None:
            at = tape.headers or perf_counter_ns()
            self._reader.head(at, tape.status, tape.fields)
        while pieces := tape.take():
            self._reader.feed_all(pieces)
            if not seen.over_cap:
                tape.go_on()

    def _filled(self) -> None:
        """Take much at once, and stop when it is too much."""
        self._drain()
        if self._reader.seen.over_cap:
            self.end(Outcome.LIMIT_EXCEEDED)

    def _reply(self, error: str | None) -> Reply:
        tape = self._tape
        too_much = Outcome.LIMIT_EXCEEDED if self._reader.seen.over_cap else None
        return self._reader.close(
            tape.eof or perf_counter_ns(),
            self._ending or too_much,
            stamps=_moments(tape, secure=self._line.url.scheme == "https"),
            error=error,
            conn_reused=tape.reused,
            body_sha256=hashlib.sha256(self._body).hexdigest(),
        )


@lru_cache(maxsize=64)
def _tick_of(deadlines: Deadlines) -> float:
    """Return how often to look, so that no deadline is missed by much."""
    shortest: float = min(msgspec.structs.astuple(deadlines))
    return min(TICK_S, max(shortest / 4, SHORTEST_TICK_S))


async def _whole(content: aiohttp.StreamReader) -> None:
    """Sleep until a body has ended; raise what broke it off."""
    failure = content.exception()
    if failure is not None:
        raise failure
    await content.wait_eof()


def _moments(tape: tap.Tape, *, secure: bool) -> dict[str, int | None]:
    """Return the stamps and durations that the tape holds, by their names."""
    moments = {"sent": tape.sent, "headers": tape.headers}
    if tape.reused is False and tape.tcp is not None:
        begun = tape.resolved or tape.opening or tape.tcp
        moments["dns"] = tape.dns
        moments["connect"] = tape.tcp - begun
        if secure and tape.secured is not None:
            moments["tls"] = tape.secured - tape.tcp
    return moments
