"""A coding agent's session against simulated hosts: rows, tables and curves of it."""

import json

FILE = """
name = "short-agent"

[request]
max_tokens = 20
temperature = 0.0

[agent]
turns = 6
first = 2000
peak = 6000
compaction = 5
think = [0.0]

[prompt]
user = "Repair the export."
"""


def test_sessions_are_told_whole_and_drawn_by_turn(desk, who):
    (desk.folder / "agent.toml").write_text(FILE)
    desk("run", *who, "-s", "agent.toml", "-n", 12 * 6, "-c", 4)
    rows = desk.rows("select * from requests order by seq")
    assert len(rows) == 12 * 6 * 3
    sessions = {}
    for row in rows:
        sessions.setdefault((row["session_id"], row["provider"]), []).append(row)
    assert len(sessions) == 12 * 3
    for mine in sessions.values():
        assert [row["turn"] for row in mine] == [1, 2, 3, 4, 5, 6]
        sizes = [row["prompt_tokens"] for row in mine]
        assert sizes[:4] == sorted(sizes[:4])
        assert sizes[4] < sizes[3]
    for block in {row["block"] for row in rows}:
        shown = {row["prompt_sha256"] for row in rows if row["block"] == block}
        assert len(shown) == 1
    found = json.loads(desk("compare", "latest", "--json").out)
    assert {each["scenario"] for each in found["contrasts"]} == {"short-agent"}
    ttft = [each for each in found["contrasts"] if each["metric"] == "ttft"]
    assert [each["n_blocks"] > 30 for each in ttft] == [True, True]
    assert found["checks"] == []
    text = desk("show", "latest").out
    assert text.count("scenario short-agent") == 1
    out = desk("chart", "latest", "turns", "-o", desk.folder).out
    assert out.strip().endswith("-turns.png")
