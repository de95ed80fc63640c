"""A whole comparison: who is ahead, how sure, and what is to be held against it."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from compare.judge.answers import COLUMNS as ANSWERS
from compare.judge.answers import answers
from compare.judge.caveats import Caveat, Note, withheld
from compare.judge.comparable import refuse, unlike, unlike_runs
from compare.judge.contrast import between, contrasts, floors, matched
from compare.judge.depth import add_depths, depth_of
from compare.judge.frame import Frame, Segment
from compare.judge.notes import (
    differs,
    of_connections,
    of_contrasts,
    of_missing,
    of_pairs,
    of_rows,
    of_run,
    unlike_loads,
)
from compare.judge.pair import Contrast
from compare.judge.quality import Quality, has_quality, qualities
from compare.judge.sample import OBJECTIVES
from compare.judge.summary import Summary, summarise
from compare.judge.tally import Tally
from data.migrations import StoreError
from data.row import RunRow
from data.verdicts import Verdicts

Batches = Iterable[Sequence[Sequence[Any]]]
More = Callable[[Sequence[str], tuple[int, int] | None], Batches]


def nothing_more(_names: Sequence[str], _span: tuple[int, int] | None) -> Batches:
    """Stand in for `Judged.more` where rows were not stored."""
    return ()


class Judged(msgspec.Struct, frozen=True):
    """A stored run and its measured rows; `timelines` reads `depth.COLUMNS` of it.

    `more` reads any columns of the same rows, of all of them or of the `seq`s from a
    first to a last one; `verdicts` reads what came of their checks.
    """

    run: RunRow
    frame: Frame
    timelines: Callable[[], Batches]
    more: More = nothing_more
    verdicts: Callable[[], Sequence[Verdicts]] = tuple


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a run's hosts, or of two runs.

    `reference` is the host that the others are set against; None where two runs set
    each host against itself, or there is no host. `summaries` are those of the last
    run, with `objectives` in ms by metric, and `qualities` say what its checks say.
    `tallies` are what became of the requests of both sides, by the host's name in the
    contrasts and the segment.
    """

    runs: tuple[RunRow, ...]
    reference: str | None
    summaries: list[Summary]
    contrasts: list[Contrast]
    notes: list[Note]
    qualities: list[Quality] = []
    objectives: Mapping[str, float] = {}
    tallies: Mapping[tuple[str, Segment], Tally] = {}

    @property
    def paired(self) -> bool:
        """Tell whether the contrasts are within blocks of one run."""
        return len(self.runs) == 1


def compared(
    found: Sequence[Judged],
    hosts: Sequence[str],
    reference: str | None = None,
    *,
    objectives: Mapping[str, float] | None = None,
    anyway: bool = False,
) -> Comparison:
    """Return the comparison of one run's hosts, or of the second run with the first.

    `hosts` are those of the (first) run in its own order: the default reference is the
    first one that was asked. `objectives` None takes those of the (second) run.
    """
    wanted = objectives or objectives_of(found[-1].run)
    if len(found) == 2:
        a, b = found
        return across(a, b, reference, objectives=wanted, anyway=anyway)
    asked = next((h for h in hosts if h in found[0].frame.hosts), None)
    chosen = reference or asked or next(iter(hosts), None)
    return within(found[0], chosen, objectives=wanted, anyway=anyway)


def within(
    found: Judged,
    reference: str | None = None,
    *,
    objectives: Mapping[str, float] | None = None,
    anyway: bool = False,
) -> Comparison:
    """Return how a run's hosts compare with the reference (default: the first).

    Incomparable if they were asked unlike things, unless `anyway`.
    """
    run, frame = found.run, found.frame
    chosen = reference or next(iter(frame.hosts), None)
    notes = allowed(unlike(frame), anyway=anyway)
    made = contrasts(frame, chosen, floor_ms=floor_of(run))
    depths = _depths(frame, made)
    if depths:
        add_depths(frame, depths, found.timelines())
        made += contrasts(frame, chosen, floor_ms=floor_of(run), depths=depths)
    notes += [*of_run(run), *of_contrasts(made), *of_rows(frame)]
    notes += of_pairs(frame, chosen) if chosen else []
    return Comparison(
        runs=(run,),
        reference=chosen,
        summaries=summarise(frame, objectives),
        contrasts=withheld(made, notes),
        notes=notes,
        qualities=quality_of(found, chosen),
        objectives=objectives or {},
        tallies=_tallies(frame),
    )


