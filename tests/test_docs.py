"""The docs say what the code does: names, tables, help texts and commands.

Parts between `<!-- begin X -->` and `<!-- end X -->` are written by
`UPDATE_DOCS=1 .venv/bin/python -m pytest tests/test_docs.py`.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from decimal import Decimal
from pathlib import Path

import click
import msgspec
import pytest
from faults.covered import shown_by

from compare.cli.errors import EXIT_CODES
from compare.cli.leave import EXITS
from compare.cli.main import VERBS, h2h
from compare.cli.options import run_facts
from compare.judge.accepted import Accepted, Per
from compare.judge.caveats import Caveat
from compare.judge.contrast import CONTRASTED, Contrast
from compare.judge.fidelity import Share, Steps, Tools
from compare.judge.gates import Gate
from compare.judge.pair import Also
from compare.judge.quality import Fault, Quality
from compare.judge.sample import Goodput
from compare.judge.stats import FLOORS_99
from compare.judge.summary import Summary
from compare.judge.tally import Tally
from compare.run.config import NOT_YET, Flags, read
from compare.run.hosts import HostTable
from compare.show.cells import METRICS
from compare.show.charts import KINDS
from data import prices
from data.ledger import DayUsage
from data.row import CheckRow, Row, RunRow, Timing
from providers.generic import EFFORT
from providers.outcome import BLAME, Blame, Flag, Outcome
from providers.provider import Deadlines, Provider
from providers.registry import DIALECTS, Endpoint, endpoints
from providers.simulator.catalogue.index import CATALOGUE
from providers.simulator.faults import FAULTS
from providers.simulator.profile import PROFILES
from scenarios import jsonl
from scenarios import scenario as scenes
from scenarios.agent import Agent
from scenarios.checks import KINDS as CHECK_KINDS
from scenarios.content import Ask, Prompt, Turns
from scenarios.content import Deadlines as SceneDeadlines
from scenarios.load import Load
from scenarios.loop import Loop, Task
from scenarios.request import Request

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
TERMINAL = 80
JSONL = "## One question a line: JSONL"
LOAD_KEYS = {
    {"rates": "rate", "concurrencies": "concurrency"}.get(field, field)
    for field in Load.__struct_fields__
}


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


def section(name, heading):
    """Return a section of a page with all below it, up to the next of its level."""
    marks = re.match("#+", heading)[0]
    found = re.search(
        rf"^{re.escape(heading)}$\n(.*?)(?=^#{{1,{len(marks)}}} |\Z)",
        page(name),
        re.MULTILINE | re.DOTALL,
    )
    assert found, f"{name} has no section {heading!r}"
    return found[1]


def fenced(kind, text):
    """Return the fenced blocks of one kind."""
    return re.findall(rf"(?ms)^```{kind}\n(.*?)^```", text)


def quoted(text):
    """Return the names that stand in backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


def table(text):
    """Return the rows of all tables in a text by each name in their first cell."""
    rows = re.findall(r"^\|(.+)\|$", text, re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    return {name.strip("`"): row[1:] for row in cells for name in row[0].split(", ")}


# ------------------------------------------------------------- generated parts


def verbs():
    """Yield the context of every verb and sub-command, as `--help` has it."""
    top = click.Context(h2h, info_name="h2h", **h2h.context_settings)
    # click leaves two columns of the terminal free.
    top.terminal_width = TERMINAL - 2
    for name in VERBS:
        command = h2h.get_command(top, name)
        context = click.Context(command, parent=top, info_name=name)
        yield context
        for sub in getattr(command, "commands", {}).values():
            yield click.Context(sub, parent=context, info_name=sub.name)


def help_texts():
    blocks = [
        f"### {each.command_path}\n\n```text\n{each.get_help().rstrip()}\n```"
        for each in verbs()
    ]
    return "\n\n".join(blocks)


def grid(*rows):
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *rest])


def endpoint_table():
    return grid(
        ("name", "dialect", "base URL", "model", "key in", "effort", "usage"),
        *(
            (
                f"`{e.name}`",
                e.dialect,
                e.base_url,
                e.model or "yours to name",
                e.api_key_env or "no key",
                e.effort or "none",
                e.stream_usage,
            )
            for e in endpoints().values()
        ),
    )


def effort_table():
    levels = ("off", "high", "max")
    return grid(
        ("style", *levels),
        *(
            (
                f"`{style}`",
                *(
                    f"`{json.dumps(spelled[level])}`" if level in spelled else "-"
                    for level in levels
                ),
            )
            for style, spelled in EFFORT.items()
        ),
    )


