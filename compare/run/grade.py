"""After the measured part: make the checks that waited for its end."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice

import msgspec

from compare.run.prepare import Run
from data import query
from data.row import CheckRow
from data.store import Store
from data.verdicts import Waiting, waiting
from providers.secret import redact
from scenarios.checks import Answer, Verdict, judge
from scenarios.scenario import checks_of

BATCH = 8
"""How many are made before the next look at whether to go on."""

BROKEN_CHARS = 400

Verdicts = Callable[[Sequence[CheckRow]], None]


def grade(
    run: Run, store: Store, told: Verdicts, interrupted: Callable[[], bool]
) -> bool:
    """Make every check of a run that waits, and store what came of it.

    `told` is given the checks as they are made. One that is skipped goes on waiting:
    its answer is kept, as is that of one which was not passed. Returns False if it was
    interrupted before all were made.
    """
    store.flush()
    with (
        closing(query.open_reader(store.path)) as db,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        found = waiting(db, run.run_id)
        while batch := list(islice(found, BATCH)):
            if interrupted():
                return False
            made = list(pool.map(partial(_made, run), batch))
            store.judged(made)
            told(made)
    return True


def _made(run: Run, each: Waiting) -> CheckRow:
    """Return what came of a check; one that breaks is not made, and stops no other."""
    try:
        verdict = _verdict(run, each)
    except Exception as error:  # noqa: BLE001 - the other answers wait for theirs
        broken = f"the check broke: {type(error).__name__}: {error}"[:BROKEN_CHARS]
        verdict = Verdict(each.check.name, None, redact(broken))
    return msgspec.structs.replace(
        each.check,
        passed=None if verdict.passed is None else int(verdict.passed),
        detail=verdict.detail,
        score=verdict.score,
        answer=None if verdict.passed else each.answer,
    )


def _verdict(run: Run, each: Waiting) -> Verdict:
    (scene,) = (s for s in run.plan.scenarios if s.name == each.scenario)
    named = {check.name: check for check in checks_of(scene, each.case_id)}
    answer = msgspec.json.decode(each.answer, type=Answer)
    return judge(named[each.check.name], answer)
