"""The check that is a user's own Python function, installed under an entry point."""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import msgspec

from scenarios.answer import Answer, Verdict
from scenarios.form import nearest
from scenarios.request import ScenarioError
from scenarios.texts import Text

GROUP: Final = "head_to_head.checks"


class Function(msgspec.Struct, frozen=True, kw_only=True, tag="function"):
    """A function of the user's own says whether the answer is right.

    `function` is a name of the entry point group `head_to_head.checks`: only what is
    installed can be called, never what a scenario file brings. It is called with the
    answer (`content`, `tool_calls`, `finish_reason`) and `options`, and returns whether
    the answer passes; or a share of 1, which passes at 1; or either and a detail.
    """

    function: Text
    options: Mapping[str, Any] = {}
    name: str = ""

    def refuse(self, where: str) -> None:
        """Raise ScenarioError if there is no such function."""
        found = _installed()
        if self.function not in found:
            known = nearest(self.function, found) if found else "none is installed"
            raise ScenarioError(
                f"{where}.function: no check {self.function!r} in the entry point "
                f"group {GROUP}; {known}"
            )
        try:
            found[self.function].load()
        except Exception as error:  # noqa: BLE001 - it is somebody else's module
            what = f"{type(error).__name__}: {error}"
            raise ScenarioError(
                f"{where}.function: {self.function!r} cannot be imported: {what}"
            ) from None

    def grade(self, answer: Answer) -> Verdict:
        """Return what the function says; what it raises is no verdict."""
        call: Callable[..., Any] = _installed()[self.function].load()
        try:
            said = call(msgspec.to_builtins(answer), **self.options)
            said, detail = said if isinstance(said, tuple) else (said, None)
            score = float(said)
        except Exception as error:  # noqa: BLE001 - it is somebody else's function
            return Verdict(self.name, None, f"{type(error).__name__}: {error}"[:400])
        if not 0 <= score <= 1:
            return Verdict(self.name, None, f"it returned {said!r}, not 0 to 1"[:400])
        told = None if detail is None else str(detail)[:400]
        return Verdict(self.name, score == 1, told, score)


def _installed() -> dict[str, EntryPoint]:
    return {each.name: each for each in entry_points(group=GROUP)}
