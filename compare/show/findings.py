"""What a chart shows, in a sentence: who is ahead, and whose requests failed."""

from collections.abc import Iterator, Sequence

from compare.judge.contrast import FASTER, NO_DIFFERENCE, SLOWER, TOO_FEW
from compare.judge.pair import Contrast, base
from compare.show.subject import Subject
from compare.show.words import percent, segment

PLACES = {
    "ttft": "to the first token",
    "e2e": "end to end",
    "ttn": "to an equal token",
    "tpot": "per token",
}
"""The metrics of which sentences speak, in this order."""

MOST = 3
"""So many hosts are named together; more are counted."""

SEGMENTS = 2
MANY = 0.01
"""The share of failed requests from which on every sentence speaks of them."""

_FORMS = {
    FASTER: "{} faster than {}",
    SLOWER: "{} slower than {}",
    NO_DIFFERENCE: "{}: no difference from {} shown",
    TOO_FEW: "{}: too few samples against {}",
}


def ahead(subject: Subject, metrics: Sequence[str]) -> str:
    """Return who is ahead in some metrics, and who fails; nothing if nobody compared.

    Verdicts are those of the comparison: where it gives none, no word is said.
    """
    found = subject.comparison.contrasts if subject.comparison else []
    mine = [c for c in found if base(c.metric) in metrics and c.verdict is not None]
    keys = list(dict.fromkeys((c.scenario, c.step) for c in mine))
    told = []
    for scenario, step in keys[:SEGMENTS]:
        group = [c for c in mine if (c.scenario, c.step) == (scenario, step)]
        steps = len({step for _, step in keys}) > 1
        where = f"{segment(scenario, step, several=steps)}: " if keys[1:] else ""
        told.append(where + "; ".join(_verdicts(subject, group)))
    if keys[SEGMENTS:]:
        told.append(f"{len(keys) - SEGMENTS} more scenarios and steps: see h2h compare")
    return _sentence([*told, *_failing(subject, MANY)]) if told else ""


def failed(subject: Subject) -> str:
    """Return whose requests failed, most first; nothing of a run without any."""
    if not any(each.tally.n_attempted for each in subject.summaries.values()):
        return ""
    return _sentence([*_failing(subject, 0.0)] or ["no request failed"])


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def _verdicts(subject: Subject, group: Sequence[Contrast]) -> Iterator[str]:
    for metric, place in PLACES.items():
        parts = []
        for verdict, form in _FORMS.items():
            alike = [
                c for c in group if base(c.metric) == metric and c.verdict == verdict
            ]
            if alike:
                names = _named(subject, alike, ratios=verdict in {FASTER, SLOWER})
                reference = alike[0].reference
                other = subject.hosts.get(reference, reference)
                parts.append(form.format(names, other))
        if parts:
            yield f"{place}, {', '.join(parts)}"


def _named(subject: Subject, alike: Sequence[Contrast], *, ratios: bool) -> str:
    """Return hosts with their ratios, or of many how many and between which ratios."""
    known = [c.estimate for c in alike if c.estimate is not None]
    if len(alike) > MOST:
        span = f" ({min(known):.2f} to {max(known):.2f} x)" if ratios and known else ""
        return f"{len(alike)} hosts{span}"
    return _listed(
        [
            subject.hosts.get(c.provider, c.provider)
            + (f" ({c.estimate:.2f} x)" if ratios else "")
            for c in alike
        ]
    )


def _failing(subject: Subject, least: float) -> Iterator[str]:
    """Yield which hosts failed more than a share of their requests, if any did."""
    counts: dict[str, list[int]] = {}
    for each in subject.summaries.values():
        failed, n = counts.get(each.provider, [0, 0])
        judged = each.tally.n_ok + each.tally.n_failed
        counts[each.provider] = [failed + each.tally.n_failed, n + judged]
    shares = {
        subject.hosts[name]: failed / n
        for name, (failed, n) in counts.items()
        if n and failed / n > least
    }
    worst = sorted(shares, key=lambda label: -shares[label])
    told = [f"{label} {percent(shares[label])}" for label in worst[:MOST]]
    told += [f"{len(worst) - MOST} more hosts less"] if worst[MOST:] else []
    if told:
        yield f"failed requests: {_listed(told)}"


def _listed(texts: Sequence[str]) -> str:
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} and {texts[-1]}"
