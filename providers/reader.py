"""From the bytes of one response to one Reply, without any I/O."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import msgspec

from providers.audit import oddities, plausible
from providers.dialect import Dialect, Problem
from providers.intake import Intake
from providers.limits import rate_limits, retry_after
from providers.outcome import BLAME, Blame, Flag, Outcome
from providers.provider import Caps
from providers.reply import Reply, Stamps, ToolCall, Usage
from providers.secret import Secret, forms, hide, mask, redact
from providers.shapes import Shapes
from providers.verdict import verdict

EXCERPT_BYTES = 512
NAME_CHARS = 256
SCANNED_CHARS = 4_096
"""So much of a text is searched for keys, of which the beginning is kept.

A key that is cut in two here is masked by its beginning, like any that was cut off.
"""

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"')

Clean = Callable[[str], str]
"""Takes the known keys out of a text."""


class Reader:
    """Read one response: `head`, any number of `feed`s, then `close` for the Reply.

    All stamps are ns of one monotonic clock. Events that came in one `feed` share
    its stamp. Nothing a host sends raises, and no key that it echoes gets through.
    `seen` is what has come so far. `shapes` remembers events of the host's other
    streams; without it nothing is.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        stream: bool,
        max_tokens: int,
        model: str,
        request_bytes: int = 0,
        caps: Caps | None = None,
        secrets: Iterable[Secret] = (),
        shapes: Shapes | None = None,
    ) -> None:
        self._dialect = dialect
        self._model = model
        self._request_bytes = request_bytes
        self._secrets = tuple(secrets)
        self.seen = Intake(
            dialect,
            shapes or Shapes(dialect),
            stream=stream,
            max_tokens=max_tokens,
            caps=caps or Caps(),
        )

    def head(self, at: int, status: int, headers: Mapping[str, str]) -> None:
        """Note the response's head."""
        self.seen.head(at, status, headers)

    def feed(self, at: int, data: bytes) -> None:
        """Take bytes of the body that reached the process at one moment."""
        self.seen.feed(at, data)

    def feed_all(self, stamps: Sequence[int], parts: list[bytes]) -> None:
        """Take several parts of the body, each with its moment, as `feed` would."""
        self.seen.feed_all(stamps, parts)

    def close(
        self,
        at: int,
        ending: Outcome | None = None,
        *,
        stamps: Mapping[str, int | None] | None = None,
        error: str | None = None,
        conn_reused: bool | None = None,
        body_sha256: str | None = None,
    ) -> Reply:
        """Return the Reply. `ending` is what cut the response short, None if nothing.

        `stamps` adds the moments that only the wire knows, `error` its words.
        """
        seen, answer, headers = self.seen, self.seen.answer, self.seen.headers
        waits = rate_limits(headers, self._secrets)
        seen.end(at)
        outcome, problem = verdict(seen, self._dialect, ending)
        usage = plausible(seen, self._request_bytes)
        flags = seen.flags | answer.flags
        flags |= oddities(seen, outcome, usage, self._model)
        if conn_reused:
            flags.add(Flag.CONN_REUSED)
        clean, of_text = self._cleaners()
        return Reply(
            outcome=outcome,
            blame=_blame(outcome, problem, conn_reused),
            flags=frozenset(flags),
            stamps=self._stamps(at, stamps or {}),
            timeline=answer.timeline,
            usage=_clean_usage(usage, clean) if self._secrets else usage,
            content=of_text("".join(answer.content)),
            reasoning=of_text("".join(answer.reasoning)),
            tool_calls=tuple(
                _clean_call(call, of_text) for call in answer.calls.whole()
            ),
            n_comments=seen.n_blank + (seen.sse.comments if seen.sse else 0),
            bytes_received=seen.bytes,
            http_status=seen.status,
            finish_reason=_name(answer.finish, clean),
            response_id=_name(answer.id or headers.get("X-Generation-Id"), clean),
            model_served=_name(answer.model, clean),
            upstream=_name(answer.upstream, clean),
            system_fingerprint=_name(answer.fingerprint, clean),
            error_code=_name(problem.code if problem else None, clean),
            error_excerpt=self._excerpt(
                (problem and problem.message) or error or self._strange(outcome)
            ),
            retry_after_s=self._wait(problem, told=bool(waits)),
            ratelimit=waits,
            body_sha256=body_sha256,
            conn_reused=conn_reused,
            streamed=seen.sse is not None and seen.sse.spoken,
        )

    def _stamps(self, end: int, known: Mapping[str, int | None]) -> Stamps:
        seen = self.seen
        own = {
            "headers": seen.headers_ns,
            "first_event": seen.first_event_ns,
            "done": seen.done_ns,
        }
        reached = {name: at for name, at in own.items() if at is not None}
        return Stamps(**{**known, **reached, **seen.answer.stamps, "end": end})

    def _wait(self, problem: Problem | None, *, told: bool) -> float | None:
        """Return the seconds to wait that the headers state, else the body."""
        waits = retry_after(self.seen.headers) if told else None
        return problem.retry_after_s if waits is None and problem else waits

    def _strange(self, outcome: Outcome) -> str | None:
        """Return how a body began that was no answer: the evidence of what it was."""
        if outcome not in {Outcome.WRONG_ANSWER_TYPE, Outcome.PROTOCOL_ERROR}:
            return None
        return self.seen.opening.decode("utf-8", "replace")

    def _cleaners(self) -> tuple[Clean, Clean]:
        """Return what cleans a short text that is stored, and a long one that is not.

        A long one is only searched for whole keys, which takes less time.
        """
        if not self._secrets:
            return str, str
        return (
            partial(hide, secrets=self._secrets),
            partial(mask, spelled=forms(self._secrets)),
        )

    def _excerpt(self, text: str | None) -> str | None:
        if not text:
            return None
        clean = redact(text[:SCANNED_CHARS], self._secrets)
        kept = clean.encode("utf-8", "replace")[:EXCERPT_BYTES]
        return kept.decode("utf-8", "ignore")


def _name(text: str | None, clean: Clean) -> str | None:
    """Return a name that a host gave: clean, short, and storable (no surrogates)."""
    if not text:
        return None
    text = clean(text[:SCANNED_CHARS])
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text[:NAME_CHARS]


def _clean_usage(usage: Usage | None, clean: Clean) -> Usage | None:
    if usage is None or usage.raw is None:
        return usage
    # Its names are the same in each answer: `clean` remembers them, not the whole.
    raw = _STRINGS.sub(lambda found: clean(found[0]), usage.raw)
    return usage if raw == usage.raw else msgspec.structs.replace(usage, raw=raw)


def _clean_call(call: ToolCall, clean: Clean) -> ToolCall:
    return ToolCall(clean(call.id), clean(call.name), clean(call.arguments))


def _blame(
    outcome: Outcome, problem: Problem | None, reused: bool | None
) -> Blame | None:
    """Return whose doing an outcome was, as far as one can know."""
    if outcome is Outcome.DISCONNECTED and reused:
        # An idle connection that closes just as it is used again is nobody's failure.
        return Blame.UNKNOWN
    return problem.blame if problem else BLAME[outcome]
