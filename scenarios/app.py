"""The check of a page that is a game: it is opened in a browser and played."""

import time
from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec

from scenarios.answer import Answer, Verdict
from scenarios.chromium import BrowserError, Page, opened
from scenarios.fences import code
from scenarios.sandbox import NoSandboxError

KEYS: Final = {
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13,
    " ": 32,
}  # fmt: skip
"""What may be pressed, and the code of each."""
LOADING_S: Final = 40.0
STEP_S: Final = 0.3

_DRAWN: Final = """(() => {
  const canvas = document.querySelector("canvas");
  if (!canvas || !canvas.width || !canvas.height) return false;
  const blank = document.createElement("canvas");
  blank.width = canvas.width;
  blank.height = canvas.height;
  return canvas.toDataURL() !== blank.toDataURL();
})()"""

Rule = tuple[bool, str]


class Browser(msgspec.Struct, frozen=True, kw_only=True, tag="browser"):
    """The page runs in Chromium: its console has no error, and its canvas is drawn on.

    While keys are pressed in turn for `seconds`, the number at `moves` in
    `window.__state` rises; `lists` says how many entries lists in there have. It runs
    in the sandbox, without a network and with a profile of its own.
    """

    moves: str | None = None
    lists: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}
    seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 8.0
    name: str = ""

    def grade(self, answer: Answer) -> Verdict:
        """Return how many of its rules the page keeps; not made without a browser."""
        page = code(answer.content, ("html", "htm"))
        try:
            with opened(page, LOADING_S + self.seconds) as shown:
                rules = list(self._rules(shown))
        except NoSandboxError as error:
            return Verdict(self.name, None, f"skipped: {error}")
        except BrowserError as error:
            return Verdict(self.name, False, f"{error}"[:400], 0.0)
        wrong = [what for kept, what in rules if not kept]
        score = 1 - len(wrong) / len(rules)
        return Verdict(self.name, not wrong, "; ".join(wrong)[:400] or None, score)

    def _rules(self, page: Page) -> Iterator[Rule]:
        page.rest(STEP_S)
        for name, n in self.lists.items():
            found = page.value(
                f"window.__state[{msgspec.json.encode(name).decode()}].length"
            )
            yield found == n, f"__state.{name} has {found!r:.40} entries, not {n}"
        if self.moves is not None:
            yield self._rises(page), f"__state.{self.moves} does not rise"
        # In a world of its own: what draws may not say that it has drawn.
        yield page.value(_DRAWN, apart=True) is True, "nothing is drawn on a canvas"
        errors = page.errors
        yield not errors, f"{len(errors)} errors in the console: {(errors or [''])[0]}"

    def _rises(self, page: Page) -> bool:
        """Tell whether a number rises while the page is played."""
        script = f"Number(window.__state[{_quoted(self.moves or '')}])"
        before, until = _number(page.value(script)), time.monotonic() + self.seconds
        keys = iter(KEYS.items())
        while time.monotonic() < until:
            key = next(keys, None)
            if key is None:
                keys = iter(KEYS.items())
                continue
            page.press(*key)
            page.rest(STEP_S)
            now = _number(page.value(script))
            if before is None:
                before = now
            elif now is not None and now > before:
                return True
        return False


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
