"""The tables and the view, in SQL: what a step made is never edited again."""

RUNS = """
CREATE TABLE runs (
    run_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    status TEXT NOT NULL,
    validity TEXT,
    reasons TEXT NOT NULL,
    plan_hash TEXT NOT NULL,
    job TEXT NOT NULL,
    versions TEXT NOT NULL,
    machine TEXT NOT NULL,
    tags TEXT NOT NULL,
    prices TEXT NOT NULL,
    providers TEXT NOT NULL,
    scenarios TEXT NOT NULL,
    seed INTEGER NOT NULL,
    PRIMARY KEY (run_id)
) STRICT
"""

# With a rowid: rows of a kilobyte and more make a poor B-tree of keys, and rows come
# in order of `seq`, so they are appended. The key is an index beside them.
REQUESTS = """
CREATE TABLE requests (
    run_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    block INTEGER NOT NULL,
    scenario TEXT NOT NULL,
    scenario_version TEXT NOT NULL,
    case_id TEXT NOT NULL,
    session_id TEXT,
    turn INTEGER,
    attempt INTEGER NOT NULL,
    phase TEXT NOT NULL,
    provider TEXT NOT NULL,
    dialect TEXT NOT NULL,
    model_requested TEXT NOT NULL,
    model_served TEXT,
    upstream TEXT,
    variant TEXT,
    response_id TEXT,
    system_fingerprint TEXT,
    prompt_sha256 TEXT NOT NULL,
    body_sha256 TEXT,
    params TEXT NOT NULL,
    effort_requested TEXT,
    effort_verified INTEGER,
    max_tokens INTEGER NOT NULL,
    nonce TEXT,
    seed INTEGER,
    load TEXT NOT NULL,
    deadlines TEXT NOT NULL,
    worker INTEGER NOT NULL,
    due_ns INTEGER,
    queued_ns INTEGER,
    sent_ns INTEGER,
    headers_ns INTEGER,
    first_event_ns INTEGER,
    first_reasoning_ns INTEGER,
    first_token_ns INTEGER,
    first_answer_ns INTEGER,
    last_token_ns INTEGER,
    usage_ns INTEGER,
    done_ns INTEGER,
    end_ns INTEGER,
    dns_ns INTEGER,
    connect_ns INTEGER,
    tls_ns INTEGER,
    n_events INTEGER,
    n_content_events INTEGER,
    n_comments INTEGER,
    gap_p50_ns INTEGER,
    gap_p99_ns INTEGER,
    gap_max_ns INTEGER,
    zero_gap_share REAL,
    stream_label TEXT,
    output_chars INTEGER,
    output_bytes INTEGER,
    reasoning_chars INTEGER,
    bytes_received INTEGER,
    timeline BLOB,
    prompt_tokens INTEGER,
    cached_tokens INTEGER,
    cache_write_tokens INTEGER,
    completion_tokens INTEGER,
    reasoning_tokens INTEGER,
    total_tokens INTEGER,
    usage_source TEXT,
    usage_json TEXT,
    cost_input_nusd INTEGER,
    cost_cached_nusd INTEGER,
    cost_cache_write_nusd INTEGER,
    cost_output_nusd INTEGER,
    cost_nusd INTEGER,
    cost_reported_nusd INTEGER,
    price_id TEXT,
    outcome TEXT NOT NULL,
    blame TEXT,
    flags TEXT NOT NULL,
    http_status INTEGER,
    error_code TEXT,
    error_excerpt TEXT,
    finish_reason TEXT,
    retry_after_s REAL,
    ratelimit TEXT,
    conn_reused INTEGER,
    passed INTEGER,
    score REAL,
    PRIMARY KEY (run_id, seq)
) STRICT
"""

CHECKS = """
CREATE TABLE checks (
    run_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    name TEXT NOT NULL,
    passed INTEGER,
    detail TEXT,
    PRIMARY KEY (run_id, seq, name)
) STRICT, WITHOUT ROWID
"""

