"""The rules of the house: rooms, reading order, doors (docs/house.md)."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("scenarios", "data", "providers", "compare")

# Which other rooms each room may look into.
LOOKS_INTO = {
    "scenarios": set(),
    "data": set(),
    "providers": {"scenarios"},
    "compare": {"scenarios", "data", "providers"},
}

# A module imports only what stands before it. A name stands for a whole sub-room.
ORDER = {
    "scenarios": "request prompts form answer texts steps calls fences pages inside "
    "seccomp sandbox chromium app code own checks agent desk loop hay trace content "
    "ladder sound turns draw jsonl replay scenario proof session key sweep load blocks "
    "plan",
    "data": "row events timeline histogram prices cells schema migrations identity "
    "foreign lock statements spool rollup opening batch store query verdicts ledger "
    "history export",
    "providers": "outcome reply disguise secret provider usage sse dialect errors "
    "limits generic ourtoken openrouter zai registry lenient calls sniff plainchunk "
    "frame shapes alike answer intake verdict audit reader chunks tape tap post "
    "egress failure resolver line alarm start turnstile exchange wire simulator",
    "providers.simulator": "profile faults player catalogue bill truth cache asked "
    "prose values answer skill pace refusal frames script director host serve spawn "
    "metronome __main__",
    "providers.simulator.catalogue": "words fault framing bodies ending errors "
    "refusals chunks content usage transport answers bench index",
    "compare": "run judge show serve cli",
    "compare.run": "mistakes clock calm budget gate hosts choose money probes config "
    "record rest prepare descriptors fuse brake seats sender engine monitor calibrate "
    "course checked measure tally attend letters lost worker fleet resume grade "
    "conduct claims selftest",
    "compare.judge": "tally kind frame stats sample summary blocks resample pair "
    "estimate contrast accepted answers fidelity quality economy warmth ladder "
    "counting capacity knee periods depth definitions comparable caveats notes "
    "comparison stored marks threshold grammar evidence ratios gates live lines "
    "validity remarks uptime series",
    "compare.show": "words cells quality headline tables verdicts others gates grids "
    "papers notebook letters theme subject findings panel parts page placing boxes "
    "curves forest outcomes sweeps prompts streams money passing turns cache times "
    "climbs countings capacities warmths ctxgrid calendar weekly kinds charts inline "
    "pictures jobfile sheets facts report",
    "compare.serve": "grid schedule line probe sweep",
}
# Rooms whose modules do not know each other's order: each verb stands alone.
NO_ORDER = {"compare.cli"}
# Sub-rooms that never look at another one, though it stands before them.
BLIND = {"compare.judge": {"compare.run"}, "compare.show": {"compare.run"}}

# The modules through which each outside package comes in.
EVERYWHERE = {"msgspec"}
DOORS = {
    "aiohttp": {
        "providers.tape",
        "providers.tap",
        "providers.post",
        "providers.failure",
        "providers.resolver",
        "providers.exchange",
        "providers.simulator",
    },
    "yarl": {"providers.line", "providers.post"},
    "apscheduler": {"compare.serve.schedule"},
    "asyncio_throttle": {"compare.run.gate"},
    "sqlite_utils": {
        "data.migrations",
        "data.identity",
        "data.foreign",
        "data.opening",
        "data.batch",
        "data.store",
        "data.query",
    },
    "pyarrow": {"data.export"},
    "matplotlib": {"compare.show"},
    "numpy": {"compare.judge", "compare.show"},
    "click": {"compare.cli"},
    "rich": {"compare.cli", "compare.show"},
    "jinja2": {"compare.show.report"},
    "jsonschema_rs": {"scenarios.texts"},
    "re2": {"scenarios.texts"},
    "uvloop": {"compare.cli", "compare.run.worker"},
}


def within(module: str, places) -> bool:
    return any(module == place or module.startswith(place + ".") for place in places)


def room_of(module: str) -> str:
    """Return the innermost ordered room that holds a module."""
    parent = module.rpartition(".")[0]
    return parent if parent in ORDER or parent in NO_ORDER else module.partition(".")[0]


def place(room: str, module: str) -> int:
    """Return where a module stands in a room's reading order."""
    name = module.removeprefix(room + ".").partition(".")[0]
    return ORDER[room].split().index(name)


def breaches(module: str, imported: str) -> list[str]:
    """Return what is wrong with one import of one module."""
    top, room = imported.partition(".")[0], module.partition(".")[0]
    if top in sys.stdlib_module_names or top in EVERYWHERE or imported == room:
        return []
    if top not in ROOMS:
        return [] if within(module, DOORS.get(top, ())) else [f"no door for {top}"]
    if top != room:
        return [] if top in LOOKS_INTO[room] else [f"{room} looks into {top}"]
    if any(within(module, [a]) and within(imported, b) for a, b in BLIND.items()):
        return [f"must not see {imported}"]
    return order_breaches(module, imported)


def order_breaches(module: str, imported: str) -> list[str]:
    shared = room_of(module)
    while not within(imported, [shared]):
        shared = shared.rpartition(".")[0]
    if shared in NO_ORDER or imported == shared:
        return []
    ours, theirs = place(shared, module), place(shared, imported)
    return [] if theirs < ours or within(imported, [module]) else ["reads upwards"]


def imports(source: str):
    """Yield every module that some source imports, wherever the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module
            if node.module in ROOMS or node.module in ORDER:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def all_modules():
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.name != "__init__.py":
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


MODULES = tuple(all_modules())


@pytest.mark.parametrize(("module", "path"), MODULES, ids=[m for m, _ in MODULES])
def test_every_import_keeps_the_rules(module, path):
    wrong = {
        f"{module} imports {name}: {breach}"
        for name in imports(path.read_text())
        if name != room_of(module)
        for breach in breaches(module, name)
    }

    assert not wrong


def test_every_module_has_a_place_in_its_order():
    listed = {
        f"{room}.{name}" for room, names in ORDER.items() for name in names.split()
    }

    assert {m for m, _ in MODULES if room_of(m) not in NO_ORDER} <= listed


@pytest.mark.parametrize(
    ("module", "source", "breach"),
    [
        ("scenarios.plan", "import data.row", "scenarios looks into data"),
        ("providers.wire", "from compare.run import engine", "providers looks into"),
        ("providers.sse", "from providers.wire import Wire", "reads upwards"),
        ("compare.judge.stats", "from compare.show.tables import x", "reads upwards"),
        ("compare.show.tables", "from compare.run.engine import x", "must not see"),
        ("compare.run.engine", "import aiohttp", "no door for aiohttp"),
        ("data.row", "import requests", "no door for requests"),
        ("scenarios.load", "def f():\n    import numpy", "no door for numpy"),
    ],
)
def test_each_kind_of_breach_is_seen(module, source, breach):
    found = [b for name in imports(source) for b in breaches(module, name)]

    assert any(breach in each for each in found)
