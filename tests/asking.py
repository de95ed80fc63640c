"""Whole runs against simulated hosts of this process, the same each time."""

from contextlib import AsyncExitStack

from compare.judge.stored import load
from compare.run.conduct import conduct
from compare.run.config import Job
from compare.run.prepare import prepare
from data.store import Store
from providers.provider import Provider
from providers.simulator.host import SimulatedHost
from providers.simulator.skill import read_skill
from scenarios.key import Key
from scenarios.load import Load

QUICK = {"ttft_ms": 1, "gap_ms": 0, "tokens": 4}


async def asked(folder, scenarios, skills, *, n=1, c=8, seed=0, prices=None, **dials):
    """Ask hosts of these skills, by name, `n` blocks a scenario; return what is stored.

    The salt is fixed, so that nothing but time differs from one run to the next.
    """
    key, db = Key(scenarios, seed), folder / "h2h.db"
    async with AsyncExitStack() as stack:
        providers = []
        for name, skill in skills.items():
            host = SimulatedHost(
                "generic", skill=read_skill(skill), answers=key, **(QUICK | dials)
            )
            await stack.enter_async_context(host)
            providers.append(
                Provider(
                    name=name, dialect="generic", base_url=host.base_url, model="m"
                )
            )
        job = Job(
            providers=tuple(providers),
            scenarios=tuple(scenarios),
            load=Load(concurrencies=(c,), max_requests=n, seed=seed),
            prices=prices or {},
        )
        with Store.open(db) as store:
            await conduct(prepare(job, salt="salt"), store)
    return load(db, "latest")
