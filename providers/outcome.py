"""What became of a request: one outcome, whom to blame, and any number of flags."""

from enum import StrEnum


class Outcome(StrEnum):
    """What became of a request. Exactly one holds."""

    OK = "ok"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    REASONING_ONLY = "reasoning_only"
    PROVIDER_ERROR = "provider_error"
    HTTP_ERROR = "http_error"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    QUOTA = "quota"
    AUTH_ERROR = "auth_error"
    MODEL_NOT_FOUND = "model_not_found"
    CONTEXT_OVERFLOW = "context_overflow"
    BAD_REQUEST = "bad_request"
    CONTENT_FILTER = "content_filter"
    PROTOCOL_ERROR = "protocol_error"
    WRONG_ANSWER_TYPE = "wrong_answer_type"
    DNS_ERROR = "dns_error"
    CONNECT_ERROR = "connect_error"
    TLS_ERROR = "tls_error"
    DISCONNECTED = "disconnected"
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_HEADERS = "timeout_headers"
    TIMEOUT_FIRST_TOKEN = "timeout_first_token"  # noqa: S105 - a token of text
    TIMEOUT_TOKEN_GAP = "timeout_token_gap"  # noqa: S105 - a token of text
    TIMEOUT_TOTAL = "timeout_total"
    LIMIT_EXCEEDED = "limit_exceeded"
    REDIRECT_REFUSED = "redirect_refused"
    POLICY_REFUSED = "policy_refused"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    DROPPED = "dropped"
    CLIENT_ERROR = "client_error"


class Blame(StrEnum):
    """Whose doing a failure was. Only `provider` counts against availability."""

    PROVIDER = "provider"
    CLIENT = "client"
    ACCOUNT = "account"
    NETWORK = "network"
    UNKNOWN = "unknown"


BLAME: dict[Outcome, Blame | None] = {
    Outcome.OK: None,
    Outcome.TRUNCATED: Blame.PROVIDER,
    Outcome.EMPTY: Blame.PROVIDER,
    Outcome.REASONING_ONLY: Blame.PROVIDER,
    Outcome.PROVIDER_ERROR: Blame.PROVIDER,
    Outcome.HTTP_ERROR: Blame.PROVIDER,
    Outcome.RATE_LIMITED: Blame.ACCOUNT,
    Outcome.OVERLOADED: Blame.PROVIDER,
    Outcome.QUOTA: Blame.ACCOUNT,
    Outcome.AUTH_ERROR: Blame.ACCOUNT,
    Outcome.MODEL_NOT_FOUND: Blame.ACCOUNT,
    Outcome.CONTEXT_OVERFLOW: Blame.ACCOUNT,
    Outcome.BAD_REQUEST: Blame.ACCOUNT,
    Outcome.CONTENT_FILTER: Blame.PROVIDER,
    Outcome.PROTOCOL_ERROR: Blame.PROVIDER,
    Outcome.WRONG_ANSWER_TYPE: Blame.PROVIDER,
    Outcome.DNS_ERROR: Blame.NETWORK,
    Outcome.CONNECT_ERROR: Blame.UNKNOWN,
    Outcome.TLS_ERROR: Blame.UNKNOWN,
    Outcome.DISCONNECTED: Blame.PROVIDER,
    Outcome.TIMEOUT_CONNECT: Blame.UNKNOWN,
    Outcome.TIMEOUT_HEADERS: Blame.PROVIDER,
    Outcome.TIMEOUT_FIRST_TOKEN: Blame.PROVIDER,
    Outcome.TIMEOUT_TOKEN_GAP: Blame.PROVIDER,
    Outcome.TIMEOUT_TOTAL: Blame.PROVIDER,
    Outcome.LIMIT_EXCEEDED: Blame.PROVIDER,
    Outcome.REDIRECT_REFUSED: Blame.PROVIDER,
    Outcome.POLICY_REFUSED: Blame.CLIENT,
    Outcome.INTERRUPTED: Blame.CLIENT,
    Outcome.LOST: Blame.CLIENT,
    Outcome.DROPPED: Blame.CLIENT,
    Outcome.CLIENT_ERROR: Blame.CLIENT,
}
"""The usual blame of each outcome; None where nothing failed."""

UNREACHED = frozenset(
    {
        Outcome.AUTH_ERROR,
        Outcome.DNS_ERROR,
        Outcome.CONNECT_ERROR,
        Outcome.TLS_ERROR,
        Outcome.MODEL_NOT_FOUND,
    }
)
"""Outcomes that mean a set-up is wrong when every row of a run has one of them."""


class Flag(StrEnum):
    """Something worth knowing about a reply that does not change its outcome."""

    NO_DONE = "no_done"
    DONE_TWICE = "done_twice"
    DATA_AFTER_DONE = "data_after_done"
    NO_FINISH_REASON = "no_finish_reason"
    FINISH_TWICE = "finish_twice"
    CONTENT_AFTER_FINISH = "content_after_finish"
    NONSTREAM_ANSWER = "nonstream_answer"
    STREAM_ANSWER = "stream_answer"
    CONTENT_TYPE_MISMATCH = "content_type_mismatch"
    CRLF = "crlf"
    BOM = "bom"
    BARE_CR = "bare_cr"
    INVALID_UTF8 = "invalid_utf8"
    COMMENTS_SEEN = "comments_seen"
    UNENDED_EVENT = "unended_event"
    BAD_EVENT = "bad_event"
    COMPRESSED = "compressed"
    COALESCED_CHUNKS = "coalesced_chunks"
    SINGLE_CHUNK_STREAM = "single_chunk_stream"
    USAGE_MISSING = "usage_missing"
    USAGE_TWICE = "usage_twice"
    USAGE_CUMULATIVE = "usage_cumulative"
    USAGE_DECREASING = "usage_decreasing"
    USAGE_IMPLAUSIBLE = "usage_implausible"
    USAGE_MISMATCH = "usage_mismatch"
    COST_MISSING = "cost_missing"
    COST_IMPLAUSIBLE = "cost_implausible"
    ID_CHANGED = "id_changed"
    MODEL_CHANGED = "model_changed"
    MODEL_NOT_REQUESTED = "model_not_requested"
    DUP_CHUNK = "dup_chunk"
    UNKNOWN_FINISH_REASON = "unknown_finish_reason"
    SHORT_LENGTH = "short_length"
    FILTERED = "filtered"
    LATE_ERROR = "late_error"
    TOOL_MARKUP_LEAK = "tool_markup_leak"
    TOOL_INVALID = "tool_invalid"
    CONN_REUSED = "conn_reused"
    CLOCK_STEP = "clock_step"
    LOOP_LAG = "loop_lag"
    LATE_START = "late_start"
    OVER_RESERVE = "over_reserve"
