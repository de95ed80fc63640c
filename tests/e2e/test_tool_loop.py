"""A live loop over real sockets: from a host's answers to `h2h compare`."""

import asyncio
import json

from looping import LoopHost, blunderer, leaker, looper, solver

H = ("good", "loops", "leaks", "wrong")
MODELS = {"good": solver, "loops": looper, "leaks": leaker, "wrong": blunderer}


async def conduct(desk, *words, sessions=12):
    hosts = {name: LoopHost(MODELS[name]) for name in H}
    given = []
    for name, host in hosts.items():
        await host.__aenter__()
        given += ["-p", f"{name}={host.base_url}"]
    try:
        n = 12 * sessions
        return hosts, await asyncio.to_thread(
            desk, "run", *given, "--model", "m", "-s", "tool-loop", "-n", n, "-c", 4,
            "--ui", "none", *words,
        )  # fmt: skip
    finally:
        for host in hosts.values():
            await host.__aexit__(None, None, None)


def test_hosts_are_told_apart_by_what_they_solve(desk):
    hosts, _ = asyncio.run(conduct(desk))
    rows = desk.rows("select * from requests order by seq")
    assert {row["outcome"] for row in rows} == {"ok"}
    assert len(rows) == sum(len(host.bodies) for host in hosts.values())
    for name, host in hosts.items():
        mine = [row for row in rows if row["provider"] == name]
        assert {row["turn"] for row in mine} >= {1, 2, 3}
        assert len({row["session_id"] for row in mine}) == 12
        assert len(host.bodies) == len(mine)
    leaked = {r["provider"] for r in rows if "tool_markup_leak" in r["flags"]}
    assert leaked == {"leaks"}
    found = json.loads(desk("compare", "latest", "--json").out)
    checks = {each["provider"]: each for each in found["checks"]}
    assert {name: each["passed"]["value"] for name, each in checks.items()} == {
        "good": 1.0, "loops": 0.0, "leaks": 1.0, "wrong": 0.0
    }  # fmt: skip
    assert {each["accepted"]["n"] for each in checks.values()} == {12}
    faults = {f["check"]: f["n_failed"] for f in checks["loops"]["faults"]}
    assert faults == {"solved": 12, "finished": 12, "no-loop": 12}
    steps = {name: each["steps"] for name, each in checks.items()}
    assert steps["good"]["invalid"]["value"] == 0
    assert steps["wrong"]["invalid"]["value"] == 1
    assert steps["wrong"]["idle"]["value"] == 0.25
    assert steps["leaks"]["leaks"]["value"] > 0
    assert steps["leaks"]["median"] == steps["good"]["median"] + 1
    contrasts = {(c["provider"], c["metric"]): c for c in found["contrasts"]}
    assert {metric for _, metric in contrasts} == {"ok", "passed"}
    worse = contrasts["loops", "passed"]
    assert (worse["verdict"], worse["estimate"], worse["n_blocks"]) == ("worse", -1, 12)
    assert contrasts["leaks", "passed"]["verdict"] == "no difference shown"
    text = desk("compare", "latest").out
    assert "loops and good: no verdict, worse at its checks" in text
    assert "steps to solve" in text
    desk("report", "latest", "-o", desk.folder / "page.html")
    assert "Checks, scenario tool-loop" in (desk.folder / "page.html").read_text()
    lines = desk("export", "latest", "--checks", "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["passed"] for line in lines] == [
        each["passed"]["value"] for each in found["checks"]
    ]


def test_workers_play_whole_sessions_each(desk):
    hosts, _ = asyncio.run(conduct(desk, "--workers", 2, sessions=6))
    rows = desk.rows("select * from requests order by seq")
    sessions = {}
    for row in rows:
        sessions.setdefault((row["provider"], row["session_id"]), []).append(row)
    assert len(sessions) == 6 * len(H)
    for mine in sessions.values():
        assert len({row["worker"] for row in mine}) == 1
        assert [row["turn"] for row in mine] == list(range(1, len(mine) + 1))
    solved = desk.rows("select count(*) n from checks where name = 'solved'")
    assert solved == [{"n": 6 * len(H)}]
    assert len(rows) == sum(len(host.bodies) for host in hosts.values())
    again = desk("run", "--resume", "latest", "--ui", "none")
    assert "0 requests without a row" in again.err
    assert desk.rows("select count(*) n from requests") == [{"n": len(rows)}]