def fault_table():
    return grid(("fault", "what the host does"), *(
        (f"`{name}`", words) for name, words in FAULTS.items()))  # fmt: skip


def catalogue_table():
    return grid(
        ("no.", "name", "fault", "outcome: flags", "seen", "shown by"),
        *(
            (
                str(fault.number),
                f"`{fault.slug}`",
                fault.title,
                fault.outcome,
                fault.seen or "-",
                ", ".join(f"`{test}`" for test in shown_by(fault)) or fault.why_not,
            )
            for fault in CATALOGUE
        ),
    )


def profile_table():
    return grid(
        ("profile", "first token", "gap", "tokens", "usage unasked", "states cost"),
        *(
            (
                f"`{p.name}`",
                f"{p.ttft_ms:.0f} ms",
                f"{p.gap_ms:.0f} ms",
                str(p.tokens),
                "yes" if p.usage_always else "no",
                "yes" if p.states_cost else "no",
            )
            for p in PROFILES.values()
        ),
    )


def blended(price):
    """Return USD per 1M tokens of a mix: 7 parts cached, 2 fresh input, 1 output."""
    parts = (7, price.cache_read_pusd), (2, price.input_pusd), (1, price.output_pusd)
    return Decimal(sum(n * pusd for n, pusd in parts)) / 10 / 10**6


def current(family="glm-5.2"):
    """Return the prices of a family that still hold and list all three classes."""
    return [
        price
        for price in prices.load()
        if price.model_family == family
        and price.valid_to is None
        and not price.subscription
        and None not in (price.input_pusd, price.output_pusd, price.cache_read_pusd)
    ]


def price_table():
    ceiling = blended(prices.official(prices.load(), "glm-5.2"))
    listed = sorted((p for p in current() if blended(p) <= ceiling), key=blended)
    cheaper = [p for p in listed if blended(p) < ceiling or p.official]

    def usd(pusd):
        return f"{Decimal(pusd) / 10**6:f}"

    return grid(
        ("host", "model id", "in", "out", "cached", "7:2:1", "seen"),
        *(
            (
                p.host,
                f"`{p.model_id}`",
                usd(p.input_pusd),
                usd(p.output_pusd),
                usd(p.cache_read_pusd),
                f"{blended(p):.3f}",
                str(p.date),
            )
            for p in cheaper
        ),
    )


def library_table():
    found = [scenes.load(name) for name in scenes.library()]
    return grid(
        ("name", "turns", "cases", "max_tokens", "what it asks"),
        *(
            (
                f"`{s.name}`",
                str(s.turns),
                str(len(s.cases)),
                str(s.request.max_tokens),
                s.description,
            )
            for s in found
        ),
    )


def chart_table():
    return grid(
        ("kind", "shows"), *((f"`{name}`", kind.says) for name, kind in KINDS.items())
    )


GENERATED = {
    ("docs/charts.md", "charts"): chart_table,
    ("docs/cli.md", "help"): help_texts,
    ("docs/providers.md", "endpoints"): endpoint_table,
    ("docs/providers.md", "efforts"): effort_table,
    ("docs/providers.md", "prices"): price_table,
    ("docs/providers.md", "profiles"): profile_table,
    ("docs/providers.md", "faults"): fault_table,
    ("docs/faults.md", "catalogue"): catalogue_table,
    ("docs/scenarios.md", "library"): library_table,
}


@pytest.mark.parametrize(("name", "part"), GENERATED)
def test_generated_parts_are_up_to_date(name, part):
    begin, end = f"<!-- begin {part} -->", f"<!-- end {part} -->"
    wanted = f"{begin}\n\n{GENERATED[name, part]()}\n\n{end}"
    before, _, rest = page(name).partition(begin)
    found, closed, after = rest.partition(end)
    assert closed, f"{name} has no {begin} ... {end}"
    if os.environ.get("UPDATE_DOCS"):
        (ROOT / name).write_text(before + wanted + after, encoding="utf-8")
        return
    assert begin + found + end == wanted, "stale: see UPDATE_DOCS in this file"


# ------------------------------------------------------------------- the names


def test_every_verb_and_option_has_help():
    for each in verbs():
        assert each.command.help, each.command_path
        for option in each.command.params:
            if isinstance(option, click.Option) and not option.hidden:
                obvious = isinstance(option.type, click.Choice) or option.show_default
                assert option.help or obvious, (each.command_path, option.name)


@pytest.mark.parametrize("record", [Row, CheckRow, RunRow, Timing])
def test_measuring_explains_every_column(record):
    missing = set(record.__struct_fields__) - quoted(page("docs/measuring.md"))
    assert not missing


