"""What a threshold says: its grammar, after k6's, and where one is mistaken.

[HOST.]METRIC[:AGGREGATE] OPERATOR VALUE[UNIT] [with CONFIDENCE%]
ratio(HOST/HOST, METRIC, AGGREGATE) OPERATOR NUMBER [with CONFIDENCE%]
"""

import operator
import unicodedata
from collections.abc import Callable

import msgspec

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}

TIMES = ("ttft", "ttfa", "ttft_due", "e2e", "e2e_due", "tpot")
AMOUNTS = ("decode_tps", "tokens", "cost")
SHARES = ("errors", "ok", "goodput", "checks")
METRICS = (*TIMES, *AMOUNTS, *SHARES)
RATIO_METRICS = ("ttft", "ttfa", "e2e", "tpot", "decode_tps", "tokens", "cost")


class ThresholdError(Exception):
    """A threshold cannot be understood; the message has a caret under the place."""


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold: what must hold of a host's figure, or of a ratio of two hosts'.

    `host` None: of each host. `against` is the other host of a ratio, else None.
    `aggregate` is `avg`, `min`, `max`, a quantile (0 to 1), or None of a share.
    `value` is in ms, USD, tokens, tokens/s, or a share. With `confidence` the interval
    at that level must lie wholly on the right side; None looks at the estimate alone.
    """

    text: str
    metric: str
    aggregate: str | float | None
    sign: str
    value: float
    host: str | None = None
    against: str | None = None
    confidence: float | None = None

    def holds(self, figure: float) -> bool:
        """Tell whether a figure is on the right side."""
        return OPERATORS[self.sign](figure, self.value)

    def holds_throughout(self, low: float, high: float) -> bool:
        """Tell whether all figures from `low` to `high` are on the right side."""
        hit = self.sign == "!=" and low <= self.value <= high
        return self.holds(low) and self.holds(high) and not hit

    def holds_nowhere(self, low: float, high: float) -> bool:
        """Tell whether no figure from `low` to `high` is on the right side."""
        hit = self.sign == "==" and low <= self.value <= high
        return not (self.holds(low) or self.holds(high) or hit)


NEAR = 60
"""Characters of a text that are shown to each side of a mistake."""


def told(text: str, at: int, words: str, what: str = "threshold") -> str:
    """Return what is wrong with a text, and the text with a caret under the place."""
    start = max(at - NEAR, 0)
    shown = text[start : at + NEAR]
    blank = sum(_columns(c) for c in text[start:at])
    return f"{what}: {words}\n  {shown}\n  {' ' * blank}^"


def _columns(character: str) -> int:
    """Return how many columns of a terminal a printable character takes."""
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
