"""What a threshold says: its grammar, after k6's, and where one is mistaken.

[HOST.]METRIC[:AGGREGATE] OPERATOR VALUE[UNIT] [with CONFIDENCE%]
ratio(HOST/HOST, METRIC, AGGREGATE) OPERATOR NUMBER [with CONFIDENCE%]
"""

import operator
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


def told(text: str, at: int, words: str) -> str:
    """Return what is wrong with a threshold, a caret under the place."""
    return f"threshold: {words}\n  {text}\n  {' ' * at}^"