def test_measuring_gives_each_outcome_the_blame_it_has():
    rows = table(section("docs/measuring.md", "## Outcomes"))
    for outcome in Outcome:
        assert rows[outcome][0] == (BLAME[outcome] or "-"), outcome
    assert set(Blame) <= quoted(section("docs/measuring.md", "## Blame"))


def test_measuring_explains_every_flag_and_each_is_set_somewhere():
    text = section("docs/measuring.md", "## Flags")
    assert {str(flag) for flag in Flag} <= set(table(text)) | quoted(text)
    sources = [
        path.read_text(encoding="utf-8")
        for room in ("providers", "compare")
        for path in (ROOT / room).rglob("*.py")
    ]
    for flag in Flag:
        assert any(f"Flag.{flag.name}" in text for text in sources), flag


def test_measuring_names_labels_floors_and_contrasts():
    text = page("docs/measuring.md")
    labels = {"true", "coalesced", "buffered", "single_block", "not_streamed"}
    assert labels <= quoted(section("docs/measuring.md", "## Stream labels"))
    rows = table(section("docs/measuring.md", "## Percentiles"))
    for share, floor in FLOORS_99.items():
        assert rows[f"p{share * 100:g}"][0] == f"{floor:,}"
    assert set(CONTRASTED) <= quoted(text)


def test_cli_explains_every_exit_code_it_can_leave_with():
    codes = table(section("docs/cli.md", "## Exit codes"))
    for code in {0, 1, 4, *EXIT_CODES.values(), *EXITS.values()}:
        assert str(code) in codes, code
    assert {"0", "1", "2", "3", "4", "5", "99", "130"} == {
        c for c in codes if c.isdigit()
    }


def test_measuring_explains_every_caveat():
    assert set(Caveat) <= quoted(section("docs/measuring.md", "### Caveats"))


def test_cli_explains_every_key_of_a_job():
    text = section("docs/cli.md", "## The job file")
    keys = set(HostTable.__struct_fields__) | LOAD_KEYS
    keys |= {
        *Deadlines.__struct_fields__,
        "run",
        "day",
        "every",
        "connection",
        "workers",
    }
    assert keys <= set(table(text))
    assert {f"[{name}]" for name in NOT_YET} <= quoted(text)
    assert set(DIALECTS) <= quoted(text)


def test_cli_explains_every_key_of_its_json():
    text = quoted(section("docs/cli.md", "## JSON"))
    texts = dict.fromkeys(RunRow.__struct_fields__, "")
    run = RunRow(**texts | {"providers": "[]", "scenarios": "[]", "seed": 0})
    assert run_facts(run, 0).keys() <= text
    for record in (Contrast, Also, Summary, Goodput, Gate, Tally, DayUsage, Endpoint,
                   Quality, Accepted, Per, Share, Tools, Steps, Fault):  # fmt: skip
        missing = set(record.__struct_fields__) - text - {"tally", "is_ratio"}
        assert not missing, record


def test_every_chart_has_a_paragraph_that_says_what_not_to_conclude():
    text = page("docs/charts.md")
    heads = re.findall(r"(?m)^## (.+)$", text)[2:]
    told = {name: head for head in heads for name in head.split(" and ")}
    assert set(told) == set(KINDS)
    for head in heads:
        assert "*Not to conclude:*" in " ".join(
            section("docs/charts.md", f"## {head}").split()
        ), head


def test_scenarios_explains_every_key_and_check():
    text = page("docs/scenarios.md")
    records = (Ask, Prompt, Turns, Agent, SceneDeadlines, scenes._File)
    records = (*records, scenes._CaseTable, Loop, Task)
    for record in (*records, jsonl.Line, *CHECK_KINDS.values()):
        missing = set(record.__struct_fields__) - set(table(text))
        assert not missing, record
    assert set(CHECK_KINDS) <= set(table(section("docs/scenarios.md", "## Checks")))
    assert set(scenes.OVERRIDES) <= set(table(text))
    assert quoted(text) >= LOAD_KEYS


def test_ourtoken_lists_60_percent_of_the_official_price_and_others_list_less():
    official = prices.official(prices.load(), "glm-5.2")
    ours = next(p for p in current() if p.host == "ourtoken")
    for field in ("input_pusd", "output_pusd", "cache_read_pusd"):
        assert getattr(ours, field) * 10 == getattr(official, field) * 6
    assert "60 %" in page("docs/providers.md")
    less = {p.host for p in current() if blended(p) < blended(ours)}
    assert less
    assert f"{len(less)} hosts list less" in page("docs/providers.md")


