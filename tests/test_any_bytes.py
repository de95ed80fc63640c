"""Whatever a host sends becomes a row that can be stored, in time that is linear."""

import sqlite3
from time import process_time

import pytest
from byteserver import arrival, chunk, event, provider
from growth import assert_growth
from hypothesis import given, settings
from hypothesis import strategies as st

from compare.run.engine import Result
from compare.run.measure import Context, measure
from data.cells import clean, values_of
from data.identity import upgrade
from data.row import Row
from data.statements import INSERT_REQUEST
from fuzz.seeds import BODIES
from fuzz.tape import read, tape
from providers.reader import Reader
from providers.registry import dialect
from scenarios import checks
from scenarios.load import Load
from scenarios.plan import Plan, segments
from scenarios.scenario import load

PLAN = Plan(scenarios=(load("ping"),), providers=("host",), load=Load(), salt="s")
SEGMENT = segments(PLAN)[0]
CONTEXT = Context(
    run_id="r",
    origin=0,
    providers={"host": provider("http://127.0.0.1/v1")},
    prices={},
    checks=lambda *_: (checks.compile({"kind": "contains", "text": "x"}, "here"),),
    seed=0,
)


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "h2h.db"
    conn = sqlite3.connect(path)
    upgrade(conn, path)
    yield conn
    conn.close()


@settings(max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.tuples(
            st.binary(min_size=2, max_size=16), st.sampled_from(BODIES), st.binary()
        ).map(b"".join),
    ),
)
def test_any_bytes_at_all_give_a_row_that_is_stored(db, data):
    given_ = tape(data)
    reply = read(given_, given_.pieces, at_once=True)
    result = Result(
        arrival=arrival(),
        segment=SEGMENT,
        reply=reply,
        due=None,
        queued=1,
    )

    row, checks = measure(result, CONTEXT)

    db.execute(INSERT_REQUEST, [clean(value) for value in values_of(row)])
    names = ", ".join(Row.__struct_fields__)
    ((*stored,),) = db.execute(f"SELECT {names} FROM requests")
    db.rollback()
    assert dict(zip(Row.__struct_fields__, stored, strict=True))["outcome"] == str(
        reply.outcome
    )
    assert len(checks) == 1
    durations = (row.gap_p50_ns, row.gap_max_ns, row.output_bytes, row.bytes_received)
    assert all(each is None or each >= 0 for each in durations)


def call(**function):
    return chunk({"tool_calls": [{"function": function}]})


PIECES = {
    "blank lines": b"\n",
    "blanks": b"  ",
    "no line end": b"data: x",
    "no event end": b"data: x\n",
    "one byte": b"x",
    "comments": b": x\n\n",
    "braces": b"{\n",
    "done": b"data: [DONE]\n\n",
    "not JSON": b"data: {\n\n",
    "not UTF-8": b"data: \xff\n\n",
    "text": chunk({"content": "hi"}),
    "short runs": chunk({"content": "hi"}) * 5 + b": x\n\n",
    "usage": event({"choices": [], "usage": {"completion_tokens": 3}}),
    "errors": event({"error": {"message": "x"}}),
    "arguments": chunk({"tool_calls": [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "x" * 1000}}]}),
    "open arguments": call(name="f", arguments='{"x":"' + "y" * 900 + "}"),
    "names": call(name="f" * 500) + call(name="g" * 500),
    "names of one call": b"".join(
        chunk({"tool_calls": [{"index": 0, "function": {"name": each * 500}}]})
        for each in "fg"),
    "calls": call(name="f", arguments="{}"),
}  # fmt: skip


@pytest.mark.parametrize("name", PIECES)
def test_time_grows_with_the_reads_and_no_faster(name):
    piece = PIECES[name]

    def cost(n):
        reader = Reader(dialect("generic"), stream=True, max_tokens=10**6, model="m")
        reader.head(1, 200, {})
        begun = process_time()
        for at in range(0, n, 50):
            reader.feed_all([at] * 25, [piece] * 25)
            for _ in range(25):
                reader.feed(at, piece)
        reader.close(n)
        return process_time() - begun

    assert_growth(cost, 2_000, 24_000, below=30)
