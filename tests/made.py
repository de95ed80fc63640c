"""Hand-made records that the tests of judge, show and the reading verbs share."""

import json
import random

import msgspec

from compare.judge import frame
from compare.judge.comparison import Judged, within
from compare.show.subject import Subject
from data.row import Row, RunRow, Timing
from data.store import Store
from data.timeline import pack

RUN_ID = "20261103-090000-abcd"
KNOWN_TO_NOBODY = {
    "session_id",
    "answer_sha256",
    "n_tool_calls",
    "n_tool_calls_fit",
    "flags",
}
HOSTS = ("ourtoken", "openrouter-auto", "zai")


def timing(seq=0, **changes):
    fields = dict.fromkeys(Timing.__struct_fields__)
    fields |= {
        "run_id": RUN_ID,
        "seq": seq,
        "block": seq,
        "step": 0,
        "provider": "ourtoken",
        "scenario": "chat-1k",
        "phase": "measure",
        "outcome": "ok",
        "stream_label": "true",
        "sent_s": seq * 0.5,
        "end_s": seq * 0.5 + 1,
    }
    return Timing(**{**fields, **changes})


def run_row(hosts=HOSTS, **changes):
    fields = {
        "run_id": RUN_ID,
        "kind": "run",
        "started_at": "2026-11-03T09:00:12.345+00:00",
        "ended_at": "2026-11-03T09:05:00.000+00:00",
        "status": "done",
        "validity": "valid",
        "plan_hash": "p",
        "job": "{}",
        "versions": "{}",
        "machine": "{}",
        "providers": json.dumps(list(hosts)),
        "scenarios": '["chat-1k"]',
        "seed": 1,
    }
    return RunRow(**{**fields, **changes})


def timings(hosts=HOSTS, n=40, *, fail=None, step=0, scenario="chat-1k", first=0):
    """Blocks of plausible answers; `fail` is the share of failures by host."""
    draw = random.Random(f"{scenario}/{step}")
    found = []
    for block in range(n):
        for place, host in enumerate(hosts):
            seq = first + block * len(hosts) + place
            what = {"provider": host, "block": first + block, "step": step}
            what |= {"scenario": scenario, "sent_s": block * 0.4}
            if draw.random() < (fail or {}).get(host, 0):
                what |= {"outcome": "rate_limited", "blame": "account"}
                found.append(timing(seq, **what))
                continue
            ttft = (180 + 60 * place) * draw.lognormvariate(0, 0.2)
            tokens = draw.randint(40, 90)
            tpot = (7 + place) * draw.lognormvariate(0, 0.1)
            e2e = ttft + tpot * (tokens - 1)
            what |= {"ttft_ms": ttft, "ttfa_ms": ttft, "tpot_ms": tpot, "e2e_ms": e2e}
            what |= {"decode_tps": 1000 / tpot, "completion_tokens": tokens}
            what |= {"prompt_tokens": 1000, "cached_tokens": 250, "passed": 1}
            what |= {"cost_usd": 0.001 * (1 + place) + tokens * 1e-6}
            found.append(timing(seq, **what, end_s=block * 0.4 + e2e / 1000))
    return found


def subject_of(found, run=None, *, compared=False):
    """What charts are drawn of, from rows that were never stored."""
    run, rows = run or run_row(), frame.of(found)
    comparison = None
    if compared:
        comparison = within(Judged(run, rows, tuple), anyway=True)
    return Subject(run=run, frame=rows, comparison=comparison, more=more_of(found))


def more_of(found):
    """Read made-up gaps and timelines of rows: an event of output each `tpot_ms`."""

    def column(name, row):
        if name == "seq":
            return row.seq
        case = f"needle@{1000 << row.seq % 3}:{(10, 90)[row.seq // 3 % 2]}%"
        known = {"scenario": row.scenario, "case_id": case}
        known |= {"turn": row.turn, "params": "{}", "flags": "[]"}
        if name in known or name in KNOWN_TO_NOBODY:
            return known.get(name)
        if row.outcome != "ok" or row.ttft_ms is None or row.sent_s is None:
            return None
        if name == "timeline":
            first, each = row.sent_s * 1e3 + row.ttft_ms, row.tpot_ms or 1.0
            n = row.completion_tokens or 1
            return pack([(int((first + k * each) * 1e6), 2) for k in range(n)], 0)
        return int({"gap_p50_ns": 7e6, "gap_max_ns": 20e6 + 5e6 * row.seq}[name])

    def more(names, span):
        low, high = span or (0, 10**9)
        rows = sorted((r for r in found if low <= r.seq <= high), key=lambda r: r.seq)
        if rows:
            yield [[column(name, row) for row in rows] for name in names]

    return more


def store_run(path, row, found, *, lengths=None):
    """Write a run into a database as the engine would have.

    `lengths` is the max_tokens that a host was asked for, where it is not 256.
    """
    with Store.open(path) as store:
        store.begin_run(row)
        for each in found:
            asked = {"max_tokens": (lengths or {}).get(each.provider, 256)}
            store.emit(msgspec.structs.replace(_stored(row, each), **asked))
        if row.status != "running":
            store.end_run(
                row.run_id, row.status, row.validity, row.reasons, row.ended_at
            )


def _stored(row, each):
    def ns(ms):
        return None if ms is None else int(sent + ms * 1e6)

    sent = int((each.sent_s or 0) * 1e9)
    return Row(
        run_id=row.run_id,
        seq=each.seq,
        block=each.block,
        scenario=each.scenario,
        scenario_version="1-abc",
        case_id="1",
        phase=each.phase,
        provider=each.provider,
        dialect="generic",
        model_requested="glm-5.2",
        prompt_sha256="0",
        params="{}",
        max_tokens=256,
        load=json.dumps({"step": each.step}),
        sent_ns=sent,
        first_token_ns=ns(each.ttft_ms),
        first_answer_ns=ns(each.ttfa_ms),
        last_token_ns=ns(each.e2e_ms),
        end_ns=ns(each.e2e_ms),
        stream_label=each.stream_label,
        prompt_tokens=each.prompt_tokens,
        cached_tokens=each.cached_tokens,
        completion_tokens=each.completion_tokens,
        cost_nusd=None if each.cost_usd is None else round(each.cost_usd * 1e9),
        outcome=each.outcome,
        blame=each.blame,
        passed=each.passed,
    )