def across(
    a: Judged,
    b: Judged,
    reference: str | None = None,
    *,
    objectives: Mapping[str, float] | None = None,
    anyway: bool = False,
) -> Comparison:
    """Return how run B's hosts differ from run A's; see `contrast.between`."""
    names = (a.run.run_id, b.run.run_id)
    pairs = matched(a.frame, b.frame, reference)
    notes = allowed(unlike_runs(a.frame, b.frame, pairs, names), anyway=anyway)
    ones, others = floor_of(a.run), floor_of(b.run)
    worse = {name: max(ms, ones.get(name, 0.0)) for name, ms in (ones | others).items()}
    made = between(a.frame, b.frame, names, reference, floor_ms=worse)
    text = "the two runs share no moment"
    notes.append(Note(caveat=Caveat.SEPARATE_RUNS, text=text))
    notes += unlike_loads(a.run, b.run)
    notes += of_missing(a.frame, b.frame, reference, names)
    notes += of_connections(a.frame, b.frame, pairs, names)
    for each in (a, b):
        own = {host: f"{host}@{each.run.run_id}" for host in each.frame.hosts}
        notes += [_renamed(note, own) for note in of_run(each.run)]
        notes += of_rows(each.frame, own)
    notes += of_contrasts(made)
    return Comparison(
        runs=(a.run, b.run),
        reference=f"{reference}@{names[0]}" if reference else None,
        summaries=summarise(b.frame, objectives),
        contrasts=withheld(made, notes),
        notes=notes,
        qualities=quality_of(b),
        objectives=objectives or {},
        tallies=_tallies(a.frame, f"@{names[0]}") | _tallies(b.frame, f"@{names[1]}"),
    )


def quality_of(found: Judged, reference: str | None = None) -> list[Quality]:
    """Return what the checks of a run say of its hosts; empty where there are none."""
    if not has_quality(found.frame):
        return []
    known = answers(found.frame, found.more(ANSWERS, None))
    return qualities(found.frame, known, found.verdicts(), reference)


def floor_of(run: RunRow) -> dict[str, float]:
    """Return the bench's own error in ms by metric before a run, empty if unknown."""
    return floors(json.loads(run.floor or "null"))


def objectives_of(run: RunRow) -> dict[str, float]:
    """Return the objectives that a run was made with, in ms by metric.

    StoreError for one that this version does not know: without it more would be good.
    """
    found: dict[str, float] = json.loads(run.job or "{}").get("slo") or {}
    for name in found.keys() - set(OBJECTIVES):
        raise StoreError(
            f"run {run.run_id}: its objective {name!r} is none of "
            f"{', '.join(OBJECTIVES)}; judge it by others with --goodput"
        )
    return found


def thresholds_of(run: RunRow) -> list[str]:
    """Return the thresholds that a run was made with, as they were written."""
    return json.loads(run.job or "{}").get("thresholds") or []


def allowed(found: Sequence[str], *, anyway: bool) -> list[Note]:
    """Return what was asked unlike as caveats; Incomparable for it unless `anyway`."""
    if not anyway:
        refuse(found)
    return [Note(caveat=Caveat.COMPARED_ANYWAY, text=each) for each in found]


def _tallies(frame: Frame, end: str = "") -> dict[tuple[str, Segment], Tally]:
    """Return what became of a run's requests; `end` is added to its hosts' names."""
    return {
        (host + end, segment): frame.tally(frame.rows(segment, host))
        for segment in frame.segments
        for host in frame.hosts_of(segment)
    }


def _depths(frame: Frame, found: Sequence[Contrast]) -> dict[Segment, int]:
    """Return how many tokens deep to compare in the segments of unequal work."""
    unequal = {
        Segment(each.scenario, each.step)
        for each in found
        if each.metric == "tokens" and differs(each)
    }
    depths = {segment: depth_of(frame, segment) for segment in unequal}
    return {segment: k for segment, k in depths.items() if k is not None}


def _renamed(note: Note, names: Mapping[str, str]) -> Note:
    hosts = tuple(names.get(host, host) for host in note.hosts)
    return msgspec.structs.replace(note, hosts=hosts)
