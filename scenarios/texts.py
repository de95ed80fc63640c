"""Checks of what an answer says."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec
import re2

from scenarios.answer import Answer, parse
from scenarios.request import ScenarioError

Text = Annotated[str, msgspec.Meta(min_length=1)]

# RE2 has no look-around, so what stands before and after a number is taken with it.
_NUMBER: Final = (
    r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
)


class Contains(msgspec.Struct, frozen=True, kw_only=True, tag="contains"):
    """The text is in the answer."""

    text: Text
    ignore_case: bool = False
    name: str = ""

    def fault(self, answer: Answer) -> str | None:
        """Return what is wrong, None if nothing is."""
        wanted, content = _folded(self.text, answer, self.ignore_case)
        return None if wanted in content else f"{self.text!r} is not in the answer"


class NotContains(msgspec.Struct, frozen=True, kw_only=True, tag="not_contains"):
    """The text is not in the answer."""

    text: Text
    ignore_case: bool = False
    name: str = ""

    def fault(self, answer: Answer) -> str | None:
        """Return what is wrong, None if nothing is."""
        unwanted, content = _folded(self.text, answer, self.ignore_case)
        return f"{self.text!r} is in the answer" if unwanted in content else None


class Equals(msgspec.Struct, frozen=True, kw_only=True, tag="equals"):
    """The answer is the text, space around it apart."""

    text: Text
    ignore_case: bool = False
    name: str = ""

    def fault(self, answer: Answer) -> str | None:
        """Return what is wrong, None if nothing is."""
        wanted, content = _folded(self.text, answer, self.ignore_case)
        equal = wanted.strip() == content.strip()
        return None if equal else f"the answer is not {self.text!r}"


class Regex(msgspec.Struct, frozen=True, kw_only=True, tag="regex"):
    """RE2 finds the pattern in the answer, in time linear in its length."""

    pattern: Text
    ignore_case: bool = False
    name: str = ""

    def fault(self, answer: Answer) -> str | None:
        """Return what is wrong, None if nothing is."""
        # RE2 works on UTF-8, which a lone surrogate in model text has no form in.
        clean = answer.content.encode("utf-8", "replace").decode()
        found = regex(self.pattern, self.ignore_case).search(clean)
        return None if found else f"no match of {self.pattern!r}"

    def refuse(self, where: str) -> None:
        """Raise ScenarioError if RE2 refuses the pattern."""
        refuse_pattern(self.pattern, f"{where}.pattern")


class Number(msgspec.Struct, frozen=True, kw_only=True, tag="number"):
    """The last number of the answer is `value`, to within `tolerance`.

    `tolerance` is absolute; with `relative` it is a share of `value`.
    """

    value: float
    tolerance: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    relative: bool = False
    name: str = ""

    def fault(self, answer: Answer) -> str | None:
        """Return what is wrong, None if nothing is."""
        clean = answer.content.encode("utf-8", "replace").decode()
        found = regex(_NUMBER, False).findall(clean)
        if not found:
            return "no number in the answer"
        said = float(found[-1].replace(",", ""))
        width = self.tolerance * (abs(self.value) if self.relative else 1.0)
        if math.isfinite(said) and abs(said - self.value) <= width:
            return None
        return f"the last number is {found[-1][:40]}, not {self.value:g}"


class MinChars(msgspec.Struct, frozen=True, kw_only=True, tag="min_chars"):
    """The answer has at least so many characters, space around it apart."""

    chars: Annotated[int, msgspec.Meta(ge=1)]
    name: str = ""

    def fault(self, answer: Answer) -> str | None:
        """Return what is wrong, None if nothing is."""
        n = len(answer.content.strip())
        return None if n >= self.chars else f"{n} characters, not {self.chars}"


class MaxChars(msgspec.Struct, frozen=True, kw_only=True, tag="max_chars"):
    """The answer has at most so many characters, space around it apart."""

    chars: Annotated[int, msgspec.Meta(ge=0)]
    name: str = ""

    def fault(self, answer: Answer) -> str | None:
        """Return what is wrong, None if nothing is."""
        n = len(answer.content.strip())
        return None if n <= self.chars else f"{n} characters, more than {self.chars}"


class Finish(msgspec.Struct, frozen=True, kw_only=True, tag="finish"):
    """The host says that the answer ended for this reason: `stop`, `length`, ..."""

    reason: Text
    name: str = ""

    def fault(self, answer: Answer) -> str | None:
        """Return what is wrong, None if nothing is."""
        said = answer.finish_reason
        right = said == self.reason
        return None if right else f"ended by {said!r}, not {self.reason!r}"


class Json(msgspec.Struct, frozen=True, kw_only=True, tag="json"):
    """The whole answer is one JSON value; with `keys` an object that has them."""

    keys: tuple[str, ...] = ()
    name: str = ""

    def fault(self, answer: Answer) -> str | None:
        """Return what is wrong, None if nothing is."""
        value, fault = parse(answer.content)
        if fault or not self.keys:
            return fault
        if not isinstance(value, dict):
            return f"a JSON {type(value).__name__}, not an object"
        missing = [key for key in self.keys if key not in value]
        return f"keys missing: {', '.join(missing)}" if missing else None


class JsonSchema(msgspec.Struct, frozen=True, kw_only=True, tag="json_schema"):
    """The whole answer is one JSON value that the schema accepts."""

    schema: Mapping[str, Any]
    name: str = ""

    def fault(self, answer: Answer) -> str | None:
        """Return what is wrong, None if nothing is."""
        value, fault = parse(answer.content)
        if fault:
            return fault
        return schema_fault(value, self.schema)

    def refuse(self, where: str) -> None:
        """Raise ScenarioError if it is no schema, or would fetch another."""
        try:
            _validator(msgspec.json.encode(self.schema, order="sorted"))
        except ImportError:
            raise ScenarioError(
                f"{where}: a json_schema check needs jsonschema-rs; install "
                "head-to-head[quality]"
            ) from None
        except Exception as error:  # noqa: BLE001 - it has no common type
            first = str(error).splitlines()[0]
            raise ScenarioError(
                f"{where}.schema: {first}; write a JSON Schema without references "
                "to other documents"
            ) from None


def schema_fault(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Return what a schema says against a JSON value, None if nothing."""
    error = next(
        _validator(msgspec.json.encode(schema, order="sorted")).iter_errors(value), None
    )
    if error is None:
        return None
    at = "/".join(str(step) for step in error.instance_path)
    return f"at /{at}: {error.message}"[:400]


def regex(pattern: str, ignore_case: bool) -> Any:
    """Return a pattern compiled by RE2."""
    return _compiled(pattern, ignore_case)


def refuse_pattern(pattern: str, where: str) -> None:
    """Raise ScenarioError if RE2 refuses a pattern."""
    try:
        regex(pattern, False)
    except re2.error as error:
        why = error.args[0].decode(errors="replace")
        raise ScenarioError(
            f"{where}: RE2 refuses {pattern!r}: {why}; RE2 has no"
            " look-around and no back-references"
        ) from None
    except UnicodeEncodeError:
        raise ScenarioError(f"{where}: not valid Unicode") from None


@lru_cache(maxsize=256)
def _compiled(pattern: str, ignore_case: bool) -> Any:
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    return re2.compile(pattern, options)


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Any:
    import jsonschema_rs

    def refuse(uri: str) -> Any:
        raise ValueError(f"{uri} is not fetched")

    return jsonschema_rs.validator_for(
        msgspec.json.decode(schema), retriever=refuse, validate_formats=True
    )


def _folded(text: str, answer: Answer, ignore_case: bool) -> tuple[str, str]:
    if ignore_case:
        return text.casefold(), answer.content.casefold()
    return text, answer.content