# NULL wherever a stamp is missing, and never infinite: a span of 0 has no rate. Figures
# per token need a stream that was really streamed; those in characters and bytes also
# hold where several tokens came in one event. `step` is $.step of `load`, without the
# JSON functions: SQLite before 3.41 refuses them in a view that it does not trust.
TIMINGS = """
CREATE VIEW timings AS
WITH spans AS (
    SELECT
        *,
        CASE
            WHEN stream_label = 'true' AND last_token_ns > first_token_ns
                AND completion_tokens >= 2
            THEN last_token_ns - first_token_ns
        END AS token_span_ns,
        CASE
            WHEN stream_label IN ('true', 'coalesced')
                AND last_token_ns > first_token_ns
            THEN last_token_ns - first_token_ns
        END AS text_span_ns,
        CASE
            WHEN last_token_ns > sent_ns THEN last_token_ns - sent_ns
        END AS e2e_span_ns,
        CASE
            WHEN instr(load, '"step":')
            THEN ltrim(substr(load, instr(load, '"step":') + 7))
        END AS step_text
    FROM requests
)
SELECT
    run_id,
    seq,
    block,
    CASE WHEN step_text GLOB '[0-9]*' THEN CAST(step_text AS INTEGER) END AS step,
    provider,
    scenario,
    phase,
    outcome,
    blame,
    stream_label,
    sent_ns / 1e9 AS sent_s,
    end_ns / 1e9 AS end_s,
    (first_token_ns - sent_ns) / 1e6 AS ttft_ms,
    (first_answer_ns - sent_ns) / 1e6 AS ttfa_ms,
    (first_token_ns - due_ns) / 1e6 AS ttft_due_ms,
    (last_token_ns - due_ns) / 1e6 AS e2e_due_ms,
    (last_token_ns - sent_ns) / 1e6 AS e2e_ms,
    token_span_ns / 1e6 / (completion_tokens - 1) AS tpot_ms,
    (completion_tokens - 1) * 1e9 / token_span_ns AS decode_tps,
    CASE
        WHEN completion_tokens > 0 THEN completion_tokens * 1e9 / e2e_span_ns
    END AS output_tps,
    gap_p50_ns / 1e6 AS chunk_gap_p50_ms,
    gap_p99_ns / 1e6 AS chunk_gap_p99_ms,
    gap_max_ns / 1e6 AS chunk_gap_max_ms,
    zero_gap_share,
    (output_chars + reasoning_chars) * 1e9 / text_span_ns AS chars_per_s,
    output_bytes * 1e9 / text_span_ns AS bytes_per_s,
    (sent_ns - coalesce(due_ns, queued_ns)) / 1e6 AS queue_ms,
    prompt_tokens,
    cached_tokens,
    completion_tokens,
    conn_reused,
    passed,
    cost_nusd / 1e9 AS cost_usd,
    cost_reported_nusd / 1e9 AS cost_reported_usd,
    turn
FROM spans
"""


# By date, of scheduled probes alone: what a load test stores pays nothing for them.
REQUESTS_AT = """
CREATE INDEX requests_at ON requests (provider, scenario, at_ms, outcome, blame)
WHERE at_ms IS NOT NULL
"""
REQUESTS_DATE = """
CREATE INDEX requests_date ON requests (at_ms) WHERE at_ms IS NOT NULL
"""
ROLLUPS = """
CREATE TABLE rollups (
    provider TEXT NOT NULL,
    scenario TEXT NOT NULL,
    hour INTEGER NOT NULL,
    n INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    at_fault INTEGER NOT NULL,
    excused INTEGER NOT NULL,
    last_ok_ms INTEGER,
    outcomes TEXT NOT NULL,
    blames TEXT NOT NULL,
    models TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cacheable_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    n_usage INTEGER NOT NULL,
    cost_nusd INTEGER NOT NULL,
    n_priced INTEGER NOT NULL,
    cost_reported_nusd INTEGER NOT NULL,
    n_reported INTEGER NOT NULL,
    ttft BLOB NOT NULL,
    e2e BLOB NOT NULL,
    tpot BLOB NOT NULL,
    PRIMARY KEY (provider, scenario, hour)
) STRICT, WITHOUT ROWID
"""
# All that counts of availability, without the histograms between.
ROLLUPS_COUNTS = """
CREATE INDEX rollups_counts
ON rollups (hour, provider, scenario, n, ok, at_fault, excused, last_ok_ms)
"""
EVENTS = """
CREATE TABLE events (
    event_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    provider TEXT NOT NULL,
    scenario TEXT,
    subject TEXT NOT NULL,
    before TEXT,
    after TEXT,
    n INTEGER,
    text TEXT NOT NULL,
    PRIMARY KEY (event_id)
) STRICT
"""
EVENTS_AT = "CREATE INDEX events_at ON events (at_ms)"
