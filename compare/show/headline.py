"""The verdict of a comparison, in a sentence for each scenario and load step."""

from collections.abc import Sequence

import msgspec

from compare.judge.caveats import Caveat, Note
from compare.judge.comparison import Comparison
from compare.judge.contrast import FASTER, SLOWER, TOO_FEW
from compare.judge.frame import Segment
from compare.judge.pair import Contrast
from compare.show import quality
from compare.show.words import percent, plain, segment

NAMES = 60
WHERE = {"ttft": "to the first token", "e2e": "end to end"}
"""The metrics of the sentence."""

MANY = 0.01
"""The share of failed or cut off requests from which on the sentence speaks of them."""


def sides(found: Comparison) -> tuple[str, ...]:
    """Return what stands before the name of each run: of two runs, which one it is."""
    return ("",) if found.paired else ("base: ", "new: ")


def sided(found: Comparison) -> Comparison:
    """Return a comparison of two runs with hosts called (base) and (new).

    Ids of runs tell nobody which one came first; those of one run keep their names.
    """
    if found.paired:
        return found
    places = zip((run.run_id for run in found.runs), ("base", "new"), strict=True)
    # The longer id first: the other may begin like it.
    ends = [(f"@{name}", f" ({side})") for name, side in sorted(places)[::-1]]

    def called(text: str) -> str:
        for end, side in ends:
            text = text.replace(end, side)
        return text

    replace = msgspec.structs.replace
    return replace(
        found,
        summaries=[
            replace(each, provider=f"{each.provider} (new)") for each in found.summaries
        ],
        contrasts=[
            replace(each, provider=called(each.provider),
                    reference=called(each.reference))
            for each in found.contrasts
        ],
        tallies={(called(host), key): n for (host, key), n in found.tallies.items()},
        notes=[
            replace(note, text=called(note.text),
                    hosts=tuple(called(host) for host in note.hosts))
            for note in found.notes
        ],
        qualities=[
            replace(each, provider=f"{each.provider} (new)")
            for each in found.qualities
        ],
    )  # fmt: skip


def headline(found: Comparison) -> list[str]:
    """Return the verdict in a sentence for each scenario and load step."""
    if any(note.caveat is Caveat.RUN_INVALID for note in found.notes):
        return ["No verdict: the run is invalid."]
    keys = list(dict.fromkeys((c.scenario, c.step) for c in found.contrasts))
    steps = len({step for _, step in keys}) > 1
    lines = anyway(found.notes)
    for scenario, step in keys:
        group = [c for c in found.contrasts if (c.scenario, c.step) == (scenario, step)]
        hosts = dict.fromkeys((c.provider, c.reference) for c in group)
        key = Segment(scenario, step)
        told = [_of_pair(found, group, pair, key) for pair in hosts]
        told += [
            _lost(found, reference, key).removeprefix(", ")
            for reference in dict.fromkeys(pair[1] for pair in hosts)
        ]
        where = segment(scenario, step, several=steps)
        lines.append(f"{where}: {'; '.join(filter(None, told))}.")
    return lines or [_nothing(found)]


def _of_pair(
    found: Comparison, group: Sequence[Contrast], pair: tuple[str, str], key: Segment
) -> str:
    """Return all that is said of a host beside its reference."""
    said = _of_host(group, *pair)
    alone = said.startswith(f"{plain(pair[0], NAMES)} is ")
    lost = _lost(found, pair[0], key, "its" if alone else "")
    return said + quality.verdict(group, pair[0]) + lost


def anyway(notes: Sequence[Note]) -> list[str]:
    """Return a sentence for each thing that hosts were asked unlike."""
    unlike = [each.text for each in notes if each.caveat is Caveat.COMPARED_ANYWAY]
    return [f"Compared anyway, though {plain(each, 300)}." for each in unlike]


def _lost(found: Comparison, host: str, key: Segment, whose: str = "") -> str:
    """Return what a verdict on a host's answers would leave out: who got none.

    `whose` requests they are: by default its name says that.
    """
    counts = found.tallies.get((host, key))
    if counts is None:
        return ""
    whose = whose or f"{plain(host, NAMES)}'s"
    judged, n = counts.n_ok + counts.n_failed, counts.n_attempted
    told = []
    if judged and counts.n_failed / judged > MANY:
        told.append(f"{percent(counts.n_failed / judged)} of {whose} requests failed")
    if n and counts.n_interrupted / n > MANY:
        of = f"{whose} {n:,}" + ("" if told else " requests")
        told.append(f"{counts.n_interrupted:,} of {of} were cut off by us")
    return f", but {' and '.join(told)}" if told else ""


def _nothing(found: Comparison) -> str:
    """Return why there is no contrast at all."""
    hosts = {each.provider for each in found.summaries}
    if not hosts:
        return "Nothing was measured: there is nothing to compare."
    if not found.paired:
        return "Nothing that both runs asked is the same: there is nothing to contrast."
    if len(hosts) > 1:
        name = plain(found.reference or "the reference", NAMES)
        return f"{name} was asked nothing: there is nothing to contrast with."
    return "One host only: there is nothing to contrast it with."


def _of_host(group: Sequence[Contrast], host: str, reference: str) -> str:
    """Return what is said of one host: its verdicts, alike ones together."""
    said: dict[str, list[str]] = {}
    for each in group:
        if (each.provider, each.reference) != (host, reference):
            continue
        place = WHERE.get(each.metric)
        if each.metric.startswith("ttn("):
            place = f"to token {each.metric[4:-1]}"
        if place is None or each.verdict is None:
            continue
        ratio = f" ({each.estimate:.2f} x)" if each.verdict in {FASTER, SLOWER} else ""
        said.setdefault(each.verdict, []).append(place + ratio)
    name, other = plain(host, NAMES), plain(reference, NAMES)
    if not said:
        return f"{name} and {other}: no verdict"
    if set(said) == {TOO_FEW}:
        return f"{name} and {other}: too few samples"
    told = [
        f"{verdict} {'than ' + other + ' ' if n == 0 else ''}{' and '.join(places)}"
        for n, (verdict, places) in enumerate(
            (v, p) for v, p in said.items() if v in {FASTER, SLOWER}
        )
    ]
    rest = [f"{v} {' and '.join(p)}" for v, p in said.items()
            if v not in {FASTER, SLOWER}]  # fmt: skip
    if not told:
        return f"{name} and {other}: {', '.join(rest)}"
    return f"{name} is {', '.join([' and '.join(told), *rest])}"
