"""The grammar of thresholds, after k6's, and where one is mistaken.

[HOST.]METRIC[:AGGREGATE] OPERATOR VALUE[UNIT] [with CONFIDENCE%]
ratio(HOST/HOST, METRIC, AGGREGATE) OPERATOR NUMBER [with CONFIDENCE%]
"""

import difflib
import re
from collections.abc import Sequence
from typing import NoReturn

from compare.judge.threshold import (
    METRICS,
    OPERATORS,
    RATIO_METRICS,
    SHARES,
    TIMES,
    Threshold,
    ThresholdError,
    told,
)

UNITS = {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1_000.0, "m": 60_000.0}
"""Milliseconds in each unit of time; a bare number of a time is in ms."""

AGGREGATES = "p(95), p95, med, avg, min or max"
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?|\.[0-9]+")
UNIT = re.compile(rf"\s*({'|'.join(UNITS)})\b")
MOST = 1e15
"""The largest number that is taken: what is beyond it would always or never hold."""


def parse(text: str) -> Threshold:
    """Return the threshold that a text means, or ThresholdError.

    Whether its hosts exist is seen when it is judged.
    """
    return _Parser(text).threshold()


def parse_objectives(text: str) -> dict[str, float]:
    """Return the ms by metric of `ttft:500,tpot:50`, or ThresholdError."""
    found: dict[str, float] = {}
    place = 0
    for part in text.split(","):
        parser = _Parser(text, place, "goodput")
        start = place
        metric = parser.word(TIMES, "a time")
        if metric in found:
            parser.fail(f"{metric} is there twice", start)
        parser.expect(":")
        found[metric] = parser.time()
        parser.spaces()
        if parser.at < place + len(part):
            parser.fail("expected a comma or the end")
        place += len(part) + 1
    return found