def test_the_example_of_a_dialect_works():
    text = section("docs/providers.md", "## Adding a host")
    scope = {}
    exec(fenced("python", text)[0], scope)
    dialect = scope["MiniMax"]()
    provider = Provider(name="m", dialect="minimax", base_url="http://x", model="m")
    request = Request(messages=({"role": "user", "content": "?"},), max_tokens=1)
    assert dialect.body(request, provider)["reasoning_split"] is True
    refused = {"base_resp": {"status_code": 1008, "status_msg": "balance"}}
    assert dialect.read(refused).problem.outcome is Outcome.QUOTA


def test_the_examples_of_jobs_scenarios_and_checks_are_valid(tmp_path):
    job, mine, lines = (tmp_path / n for n in ("job.toml", "mine.toml", "mine.jsonl"))
    job.write_text(fenced("toml", section("docs/cli.md", "## The job file"))[0])
    assert [p.name for p in read(job, Flags()).providers] == ["ourtoken", "my-vllm"]
    own = fenced("toml", section("docs/scenarios.md", "## A scenario file"))[0]
    mine.write_text(own)
    assert scenes.load(str(mine)).name == "capitals"
    check = fenced("toml", section("docs/scenarios.md", "## Checks"))[0]
    mine.write_text(f"{own}\n{check}")
    assert [c.name for c in scenes.load(str(mine)).checks] == ["regex"]
    lines.write_text(fenced("json", section("docs/scenarios.md", JSONL))[0])
    assert [case.id for case in scenes.load(str(lines)).cases] == ["1", "greet"]
    hosts = fenced("toml", section("docs/providers.md", "## Adding a host"))
    job.write_text(hosts[0])
    assert read(job, Flags()).providers[0].api_key_env == "MY_HOST_API_KEY"
    row = tomllib.loads(hosts[1])["endpoint"][0]
    assert msgspec.convert(row, Endpoint).effort in EFFORT


def test_readme_shows_the_table_as_it_is_and_counts_the_outcomes():
    text = page("README.md")
    assert all(
        re.search(rf"^{re.escape(name)} ", text, re.MULTILINE)
        for name in set(METRICS) - {"goodput", "streamed"}  # the demo has neither
    )
    assert f"{len(Outcome)} outcomes" in text


# ------------------------------------------------------------------- the links


def slugs(text):
    heads = re.findall(
        r"^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", text), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    prose = re.sub(r"(?ms)^```.*?^```", "", page(name))
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        goal = (ROOT / name).parent / path if path else ROOT / name
        assert goal.exists(), target
        assert not anchor or anchor in slugs(goal.read_text("utf-8")), target


def test_readme_names_every_page():
    named = set(re.findall(r"\]\((docs/[\w-]+\.md)\)", page("README.md")))
    assert named == set(PAGES) - {"README.md"}


# ---------------------------------------------------------------- the commands


def commands():
    """Return the commands of README's console blocks, in order."""
    lines = (
        "".join(fenced("console", page("README.md"))).replace("\\\n", " ").splitlines()
    )
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Shell:
    """A folder in which README's commands are typed, one after the other."""

    def __init__(self, folder):
        self.folder = folder
        self.ports = {}
        self.behind = []
        kept = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
        here = str(Path(sys.executable).parent)
        self.env = kept | {
            "COLUMNS": str(TERMINAL),
            "PATH": os.pathsep.join([here, os.environ["PATH"]]),
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.behind:
            process.terminate()
            process.communicate(timeout=10)

    def port(self, found):
        return self.ports.setdefault(found[0], free_port())

    def type(self, line):
        """Run a line of README as it stands, but for ports that may be taken."""
        line = re.sub(r"\b8\d\d\d\b", self.port, line)
        stays = line.endswith(" &")
        # `exec`: what stays must be ended itself, not the shell around it.
        line = f"exec {line.removesuffix(' &')}" if stays else line
        process = subprocess.Popen(
            ["sh", "-c", line],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if stays else subprocess.STDOUT,
            text=True,
        )
        if stays:
            self.behind.append(process)
            # Its first line says that it listens.
            assert "http://127.0.0.1:" in process.stdout.readline(), line
            return
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, (line, process.returncode, said)
        assert "Traceback" not in said


def test_the_commands_of_the_readme_run_as_written(tmp_path):
    lines = commands()
    assert len(lines) > 5
    with Shell(tmp_path) as shell:
        for line in lines:
            shell.type(line)
