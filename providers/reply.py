"""What was seen of one request on the wire: stamps, counts, usage and outcome."""

from enum import IntEnum

import msgspec

from providers.outcome import Blame, Flag, Outcome


class Kind(IntEnum):
    """What a data event of a stream carried; the numbers are stored in timelines."""

    OTHER = 0
    CONTENT = 1
    REASONING = 2
    TOOL = 3


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts as a host stated them; None is "not stated", never 0.

    `cached_tokens` is part of `prompt_tokens` and `reasoning_tokens` is part of
    `completion_tokens`. `source` says where in the answer the counts stood:
    `final_chunk`, `finish_chunk`, `per_chunk`, `x_groq` or `body`. `cost_usd` is
    the host's own figure as a decimal string, `raw` its object as compact JSON.
    """

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    total_tokens: int | None = None
    source: str | None = None
    cost_usd: str | None = None
    raw: str | None = None


class ToolCall(msgspec.Struct, frozen=True):
    """One function call asked for by the model; `arguments` is its JSON text."""

    id: str
    name: str
    arguments: str


class Stamps(msgspec.Struct, frozen=True, kw_only=True):
    """Moments of one request on the monotonic clock (ns) and three durations (ns).

    None means the moment was not reached, or for a duration that the connection
    was reused. The words are those of docs/measuring.md.
    """

    queued: int | None = None
    sent: int | None = None
    headers: int | None = None
    first_event: int | None = None
    first_reasoning: int | None = None
    first_token: int | None = None
    first_answer: int | None = None
    last_token: int | None = None
    usage: int | None = None
    done: int | None = None
    end: int | None = None
    dns: int | None = None
    connect: int | None = None
    tls: int | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was seen of one request; nothing here is derived or guessed.

    `timeline` is one (ns, kind) pair a data event, in order of arrival. `content`
    and `reasoning` are the texts, kept only until the row is made. `error_excerpt`
    is redacted. `upstream` is the host behind the host, where one says so. `streamed`
    says whether the body was a stream, whatever had been asked for. `n_comments`
    counts the signs of life: comments, and data events without data.
    """

    outcome: Outcome
    blame: Blame | None = None
    flags: frozenset[Flag] = frozenset()
    stamps: Stamps = Stamps()
    timeline: tuple[tuple[int, int], ...] = ()
    usage: Usage | None = None
    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    n_comments: int = 0
    bytes_received: int = 0
    http_status: int | None = None
    finish_reason: str | None = None
    response_id: str | None = None
    model_served: str | None = None
    upstream: str | None = None
    system_fingerprint: str | None = None
    error_code: str | None = None
    error_excerpt: str | None = None
    retry_after_s: float | None = None
    ratelimit: dict[str, str] | None = None
    body_sha256: str | None = None
    conn_reused: bool | None = None
    streamed: bool = False