class _Parser:
    """Reads one threshold from left to right; `at` is where it is."""

    def __init__(self, text: str, at: int = 0, what: str = "threshold") -> None:
        # Tabs and the like would put the caret in a wrong place.
        self.text = "".join(c if c.isprintable() else " " for c in text)
        self.at = at
        self.what = what

    def fail(self, words: str, at: int | None = None) -> NoReturn:
        place = self.at if at is None else at
        raise ThresholdError(told(self.text, place, words, self.what))

    def unknown(self, what: str, known: Sequence[str]) -> NoReturn:
        """Fail at a word that is none of the known ones, and name the nearest."""
        found = re.compile(r"[\w.-]*").match(self.text, self.at)
        word = found[0].lower() if found else ""
        near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        self.fail(f"expected {what}; {hint}known: {', '.join(known)}")

    def spaces(self) -> None:
        while self.text[self.at : self.at + 1] == " ":
            self.at += 1

    def take(self, mark: str) -> bool:
        self.spaces()
        if not self.text.startswith(mark, self.at):
            return False
        self.at += len(mark)
        return True

    def expect(self, mark: str) -> None:
        if not self.take(mark):
            self.fail(f"expected {mark!r}")

    def word(self, known: Sequence[str], what: str) -> str:
        self.spaces()
        found = re.compile(r"[A-Za-z_]\w*").match(self.text, self.at)
        word = found[0] if found else ""
        if word not in known:
            self.unknown(what, known)
        self.at += len(word)
        return word

    def number(self) -> float:
        self.spaces()
        found = NUMBER.match(self.text, self.at)
        if found is None:
            self.fail("expected a number")
        number = float(found[0])
        if number > MOST:
            self.fail("too large a number")
        self.at = found.end()
        return number

    def time(self) -> float:
        """Return a time in ms."""
        number = self.number()
        found = UNIT.match(self.text, self.at)
        if found is None:
            return number
        self.at = found.end()
        return number * UNITS[found[1]]

    def threshold(self) -> Threshold:
        if re.match(r"\s*ratio\s*\(", self.text):
            return self._ratio()
        host, metric = self._subject()
        aggregate = self._aggregate_of(metric)
        sign = self._sign()
        value = self._value(metric)
        confidence = self._confidence()
        if confidence is not None and aggregate in {"avg", "min", "max"}:
            self.fail(
                "a confidence needs an interval: of a percentile, a share or a ratio",
                self.text.rfind("with"),
            )
        return Threshold(
            text=self.text, host=host, metric=metric, aggregate=aggregate, sign=sign,
            value=value, confidence=confidence,
        )  # fmt: skip

    def _subject(self) -> tuple[str | None, str]:
        """Read [HOST.]METRIC: a host's name may have dots, slashes and colons."""
        self.spaces()
        names = "|".join(sorted(METRICS, key=len, reverse=True))
        found = re.compile(rf"(?:(\S.*)\.)?({names})(?=\s*([<>=!:]|$))").match(
            self.text, self.at
        )
        if found is None:
            dot = re.split(r"[<>=!:]", self.text)[0].rfind(".")
            self.at = max(self.at, dot + 1)
            self.unknown("a metric", METRICS)
        self.at = found.end()
        return found[1], found[2]

    def _aggregate_of(self, metric: str) -> str | float | None:
        if metric in SHARES:
            if self.take(":"):
                self.fail(f"{metric} is a share and takes no aggregate", self.at - 1)
            return None
        if self.take(":"):
            return self._aggregate()
        if metric not in {"cost", "tokens"}:
            self.fail(f"expected : and an aggregate: {AGGREGATES}")
        return "avg"

    def _aggregate(self) -> str | float:
        self.spaces()
        found = re.compile(r"p\s*\(\s*([\d.]+)\s*\)|p([\d.]+)|([a-z]+)").match(
            self.text, self.at
        )
        start = self.at
        if found is None or found[3] not in {None, "avg", "min", "max", "med"}:
            self.fail(f"expected an aggregate: {AGGREGATES}")
        self.at = found.end()
        if found[3]:
            return 0.5 if found[3] == "med" else found[3]
        digits = found[1] or found[2]
        percent = float(digits) if re.fullmatch(r"\d+(\.\d+)?", digits) else 0.0
        if not 0.1 <= percent <= 99.9:
            self.fail("a percentile is 0.1 to 99.9", start)
        return percent / 100

    def _sign(self) -> str:
        sign = next((each for each in OPERATORS if self.take(each)), None)
        return sign or self.fail(f"expected one of {' '.join(OPERATORS)}")

    def _value(self, metric: str) -> float:
        if metric in TIMES:
            return self.time()
        if metric == "cost":
            self.take("$")
            return self.number()
        start = self.at
        number = self.number()
        if metric in SHARES:
            if self.take("%"):
                number /= 100
            if number > 1:
                self.fail("a share is 0 to 1, or 0% to 100%", start)
        return number

    def _confidence(self) -> float | None:
        """Read the rest: nothing, or `with 95%`."""
        self.spaces()
        if self.at == len(self.text):
            return None
        if not self.take("with"):
            self.fail("expected the end, or with 95%")
        start = self.at
        percent = self.number()
        self.expect("%")
        self.spaces()
        if not 50 <= percent < 100:
            self.fail("a confidence is 50% to below 100%", start)
        if self.at < len(self.text):
            self.fail("expected the end")
        return percent / 100

    def _ratio(self) -> Threshold:
        self.expect("ratio")
        self.expect("(")
        self.spaces()
        start, comma = self.at, self.text.find(",", self.at)
        pair = self.text[start:comma].strip() if comma >= 0 else ""
        host, slash, against = self._hosts(pair)
        if not (host and slash and against):
            self.fail("expected two hosts, as in ratio(a/b, ttft, p50)")
        self.at = comma
        self.expect(",")
        metric = self.word(RATIO_METRICS, "a metric")
        self.expect(",")
        place = self.at
        aggregate = self._aggregate()
        if aggregate not in {0.5, 0.9, 0.95, "avg"}:
            self.fail("a ratio is of p50, p90, p95 or avg", place)
        self.expect(")")
        sign = self._sign()
        value = self.number()
        return Threshold(
            text=self.text, host=host, against=against, metric=metric,
            aggregate=aggregate, sign=sign, value=value,
            confidence=self._confidence(),
        )  # fmt: skip

    @staticmethod
    def _hosts(pair: str) -> tuple[str, str, str]:
        """Part HOST/HOST; names that have slashes themselves stand in quotes."""
        quoted = re.fullmatch(r"""(["']?)(.+?)\1\s*(/)\s*(["']?)(.+?)\4""", pair)
        if quoted is None:
            return "", "", ""
        return quoted[2].strip(), quoted[3], quoted[5].strip()
