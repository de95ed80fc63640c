"""The check of a plan: its steps are numbered, depend on what came, and add up."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Annotated

import msgspec

from scenarios.answer import Answer, parse
from scenarios.request import ScenarioError


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a plan has to do once: how long it takes, and after which others."""

    minutes: Annotated[int, msgspec.Meta(ge=0)]
    after: tuple[str, ...] = ()


class Steps(msgspec.Struct, frozen=True, kw_only=True, tag="steps"):
    """The answer is a plan, as JSON, that does every one of the tasks in time.

    It is `{"steps": [{"step": 1, "task": ..., "start": ..., "minutes": ...,
    "needs": [...]}, ...], "total": ...}`: steps count from 1; `needs` are the numbers
    of earlier steps, those of the task's `after` among them, that have ended by its
    `start`; `total` is the latest end. At no moment are more than `workers` steps under
    way. With `most` the total is at most so many minutes.
    """

    tasks: Annotated[Mapping[str, Task], msgspec.Meta(min_length=1)]
    workers: Annotated[int, msgspec.Meta(ge=1)] = 1
    most: Annotated[int, msgspec.Meta(ge=0)] | None = None
    name: str = ""

    def refuse(self, where: str) -> None:
        """Raise ScenarioError for a task after one that there is not."""
        for name, task in self.tasks.items():
            for other in task.after:
                if other not in self.tasks:
                    raise ScenarioError(
                        f"{where}.tasks.{name}.after: no task {other!r}; add it, or "
                        "take it out"
                    )

    def fault(self, answer: Answer) -> str | None:
        """Return what is wrong, None if nothing is."""
        value, fault = parse(answer.content)
        if fault:
            return fault
        try:
            plan = msgspec.convert(value, _Plan)
        except msgspec.ValidationError as error:
            return f"no such plan: {error}"[:300]
        return (
            self._fault_of_tasks(plan)
            or self._fault_of_needs(plan)
            or self._fault_of_times(plan)
        )

    def _fault_of_tasks(self, plan: "_Plan") -> str | None:
        done = [step.task for step in plan.steps]
        for name, task in self.tasks.items():
            if done.count(name) != 1:
                return f"task {name!r} is done {done.count(name)} times, not once"
            minutes = plan.steps[done.index(name)].minutes
            if minutes != task.minutes:
                return f"task {name!r} takes {task.minutes} minutes, not {minutes}"
        unknown = [name for name in done if name not in self.tasks]
        return f"nobody asked for task {unknown[0][:80]!r}" if unknown else None

    def _fault_of_needs(self, plan: "_Plan") -> str | None:
        ends: list[int] = []
        for n, step in enumerate(plan.steps, 1):
            if step.step != n:
                return f"step {n} has the number {step.step}"
            if any(not 0 < need < n for need in step.needs):
                return f"step {n} needs {step.needs}, not all of them earlier steps"
            needed = {plan.steps[need - 1].task for need in step.needs}
            missing = [t for t in self.tasks[step.task].after if t not in needed]
            if missing:
                return f"step {n} ({step.task}) does not need {missing[0]!r}"
            if any(ends[need - 1] > step.start for need in step.needs):
                return f"step {n} starts at {step.start}, before what it needs ends"
            ends.append(step.start + step.minutes)
        return None

    def _fault_of_times(self, plan: "_Plan") -> str | None:
        spans = [(each.start, each.start + each.minutes) for each in plan.steps]
        # At one moment what ends comes before what begins.
        turns = sorted(turn for a, b in spans for turn in ((a, 1), (b, -1)))
        busiest = max(accumulate(turn for _, turn in turns))
        if busiest > self.workers:
            return f"{busiest} steps at one moment, more than {self.workers}"
        end = max(b for _, b in spans)
        if plan.total != end:
            return f"the total is {plan.total}, but the last step ends at {end}"
        late = self.most is not None and end > self.most
        return f"it takes {end} minutes, more than {self.most}" if late else None


class _Step(msgspec.Struct, frozen=True):
    step: int
    task: str
    start: Annotated[int, msgspec.Meta(ge=0, le=10**9)]
    minutes: Annotated[int, msgspec.Meta(ge=0, le=10**9)]
    needs: list[int] = []


class _Plan(msgspec.Struct, frozen=True):
    steps: Annotated[list[_Step], msgspec.Meta(min_length=1, max_length=1000)]
    total: int
