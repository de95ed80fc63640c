"""Keys that cannot be printed by mistake, and the one place where text is cleaned."""

import base64
import json
import re
from collections.abc import Iterable
from typing import NoReturn
from urllib.parse import quote

MASK = "***"

_PATTERNS = (
    re.compile(r"\bsk-[A-Za-z0-9_-]{8,}"),
    re.compile(r"(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(
        r"(?i)(\b(?:api[-_]?key|token|secret|password)[\"']?\s*[=:]\s*[\"']?)"
        r"[A-Za-z0-9._~+/=-]{6,}"
    ),
)


class Secret:
    """A key. Only `reveal` gives it; repr, str, pickle and JSON never do."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the key itself, for the one header that carries it."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled")


def forms(secrets: Iterable[Secret]) -> tuple[str, ...]:
    """Return the spellings under which keys may come back, longest first.

    A spelling under 6 characters is left out: to mask it would blank plain words.
    """
    spelled = {form for secret in secrets for form in _forms(secret.reveal())}
    kept = (form for form in spelled if len(form) >= 6)
    return tuple(sorted(kept, key=len, reverse=True))


def _forms(key: str) -> set[str]:
    raw = key.encode("utf-8", "surrogateescape")
    padded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    bare = {form.rstrip("=") for form in padded}
    quoted = {quote(raw, safe=""), json.dumps(key)[1:-1]}
    return {key, raw.hex(), *padded, *bare, *quoted}


def mask(text: str, spelled: Iterable[str]) -> str:
    """Replace the spellings of known keys (`forms`) and nothing else."""
    for form in spelled:
        if form in text:
            text = text.replace(form, MASK)
    return text


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Replace known keys, in any usual encoding, and anything shaped like a key."""
    text = mask(text, forms(secrets))
    for pattern in _PATTERNS:
        text = pattern.sub(
            lambda found: (found.group(1) if found.re.groups else "") + MASK, text
        )
    return text
