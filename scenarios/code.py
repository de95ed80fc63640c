"""The check that runs a model's code: what it computes is held to what is right."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

import msgspec

from scenarios.answer import Answer, Verdict, same
from scenarios.fences import PatchError, code, files, patched
from scenarios.request import ScenarioError
from scenarios.sandbox import USUAL, Limits, Program, Ran, Sandbox, Value
from scenarios.texts import Text

LANGUAGES: Final = ("python", "py", "python3")


class Expect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of Python whose value is wanted, after statements that are run `first`.

    `raises` is the type of the error that is wanted instead. Without `equals` or
    `raises` the reference solution says what is right.
    """

    value: Text
    first: str = ""
    equals: Any = msgspec.UNSET
    raises: str = ""
    tolerance: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class Code(msgspec.Struct, frozen=True, kw_only=True, tag="code"):
    """The answer's code gives the right value in every test.

    `answer` says what the answer is: the text of `file`, whole files by name, or a
    patch to `files`. `reference` is what a right answer would be, in that form.
    """

    tests: Annotated[tuple[Expect, ...], msgspec.Meta(min_length=1)]
    answer: Literal["code", "files", "patch"] = "code"
    file: Text = "solution.py"
    files: Mapping[str, str] = {}
    imports: str = "from solution import *"
    reference: str = ""
    seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    name: str = ""

    def refuse(self, where: str) -> None:
        """Raise ScenarioError if nothing says what is right."""
        for n, test in enumerate(self.tests):
            if test.equals is msgspec.UNSET and not (test.raises or self.reference):
                raise ScenarioError(
                    f"{where}.tests[{n}]: nothing says what is right; add equals or "
                    "raises, or a reference solution to the check"
                )

    def grade(self, answer: Answer, sandbox: Sandbox) -> Verdict:
        """Return what became of the tests; the answer's code sees no right value."""
        try:
            program = self._program(answer.content)
        except PatchError as error:
            return Verdict(self.name, False, f"the patch does not fit: {error}", 0.0)
        return self._graded(program, sandbox)

    def unsound(self, sandbox: Sandbox, *, again: bool = True) -> str | None:
        """Return what is wrong with the check itself, None if nothing is.

        Its reference must pass, and raise no error that no test wants; files to be
        repaired must fail as they stand. `again` runs the reference a second time: what
        hangs on the order of a set, say, judges nobody.
        """
        if not self.reference:
            return "it has no reference solution; add it"
        program = self._program(self.reference)
        if fault := self._fault_of(_computed(sandbox, program, self._limits())):
            return f"the reference fails: {fault}"
        if again and not self._graded(program, sandbox).passed:
            return "the reference gives other values when it is run again"
        idle = self._program_of(dict(self.files))
        if self.answer != "code" and self._graded(idle, sandbox).passed:
            return "its files pass as they stand; add a test that they fail"
        return None

    def _fault_of(self, made: list[Value]) -> str | None:
        """Return what is wrong with what the reference gave, None if nothing is."""
        if len(made) < len(self.tests):
            return "it does not run to its end"
        for test, value in zip(self.tests, made, strict=True):
            if value.error and not test.raises:
                return f"{test.value}: {value.error}"
            if fault := _fault(test, value, value):
                return fault
        return None

    def _graded(self, program: Program, sandbox: Sandbox) -> Verdict:
        rights = self._rights(sandbox)
        if len(rights) < len(self.tests):
            return Verdict(self.name, None, "its reference solution does not run")
        ran = sandbox.run(program, self._limits())
        faults = [
            _fault(test, _value(ran, n), rights[n]) for n, test in enumerate(self.tests)
        ]
        wrong = [fault for fault in faults if fault]
        score = 1 - len(wrong) / len(faults)
        detail = f"{len(wrong)} of {len(faults)} tests: {wrong[0]}" if wrong else None
        return Verdict(self.name, not wrong, detail, score)

    def _rights(self, sandbox: Sandbox) -> list[Value]:
        if all(test.equals is not msgspec.UNSET or test.raises for test in self.tests):
            return [Value()] * len(self.tests)
        return _computed(sandbox, self._program(self.reference), self._limits())

    def _program(self, text: str) -> Program:
        made = dict(self.files)
        if self.answer == "code":
            made[self.file] = code(text, LANGUAGES)
        elif self.answer == "files":
            made |= files(text)
        else:
            made = patched(made, code(text, ("diff", "patch")))
        return self._program_of(made)

    def _program_of(self, made: Mapping[str, str]) -> Program:
        lines = [(test.first, test.value) for test in self.tests]
        return Program(files=made, imports=self.imports, lines=lines)

    def _limits(self) -> Limits:
        return msgspec.structs.replace(USUAL, wall=self.seconds)


def _value(ran: Ran, n: int) -> Value:
    return ran.values[n] if n < len(ran.values) else Value(error=ran.fault)


def _fault(test: Expect, value: Value, right: Value) -> str | None:
    if value.early:  # whatever it is: the line that may raise it was never reached
        return f"{test.value} was not reached: {(value.error or '')[:200]}"
    wanted_error = test.raises or (right.error or "").partition(":")[0]
    if wanted_error:
        if (value.error or "").partition(":")[0] == wanted_error:
            return None
        got = value.error or f"{value.value!r}"
        return f"{test.value} is {got[:120]}, not {wanted_error}"
    if value.error is not None:
        return f"{test.value}: {value.error[:200]}"
    wanted = right.value if test.equals is msgspec.UNSET else test.equals
    if same(value.value, wanted, test.tolerance):
        return None
    return f"{test.value} is {value.value!r}"[:200]


@lru_cache(maxsize=512)
def _computed_once(sandbox: Sandbox, program: bytes, limits: Limits) -> list[Value]:
    ran = sandbox.run(msgspec.json.decode(program, type=Program), limits)
    return ran.values


def _computed(sandbox: Sandbox, program: Program, limits: Limits) -> list[Value]:
    """Return what a reference solution gives, computed once."""
    return _computed_once(sandbox, msgspec.json.encode(program), limits)
