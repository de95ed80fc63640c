"""Text and figures as people see them: nothing a host says can steer a terminal."""

import json
import unicodedata
from collections.abc import Callable

from data.row import RunRow

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain(text: str, limit: int = 200) -> str:
    """Return text on one line without control, escape or direction characters.

    What is longer than `limit` characters loses its middle.
    """
    # Only so much is looked at: names may be a host's, and of any length.
    shown = (" " if c in "\t\n\r" else c for c in text[: 4 * limit])
    clean = "".join(c for c in shown if unicodedata.category(c) not in _UNSEEN)
    return capped(" ".join(clean.split()), limit)


def capped(text: str, limit: int) -> str:
    """Return text of at most `limit` characters, cut in the middle.

    Long names of hosts differ at their ends as often as at their starts.
    """
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def labels(
    names: list[str], limit: int, spelt: Callable[[str], str] = str
) -> dict[str, str]:
    """Return a short plain label for each name, as `spelt` has it; no two share one."""
    found: dict[str, str] = {}
    for name in names:
        label = capped(spelt(plain(name)), limit) or "(no name)"
        if label in found.values():
            label = f"{capped(label, limit - 3)}#{len(found) + 1}"
        found[name] = label
    return found


def number(value: float) -> str:
    """Return a figure with about three digits that count: 1,234, 56.7, 8.90."""
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 or size == 0 else f"{value:.2g}"


def usd(value: float) -> str:
    """Return an amount of USD with four digits that count, never in powers of ten."""
    if abs(value) >= 1 or value == 0:
        return f"${value:,.2f}" if abs(value) >= 100 else f"${value:.3f}"
    places = 4
    while places < 9 and abs(value) < 10 ** (3 - places):
        places += 1
    return f"${value:.{places}f}"


def percent(share: float) -> str:
    """Return a share in percent; only all is 100 % and only none is 0 %."""
    if share in (0, 1):
        return f"{share * 100:.0f} %"
    return f"{min(max(share * 100, 0.1), 99.9):.1f} %"


def moment(started_at: str) -> str:
    """Return an ISO 8601 moment in UTC to the minute, such as 2026-11-03 09:00 UTC."""
    text = plain(started_at, 40)
    if len(text) >= 16 and text[10] == "T":
        return f"{text[:10]} {text[11:16]} UTC"
    return text


def segment(scenario: str, step: int | None, *, several: bool) -> str:
    """Return what a scenario at a load step is called; `several` steps are numbered."""
    return plain(scenario) + (f", load step {step}" if several else "")


def names_in(text: str) -> list[str]:
    """Return the names in a run's JSON column: of texts, or of tables with a `name`."""
    listed = json.loads(text or "[]")
    if isinstance(listed, dict):
        return [str(name) for name in listed]
    return [str(n.get("name", "?") if isinstance(n, dict) else n) for n in listed]


def reasons(run: RunRow) -> list[str]:
    """Return why a run is not simply valid, one plain phrase a reason."""
    found: list[str] = []
    for reason in json.loads(run.reasons or "[]"):
        if isinstance(reason, dict):
            known = (reason.get(key) for key in ("text", "message", "reason", "code"))
            reason = next((text for text in known if text), reason)  # noqa: PLW2901 - the phrase stands for its table
        found.append(plain(str(reason)))
    return found


def exactness(run: RunRow) -> str:
    """Return how exact the bench was before the run, in one line of 80 columns."""
    floor = json.loads(run.floor or "null")
    if not floor:
        return "not calibrated: small differences may be the bench's own"
    return (
        f"bench error: TTFT {number(floor['ttft_p50_ms'])} ms "
        f"(p99 {number(floor['ttft_p99_ms'])}), gap p99 "
        f"{number(floor['gap_p99_ms'])} ms, at {floor['streams']} streams"
    )


def named(run: RunRow) -> str:
    """Return what a run is called: its kind and id, and that a demo is simulated."""
    simulated = ", SIMULATED hosts" if run.kind == "demo" else ""
    return f"{plain(run.kind, 20)} {plain(run.run_id, 48)}{simulated}"
