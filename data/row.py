"""The row: one request, one record, one line of the table `requests`."""

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it is stored. The fields are the columns; None is NULL: unknown.

    Stamps (`*_ns`) are nanoseconds from the run's start, except `dns_ns`,
    `connect_ns`, `tls_ns` and the gaps, which are durations. Money (`*_nusd`) is in
    nano-USD. `flags`, `params`, `load`, `deadlines` (in seconds) and `ratelimit` are
    JSON texts. `timeline` is the blob of `data.timeline`. `at_ms` is a date and not a
    stamp: of scheduled probes alone, whose service outlives settings of the wall clock.
    """

    # identity
    run_id: str
    seq: int
    block: int
    scenario: str
    scenario_version: str
    case_id: str
    session_id: str | None = None
    turn: int | None = None
    attempt: int = 1
    phase: str
    provider: str
    dialect: str
    model_requested: str
    model_served: str | None = None
    upstream: str | None = None
    variant: str | None = None
    response_id: str | None = None
    system_fingerprint: str | None = None
    # comparability
    prompt_sha256: str
    body_sha256: str | None = None
    params: str
    effort_requested: str | None = None
    effort_verified: int | None = None
    max_tokens: int
    nonce: str | None = None
    seed: int | None = None
    load: str
    deadlines: str = "{}"
    worker: int = 0
    # stamps
    due_ns: int | None = None
    queued_ns: int | None = None
    sent_ns: int | None = None
    headers_ns: int | None = None
    first_event_ns: int | None = None
    first_reasoning_ns: int | None = None
    first_token_ns: int | None = None
    first_answer_ns: int | None = None
    last_token_ns: int | None = None
    usage_ns: int | None = None
    done_ns: int | None = None
    end_ns: int | None = None
    dns_ns: int | None = None
    connect_ns: int | None = None
    tls_ns: int | None = None
    # stream
    n_events: int | None = None
    n_content_events: int | None = None
    n_comments: int | None = None
    gap_p50_ns: int | None = None
    gap_p99_ns: int | None = None
    gap_max_ns: int | None = None
    zero_gap_share: float | None = None
    stream_label: str | None = None
    output_chars: int | None = None
    output_bytes: int | None = None
    reasoning_chars: int | None = None
    bytes_received: int | None = None
    timeline: bytes | None = None
    # tokens
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    total_tokens: int | None = None
    usage_source: str | None = None
    usage_json: str | None = None
    # money
    cost_input_nusd: int | None = None
    cost_cached_nusd: int | None = None
    cost_cache_write_nusd: int | None = None
    cost_output_nusd: int | None = None
    cost_nusd: int | None = None
    cost_reported_nusd: int | None = None
    price_id: str | None = None
    # result
    outcome: str
    blame: str | None = None
    flags: str = "[]"
    http_status: int | None = None
    error_code: str | None = None
    error_excerpt: str | None = None
    finish_reason: str | None = None
    retry_after_s: float | None = None
    ratelimit: str | None = None
    conn_reused: int | None = None
    # quality
    passed: int | None = None
    score: float | None = None
    answer_sha256: str | None = None
    n_tool_calls: int | None = None
    n_tool_calls_fit: int | None = None
    # date
    at_ms: int | None = None


class CheckRow(msgspec.Struct, frozen=True, kw_only=True):
    """One check of one request: a line of the table `checks`.

    `passed` is 1, 0, or None when the check could not be made (`detail` says why).
    `score`, 0 to 1, is the share of its parts that were right; None: it has no parts.
    `answer`, JSON of an Answer, is kept of a check that waits for the end of the run,
    and of one that waited and was not passed.
    """

    run_id: str
    seq: int
    name: str
    passed: int | None
    detail: str | None = None
    score: float | None = None
    answer: str | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of a run that ended alike and not well.

    `n` of them; `seq` and `error_excerpt` (redacted when it was stored) are those of
    the first one.
    """

    provider: str
    scenario: str
    outcome: str
    blame: str | None
    http_status: int | None
    error_code: str | None
    n: int
    seq: int
    error_excerpt: str | None


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run: a line of the table `runs`.

    `kind` is `run`, `probe` or `demo`. `started_at` is UTC, ISO 8601. `status` is
    `running`, `done`, `interrupted` or `crashed`. `validity` is None until the run
    has been judged. The other texts are JSON: `reasons`, `job` (redacted), `versions`,
    `machine`, `tags`, `prices` (the rows of the price list that this run was charged
    by), `providers`, `scenarios`, `floor` (the bench's own error before the run; None:
    not measured), `health` (how the bench fared; None until the end) and `resumed` (a
    list: each time that the run was taken up again).
    """

    run_id: str
    kind: str
    started_at: str
    ended_at: str | None = None
    status: str
    validity: str | None = None
    reasons: str = "[]"
    plan_hash: str
    job: str
    versions: str
    machine: str
    tags: str = "{}"
    prices: str = "{}"
    providers: str
    scenarios: str
    seed: int
    floor: str | None = None
    health: str | None = None
    resumed: str = "[]"


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the view `timings`: a request with its derived metrics.

    Formulas are those of docs/measuring.md; None where a stamp they need was not
    reached or where the figure would mislead. Times in ms, rates per second,
    `sent_s` and `end_s` in seconds from the run's start, money in USD. `turn` is None
    in scenarios of one turn.
    """

    run_id: str
    seq: int
    block: int
    step: int | None
    provider: str
    scenario: str
    phase: str
    outcome: str
    blame: str | None
    stream_label: str | None
    sent_s: float | None
    end_s: float | None
    ttft_ms: float | None
    ttfa_ms: float | None
    ttft_due_ms: float | None
    e2e_due_ms: float | None
    e2e_ms: float | None
    tpot_ms: float | None
    decode_tps: float | None
    output_tps: float | None
    chunk_gap_p50_ms: float | None
    chunk_gap_p99_ms: float | None
    chunk_gap_max_ms: float | None
    zero_gap_share: float | None
    chars_per_s: float | None
    bytes_per_s: float | None
    queue_ms: float | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    conn_reused: int | None
    passed: int | None
    cost_usd: float | None
    cost_reported_usd: float | None
    turn: int | None = None

    @property
    def asked(self) -> str:
        """Return what was asked: the scenario, and which turn of several."""
        name = self.scenario
        return name if self.turn is None else f"{name} turn {self.turn}"
